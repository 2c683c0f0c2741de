//! Rows that the store refuses for good: they and no others are left out, whatever is repeated.

use store::question::Dimension;
use store::{Config, Refused, Store};

use crate::places::Running;
use crate::rows::{Row, batch, group, subject, top};

/// Rows of one octet more each, from 1 octet on; each a datagram.
fn rising(rows: u64) -> flow::FlowBatch {
    let rows: Vec<Row> = (1..=rows)
        .map(|octets| Row {
            octets,
            ..Row::default()
        })
        .collect();
    batch(&rows)
}

async fn strict(engine: &Running, database: &str, constraint: &str) -> Store {
    let store = engine.store(Config {
        database: database.to_owned(),
        ..Config::default()
    });
    store.prepare().await.unwrap();
    constrain(engine, database, constraint).await;
    store
}

async fn constrain(engine: &Running, database: &str, constraint: &str) {
    let statement =
        format!("ALTER TABLE {database}.flows ADD CONSTRAINT strict CHECK {constraint}");
    engine.run(&statement).await;
}

async fn insert(store: &Store, rows: u64) -> Result<Refused, store::StoreError> {
    let writer = store.writer("here");
    writer.insert(&rising(rows), "t", flow::clock::now()).await
}

#[tokio::test]
async fn only_the_rows_that_are_refused_are_left_out() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = strict(&engine, "strict", "octets NOT IN (7, 8, 100)").await;
    for _ in 0..2 {
        let refused = insert(&store, 100).await.unwrap();
        assert_eq!((refused.rows, refused.datagrams), (3, 3));
        let why = refused.first_error.unwrap();
        assert!(why.contains("469") && why.contains("strict"), "{why}");
        // The sum of 1 to 100 is 5,050.
        let found = top(&store, Dimension::Applications, subject(0.0, 60.0, "")).await;
        assert_eq!(found, [group("web", 5050 - 115, 970, 97, 1)]);
    }
    let counters = store.stats().read();
    let value = |name: &str| counters.iter().find(|counter| counter.0 == name).unwrap().2;
    assert_eq!((value("refused_rows"), value("refused_batches")), (6, 2));
    assert_eq!(value("inserted_rows"), 194);
}

#[tokio::test]
async fn a_repetition_goes_on_where_an_attempt_ended() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = strict(&engine, "halves", "octets != 1").await;
    // The last row breaks the attempt with a passing error, when the first half but for its first row is stored.
    engine
        .run("ALTER TABLE halves.flows ADD CONSTRAINT later CHECK throwIf(octets = 20, 'not now') = 0")
        .await;
    let error = insert(&store, 20).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    engine
        .run("ALTER TABLE halves.flows DROP CONSTRAINT later")
        .await;
    for _ in 0..2 {
        assert_eq!(insert(&store, 20).await.unwrap().rows, 1);
        // 210 without the one octet.
        let found = top(&store, Dimension::Applications, subject(0.0, 60.0, "")).await;
        assert_eq!(found, [group("web", 209, 190, 19, 1)]);
    }
}

#[tokio::test]
async fn a_store_that_refuses_everything_is_waited_for() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = strict(&engine, "closed", "octets = 0").await;
    let error = insert(&store, 1000).await.unwrap_err();
    assert!(error.is_retryable() && !error.heals_by_itself(), "{error}");
    engine
        .run("ALTER TABLE closed.flows DROP CONSTRAINT strict")
        .await;
    assert_eq!(insert(&store, 1000).await.unwrap(), Refused::default());
    assert_eq!(store.inventory().await.unwrap().flows, 1000);
}
