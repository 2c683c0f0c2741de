//! The catalog.

use std::path::{Path, PathBuf};

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use store::catalog::Catalog;

/// Every released version: the folder of the files that made its catalog. Today's program checks by their hashes that none of
/// them has been changed since.
const RELEASED: &[&str] = &["catalog_v3"];

async fn made_then(path: &Path, files: &str) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations")).join(files);
    let then = sqlx::migrate::Migrator::new(folder).await.unwrap();
    then.run(&pool).await.unwrap();
    pool
}

#[tokio::test]
async fn a_catalog_of_every_released_version_has_the_same_in_it_today() {
    for files in RELEASED {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let pool = made_then(&path, files).await;
        for statement in [
            "UPDATE settings SET value = '\"00112233aabbccdd\"' WHERE key = 'collector_id'",
            "INSERT INTO applications VALUES (0, 'shop', '[\"10.2.0.0/16\"]', '[\"443\"]', '[]')",
            "INSERT INTO sites VALUES (0, 'berlin', '[\"10.1.0.0/16\"]')",
            "INSERT INTO exporters VALUES (0, '192.0.2.1', 'edge-1', 100, '[]')",
            "INSERT INTO imports (feed, name, state, started_at, finished_at, datagrams, records) \
             VALUES (7, 'a.pcap', 'done', 1, 2, 3, 4)",
        ] {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let catalog = Catalog::open(&path).await.unwrap();
        assert_eq!(catalog.collector_id().await.unwrap(), "00112233aabbccdd");
        let rules = catalog.rules().await.unwrap();
        assert_eq!(rules.applications[0].name, "shop");
        assert_eq!(rules.sites[0].name, "berlin");
        assert_eq!(rules.exporters[0].sampling_interval, Some(100));
        let imports = catalog.imports().await.unwrap();
        assert_eq!((imports[0].feed.0, imports[0].name.as_str()), (7, "a.pcap"));
        catalog.close().await;
    }
}
