//! How the store is configured: `[store]` of the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::StoreError;

/// Which ClickHouse, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `embedded` (a child process of this program), `clickhouse` (a server or cluster of yours), or `none`: what arrives is
    /// put on tape and decoded, and no row is kept.
    pub engine: Engine,
    /// Address of the ClickHouse HTTP interface, `http://` or `https://`. Only with `engine = "clickhouse"`.
    /// TLS trusts the machine's certificates, and those in the file that `SSL_CERT_FILE` names.
    pub url: Option<String>,
    /// User of ClickHouse.
    pub user: Option<String>,
    /// A file whose first line is the user's password.
    pub password_file: Option<PathBuf>,
    /// Database; made at first start.
    pub database: String,
    /// Name of the cluster (`remote_servers` of ClickHouse): makes replicated and distributed tables on it.
    pub cluster: Option<String>,
    /// This collector's name among all that write to one store, in every row; letters, digits, '.', '_' and '-'. By
    /// default a random one that was made with the data directory. Rows keep the name that they were stored under.
    pub collector: Option<String>,
    /// How long one insert may take, seconds.
    pub insert_timeout_s: u64,
    /// How long rows are kept.
    pub retention: Retention,
    /// What one question may use.
    pub limits: Limits,
}

/// Which ClickHouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// A child process of this program, on a Unix socket.
    #[default]
    Embedded,
    /// A server or cluster of the operator's, by URL.
    Clickhouse,
    /// Nothing: flows are decoded for the health of their exporters, counted as [`flow::DropKind::NotKept`], and found
    /// again on tape as long as that reaches.
    None,
}

/// How long rows are kept, in days since they were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Flow records.
    pub flows_days: u32,
    /// Rollups of 10 seconds.
    pub rollup_10s_days: u32,
    /// Rollups of a minute.
    pub rollup_1m_days: u32,
    /// Rollups of an hour.
    pub rollup_1h_days: u32,
}

/// What one question may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds.
    pub seconds_max: u32,
    /// Octets of memory; half of it is used before groups are put on disk.
    pub memory_octets_max: u64,
    /// Rows of an answer.
    pub rows_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            url: None,
            user: None,
            password_file: None,
            database: "flowreel".to_owned(),
            cluster: None,
            collector: None,
            insert_timeout_s: 120,
            retention: Retention::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            flows_days: 30,
            rollup_10s_days: 7,
            rollup_1m_days: 90,
            rollup_1h_days: 730,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seconds_max: 30,
            memory_octets_max: 2 << 30,
            rows_max: 250_000,
        }
    }
}

impl Config {
    /// Checks what can be checked without connecting.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] with a sentence for the operator.
    pub fn check(&self) -> Result<(), StoreError> {
        let wrong = |message: &str| Err(StoreError::Configuration(message.to_owned()));
        if !is_name(&self.database) {
            return wrong("database must be a word of letters, digits and '_'");
        }
        if self.cluster.as_deref().is_some_and(|name| !is_name(name)) {
            return wrong("cluster must be a word of letters, digits and '_'");
        }
        if self
            .collector
            .as_deref()
            .is_some_and(|name| !is_collector(name))
        {
            return wrong("collector must be 1 to 64 letters, digits, '.', '_' and '-'");
        }
        match (self.engine, &self.url) {
            (Engine::Clickhouse, None) => return wrong("engine = \"clickhouse\" needs a url"),
            (Engine::Clickhouse, Some(url))
                if !url.starts_with("http://") && !url.starts_with("https://") =>
            {
                return wrong("url must start with http:// or https://");
            }
            (Engine::Embedded, Some(_)) => {
                return wrong(
                    "url has no meaning for the embedded engine: set engine = \"clickhouse\"",
                );
            }
            (Engine::None, url) if url.is_some() || self.cluster.is_some() => {
                return wrong("without a store url and cluster have no meaning: set engine");
            }
            (Engine::Embedded, None) if self.cluster.is_some() => {
                return wrong("the embedded engine has no cluster: set engine = \"clickhouse\"");
            }
            _ => {}
        }
        let kept = &self.retention;
        if [
            kept.flows_days,
            kept.rollup_10s_days,
            kept.rollup_1m_days,
            kept.rollup_1h_days,
        ]
        .contains(&0)
        {
            return wrong("rows must be kept for at least one day");
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    text.starts_with(first)
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Part of tokens and rows, shown to people.
fn is_collector(text: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_said() {
        let good = Config::default();
        assert!(good.check().is_ok());
        let check = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(check(&|c| c.database = "a;drop".into()).contains("database"));
        assert!(check(&|c| c.database = String::new()).contains("database"));
        assert!(check(&|c| c.engine = Engine::Clickhouse).contains("needs a url"));
        assert!(check(&|c| c.url = Some("http://db:8123".into())).contains("no meaning"));
        assert!(check(&|c| c.cluster = Some("two".into())).contains("no cluster"));
        assert!(
            check(&|c| (c.engine, c.cluster) = (Engine::None, Some("two".into())))
                .contains("without a store")
        );
        assert!(check(&|c| c.collector = Some("a:1".into())).contains("collector"));
        assert!(check(&|c| c.collector = Some(String::new())).contains("collector"));
        assert!(check(&|c| c.retention.flows_days = 0).contains("one day"));
    }

    #[test]
    fn reads_as_operators_write_it() {
        let config: Config = serde_json::from_str(
            r#"{"engine":"clickhouse","url":"https://db:8443","retention":{"flows_days":7}}"#,
        )
        .unwrap();
        assert_eq!(
            (config.engine, config.retention.flows_days),
            (Engine::Clickhouse, 7)
        );
        assert_eq!(config.retention.rollup_1h_days, 730);
        assert!(serde_json::from_str::<Config>(r#"{"urll":"x"}"#).is_err());
    }
}
