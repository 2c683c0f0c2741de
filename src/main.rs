//! `flowreel`: the command line, and the only place that joins the crates.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | commands and their flags; one file a group of commands |
//! | [`backup`] | all that a data directory holds, into a folder and back |
//! | [`open_files`] | how many there may be |
//! | [`config`] | one TOML file, the environment, flags |
//! | [`server`] | the running product: start in order, stop in reverse |
//! | [`demo`] | the simulated enterprise, two hours in seconds, then live |
//! | [`output`] | tables for people, JSON and CSV for programs |
//! | [`telemetry`] | logs and metrics |

mod backup;
mod cli;
mod config;
mod demo;
mod open_files;
mod output;
mod server;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

/// 0: done. 1: failed, with one error on standard error. 2: the command line is wrong (clap says so itself).
fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowreel: {}", output::error_text(&error));
            ExitCode::FAILURE
        }
    }
}
