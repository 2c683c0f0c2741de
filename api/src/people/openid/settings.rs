//! Which provider, and which of its groups may do what.

use std::path::PathBuf;

use flow::Filter;
use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};
use store::catalog::Role;

/// An OpenID provider, as the configuration names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name for itself: the address before `/.well-known/openid-configuration`.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// A file with what this server proves that with; none for a public client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// What people call it: `Sign in with …`.
    #[serde(default = "usual_name")]
    pub name: String,
    /// What it is asked for besides `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// The claim that has somebody's groups.
    #[serde(default = "usual_groups_claim")]
    pub groups_claim: String,
    /// The claim that an account gets its name of; `preferred_username`, else `email`, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_claim: Option<String>,
    /// Who may come in, and as what: the first that fits. Whoever is in none of these groups may not.
    #[serde(default)]
    pub groups: Vec<Grant>,
}

/// What a group may do here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name, as the claim has it.
    pub group: String,
    /// What its members work as.
    pub role: Role,
    /// Whose flows they see, as a filter; all if left out.
    #[serde(default)]
    pub scope: String,
}

fn usual_name() -> String {
    "OpenID Connect".to_owned()
}

fn usual_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).to_vec()
}

fn usual_groups_claim() -> String {
    "groups".to_owned()
}

/// Settings that cannot be: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongSettings(String);

impl Settings {
    /// Looks whether they can be.
    ///
    /// # Errors
    ///
    /// A sentence that names the setting; fatal at start.
    pub fn check(&self, public_address: Option<&str>) -> Result<(), WrongSettings> {
        let Some(public_address) = public_address else {
            let why =
                "openid needs public_address, where browsers come back to: 'https://flows.example'";
            return Err(WrongSettings(why.to_owned()));
        };
        check_address(public_address)?;
        safe_address("openid.issuer", &self.issuer)?;
        if !flow_text(&self.name) {
            return Err(wrong(
                "openid.name",
                "it has 1 to 60 characters that can be shown",
            ));
        }
        if self.client_id.is_empty() {
            return Err(wrong("openid.client_id", "it is empty"));
        }
        if self.groups.is_empty() {
            let why = "nobody could sign on: name a group, a role and a scope in [[openid.groups]]";
            return Err(wrong("openid.groups", why));
        }
        self.groups.iter().try_for_each(Grant::check)
    }
}

impl Grant {
    fn check(&self) -> Result<(), WrongSettings> {
        let place = format!("openid.groups '{}'", self.group);
        if let Err(error) = Filter::parse(&self.scope) {
            return Err(wrong(&place, &format!("scope: {error}")));
        }
        if self.role == Role::Admin && !self.scope.is_empty() {
            return Err(wrong(&place, "an admin sees everything, and has no scope"));
        }
        Ok(())
    }
}

fn flow_text(name: &str) -> bool {
    (1..=60).contains(&name.chars().count()) && name.chars().all(flow::text::is_shown)
}

/// Looks whether it is where browsers can find this server: an origin, as they keep cookies for.
///
/// # Errors
///
/// A sentence that names the setting; fatal at start.
pub fn check_address(public_address: &str) -> Result<(), WrongSettings> {
    let url = safe_address("public_address", public_address)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(wrong(
            "public_address",
            "it has no path: 'https://flows.example'",
        ));
    }
    Ok(())
}

/// An address to which secrets may go: encrypted, or on this machine.
fn safe_address(setting: &str, text: &str) -> Result<Url, WrongSettings> {
    let url = Url::parse(text).map_err(|error| wrong(setting, &format!("'{text}': {error}")))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_safe && is_plain {
        return Ok(url);
    }
    let why = format!("'{text}' is no https:// address (http:// is for this machine's own)");
    Err(wrong(setting, &why))
}

pub(super) fn wrong(setting: &str, why: &str) -> WrongSettings {
    WrongSettings(format!("{setting}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str, role: Role, scope: &str) -> Settings {
        Settings {
            issuer: issuer.to_owned(),
            client_id: "flowreel".to_owned(),
            client_secret_file: None,
            name: usual_name(),
            scopes: usual_scopes(),
            groups_claim: usual_groups_claim(),
            name_claim: None,
            groups: vec![Grant {
                group: "netops".to_owned(),
                role,
                scope: scope.to_owned(),
            }],
        }
    }

    #[test]
    fn secrets_go_encrypted_or_stay_on_this_machine() {
        for good in [
            "https://login.example/realms/a",
            "http://127.0.0.1:3000",
            "http://[::1]:1",
            "http://localhost",
        ] {
            let settings = settings(good, Role::Engineer, "site berlin");
            assert!(
                settings.check(Some("https://flows.example")).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "http://login.example",
            "login.example",
            "ftp://127.0.0.1",
            "https://a:b@login.example",
            "",
        ] {
            let settings = settings(bad, Role::Engineer, "");
            assert!(
                settings.check(Some("https://flows.example")).is_err(),
                "{bad}"
            );
        }
        for bad in [
            "http://flows.example",
            "https://flows.example/path",
            "https://flows.example/?a=b",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grant_is_one_that_an_account_could_have() {
        let check = |role, scope| {
            settings("https://login.example", role, scope).check(Some("https://flows.example"))
        };
        assert!(check(Role::Admin, "").is_ok());
        assert!(check(Role::Admin, "site berlin").is_err());
        assert!(check(Role::Engineer, "colour blue").is_err());
        let none = Settings {
            groups: Vec::new(),
            ..settings("https://login.example", Role::Admin, "")
        };
        assert!(none.check(Some("https://flows.example")).is_err());
        assert!(
            settings("https://login.example", Role::Admin, "")
                .check(None)
                .is_err()
        );
    }
}
