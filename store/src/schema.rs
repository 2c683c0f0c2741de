//! The numbered SQL files of `schema/`, and how they are applied. What ClickHouse will not do is in its README.

use serde::Deserialize;

use crate::config::{Config, Retention};
use crate::error::StoreError;
use crate::sql::Sql;

/// The table `flows`.
pub(crate) const FLOWS: &str = include_str!("../schema/0001_flows.sql");

const VERSIONS: &str = include_str!("../schema/0000_versions.sql");

/// Every file, by number and name, in the order in which they are applied.
const FILES: &[(u32, &str, &str)] = &[
    (1, "flows", FLOWS),
    (
        2,
        "long_flows_and_extents",
        include_str!("../schema/0002_long_flows_and_extents.sql"),
    ),
    (3, "traffic", include_str!("../schema/0003_traffic.sql")),
    (
        4,
        "interfaces",
        include_str!("../schema/0004_interfaces.sql"),
    ),
    (
        5,
        "distributed",
        include_str!("../schema/0005_distributed.sql"),
    ),
    (6, "intake", include_str!("../schema/0006_intake.sql")),
    (
        7,
        "distributed_intake",
        include_str!("../schema/0007_distributed_intake.sql"),
    ),
];

/// The last version that this program knows.
pub(crate) const VERSION: u32 = FILES[FILES.len() - 1].0;

/// First line of a file that is for clusters only.
const ONLY_CLUSTER: &str = "-- only: cluster";

/// What stands for the names in braces.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    database: String,
    cluster: Option<String>,
    retention: Retention,
}

impl Names {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            database: config.database.clone(),
            cluster: config.cluster.clone(),
            retention: config.retention,
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
            .map(|statement| self.fill(statement))
            .collect()
    }

    /// A table where its rows are, as DELETE wants it.
    pub(crate) fn target(&self, table: &str) -> String {
        self.fill(&format!("{{database}}.{table}{{local}}{{on_cluster}}"))
    }

    fn fill(&self, statement: &str) -> String {
        let kept = &self.retention;
        let cluster = self.cluster.as_deref();
        let on_cluster = cluster.map_or(String::new(), |name| format!(" ON CLUSTER {name}"));
        let (local, replicated) = match cluster {
            Some(_) => ("_local", "Replicated"),
            None => ("", ""),
        };
        statement
            .replace("{database}", &self.database)
            .replace("{on_cluster}", &on_cluster)
            .replace("{cluster}", cluster.unwrap_or_default())
            .replace("{local}", local)
            .replace("{replicated}", replicated)
            .replace("{flows_days}", &kept.flows_days.to_string())
            .replace("{traffic_10s_days}", &kept.rollup_10s_days.to_string())
            .replace("{traffic_1m_days}", &kept.rollup_1m_days.to_string())
            .replace("{traffic_1h_days}", &kept.rollup_1h_days.to_string())
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

/// Brings the database to [`VERSION`]. Doing it again does nothing; a file that was cut short is applied again.
///
/// # Errors
///
/// [`StoreError::SchemaTooNew`] if a newer program made the database: stop and say so.
pub(crate) async fn apply(client: &clickhouse::Client, names: &Names) -> Result<(), StoreError> {
    for statement in names.statements(VERSIONS) {
        client.query_raw(&statement).execute().await?;
    }
    let versions = format!("{}.schema_versions", names.database);
    let found: u32 = client
        .query_raw(&format!("SELECT max(version) FROM {versions}"))
        .fetch_one()
        .await?;
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
        let record = format!("INSERT INTO {versions} (version, name) VALUES ({version}, '{name}')");
        client.query_raw(&record).execute().await?;
        tracing::info!(
            schema.version = version,
            schema.name = name,
            "schema applied"
        );
    }
    keep(client, names).await
}

/// A table's time to live, as ClickHouse writes it.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Table {
    name: String,
    engine_full: String,
}

/// Gives tables the retention of the configuration, where it has changed since they were made.
async fn keep(client: &clickhouse::Client, names: &Names) -> Result<(), StoreError> {
    let local = if names.cluster.is_some() {
        "_local"
    } else {
        ""
    };
    let tables = Sql::with(
        "SELECT name, engine_full FROM system.tables WHERE database = ?",
        names.database.as_str(),
    );
    let tables: Vec<Table> = tables.query(client).fetch_all().await?;
    for (table, days) in retention(&names.retention) {
        let name = format!("{table}{local}");
        let wanted = format!("toIntervalDay({days})");
        let known = tables.iter().find(|found| found.name == name);
        if known.is_some_and(|found| !found.engine_full.contains(&wanted)) {
            let on_cluster = names.fill("{on_cluster}");
            let database = &names.database;
            let change = format!(
                "ALTER TABLE {database}.{name}{on_cluster} MODIFY TTL stored_at + {wanted}"
            );
            client.query_raw(&change).execute().await?;
            tracing::info!(table = name, days, "retention changed");
        }
    }
    Ok(())
}

/// Days for every table.
fn retention(kept: &Retention) -> [(&'static str, u32); 9] {
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
    fn no_name_in_braces_is_left() {
        for text in [rendered(None), rendered(Some("two_shards"))] {
            assert!(!text.contains('{') && !text.contains('}'));
        }
    }

    #[test]
    fn files_are_numbered_without_gaps() {
        for (place, (version, ..)) in (1..).zip(FILES) {
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
