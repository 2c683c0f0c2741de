//! Logs. Metrics are in [`crate::server`], beside what they count.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Sends logs to standard error, from here to the end of the process.
///
/// # Errors
///
/// The level is not one; names it.
pub(crate) fn start(config: &LogConfig) -> Result<()> {
    let filter = EnvFilter::try_new(&config.level)
        .with_context(|| format!("log.level = '{}'", config.level))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Starting twice (two servers in one test process) is no error: the first one's settings stay.
    let _ = if config.json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    Ok(())
}
