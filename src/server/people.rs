//! People: whether they sign on, and what the data directory has for whoever works on this machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
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
    let (people, operator) = People::with_sign_on(catalog, lasting)?;
    write(&path, &operator).with_context(place)?;
    Ok(people)
}

/// Prints the link that makes the first admin, if there is no account yet. Onto standard output, as whoever reads logs is not
/// always who may do everything.
pub(crate) async fn print_welcome(people: &People, http: SocketAddr) -> Result<()> {
    let Some(secret) = people.welcome(clock::now()).await? else {
        return Ok(());
    };
    let said = print_text(format!(
        "There is no account yet. This link makes the first one, an admin; it works once, until the next start:\n  \
         http://{}/welcome#{}\n",
        named(http),
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
fn named(http: SocketAddr) -> String {
    if http.ip().is_unspecified() {
        return format!("localhost:{}", http.port());
    }
    http.to_string()
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
        assert_eq!(named(address([0, 0, 0, 0])), "localhost:8080");
        assert_eq!(named(address([127, 0, 0, 1])), "127.0.0.1:8080");
    }
}
