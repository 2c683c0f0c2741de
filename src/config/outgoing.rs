//! Where mail goes out.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use store::catalog::{MAIL, TicketEventKind};

/// The mail server that takes what is to go out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailConfig {
    /// Its name or address.
    pub(crate) host: String,
    /// Its port; 465, 587 or 25, as `tls` says, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// How the way there is encrypted.
    #[serde(default)]
    pub(crate) tls: MailTls,
    /// Who mail is from: `Help desk <help@example.com>`.
    pub(crate) from: String,
    /// Who signs on there; nobody if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// A file with their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// With `tls = "off"`: whether other machines than this one get mail, and the password, unencrypted.
    #[serde(default)]
    pub(crate) i_know_it_is_in_the_clear: bool,
}

/// How the way to the mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MailTls {
    /// From the first octet (RFC 8314).
    #[default]
    Required,
    /// After a word in the clear, and not without it (RFC 3207).
    Starttls,
    /// Not at all: a server on this machine.
    Off,
}

impl MailConfig {
    /// Where it goes.
    pub(crate) fn port(&self) -> u16 {
        let usual = match self.tls {
            MailTls::Required => 465,
            MailTls::Starttls => 587,
            MailTls::Off => 25,
        };
        self.port.unwrap_or(usual)
    }

    /// Who it is from.
    ///
    /// # Errors
    ///
    /// It is no address.
    pub(crate) fn from(&self) -> Result<Mailbox> {
        let from = self.from.parse();
        from.with_context(|| format!("mail.from = '{}'", self.from))
    }

    /// Looks whether it can be.
    pub(crate) fn check(&self) -> Result<()> {
        self.from()?;
        if self.tls == MailTls::Off && !is_here(&self.host) && !self.i_know_it_is_in_the_clear {
            bail!(
                "mail.tls = 'off': everybody on the way to {} would read mail, and the password; set mail.tls, or \
                 mail.i_know_it_is_in_the_clear",
                self.host
            );
        }
        if self.user.is_some() != self.password_file.is_some() {
            bail!("mail.user and mail.password_file go together");
        }
        Ok(())
    }

    /// User and password, if there are any.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub(crate) fn credentials(&self) -> Result<Option<(String, String)>> {
        let both = self.user.clone().zip(self.password_file.as_deref());
        both.map(|(user, path)| Ok((user, secret("mail.password_file", path)?)))
            .transpose()
    }
}

/// A system that is told what becomes of tickets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// As people here call it: lower case, without spaces.
    pub(crate) name: String,
    /// Where it is told, by HTTPS; by HTTP on this machine only.
    pub(crate) url: String,
    /// A file with the secret that both share, of 16 characters or more: by it the receiver knows who calls.
    pub(crate) secret_file: PathBuf,
    /// What stands in the header `Authorization`, in a file: `Bearer …` or `Basic …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorization_file: Option<PathBuf>,
    /// The kinds of events that it is told, `pressed`, `closed` …; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<TicketEventKind>,
    /// For HTTP to other machines: whether everybody on the way may read it.
    #[serde(default)]
    pub(crate) i_know_it_is_in_the_clear: bool,
}

impl WebhookConfig {
    /// Looks whether it can be.
    pub(crate) fn check(&self) -> Result<()> {
        let name = &self.name;
        let is_name = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter)
        };
        if name.is_empty() || name == MAIL || !name.chars().all(is_name) {
            bail!(
                "webhook.name = '{name}': lower case letters, digits, - _ and . make a name, and '{MAIL}' is none"
            );
        }
        let uri: ureq::http::Uri = self
            .url
            .parse()
            .with_context(|| format!("webhook '{name}': url"))?;
        let (scheme, host) = (
            uri.scheme_str().unwrap_or_default(),
            uri.host().unwrap_or_default(),
        );
        let is_private = scheme == "https" || is_here(host) || self.i_know_it_is_in_the_clear;
        if !["http", "https"].contains(&scheme) || host.is_empty() || !is_private {
            bail!(
                "webhook '{name}': url begins with https://, or is on this machine, or i_know_it_is_in_the_clear is set"
            );
        }
        if uri
            .authority()
            .is_some_and(|place| place.as_str().contains('@'))
        {
            bail!("webhook '{name}': a password does not belong into url: name authorization_file");
        }
        Ok(())
    }

    /// The secret, and what stands in the header `Authorization`.
    ///
    /// # Errors
    ///
    /// A file can't be read, or the secret is guessed too easily.
    pub(crate) fn secrets(&self) -> Result<(String, Option<String>)> {
        let setting = |what: &str| format!("webhook '{}': {what}", self.name);
        let shared = secret(&setting("secret_file"), &self.secret_file)?;
        if shared.len() < SECRET_OCTETS_MIN {
            bail!(
                "{}: it has fewer than {SECRET_OCTETS_MIN} characters",
                setting("secret_file")
            );
        }
        let shown = self.authorization_file.as_deref();
        let shown = shown.map(|path| secret(&setting("authorization_file"), path));
        Ok((shared, shown.transpose()?))
    }
}

/// Characters of a secret that is not guessed.
const SECRET_OCTETS_MIN: usize = 16;

/// What a file keeps secret, without the end of its line.
///
/// # Errors
///
/// Names the setting and the file.
pub(crate) fn secret(setting: &str, path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("{setting} = '{}'", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether a host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}
