//! Bounds: memory, sizes, time.

use bytes::Bytes;
use hyper::StatusCode;

use crate::running::Running;

/// What the process may take in all, as it is told by default.
const RESIDENT_MAX: u64 = 1_000_000_000;

#[tokio::test]
async fn a_greedy_statement_fails_and_the_engine_lives() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    let greedy = "SELECT groupArray(number) FROM numbers(400000000)";
    let reply = speaker.post("/", greedy).await;
    assert_eq!(reply.code, Some(241), "{}", reply.text);
    // All at once they meet the bound of the whole engine, not only their own.
    let together = tokio::join!(
        speaker.post("/", greedy),
        speaker.post("/", greedy),
        speaker.post("/", greedy),
        speaker.post("/", greedy),
    );
    assert_eq!(together.0.code, Some(241));
    assert_eq!(together.3.code, Some(241));
    assert_eq!(speaker.ask("SELECT 1").await, "1");
    let peak = engine.memory("VmHWM");
    assert!(peak < RESIDENT_MAX, "{peak} octets at most");
}

#[tokio::test]
async fn inserts_stay_within_a_gigabyte() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    let create = "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a";
    speaker.ask(create).await;
    // 100,000 rows of RowBinary: a number, and a text of 100 octets.
    let mut block = Vec::new();
    for a in 0..100_000_u64 {
        block.extend_from_slice(&(a.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes());
        block.push(100);
        block.extend_from_slice(&[b'x'; 100]);
    }
    let block = Bytes::from(block);
    for _ in 0..20 {
        let reply = speaker
            .post("/?query=INSERT+INTO+t+FORMAT+RowBinary", block.clone())
            .await;
        assert_eq!(reply.code, None, "{}", reply.text);
    }
    speaker.ask("OPTIMIZE TABLE t FINAL").await;
    assert_eq!(speaker.ask("SELECT count() FROM t").await, "2000000");
    let peak = engine.memory("VmHWM");
    assert!(peak < RESIDENT_MAX, "{peak} octets at most");
}

#[tokio::test]
async fn sizes_are_bounded() {
    let Some(engine) = Running::start(&["--insert-max", "1000"]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY s")
        .await;
    let insert = "/?query=INSERT+INTO+t+FORMAT+LineAsString";
    assert_eq!(
        speaker.post(insert, vec![b'x'; 1000]).await.status,
        StatusCode::OK
    );
    let reply = speaker.post(insert, vec![b'x'; 1001]).await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::BAD_REQUEST, Some(117))
    );
    assert_eq!(speaker.ask("SELECT count() FROM t").await, "1");
    let reply = speaker.post("/", vec![b' '; (4 << 20) + 1]).await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::BAD_REQUEST, Some(117))
    );
}

#[tokio::test]
async fn a_statement_ends_when_its_time_is_over() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let endless = "SELECT count() FROM numbers(1000000000000)";
    let reply = engine
        .speaker
        .post("/?max_execution_time=0.2", endless)
        .await;
    assert_eq!(reply.code, Some(159), "{}", reply.text);
    assert_eq!(
        engine
            .speaker
            .ask("SELECT getSetting('max_execution_time')")
            .await,
        "60"
    );
}
