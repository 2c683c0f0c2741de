//! The HTTP interface: data in and out, parameters, settings, errors, and what is refused.

use clickhouse::Row;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::running::Running;

/// Two rows in RowBinary: a UInt64 in eight octets, least first, then a string's length and octets.
const ROW_BINARY: &[u8] = b"\x05\0\0\0\0\0\0\0\x05a\nb\0\n\x0a\0\0\0\0\0\0\0\x00";

/// The same two rows as one Native block: two columns, two rows, then name, type and values of each column.
const NATIVE: &[u8] = b"\x02\x02\x01a\x06UInt64\x05\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\
                        \x01s\x06String\x05a\nb\0\n\x00";

#[tokio::test]
async fn binary_data_comes_back_octet_by_octet() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        .await;
    for (format, data) in [("RowBinary", ROW_BINARY), ("Native", NATIVE)] {
        let address = format!("/?query=INSERT%20INTO%20t%20(a,s)%20FORMAT%20{format}");
        let reply = speaker.post(&address, data).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (StatusCode::OK, ""),
            "{format}"
        );
        let stored = speaker.ask("SELECT a, hex(s) FROM t ORDER BY a").await;
        assert_eq!(stored, "5\t610A62000A\n10\t", "{format}");
        let answer = speaker
            .post("/?default_format=Native", "SELECT a, s FROM t ORDER BY a")
            .await;
        assert_eq!(answer.text.as_bytes(), NATIVE, "{format}");
        speaker.ask("TRUNCATE TABLE t").await;
    }
}

#[tokio::test]
async fn data_may_come_inline_after_the_statement() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        .await;
    let inline = [b"INSERT INTO t FORMAT RowBinary\n", ROW_BINARY].concat();
    assert_eq!(speaker.post("/", inline).await.status, StatusCode::OK);
    speaker
        .ask("INSERT INTO t VALUES (7, 'x;y'), (8, '')")
        .await;
    let values = speaker
        .post("/?query=INSERT+INTO+t+VALUES", "(9, 'z')")
        .await;
    assert_eq!(values.status, StatusCode::OK, "{}", values.text);
    assert_eq!(
        speaker
            .ask("SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)")
            .await,
        "[5,7,8,9,10]"
    );
}

#[tokio::test]
async fn settings_and_database_last_for_one_request() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker.ask("CREATE DATABASE other").await;
    let question = "SELECT currentDatabase(), getSetting('max_block_size')";
    let set = speaker
        .post("/?database=other&max_block_size=77&query_id=x", question)
        .await;
    assert_eq!(set.text, "other\t77\n");
    assert_eq!(speaker.ask(question).await, "default\t65409");
    let readonly = speaker
        .post("/?readonly=1&max_block_size=78", "DROP DATABASE other")
        .await;
    assert_eq!(readonly.code, Some(164), "{}", readonly.text);
}

#[tokio::test]
async fn parameters_are_values_never_sql() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    // ClickHouse wants the value as in a line of TabSeparated: a newline is a backslash and an n.
    let address = "/?param_s=x%27+OR+1+%3D+1%3B+--%5Cn%5C0&param_n=7";
    let reply = engine
        .speaker
        .post(address, "SELECT hex({s:String}), {n:UInt8} + 1")
        .await;
    let evil = "x' OR 1 = 1; --\n\0";
    let hex: String = evil.bytes().map(|octet| format!("{octet:02X}")).collect();
    assert_eq!(reply.text, format!("{hex}\t8\n"));
    let official = engine.speaker.official();
    let query = official
        .query("SELECT {s:String}")
        .param("s", "it's\r\n--x");
    assert_eq!(query.fetch_one::<String>().await.unwrap(), "it's\r\n--x");
}

#[derive(Row, Serialize, Deserialize, PartialEq, Debug)]
struct Pair {
    a: u64,
    s: String,
}

#[tokio::test]
async fn the_official_client_writes_and_reads_rows() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let official = engine.speaker.official();
    let create = "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a";
    official.query(create).execute().await.unwrap();
    let pair = |a: u64| Pair {
        a,
        s: format!("{a}\n\0"),
    };
    let mut insert = official.insert::<Pair>("t").await.unwrap();
    for a in 0..50_000 {
        insert.write(&pair(a)).await.unwrap();
    }
    insert.end().await.unwrap();
    let query = official
        .query("SELECT ?fields FROM t WHERE a >= ? ORDER BY a")
        .bind(49_998);
    assert_eq!(
        query.fetch_all::<Pair>().await.unwrap(),
        [pair(49_998), pair(49_999)]
    );
}

#[tokio::test]
async fn an_exceptions_code_and_text_reach_the_official_client() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let official = engine.speaker.official();
    let failed = official
        .query("SELECT a FROM nowhere")
        .fetch_one::<u64>()
        .await;
    let text = failed.unwrap_err().to_string();
    assert!(
        text.contains("Code: 60. DB::Exception:") && text.contains("(UNKNOWN_TABLE)"),
        "{text}"
    );

    let mut insert = official.insert_formatted_with("INSERT INTO nowhere FORMAT RowBinary");
    let sent = insert.send(ROW_BINARY.into()).await;
    let failed = sent.and(insert.end().await).unwrap_err().to_string();
    assert!(failed.contains("Code: 60."), "{failed}");

    let reply = engine
        .speaker
        .post("/", "SELECT throwIf(number = 2) FROM numbers(5)")
        .await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::INTERNAL_SERVER_ERROR, Some(395))
    );
    let reply = engine.speaker.post("/?no_such_setting=1", "SELECT 1").await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::NOT_FOUND, Some(115))
    );
    let reply = engine.speaker.post("/?database=nowhere", "SELECT 1").await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::NOT_FOUND, Some(81))
    );
}

#[tokio::test]
async fn data_that_does_not_fit_is_refused_whole() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        .await;
    let cut = &ROW_BINARY[..ROW_BINARY.len() - 3];
    let reply = speaker
        .post("/?query=INSERT+INTO+t+FORMAT+RowBinary", cut)
        .await;
    assert_eq!(
        (reply.status, reply.code),
        (StatusCode::BAD_REQUEST, Some(33)),
        "{}",
        reply.text
    );
    assert_eq!(speaker.ask("SELECT count() FROM t").await, "0");
}

#[tokio::test]
async fn an_insert_that_breaks_off_stores_nothing() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker
        .ask("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        .await;
    let official = speaker.official();
    let mut insert = official.insert_formatted_with("INSERT INTO t FORMAT RowBinary");
    insert.send(ROW_BINARY.into()).await.unwrap();
    // Dropped without its end, the official client breaks the request off.
    drop(insert);
    let mut insert = official.insert_formatted_with("INSERT INTO t FORMAT RowBinary");
    insert.send(ROW_BINARY.into()).await.unwrap();
    insert.end().await.unwrap();
    assert_eq!(speaker.ask("SELECT count() FROM t").await, "2");
}

/// Statements that would reach beyond the engine's own tables, and the code that refuses each: 497 is
/// `ACCESS_DENIED`, 36 `BAD_ARGUMENTS`, 344 `SUPPORT_IS_DISABLED`, 62 `SYNTAX_ERROR`.
const REFUSED: [(&str, u32); 18] = [
    ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 497),
    (
        "INSERT INTO FUNCTION file('x.csv', 'CSV', 'a UInt8') SELECT 1",
        497,
    ),
    (
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        497,
    ),
    ("SELECT * FROM remote('127.0.0.1', system.one)", 497),
    (
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/a', 'CSV', 'a UInt8')",
        497,
    ),
    ("SELECT 1 INTO OUTFILE '/etc/flowreel-was-here'", 344),
    (
        "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT LineAsString",
        344,
    ),
    (
        "CREATE TABLE f (a String) ENGINE = File(LineAsString, '/etc/passwd')",
        497,
    ),
    (
        "CREATE TABLE u (a String) ENGINE = URL('http://127.0.0.1:1/', LineAsString)",
        497,
    ),
    ("CREATE DATABASE d ENGINE = Filesystem('/etc')", 497),
    ("CREATE USER somebody", 497),
    ("CREATE FUNCTION one AS () -> 1", 497),
    ("BACKUP TABLE system.one TO File('/etc/x')", 36),
    ("BACKUP TABLE system.one TO File('../../x')", 36),
    (
        "BACKUP TABLE system.one TO S3('http://127.0.0.1:1/bucket/a')",
        344,
    ),
    ("RESTORE TABLE system.one FROM File('/etc/x')", 36),
    ("SYSTEM SHUTDOWN", 497),
    ("SELECT 1; DROP TABLE t", 62),
];

#[tokio::test]
async fn statements_cannot_leave_the_engine() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    for (statement, code) in REFUSED {
        let reply = engine.speaker.post("/", statement).await;
        assert_eq!(reply.code, Some(code), "{statement}: {}", reply.text);
    }
    let executable = "SELECT * FROM executable('id', 'TSV', 'a String')";
    assert_ne!(engine.speaker.post("/", executable).await.code, None);
    let dictionary = "CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a \
                      SOURCE(FILE(path '/etc/passwd' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)";
    assert_eq!(engine.speaker.post("/", dictionary).await.code, Some(497));
}

#[tokio::test]
async fn what_the_interface_does_not_have_is_said() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let reply = engine.speaker.post("/elsewhere", "SELECT 1").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    for address in [
        "/?compress=1",
        "/?decompress=1&query=INSERT+INTO+t+FORMAT+Native",
    ] {
        let reply = engine.speaker.post(address, "SELECT 1").await;
        assert_eq!(
            (reply.status, reply.code),
            (StatusCode::NOT_IMPLEMENTED, Some(344)),
            "{address}"
        );
    }
}
