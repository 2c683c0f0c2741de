//! People: whether they sign on, and what the data directory has for whoever works on this machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::people::openid::OpenId;
use api::people::{Lasting, People, Secret};
use flow::clock;
use store::catalog::Catalog;

use crate::config::{Config, SignOn};
use crate::output::print_text;

/// The file with the operator's token: another one at each start.
pub(crate) const OPERATOR_TOKEN: &str = "operator.token";

/// People as the configuration wants them.
pub(super) fn open(config: &Config, catalog: Catalog) -> Result<People> {
    let path = config.path(OPERATOR_TOKEN);
    let place = || path.display().to_string();
    remove(&path).with_context(place)?;
    if config.sign_on == SignOn::Off {
        return Ok(People::without_sign_on(catalog));
    }
    let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes));
    let lasting = Lasting {
        idle: minutes(config.sessions.idle_minutes),
        whole: minutes(60) * config.sessions.hours_max,
    };
    let (people, operator) = People::with_sign_on(catalog, lasting, openid(config)?)?;
    write(&path, &operator).with_context(place)?;
    Ok(people)
}

/// The OpenID provider that the configuration names, with the secret of its file.
fn openid(config: &Config) -> Result<Option<OpenId>> {
    let (Some(settings), Some(public_address)) = (&config.openid, &config.public_address) else {
        return Ok(None);
    };
    let secret = settings.client_secret_file.as_ref().map(|path| {
        let place = || format!("openid.client_secret_file = '{}'", path.display());
        fs::read_to_string(path).with_context(place)
    });
    let secret = secret.transpose()?.map(|text| text.trim().to_owned());
    Ok(Some(OpenId::new(settings.clone(), public_address, secret)?))
}

/// Prints the link that makes the first admin, if there is no account yet. Onto standard output, as whoever reads logs is not
/// always who may do everything.
pub(crate) async fn print_welcome(
    people: &People,
    config: &Config,
    http: SocketAddr,
) -> Result<()> {
    let Some(secret) = people.welcome(clock::now()).await? else {
        return Ok(());
    };
    let said = print_text(format!(
        "There is no account yet. This link makes the first one, an admin; it works once, until the next start:\n  \
         {}/welcome#{}\n",
        named(http, config.tls.is_some()),
        secret.text()
    ));
    if said.is_err() {
        tracing::warn!(
            "the link that makes the first admin could not be printed: nobody reads standard output"
        );
    }
    Ok(())
}

/// Where a browser on this machine finds the server.
fn named(http: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    if http.ip().is_unspecified() {
        return format!("{scheme}://localhost:{}", http.port());
    }
    format!("{scheme}://{http}")
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(path: &Path, secret: &Secret) -> io::Result<()> {
    const OWNER_ONLY: u32 = 0o600;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    writeln!(file, "{}", secret.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_an_address_that_it_can_open() {
        let address = |ip: [u8; 4]| SocketAddr::from((ip, 8080));
        assert_eq!(named(address([0, 0, 0, 0]), false), "http://localhost:8080");
        assert_eq!(
            named(address([127, 0, 0, 1]), true),
            "https://127.0.0.1:8080"
        );
    }
}
