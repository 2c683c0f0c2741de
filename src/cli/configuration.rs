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
            let config = Config::load(args)?;
            config.check_password_file()?;
            let mail = match &config.mail {
                Some(mail) => format!("mail goes to {}:{}", mail.host, mail.port()),
                None => "mail is not set up".to_owned(),
            };
            print_text(format!("the configuration is right; {mail}\n"))
        }
    }
}
