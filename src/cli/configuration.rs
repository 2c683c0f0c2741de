//! `flowreel config`: what is in force, and whether it is right.

use anyhow::Result;

use super::ConfigCommand;
use crate::config::Config;
use crate::output::print_text;

/// Shows or checks.
pub(crate) fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show(args) => print_text(Config::load(args)?.shown()?),
        ConfigCommand::Check(args) => {
            Config::load(args)?.check_password_file()?;
            print_text("the configuration is right\n")
        }
    }
}
