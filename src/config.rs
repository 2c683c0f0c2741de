//! The configuration: one TOML file, the environment, flags; the later wins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use collector::fields::FieldTable;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use flow::application::ApplicationRule;
use flow::site::{ExporterName, Rules, Site};
use serde::{Deserialize, Serialize};

use crate::cli::ConfigArgs;

/// Everything that can be set. A name that is not here is an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder for tape, store and catalog.
    pub(crate) data_dir: PathBuf,
    /// Address of the API and the pages.
    pub(crate) http: SocketAddr,
    /// Whether `http` may be an address that other machines reach: anybody there sees and changes everything.
    pub(crate) i_know_there_is_no_sign_on: bool,
    /// Names for elements that Flowreel does not know: a TOML file.
    pub(crate) fields: Option<PathBuf>,
    pub(crate) log: LogConfig,
    pub(crate) listen: collector::listen::ListenConfig,
    /// Mirrored interfaces to receive from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mirror: Vec<collector::capture::MirrorConfig>,
    pub(crate) decode: collector::decode::DecodeConfig,
    pub(crate) normalise: collector::normalise::NormaliseConfig,
    pub(crate) tape: replay::TapeConfig,
    pub(crate) store: store::Config,
    /// What the embedded engine may allocate in all, octets.
    pub(crate) engine_memory_octets: u64,
    #[serde(rename = "application", skip_serializing_if = "Vec::is_empty")]
    pub(crate) applications: Vec<ApplicationRule>,
    #[serde(rename = "site", skip_serializing_if = "Vec::is_empty")]
    pub(crate) sites: Vec<Site>,
    #[serde(rename = "exporter", skip_serializing_if = "Vec::is_empty")]
    pub(crate) exporters: Vec<ExporterName>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter as `collector=debug,info`.
    pub(crate) level: String,
    /// One JSON object a line instead of text.
    pub(crate) json: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            json: false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            http: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            i_know_there_is_no_sign_on: false,
            fields: None,
            log: LogConfig::default(),
            listen: collector::listen::ListenConfig::default(),
            mirror: Vec::new(),
            decode: collector::decode::DecodeConfig::default(),
            normalise: collector::normalise::NormaliseConfig::default(),
            tape: replay::TapeConfig::default(),
            store: store::Config::default(),
            engine_memory_octets: 1_000_000_000,
            applications: Vec::new(),
            sites: Vec::new(),
            exporters: Vec::new(),
        }
    }
}

/// `/var/lib/flowreel` for root, the user's own data folder for others.
fn default_data_dir() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/var/lib/flowreel");
    }
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let data = home("XDG_DATA_HOME").or_else(|| Some(home("HOME")?.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from(".")).join("flowreel")
}

impl Config {
    /// Reads the file, if one is named, the environment (`FLOWREEL_STORE__ENGINE=clickhouse`), and the flags.
    ///
    /// # Errors
    ///
    /// One line that names the file, the setting and what is wrong with it.
    pub(crate) fn load(args: &ConfigArgs) -> Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = &args.config {
            if !path.is_file() {
                bail!("{}: there is no such configuration file", path.display());
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let environment = Env::prefixed("FLOWREEL_")
            .split("__")
            .ignore(OTHER_VARIABLES);
        let mut config: Self = figment
            .merge(environment)
            .extract()
            .context("configuration")?;
        if let Some(folder) = &args.data_dir {
            config.data_dir.clone_from(folder);
        }
        if !args.listen.is_empty() {
            config.listen.addresses.clone_from(&args.listen);
        }
        if let Some(http) = args.http {
            config.http = http;
        }
        config.i_know_there_is_no_sign_on |= args.i_know_there_is_no_sign_on;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        if !self.http.ip().is_loopback() && !self.i_know_there_is_no_sign_on {
            bail!(
                "http = {}: there is no sign-on yet, so the API answers on this machine only; \
                 --i-know-there-is-no-sign-on lets everybody in who reaches that address",
                self.http
            );
        }
        store::catalog::check_rules(&self.rules())?;
        self.store.check()?;
        self.tape.check()?;
        field_table(self.fields.as_deref())?;
        Ok(())
    }

    /// The names that the configuration gives.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            applications: self.applications.clone(),
            sites: self.sites.clone(),
            exporters: self.exporters.clone(),
        }
    }

    /// A folder or file in the data directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    /// Makes the data directory, for this user only.
    pub(crate) fn make_data_dir(&self) -> Result<()> {
        make_private_folder(&self.data_dir)
    }
}

/// The table of elements, with the operator's names for those that nobody knows.
///
/// # Errors
///
/// Names the file and the entry.
pub(crate) fn field_table(mapping: Option<&Path>) -> Result<FieldTable> {
    let Some(path) = mapping else {
        return Ok(FieldTable::builtin());
    };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    FieldTable::with_mapping(&text).with_context(|| path.display().to_string())
}

/// Variables of this prefix that are not settings.
const OTHER_VARIABLES: &[&str] = &[
    "config",
    "server",
    "engine_library",
    "engine_dir",
    "tools_dir",
    "test_clickhouse_url",
    "bless",
    "advisories",
];

/// Makes a folder that only this user can enter: flows say who talked to whom.
pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .with_context(|| format!("{}: the folder cannot be made", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flowreel.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&ConfigArgs {
            config: Some(path),
            ..ConfigArgs::default()
        })
    }

    #[test]
    fn what_the_file_says_stands_over_the_defaults() {
        let config = load(
            "data_dir = '/srv/flows'\n[listen]\naddresses = ['127.0.0.1:9995']\n\
             [[application]]\nname = 'orders'\nservers = ['10.4.0.0/16']\nports = [5432, '8000-8099/tcp']",
        )
        .unwrap();
        assert_eq!(config.data_dir, Path::new("/srv/flows"));
        assert_eq!(config.listen.addresses, ["127.0.0.1:9995".parse().unwrap()]);
        assert_eq!(config.rules().applications[0].ports.len(), 2);
        assert_eq!(config.http.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = [
            ("databdir = '/x'", "databdir"),
            ("[tape]\nmax_octets = 'many'", "max_octets"),
            ("http = '0.0.0.0:8080'", "no sign-on"),
            (
                "[[site]]\nname = 'hq'\nsubnets = ['10.0.0.0/99']",
                "site.0.subnets.0",
            ),
        ];
        for (text, expected) in wrong {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_configuration_in_force_reads_back_as_itself() {
        let shown = toml::to_string(&Config::default()).unwrap();
        let again = load(&shown).unwrap();
        assert_eq!(toml::to_string(&again).unwrap(), shown);
    }
}
