//! The store's schema.

use store::question::Dimension;
use store::{Config, Store, StoreError};

use crate::cut::Cut;
use crate::places::Running;
use crate::rows::{Row, group, insert, subject, top};

/// Every released version: its number, the statements that made its database, and what was stored then.
const RELEASED: &[(u32, &str, &str)] = &[(
    5,
    include_str!("v5/schema.sql"),
    include_str!("v5/rows.sql"),
)];

/// Steps of a migration that may be cut, at most; more are a loop.
const STEPS_MAX: u32 = 500;

fn config(database: &str) -> Config {
    Config {
        database: database.to_owned(),
        ..Config::default()
    }
}

/// Makes the database as that version made it, with its rows.
async fn restore(engine: &Running, database: &str, released: &(u32, &str, &str)) {
    let (version, schema, rows) = released;
    let here = |text: &str| {
        text.replace(
            "IF NOT EXISTS flowreel",
            &format!("IF NOT EXISTS {database}"),
        )
        .replace("flowreel.", &format!("{database}."))
    };
    let schema = here(schema);
    for statement in schema
        .split(";\n")
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        engine.run(statement).await;
    }
    for number in 1..=*version {
        let applied = format!(
            "INSERT INTO {database}.schema_versions (version, name) VALUES ({number}, 'then')"
        );
        engine.run(&applied).await;
    }
    let rows: Vec<&str> = rows
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    engine
        .run(here(&rows.join("\n")).trim_end_matches(';'))
        .await;
}

/// By hand, from rows.sql. Web: 1,000 octets, and 50 sampled one in ten. Backup: both directions are one. Mail is the second
/// observation of a conversation, and counts only for its exporter. The filter is one that no rollup has.
async fn check_answers(store: &Store) {
    for filter in ["", "version = 9"] {
        let whole = || subject(-7200.0, 7200.0, filter);
        assert_eq!(
            top(store, Dimension::Applications, whole()).await,
            [
                group("backup", 7200, 72, 1, 1),
                group("web", 1500, 60, 2, 2),
                group("dns", 100, 2, 1, 1),
            ],
            "{filter}"
        );
        assert_eq!(
            top(store, Dimension::Exporters, whole()).await,
            [
                group("edge-1", 8300, 84, 3, 3),
                group("edge-2", 1200, 57, 2, 2)
            ],
            "{filter}"
        );
    }
    // The ten seconds from 10:00:10 hold half of the sampled flow, and 10 octets of the backup's 7,200 seconds.
    assert_eq!(
        top(store, Dimension::Applications, subject(10.0, 20.0, "")).await,
        [group("web", 250, 25, 1, 1), group("backup", 10, 0, 1, 1)]
    );
    assert_eq!(store.inventory().await.unwrap().flows, 5);
}

/// Tables and views as they are now.
async fn made(engine: &Running, database: &str) -> String {
    let asked = format!(
        "SELECT name, create_table_query FROM system.tables WHERE database = '{database}' ORDER BY name"
    );
    engine.run(&asked).await.replace(database, "DATABASE")
}

#[tokio::test]
async fn a_store_of_every_released_version_answers_the_same_today() {
    let Some(engine) = Running::start().await else {
        return;
    };
    for released in RELEASED {
        let database = format!("from_{}", released.0);
        restore(&engine, &database, released).await;
        let store = engine.store(config(&database));
        store.prepare().await.unwrap();
        check_answers(&store).await;
        // Doing it again changes nothing.
        let before = made(&engine, &database).await;
        store.prepare().await.unwrap();
        assert_eq!(made(&engine, &database).await, before);
        // What today's program stores is counted with it.
        insert(&store, "today", &[Row::default()]).await;
        let web = top(
            &store,
            Dimension::Applications,
            subject(-7200.0, 7200.0, ""),
        )
        .await;
        assert_eq!(web[1], group("web", 2500, 70, 3, 2));
    }
}

#[tokio::test]
async fn a_migration_that_is_cut_anywhere_and_done_again_gives_the_same() {
    let Some(engine) = Running::start().await else {
        return;
    };
    for released in RELEASED {
        let whole = format!("db_whole_{}", released.0);
        restore(&engine, &whole, released).await;
        engine.store(config(&whole)).prepare().await.unwrap();
        let expected = made(&engine, &whole).await;
        for answers_max in 0..STEPS_MAX {
            let database = format!("cut_{}_{answers_max}", released.0);
            restore(&engine, &database, released).await;
            let cut = Cut::after(answers_max, engine.socket());
            let outcome = Store::new(config(&database), Some(&cut.socket()))
                .unwrap()
                .prepare()
                .await;
            assert_eq!(outcome.is_err(), cut.has_cut(answers_max), "{outcome:?}");
            let store = engine.store(config(&database));
            store.prepare().await.unwrap();
            assert_eq!(
                made(&engine, &database).await,
                expected,
                "cut after {answers_max}"
            );
            check_answers(&store).await;
            engine.run(&format!("DROP DATABASE {database}")).await;
            if outcome.is_ok() {
                break;
            }
            assert!(answers_max + 1 < STEPS_MAX);
        }
    }
}

#[tokio::test]
async fn a_new_database_that_is_cut_again_and_again_gets_done() {
    let Some(engine) = Running::start().await else {
        return;
    };
    engine.store(config("db_whole")).prepare().await.unwrap();
    for answers_max in 0..STEPS_MAX {
        let cut = Cut::after(answers_max, engine.socket());
        let store = Store::new(config("db_piecemeal"), Some(&cut.socket())).unwrap();
        if store.prepare().await.is_ok() {
            assert_eq!(
                made(&engine, "db_piecemeal").await,
                made(&engine, "db_whole").await
            );
            return;
        }
        assert!(cut.has_cut(answers_max));
    }
    panic!("it never got done");
}

#[tokio::test]
async fn two_make_the_same_database_at_the_same_time() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let (one, other) = (
        engine.store(config("db_empty")),
        engine.store(config("db_empty")),
    );
    let (one, other) = tokio::join!(prepared(&one), prepared(&other));
    one.unwrap();
    other.unwrap();
    engine.store(config("db_alone")).prepare().await.unwrap();
    assert_eq!(
        made(&engine, "db_empty").await,
        made(&engine, "db_alone").await
    );
}

/// As the product does: what may pass is tried again.
async fn prepared(store: &Store) -> Result<(), StoreError> {
    for _ in 0..20 {
        match store.prepare().await {
            Err(error) if error.heals_by_itself() => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
    store.prepare().await
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_with_a_sentence_and_left_as_it_is() {
    let Some(engine) = Running::start().await else {
        return;
    };
    restore(&engine, "newer", &RELEASED[0]).await;
    engine
        .run("INSERT INTO newer.schema_versions (version, name) VALUES (4000, 'of 2031')")
        .await;
    let before = engine
        .run("SELECT count() FROM newer.schema_versions")
        .await;
    let error = engine.store(config("newer")).prepare().await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::SchemaTooNew { found: 4000, .. }
    ));
    let sentence = error.to_string();
    assert!(
        sentence.starts_with(
            "the database has schema version 4000, this program knows versions up to "
        ) && sentence.ends_with("install the program that made it, or a newer one"),
        "{sentence}"
    );
    let after = engine
        .run("SELECT count() FROM newer.schema_versions")
        .await;
    assert_eq!(after, before);
}
