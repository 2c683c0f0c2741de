//! The numbered SQL files of `schema/`, and how they are applied. What ClickHouse will not do is in its README.

use serde::Deserialize;

use crate::config::{Config, Engine, Retention};
use crate::error::StoreError;
use crate::older;
use crate::sql::Sql;

/// The table `flows`.
pub(crate) const FLOWS: &str = include_str!("../schema/0006_flows.sql");

const VERSIONS: &str = include_str!("../schema/0000_versions.sql");

/// Every file, by number and name, in the order in which they are applied. 1 to 5 made other tables: see `older`.
const FILES: &[(u32, &str, &str)] = &[
    (6, "flows", FLOWS),
    (
        7,
        "long_flows_and_extents",
        include_str!("../schema/0007_long_flows_and_extents.sql"),
    ),
    (8, "traffic", include_str!("../schema/0008_traffic.sql")),
    (
        9,
        "interfaces",
        include_str!("../schema/0009_interfaces.sql"),
    ),
    (
        10,
        "distributed",
        include_str!("../schema/0010_distributed.sql"),
    ),
];

/// The last version that this program knows.
pub(crate) const VERSION: u32 = FILES[FILES.len() - 1].0;

/// First line of a file that is for clusters only.
const ONLY_CLUSTER: &str = "-- only: cluster";

/// What stands for the names in braces.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) database: String,
    cluster: Option<String>,
    retention: Retention,
    pub(crate) engine: Engine,
}

impl Names {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            database: config.database.clone(),
            cluster: config.cluster.clone(),
            retention: config.retention,
            engine: config.engine,
        }
    }

    /// The statements of a file, without comments; none if it is for clusters only and there is no cluster.
    fn statements(&self, file: &str) -> Vec<String> {
        if file.starts_with(ONLY_CLUSTER) && self.cluster.is_none() {
            return Vec::new();
        }
        bare(file)
            .split(';')
            .map(str::trim)
            .filter(|statement| !statement.is_empty())
            .map(|statement| self.filled(statement))
            .collect()
    }

    /// A table where its rows are, as DELETE wants it.
    pub(crate) fn target(&self, table: &str) -> String {
        self.filled(&format!("{{database}}.{table}{{local}}{{on_cluster}}"))
    }

    pub(crate) fn filled(&self, statement: &str) -> String {
        let kept = &self.retention;
        let cluster = self.cluster.as_deref();
        let on_cluster = cluster.map_or(String::new(), |name| format!(" ON CLUSTER {name}"));
        let local = if cluster.is_some() { "_local" } else { "" };
        // What the embedded engine writes is forced to disk by us: see `disk`.
        let fsync = if self.engine == Engine::Embedded {
            "0"
        } else {
            "1"
        };
        self.with_engine(statement)
            .replace("{database}", &self.database)
            .replace("{on_cluster}", &on_cluster)
            .replace("{cluster}", cluster.unwrap_or_default())
            .replace("{local}", local)
            .replace("{fsync}", fsync)
            .replace("{flows_days}", &kept.flows_days.to_string())
            .replace("{traffic_10s_days}", &kept.rollup_10s_days.to_string())
            .replace("{traffic_1m_days}", &kept.rollup_1m_days.to_string())
            .replace("{traffic_1h_days}", &kept.rollup_1h_days.to_string())
    }

    /// The engine of a table that is made. On a cluster it says where in Keeper the table's replicas meet.
    ///
    /// Without that ClickHouse takes a path with the table's UUID, which is new in each CREATE: a replica that is added
    /// later, and on which the same files are applied, would never meet the others.
    fn with_engine(&self, statement: &str) -> String {
        const WORD: &str = "{replicated}";
        let (Some(_), Some((before, after))) = (&self.cluster, statement.split_once(WORD)) else {
            return statement.replace(WORD, "");
        };
        let end = after.find(|letter: char| !letter.is_ascii_alphanumeric());
        let (engine, rest) = after.split_at(end.unwrap_or(after.len()));
        let place = self.place_in_keeper(before);
        let rest = match rest.strip_prefix('(') {
            Some(arguments) => format!(", {arguments}"),
            None => format!("){rest}"),
        };
        format!("{before}Replicated{engine}({place}{rest}")
    }

    /// `{shard}` and `{replica}` are macros of the servers. A shard has its own rows; a table without shards of its own
    /// is the same on all servers.
    fn place_in_keeper(&self, head: &str) -> String {
        let name = head.split("{database}.").nth(1).unwrap_or_default();
        let name: String = name
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect();
        let database = &self.database;
        if head.contains("{local}") {
            format!("'/clickhouse/tables/{{shard}}/{database}/{name}_local', '{{replica}}'")
        } else {
            format!("'/clickhouse/tables/all/{database}/{name}', '{{shard}}-{{replica}}'")
        }
    }
}

/// A file without comments and empty lines.
fn bare(file: &str) -> String {
    let lines: Vec<&str> = file
        .lines()
        .filter(|line| !line.trim_start().starts_with("--") && !line.trim().is_empty())
        .collect();
    lines.join("\n")
}

/// Brings the database to [`VERSION`]. Doing it again does nothing; a file that was cut short is applied again, and two
/// programs may do it at the same time.
///
/// # Errors
///
/// [`StoreError::SchemaTooNew`] if a newer program made the database, [`StoreError::Configuration`] if the cluster is not
/// fit for replicated tables: stop and say so.
pub(crate) async fn apply(client: &clickhouse::Client, names: &Names) -> Result<(), StoreError> {
    if let Some(cluster) = &names.cluster {
        check_cluster(client, cluster).await?;
    }
    let mut found = versions(client, names).await?;
    if older::is_older(found) {
        older::set_aside(client, names, found).await?;
        found = versions(client, names).await?;
    }
    if found > VERSION {
        return Err(StoreError::SchemaTooNew {
            found,
            known: VERSION,
        });
    }
    for (version, name, file) in FILES.iter().filter(|(version, ..)| *version > found) {
        for statement in names.statements(file) {
            client.query_raw(&statement).execute().await?;
        }
        let record = format!(
            "INSERT INTO {}.schema_versions (version, name) VALUES ({version}, '{name}')",
            names.database
        );
        client.query_raw(&record).execute().await?;
        tracing::info!(
            schema.version = version,
            schema.name = name,
            "schema applied"
        );
    }
    older::take_over(client, names).await?;
    keep(client, names).await
}

/// The last file that was applied; makes the database and the table that says so if they are not there.
async fn versions(client: &clickhouse::Client, names: &Names) -> Result<u32, StoreError> {
    for statement in names.statements(VERSIONS) {
        client.query_raw(&statement).execute().await?;
    }
    let asked = format!(
        "SELECT max(version) FROM {}.schema_versions",
        names.database
    );
    Ok(client.query_raw(&asked).fetch_one().await?)
}

/// What ClickHouse knows of a cluster.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct ClusterFacts {
    replicas: u64,
    written_by_us: u64,
    macros: u64,
}

/// Replicated tables need `internal_replication`, or the same rows are written to each replica *and* copied between
/// them; and the macros, or no two servers' tables meet where they should.
async fn check_cluster(client: &clickhouse::Client, cluster: &str) -> Result<(), StoreError> {
    let asked = Sql::with(
        "SELECT count() AS replicas, countIf(internal_replication = 0) AS written_by_us,\n\
         assumeNotNull((SELECT uniqExact(macro) FROM system.macros WHERE macro IN ('shard', 'replica'))) AS macros\n\
         FROM system.clusters WHERE cluster = ?",
        cluster,
    );
    let facts: ClusterFacts = asked.query(client).fetch_one().await?;
    let wrong = match facts {
        ClusterFacts { replicas: 0, .. } => "it is not among the server's remote_servers",
        facts if facts.written_by_us > 0 => "its shards need internal_replication = true",
        facts if facts.macros < 2 => "its servers need the macros shard and replica",
        _ => return Ok(()),
    };
    Err(StoreError::Configuration(format!(
        "cluster {cluster}: {wrong}"
    )))
}

/// A table, as ClickHouse writes it.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Table {
    name: String,
    engine_full: String,
}

/// Gives tables what the configuration says, where it has changed since they were made.
async fn keep(client: &clickhouse::Client, names: &Names) -> Result<(), StoreError> {
    let tables = Sql::with(
        "SELECT name, engine_full FROM system.tables WHERE database = ?",
        names.database.as_str(),
    );
    let tables: Vec<Table> = tables.query(client).fetch_all().await?;
    for (table, days) in retention(&names.retention) {
        let target = names.target(table);
        let name = names.filled(&format!("{table}{{local}}"));
        let Some(known) = tables.iter().find(|found| found.name == name) else {
            continue;
        };
        let lifetime = format!("toIntervalDay({days})");
        if !known.engine_full.contains(&lifetime) {
            let change = format!("ALTER TABLE {target} MODIFY TTL stored_at + {lifetime}");
            client.query_raw(&change).execute().await?;
            tracing::info!(table = name, days, "retention changed");
        }
        let windows = windows(names.engine, names.cluster.is_some());
        if windows
            .iter()
            .any(|wanted| !known.engine_full.contains(wanted))
        {
            let change = format!("ALTER TABLE {target} MODIFY SETTING {}", windows.join(", "));
            client.query_raw(&change).execute().await?;
        }
    }
    Ok(())
}

/// How many inserts a table remembers by their tokens, and for how long.
///
/// The embedded engine has one collector, whose last batch is never more than its own inserts ago: what the files say is
/// enough. A server has several, and while one is away, between an insert and the word that it was done, the others' go
/// on. Replicated tables forget after an hour unless told otherwise.
fn windows(engine: Engine, replicated: bool) -> &'static [&'static str] {
    match (engine, replicated) {
        (Engine::Clickhouse, false) => &["non_replicated_deduplication_window = 10000"],
        (Engine::Clickhouse, true) => &[
            "replicated_deduplication_window = 10000",
            "replicated_deduplication_window_seconds = 604800",
        ],
        _ => &[],
    }
}

/// Days for every table.
pub(crate) fn retention(kept: &Retention) -> [(&'static str, u32); 9] {
    [
        ("flows", kept.flows_days),
        ("extents", kept.flows_days),
        ("long_flows", kept.rollup_1h_days),
        ("traffic_10s", kept.rollup_10s_days),
        ("traffic_1m", kept.rollup_1m_days),
        ("traffic_1h", kept.rollup_1h_days),
        ("interfaces_10s", kept.rollup_10s_days),
        ("interfaces_1m", kept.rollup_1m_days),
        ("interfaces_1h", kept.rollup_1h_days),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(cluster: Option<&str>) -> String {
        let names = Names {
            database: "flowreel".to_owned(),
            cluster: cluster.map(str::to_owned),
            retention: Retention::default(),
            engine: Engine::Clickhouse,
        };
        let files = std::iter::once(VERSIONS).chain(FILES.iter().map(|(_, _, file)| *file));
        let statements: Vec<String> = files.flat_map(|file| names.statements(file)).collect();
        statements.join(";\n\n") + ";\n"
    }

    #[test]
    fn the_embedded_schema() {
        insta::assert_snapshot!("embedded", rendered(None));
    }

    #[test]
    fn the_cluster_schema() {
        insta::assert_snapshot!("cluster", rendered(Some("two_shards")));
    }

    #[test]
    fn no_name_in_braces_is_left_but_the_servers_macros() {
        let cluster = rendered(Some("two_shards"));
        let cluster = cluster.replace("{shard}", "1").replace("{replica}", "a");
        for text in [rendered(None), cluster] {
            assert!(!text.contains('{') && !text.contains('}'));
        }
    }

    #[test]
    fn replicas_meet_in_keeper_by_shard_and_table() {
        let text = rendered(Some("two_shards"));
        for (table, engine) in [
            (
                "flows_local",
                "ReplicatedMergeTree('/clickhouse/tables/{shard}/flowreel/flows_local', '{replica}')",
            ),
            (
                "traffic_1m_local",
                "ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/flowreel/traffic_1m_local', '{replica}')",
            ),
            // Every server must know what was applied, whichever shard it is of.
            (
                "schema_versions",
                "ReplicatedMergeTree('/clickhouse/tables/all/flowreel/schema_versions', '{shard}-{replica}')",
            ),
        ] {
            let head = format!("CREATE TABLE IF NOT EXISTS flowreel.{table} ON CLUSTER two_shards");
            let made = text.split(";\n\n").find(|made| made.starts_with(&head));
            assert!(made.is_some_and(|made| made.contains(engine)), "{table}");
        }
        assert_eq!(
            text.matches("ENGINE = Replicated").count(),
            text.matches("'/clickhouse/tables/").count()
        );
    }

    #[test]
    fn on_a_cluster_both_tables_get_a_columns_change() {
        let text = rendered(Some("two_shards"));
        let changes = |wanted: &dyn Fn(&str) -> bool| {
            let all = text
                .split(";\n\n")
                .filter(|made| made.starts_with("ALTER TABLE"));
            all.filter(|made| made.contains(" COLUMN ") && wanted(made))
                .count()
        };
        // A Distributed table has columns of its own.
        assert_eq!(
            changes(&|made| made.contains("_local")),
            changes(&|made| !made.contains("_local"))
        );
    }

    #[test]
    fn an_engine_with_arguments_keeps_them() {
        let names = Names {
            database: "d".to_owned(),
            cluster: Some("c".to_owned()),
            retention: Retention::default(),
            engine: Engine::Clickhouse,
        };
        let made = "CREATE TABLE {database}.t{on_cluster} (a UInt8) ENGINE = {replicated}ReplacingMergeTree(a) ORDER BY a";
        assert_eq!(
            names.filled(made),
            "CREATE TABLE d.t ON CLUSTER c (a UInt8) ENGINE = \
             ReplicatedReplacingMergeTree('/clickhouse/tables/all/d/t', '{shard}-{replica}', a) ORDER BY a"
        );
        let alone = Names {
            cluster: None,
            ..names
        };
        assert_eq!(
            alone.filled(made),
            "CREATE TABLE d.t (a UInt8) ENGINE = ReplacingMergeTree(a) ORDER BY a"
        );
    }

    #[test]
    fn files_are_numbered_without_gaps() {
        for (place, (version, ..)) in (6..).zip(FILES) {
            assert_eq!(place, *version);
        }
    }

    #[test]
    fn every_table_with_a_lifetime_can_get_another() {
        let text = rendered(None);
        assert_eq!(
            text.matches("TTL stored_at").count(),
            retention(&Retention::default()).len()
        );
    }
}
