//! What is acknowledged stays, and a database knows its program.

use std::path::Path;

use store::config::Retention;
use store::question::Dimension;
use store::{Config, Store, StoreError};

use crate::places::Running;
use crate::rows::{Row, at, batch, group, insert, subject, top};

#[tokio::test]
async fn a_killed_engine_loses_nothing_that_it_acknowledged() {
    let Some(mut engine) = Running::start().await else {
        return;
    };
    let store = engine.store(Config::default());
    store.prepare().await.unwrap();
    insert(&store, "one", &[Row::default()]).await;
    engine.kill_and_restart().await;
    store.prepare().await.unwrap();
    let ask = async || top(&store, Dimension::Applications, subject(0.0, 60.0, "")).await;
    assert_eq!(ask().await, [group("web", 1000, 10, 1, 1)]);
    // The token is remembered too.
    insert(&store, "one", &[Row::default()]).await;
    assert_eq!(ask().await, [group("web", 1000, 10, 1, 1)]);
    assert_eq!(store.inventory().await.unwrap().flows, 1);
}

#[tokio::test]
async fn a_newer_database_is_refused_in_words() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = engine.store(Config::default());
    store.prepare().await.unwrap();
    engine
        .run("INSERT INTO flowreel.schema_versions (version, name) VALUES (4000, 'future')")
        .await;
    let error = store.prepare().await.unwrap_err();
    assert!(
        matches!(error, StoreError::SchemaTooNew { found: 4000, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("install the program that made it")
    );
}

#[tokio::test]
async fn retention_follows_the_configuration() {
    let Some(engine) = Running::start().await else {
        return;
    };
    engine.store(Config::default()).prepare().await.unwrap();
    let retention = Retention {
        flows_days: 3,
        rollup_1m_days: 4,
        ..Retention::default()
    };
    let changed = Config {
        retention,
        ..Config::default()
    };
    for _ in 0..2 {
        engine.store(changed.clone()).prepare().await.unwrap();
    }
    let days = async |table: &str| {
        let sql = format!(
            "SELECT extract(engine_full, 'toIntervalDay\\\\((\\\\d+)\\\\)') FROM system.tables \
             WHERE database = 'flowreel' AND name = '{table}'"
        );
        engine.run(&sql).await
    };
    assert_eq!(days("flows").await, "3");
    assert_eq!(days("interfaces_1m").await, "4");
    assert_eq!(days("traffic_10s").await, "7");
}

#[tokio::test]
async fn a_store_that_is_away_is_late_and_not_lost() {
    let store = Store::new(
        Config::default(),
        Some(Path::new("/nonexistent/engine.sock")),
    )
    .unwrap();
    let writer = store.writer("here");
    let error = writer
        .insert(&batch(&[Row::default()]), "a", at(1.0))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Unreachable(_)) && error.is_retryable(),
        "{error:?}"
    );
    assert!(store.ping().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn what_only_rollups_still_hold_is_answered_in_whole_minutes() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = engine.store(Config::default());
    store.prepare().await.unwrap();
    // Forty days ago, and stored then: records and buckets of ten seconds are gone, minutes are not.
    let day = 86_400.0;
    let long_ago = flow::clock::now().nanos_since(at(0.0)) as f64 / 1e9 - 40.0 * day;
    let minute = (long_ago / 60.0).floor() * 60.0;
    let row = |start: f64| Row {
        start: minute + start,
        end: minute + start + 1.0,
        received: minute + start + 2.0,
        ..Row::default()
    };
    let rows = batch(&[row(5.0), row(50.0), row(70.0)]);
    let refused = store
        .writer("here")
        .insert(&rows, "a", at(minute + 60.0))
        .await
        .unwrap();
    assert_eq!(refused.rows, 0);
    for table in ["flows", "extents", "traffic_10s"] {
        engine
            .run(&format!("OPTIMIZE TABLE flowreel.{table} FINAL"))
            .await;
    }
    assert_eq!(engine.run("SELECT count() FROM flowreel.flows").await, "0");
    let found = top(
        &store,
        Dimension::Applications,
        subject(minute + 10.0, minute + 20.0, ""),
    )
    .await;
    assert_eq!(found, [group("web", 2000, 20, 2, 1)]);
}
