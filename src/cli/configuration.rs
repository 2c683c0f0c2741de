//! `flowreel config`: what is in force, and whether it is right.

use anyhow::Result;

use super::ConfigCommand;
use crate::config::Config;

/// Shows or checks.
pub(crate) fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show(args) => {
            print!("{}", toml::to_string(&Config::load(args)?)?);
        }
        ConfigCommand::Check(args) => {
            Config::load(args)?;
            println!("the configuration is right");
        }
    }
    Ok(())
}
