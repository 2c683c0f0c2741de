//! The engine's process by itself: `engine DATA_DIR SOCKET [--memory-max OCTETS] [--insert-max OCTETS] [--detached]`.
//!
//! The product runs the same as `flowreel engine`; tests, and people with `curl --unix-socket`, run this.

use std::path::PathBuf;
use std::process::ExitCode;

use engine::{EngineError, ServeConfig};

const USAGE: &str =
    "usage: engine DATA_DIR SOCKET [--memory-max OCTETS] [--insert-max OCTETS] [--detached]";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(data_dir), Some(socket)) = (arguments.next(), arguments.next()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let options: Vec<String> = arguments
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    match run(data_dir.into(), socket.into(), &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("engine: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}

fn run(data_dir: PathBuf, socket: PathBuf, options: &[String]) -> Result<(), EngineError> {
    let mut config = ServeConfig::new(engine::locate()?, data_dir, socket);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option == "--detached" {
            config.ends_with_stdin = false;
            continue;
        }
        let octets = options.next().and_then(|octets| octets.parse().ok());
        match (option.as_str(), octets) {
            ("--memory-max", Some(octets)) => config.memory_max_octets = octets,
            ("--insert-max", Some(octets)) => config.insert_octets_max = octets,
            _ => eprintln!("engine: {option} is not understood"),
        }
    }
    engine::serve(config)
}
