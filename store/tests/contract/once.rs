//! Exactly once: in the records and in every table that is made of them.

use store::question::Dimension;

use crate::places::{Running, places};
use crate::rows::{Row, batch, group, insert, subject, top};
use store::{Config, Refused};

const TABLES: [&str; 9] = [
    "flows",
    "long_flows",
    "extents",
    "traffic_10s",
    "traffic_1m",
    "traffic_1h",
    "interfaces_10s",
    "interfaces_1m",
    "interfaces_1h",
];

fn rows() -> [Row; 2] {
    [
        Row::default(),
        Row {
            start: -4000.0,
            application: "long",
            ..Row::default()
        },
    ]
}

#[tokio::test]
async fn the_same_token_counts_once_and_another_again() {
    for place in places().await {
        let store = &place.store;
        for _ in 0..3 {
            insert(store, "here:1:0-1:2000", &rows()).await;
        }
        let whole = subject(-7200.0, 3600.0, "");
        let once = [group("long", 1000, 10, 1, 1), group("web", 1000, 10, 1, 1)];
        assert_eq!(
            top(store, Dimension::Applications, whole.clone()).await,
            once
        );
        let raw = subject(-7200.0, 3600.0, "version = 9");
        assert_eq!(top(store, Dimension::Applications, raw).await, once);
        assert_eq!(store.inventory().await.unwrap().flows, 2);
        let named = batch(&rows());
        assert_eq!(store.rows_twice("here", &named).await.unwrap(), 0);
        insert(store, "here:1:2000-1:4000", &rows()).await;
        assert_eq!(store.rows_twice("here", &named).await.unwrap(), 2);
        assert_eq!(store.rows_twice("there", &named).await.unwrap(), 0);
        let twice = [group("long", 2000, 20, 2, 1), group("web", 2000, 20, 2, 1)];
        assert_eq!(top(store, Dimension::Applications, whole).await, twice);
    }
}

#[tokio::test]
async fn what_a_broken_insert_left_out_is_added_and_nothing_else() {
    let Some(engine) = Running::start().await else {
        return;
    };
    for (number, table) in TABLES.iter().enumerate() {
        let database = format!("broken_{number}");
        let store = engine.store(Config {
            database: database.clone(),
            ..Config::default()
        });
        store.prepare().await.unwrap();
        // A constraint that nothing meets: the insert breaks at this table, wherever it has been by then.
        engine
            .run(&format!(
                "ALTER TABLE {database}.{table} ADD CONSTRAINT broken CHECK 0"
            ))
            .await;
        let writer = store.writer("here");
        let outcome = writer
            .insert(&batch(&rows()), "one", flow::clock::now())
            .await;
        match outcome {
            // Of the table itself, nothing is stored.
            Ok(refused) => assert_eq!((*table, refused.rows, refused.datagrams), ("flows", 2, 2)),
            Err(error) => assert!(
                *table != "flows" && error.is_retryable(),
                "{table}: {error}"
            ),
        }
        engine
            .run(&format!(
                "ALTER TABLE {database}.{table} DROP CONSTRAINT broken"
            ))
            .await;
        for again in [true, false] {
            let (rows, now) = (batch(&rows()), flow::clock::now());
            // As the product does after a failure, and as one does that knows of none.
            let repeated = match again {
                true => writer.insert_again(&rows, "one", now).await,
                false => writer.insert(&rows, "one", now).await,
            };
            assert_eq!(repeated.unwrap(), Refused::default());
        }
        let broken = table;
        for table in TABLES
            .iter()
            .filter(|table| !table.contains("flows") && **table != "extents")
        {
            let sums =
                format!("SELECT sum(octets), sum(packets), sum(begun) FROM {database}.{table}");
            // Of the two only one is short enough for a rollup.
            assert_eq!(
                engine.run(&sums).await,
                "1000\t10\t1",
                "{table}, broken at {broken}"
            );
        }
        for (table, count) in [
            ("flows", "count()"),
            ("extents", "sum(flows)"),
            ("long_flows", "count() + 1"),
        ] {
            let count = format!("SELECT {count} FROM {database}.{table}");
            assert_eq!(engine.run(&count).await, "2", "{table}, broken at {broken}");
        }
    }
}

#[tokio::test]
async fn a_batch_over_many_days_is_one_batch() {
    for place in places().await {
        let store = &place.store;
        let days: Vec<Row> = (0..30)
            .map(|day| {
                let start = f64::from(day) * 86_400.0;
                Row {
                    start,
                    end: start + 1.0,
                    received: start + 2.0,
                    ..Row::default()
                }
            })
            .collect();
        for _ in 0..2 {
            insert(store, "days", &days).await;
        }
        let whole = subject(0.0, 30.0 * 86_400.0, "");
        let expected = [group("web", 30_000, 300, 30, 1)];
        assert_eq!(top(store, Dimension::Applications, whole).await, expected);
    }
}

#[tokio::test]
async fn counters_tell_what_was_done() {
    for place in places().await {
        let store = &place.store;
        insert(store, "a", &rows()).await;
        let counters = store.stats().read();
        let value = |name: &str| counters.iter().find(|counter| counter.0 == name).unwrap().2;
        assert_eq!((value("inserted_rows"), value("inserted_batches")), (2, 1));
        assert_eq!(value("insert_failures") + value("refused_batches"), 0);
        assert!(value("inserted_octets") > 200);
    }
}
