//! `kill -9` during inserts: what was acknowledged is there, and with tokens nothing is there twice.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::running::Speaker;
use crate::supervision::Supervised;

const BATCHES: u64 = 60;
const ROWS: u64 = 1000;

/// Repeats a batch until it is acknowledged, as the store's writer does. Gives the number of tries.
async fn insert_until_acknowledged(speaker: &Speaker, batch: u64) -> u32 {
    let address =
        format!("/?query=INSERT+INTO+t+FORMAT+RowBinary&insert_deduplication_token=batch-{batch}");
    let rows: Vec<u8> = (batch * ROWS..(batch + 1) * ROWS)
        .flat_map(u64::to_le_bytes)
        .collect();
    let mut tries = 1;
    while !matches!(speaker.try_post(&address, rows.clone()).await, Some(reply) if reply.code.is_none())
    {
        tries += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tries
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_insert_is_lost_and_none_is_doubled() {
    let Some(mut engine) = Supervised::start(|_| {}) else {
        return;
    };
    engine.ready(0).await;
    for statement in [
        "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a \
         SETTINGS non_replicated_deduplication_window = 1000",
        "CREATE TABLE r (k UInt64, n SimpleAggregateFunction(sum, UInt64)) \
         ENGINE = AggregatingMergeTree ORDER BY k \
         SETTINGS non_replicated_deduplication_window = 1000",
        "CREATE MATERIALIZED VIEW v TO r AS SELECT a % 7 AS k, count() AS n FROM t GROUP BY k",
    ] {
        engine.speaker.ask(statement).await;
    }
    let speaker = engine.speaker.clone();
    let (done, mut progress) = tokio::sync::watch::channel(0);
    let writing = tokio::spawn(async move {
        let mut repeated = 0;
        for batch in 0..BATCHES {
            repeated += insert_until_acknowledged(&speaker, batch).await - 1;
            done.send_replace(batch + 1);
        }
        repeated
    });
    for kills in 1..=4 {
        progress
            .wait_for(|batches| *batches >= kills * 12)
            .await
            .unwrap();
        let pid = engine.ready(kills - 1).await;
        kill(pid, Signal::SIGKILL).unwrap();
        engine.ready(kills).await;
    }
    let repeated = writing.await.unwrap();
    assert!(repeated > 0, "the kills came between the inserts");
    let rows = BATCHES * ROWS;
    let table = engine
        .speaker
        .ask("SELECT count(), uniqExact(a), max(a) FROM t")
        .await;
    assert_eq!(table, format!("{rows}\t{rows}\t{}", rows - 1));
    assert_eq!(
        engine.speaker.ask("SELECT sum(n) FROM r").await,
        rows.to_string()
    );
    engine.stop().await;
}
