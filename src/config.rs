//! The configuration: one TOML file, the environment, flags; the later wins.

// The file is read by fuzzing too, by its path.
#[path = "config/outgoing.rs"]
pub(crate) mod outgoing;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use api::people::openid::check_address;
use collector::fields::FieldTable;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use flow::application::ApplicationRule;
use flow::site::{ExporterName, Rules, Site};
use ipnet::IpNet;
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use crate::cli::ConfigArgs;
use outgoing::{MailConfig, WebhookConfig};

/// Everything that can be set. A name that is not here is an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder for tape, store and catalog.
    pub(crate) data_dir: PathBuf,
    /// Address of the API and the pages.
    pub(crate) http: SocketAddr,
    /// Whether people sign on.
    pub(crate) sign_on: SignOn,
    /// How long they stay signed on.
    pub(crate) sessions: SessionsConfig,
    /// Where browsers find the pages: `https://flows.example`. Without it there are no links in what is sent to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_address: Option<String>,
    /// The provider by which people sign on, besides by passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) openid: Option<api::people::openid::Settings>,
    /// The certificate that is shown, for HTTPS; HTTP if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsConfig>,
    /// Whom requests come through.
    pub(crate) proxies: ProxiesConfig,
    /// Where mail goes out; none does if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<MailConfig>,
    /// Other systems that are told what becomes of tickets, sixteen at most.
    #[serde(rename = "webhook", skip_serializing_if = "Vec::is_empty")]
    pub(crate) webhooks: Vec<WebhookConfig>,
    /// Without sign-on, whether `http` may be an address that other machines reach: anybody there reads everything, and changes
    /// nothing.
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
    pub(crate) recordings: RecordingsConfig,
    /// What the embedded engine may allocate in all, octets.
    pub(crate) engine_memory_octets: u64,
    #[serde(rename = "application", skip_serializing_if = "Vec::is_empty")]
    pub(crate) applications: Vec<ApplicationRule>,
    #[serde(rename = "site", skip_serializing_if = "Vec::is_empty")]
    pub(crate) sites: Vec<Site>,
    #[serde(rename = "exporter", skip_serializing_if = "Vec::is_empty")]
    pub(crate) exporters: Vec<ExporterName>,
}

/// Webhooks, each with a task of its own.
const WEBHOOKS_MAX: usize = 16;

/// Whether people sign on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignOn {
    /// Whoever asks has an account, or a token.
    #[default]
    Required,
    /// Everybody who reaches the server is its operator.
    Off,
}

/// The files of a certificate. They are read again every minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The certificate, and behind it those that vouch for it, in PEM form.
    pub(crate) certificate: PathBuf,
    /// Its private key, in PEM form.
    pub(crate) key: PathBuf,
}

/// The reverse proxies that are believed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProxiesConfig {
    /// Their subnets, `10.0.0.5/32` for one address. What they say in `X-Forwarded-For` is believed; of all others it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<IpNet>,
    /// The header in which they name the account of whoever has signed on with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_header: Option<String>,
}

/// How long people stay signed on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SessionsConfig {
    /// Minutes without a request.
    pub(crate) idle_minutes: u32,
    /// Hours in all.
    pub(crate) hours_max: u32,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            idle_minutes: 12 * 60,
            hours_max: 7 * 24,
        }
    }
}

/// What recordings may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecordingsConfig {
    /// Octets of all of them together, as they are on disk or on the tape.
    pub(crate) max_octets: u64,
    /// A file with the key under which addresses are rewritten in files for others: 64 hexadecimal digits. One is made by chance
    /// and kept if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anonymize_key_file: Option<PathBuf>,
}

impl Default for RecordingsConfig {
    fn default() -> Self {
        Self {
            max_octets: 20 << 30,
            anonymize_key_file: None,
        }
    }
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
            sign_on: SignOn::default(),
            sessions: SessionsConfig::default(),
            public_address: None,
            openid: None,
            tls: None,
            proxies: ProxiesConfig::default(),
            mail: None,
            webhooks: Vec::new(),
            i_know_there_is_no_sign_on: false,
            fields: None,
            log: LogConfig::default(),
            listen: collector::listen::ListenConfig::default(),
            mirror: Vec::new(),
            decode: collector::decode::DecodeConfig::default(),
            normalise: collector::normalise::NormaliseConfig::default(),
            tape: replay::TapeConfig::default(),
            store: store::Config::default(),
            recordings: RecordingsConfig::default(),
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
        let mut given = Figment::new();
        if let Some(path) = &args.config {
            if !path.is_file() {
                bail!("{}: there is no such configuration file", path.display());
            }
            given = given.merge(Toml::file_exact(path));
        }
        let environment = Env::prefixed("FLOWREEL_")
            .split("__")
            .ignore(OTHER_VARIABLES);
        let given = given.merge(environment);
        if given.contains("tape.dir") {
            bail!(
                "tape.dir cannot be set: the tape is the folder `tape` in the data directory; set data_dir"
            );
        }
        let mut config: Self = Figment::from(Serialized::defaults(Self::default()))
            .merge(given)
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

    /// The configuration in force as a file that can be read back.
    pub(crate) fn shown(&self) -> Result<String> {
        let mut all = toml::Table::try_from(self)?;
        if let Some(tape) = all.get_mut("tape").and_then(toml::Value::as_table_mut) {
            tape.remove("dir");
        }
        Ok(toml::to_string(&all)?)
    }

    /// Looks whether the passwords can be read, as `serve` will read them at its start.
    pub(crate) fn check_password_file(&self) -> Result<()> {
        if let Some(mail) = &self.mail {
            mail.credentials()?;
        }
        for hook in &self.webhooks {
            hook.secrets()?;
        }
        match &self.store.password_file {
            Some(path) => std::fs::read_to_string(path)
                .map(drop)
                .with_context(|| format!("store.password_file = '{}'", path.display())),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<()> {
        self.check_who_may_come()?;
        if self.sessions.idle_minutes == 0 || self.sessions.hours_max == 0 {
            bail!("sessions.idle_minutes and sessions.hours_max are 1 or more");
        }
        let public_address = self.public_address.as_deref();
        public_address.map_or(Ok(()), check_address)?;
        let openid = self.openid.as_ref();
        openid.map_or(Ok(()), |openid| openid.check(public_address))?;
        crate::telemetry::filter(&self.log.level)?;
        store::catalog::check_rules(&self.rules())?;
        self.mail.as_ref().map_or(Ok(()), MailConfig::check)?;
        self.check_webhooks()?;
        self.store.check()?;
        self.tape.check()?;
        field_table(self.fields.as_deref())?;
        Ok(())
    }

    fn check_webhooks(&self) -> Result<()> {
        if self.webhooks.len() > WEBHOOKS_MAX {
            bail!("there are more than {WEBHOOKS_MAX} of [[webhook]]");
        }
        self.webhooks.iter().try_for_each(WebhookConfig::check)?;
        let names: BTreeSet<&str> = self.webhooks.iter().map(|it| it.name.as_str()).collect();
        if names.len() < self.webhooks.len() {
            bail!("two of [[webhook]] have the same name");
        }
        Ok(())
    }

    /// Looks whether others would reach a server on which nobody signs on.
    pub(crate) fn check_who_may_come(&self) -> Result<()> {
        let is_open = self.sign_on == SignOn::Off && !self.http.ip().is_loopback();
        if is_open && !self.i_know_there_is_no_sign_on {
            bail!(
                "http = {}: sign-on is off, so the API answers on this machine only; \
                 --i-know-there-is-no-sign-on lets everybody read who reaches that address",
                self.http
            );
        }
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
        let folder = &self.data_dir;
        if others_may_enter(folder)
            && let Some(thing) = thing_of_others(folder)?
        {
            bail!(
                "{}: others can enter it, and '{thing}' in it is not Flowreel's; name a folder for Flowreel alone \
                 (data_dir, --data-dir), or make it private first (chmod 700)",
                folder.display()
            );
        }
        make_private_folder(folder)
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
    "token",
    "token_file",
    "engine_library",
    "engine_dir",
    "tools_dir",
    "test_clickhouse_url",
    "bless",
];

/// Files that this process and its children make from here on are for this user only.
pub(crate) fn keep_private() {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
}

/// Makes a folder that only this user can enter: flows say who talked to whom. One that is there and open to others is
/// closed to them.
///
/// # Errors
///
/// It cannot be made or changed, or it is another user's, who could then read and change what is written there. To root
/// no folder is another's.
pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .with_context(|| format!("{}: the folder cannot be made", path.display()))?;
    let place = || path.display().to_string();
    let found = std::fs::metadata(path).with_context(place)?;
    let user = nix::unistd::geteuid();
    if found.uid() == user.as_raw() {
        if found.mode() & OTHERS > 0 {
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(path, private).with_context(place)?;
        }
    } else if !user.is_root() {
        bail!(
            "{}: the folder belongs to another user; choose another data_dir, or start Flowreel as that user",
            path.display()
        );
    }
    Ok(())
}

/// What group and others may do, as bits of a mode.
const OTHERS: u32 = 0o077;

/// Whether a folder is there, belongs to this user and is open to others.
fn others_may_enter(folder: &Path) -> bool {
    let user = nix::unistd::geteuid().as_raw();
    std::fs::metadata(folder)
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & OTHERS > 0)
}

/// Something in a folder that was never a data directory, as somebody may name `/tmp` or a home: closing that to others
/// would harm them.
fn thing_of_others(folder: &Path) -> Result<Option<String>> {
    if folder.join("tape").is_dir() {
        return Ok(None);
    }
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let names = entries.map(|entry| entry.map(|it| it.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    Ok(names.into_iter().find(|name| name != "lost+found"))
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
            ("sign_on = 'off'\nhttp = '0.0.0.0:8080'", "sign-on is off"),
            ("sign_on = 'maybe'", "sign_on"),
            ("public_address = 'flows.example'", "public_address"),
            ("[mail]\nhost = 'mx.example'\nfrom = 'nobody'", "mail.from"),
            (
                "[mail]\nhost = 'mx.example'\nfrom = 'a@b.example'\ntls = 'off'",
                "mail.tls = 'off'",
            ),
            (
                "[mail]\nhost = 'mx.example'\nfrom = 'a@b.example'\nuser = 'a'",
                "mail.password_file",
            ),
            (
                "[[webhook]]\nname = 'desk'\nurl = 'http://10.0.0.1/'\nsecret_file = '/s'",
                "https://",
            ),
            (
                "[[webhook]]\nname = 'mail'\nurl = 'https://d.example/'\nsecret_file = '/s'",
                "webhook.name = 'mail'",
            ),
            ("[sessions]\nidle_minutes = 0", "sessions.idle_minutes"),
            ("[tape]\ndir = 'elsewhere'", "tape.dir cannot be set"),
            ("[log]\nlevel = 'loud'", "log.level = 'loud'"),
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
    fn with_sign_on_the_server_may_be_reached_from_everywhere() {
        let config = load("http = '0.0.0.0:8080'").unwrap();
        assert_eq!(config.sign_on, SignOn::Required);
        let off = "sign_on = 'off'\nhttp = '0.0.0.0:8080'\ni_know_there_is_no_sign_on = true";
        assert_eq!(load(off).unwrap().sign_on, SignOn::Off);
    }

    #[test]
    fn the_configuration_in_force_reads_back_as_itself() {
        let shown = Config::default().shown().unwrap();
        assert_eq!(load(&shown).unwrap().shown().unwrap(), shown);
    }

    #[test]
    fn a_password_file_that_is_not_there_is_named() {
        let config = load(
            "[store]\nengine = 'clickhouse'\nurl = 'http://db:8123'\npassword_file = '/no/such'",
        );
        let error = config.unwrap().check_password_file().unwrap_err();
        assert!(format!("{error:#}").contains("/no/such"), "{error:#}");
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    fn open_folder(parent: &Path, name: &str) -> PathBuf {
        let path = parent.join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_data_directory_is_closed_to_others_unless_it_holds_things_of_theirs() {
        let parent = tempfile::tempdir().unwrap();
        let config = |folder: &Path| Config {
            data_dir: folder.to_owned(),
            ..Config::default()
        };
        let (empty, used, home) = (
            open_folder(parent.path(), "empty"),
            open_folder(parent.path(), "used"),
            open_folder(parent.path(), "home"),
        );
        std::fs::create_dir(used.join("tape")).unwrap();
        std::fs::write(used.join("notes.txt"), "").unwrap();
        std::fs::write(home.join("letter.txt"), "").unwrap();
        for folder in [&empty, &used, &parent.path().join("new/one")] {
            config(folder).make_data_dir().unwrap();
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        let error = config(&home).make_data_dir().unwrap_err().to_string();
        assert!(error.contains("letter.txt"), "{error}");
        assert_eq!(mode(&home), 0o755);
    }
}
