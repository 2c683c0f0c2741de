//! What the command line shows a server to be known.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use ureq::http::Uri;

use super::{ConfigArgs, ServerArgs};
use crate::config::Config;
use crate::server::OPERATOR_TOKEN;

/// What is read of `running.json`.
#[derive(Deserialize)]
struct Running {
    http: SocketAddr,
}

/// The token that was given, or the operator's, if the server is this machine's and its data directory can be read.
///
/// # Errors
///
/// The file that was named cannot be read.
pub(super) fn token(args: &ServerArgs) -> Result<Option<String>> {
    let given = std::env::var("FLOWREEL_TOKEN").unwrap_or_default();
    if !given.trim().is_empty() {
        return Ok(Some(given.trim().to_owned()));
    }
    if let Some(path) = &args.token_file {
        return read(path)
            .with_context(|| path.display().to_string())
            .map(Some);
    }
    Ok(operators(&args.server))
}

/// The operator's token, if the server of the configured data directory is the one that is asked: any other program on this machine
/// could listen there as well, and would be told the token.
fn operators(server: &str) -> Option<String> {
    let uri: Uri = server.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    let config = Config::load(&ConfigArgs {
        config: std::env::var_os("FLOWREEL_CONFIG").map(Into::into),
        ..ConfigArgs::default()
    });
    let config = config.ok().filter(|_| is_here)?;
    let running = std::fs::read(config.path("running.json")).ok()?;
    let running: Running = serde_json::from_slice(&running).ok()?;
    let is_it = running.http.port() == port;
    is_it.then(|| read(&config.path(OPERATOR_TOKEN)).ok())?
}

fn read(path: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}
