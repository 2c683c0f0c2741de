//! Logs. Metrics are in [`crate::server`], beside what they count.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result, bail};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogConfig;

/// Sends logs to standard error, from here to the end of the process.
///
/// # Errors
///
/// The level is not one; names it.
pub(crate) fn start(config: &LogConfig) -> Result<()> {
    let filter = filter(&config.level)?;
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

/// Reads a level, or a filter by module.
///
/// # Errors
///
/// It is neither; names it.
pub(crate) fn filter(level: &str) -> Result<EnvFilter> {
    for part in level.split(',') {
        // The filter takes a word that is no level for a module's name, and then logs nothing else.
        if !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err() {
            bail!(
                "log.level = '{level}': '{part}' is none of off, error, warn, info, debug, trace"
            );
        }
    }
    EnvFilter::try_new(level).with_context(|| format!("log.level = '{level}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for good in ["info", "off", "collector=debug,info", "warn,store=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for wrong in ["loud", "info,loud", "collector=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
