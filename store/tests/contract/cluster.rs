//! What is looked at before tables are made on a cluster, and what they are.

use store::{Config, Store, StoreError};

use crate::one_shard::OneShard;

#[tokio::test]
async fn names_that_questions_use_are_distributed_tables() {
    let Some(cluster) = OneShard::start().await else {
        return;
    };
    let store = Store::new(cluster.config("d".to_owned()), None).unwrap();
    // Twice: what a second start finds is as it should be.
    for _ in 0..2 {
        store.prepare().await.unwrap();
    }
    let engines = cluster
        .run("SELECT name, engine FROM system.tables WHERE database = 'd' AND name LIKE '%lows%' ORDER BY name")
        .await;
    assert_eq!(
        engines.lines().collect::<Vec<_>>(),
        [
            "flows\tDistributed",
            "flows_local\tMergeTree",
            "long_flows\tDistributed",
            "long_flows_local\tMergeTree",
        ]
    );
    // Of each of the nine tables, as several collectors share them.
    let remembering = cluster
        .run("SELECT count() FROM system.tables WHERE database = 'd' AND engine_full LIKE '%replicated_deduplication_window_seconds = 604800%'")
        .await;
    assert_eq!(remembering, "9");
}

#[tokio::test]
async fn a_cluster_that_the_server_does_not_know_is_refused_in_words() {
    let Some(cluster) = OneShard::start().await else {
        return;
    };
    let config = Config {
        cluster: Some("elsewhere".to_owned()),
        ..cluster.config("d".to_owned())
    };
    let error = Store::new(config, None)
        .unwrap()
        .prepare()
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Configuration(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "store configuration: cluster elsewhere: it is not among the server's remote_servers"
    );
}
