//! What makes a batch idempotent: the same `insert_deduplication_token` is stored once, in the table and behind its
//! views.

use crate::running::{Running, Speaker};

const TABLE: &str = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a \
                     SETTINGS non_replicated_deduplication_window = 100";
const ROLLUP: &str = "CREATE TABLE r (k UInt64, n SimpleAggregateFunction(sum, UInt64)) \
                      ENGINE = AggregatingMergeTree ORDER BY k \
                      SETTINGS non_replicated_deduplication_window = 100";
const VIEW: &str = "CREATE MATERIALIZED VIEW v TO r AS \
                    SELECT a % 2 AS k, count() AS n FROM t GROUP BY k";

async fn insert(speaker: &Speaker, token: &str, rows: std::ops::Range<u64>) {
    let address =
        format!("/?query=INSERT+INTO+t+FORMAT+RowBinary&insert_deduplication_token={token}");
    let rows: Vec<u8> = rows.flat_map(u64::to_le_bytes).collect();
    let reply = speaker.post(&address, rows).await;
    assert_eq!(reply.code, None, "{}", reply.text);
}

/// Rows in the table, and rows that the view counted.
async fn stored(speaker: &Speaker) -> String {
    speaker
        .ask("SELECT (SELECT count() FROM t), (SELECT sum(n) FROM r)")
        .await
}

#[tokio::test]
async fn the_same_token_is_stored_once_in_table_and_view() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    for statement in [TABLE, ROLLUP, VIEW] {
        speaker.ask(statement).await;
    }
    for _ in 0..3 {
        insert(speaker, "segment-1-0-100", 0..10).await;
        assert_eq!(stored(speaker).await, "10\t10");
    }
    // Other tokens are other batches, even with the same rows.
    insert(speaker, "segment-1-100-200", 0..10).await;
    assert_eq!(stored(speaker).await, "20\t20");
    // The token alone decides, not the rows.
    insert(speaker, "segment-1-100-200", 50..60).await;
    assert_eq!(stored(speaker).await, "20\t20");
}

#[tokio::test]
async fn a_batch_of_many_blocks_is_stored_once_too() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    for statement in [TABLE, ROLLUP, VIEW] {
        speaker.ask(statement).await;
    }
    let address = "/?query=INSERT+INTO+t+FORMAT+RowBinary&insert_deduplication_token=x\
                   &max_insert_block_size=7&min_insert_block_size_rows=7&min_insert_block_size_bytes=0";
    let rows: Vec<u8> = (0..100_u64).flat_map(u64::to_le_bytes).collect();
    for _ in 0..2 {
        assert_eq!(speaker.post(address, rows.clone()).await.code, None);
        assert_eq!(stored(speaker).await, "100\t100");
    }
}

#[tokio::test]
async fn a_retry_fills_in_the_view_that_a_crash_left_out() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    speaker.ask(TABLE).await;
    speaker.ask(ROLLUP).await;
    // As if the engine had died after the table's part and before the view's.
    insert(speaker, "x", 0..10).await;
    speaker.ask(VIEW).await;
    assert_eq!(stored(speaker).await, "10\t0");
    insert(speaker, "x", 0..10).await;
    assert_eq!(stored(speaker).await, "10\t10");
}

#[tokio::test]
async fn a_view_without_a_window_counts_a_retry_again() {
    let Some(engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = &engine.speaker;
    let rollup = ROLLUP.replace(
        "non_replicated_deduplication_window = 100",
        "index_granularity = 8192",
    );
    for statement in [TABLE, &rollup, VIEW] {
        speaker.ask(statement).await;
    }
    insert(speaker, "x", 0..10).await;
    insert(speaker, "x", 0..10).await;
    assert_eq!(stored(speaker).await, "10\t20");
}
