//! Questions go on while inserts do, and too many at once are refused.

use std::time::Duration;

use hyper::StatusCode;

use crate::running::Running;

#[tokio::test]
async fn questions_are_answered_while_an_insert_is_open() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        .await;
    let official = speaker.official();
    let mut inserts = Vec::new();
    for _ in 0..2 {
        let mut insert = official.insert_formatted_with("INSERT INTO t FORMAT RowBinary");
        insert.send([1, 2, 3].as_slice().into()).await.unwrap();
        inserts.push(insert);
    }
    for _ in 0..20 {
        assert_eq!(speaker.ask("SELECT count() FROM t").await, "0");
    }
    for mut insert in inserts {
        insert.send([4].as_slice().into()).await.unwrap();
        insert.end().await.unwrap();
    }
    assert_eq!(speaker.ask("SELECT count(), sum(a) FROM t").await, "8\t20");
}

#[tokio::test(flavor = "multi_thread")]
async fn inserts_and_questions_at_once_lose_nothing() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        .await;
    let mut work = tokio::task::JoinSet::new();
    for writer in 0..2_u64 {
        let speaker = speaker.clone();
        work.spawn(async move {
            for batch in 0..25_u64 {
                let first = (writer * 25 + batch) * 1000;
                let rows: Vec<u8> = (first..first + 1000).flat_map(u64::to_le_bytes).collect();
                let reply = speaker
                    .post("/?query=INSERT+INTO+t+FORMAT+RowBinary", rows)
                    .await;
                assert_eq!(reply.code, None, "{}", reply.text);
            }
        });
    }
    for _ in 0..3 {
        let speaker = speaker.clone();
        work.spawn(async move {
            for _ in 0..25 {
                let counts = speaker
                    .ask("SELECT count() % 1000, uniqExact(a) = count() FROM t")
                    .await;
                assert_eq!(counts, "0\t1");
            }
        });
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    assert_eq!(
        speaker.ask("SELECT count(), sum(a) FROM t").await,
        "50000\t1249975000"
    );
}

#[tokio::test]
async fn too_many_at_once_are_refused_at_once() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let speaker = engine.speaker.clone();
        asked.spawn(async move { speaker.post("/", "SELECT sleep(0.4)").await });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(reply) = asked.join_next().await {
        let reply = reply.unwrap();
        match reply.code {
            None => answered += 1,
            Some(202) => {
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
                refused += 1;
            }
            Some(_) => panic!("{}", reply.text),
        }
    }
    // Four run and sixteen wait; a place that gets free while the thirty arrive serves one more.
    assert!(
        answered >= 20 && refused >= 1,
        "{answered} answered, {refused} refused"
    );
    let after = tokio::time::timeout(Duration::from_secs(10), engine.speaker.ask("SELECT 1"));
    assert_eq!(after.await.unwrap(), "1");
}

#[tokio::test]
async fn a_statement_whose_client_left_is_ended() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = engine.speaker.clone();
    let asked = tokio::spawn(async move {
        let endless = "SELECT count() FROM numbers(1000000000000)";
        speaker.post("/", endless).await
    });
    let running = "SELECT count() FROM system.processes WHERE query LIKE '%numbers(1000000000000)%' \
                   AND query NOT LIKE '%processes%'";
    while engine.speaker.ask(running).await != "1" {}
    asked.abort();
    let ended = async { while engine.speaker.ask(running).await != "0" {} };
    // Its own limit would end it after sixty seconds.
    let ended = tokio::time::timeout(Duration::from_secs(20), ended);
    ended.await.unwrap();
}
