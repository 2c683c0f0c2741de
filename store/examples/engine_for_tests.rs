//! The embedded engine's process for this crate's tests: `engine_for_tests DATA_DIR SOCKET`. Ends with its standard input.

use std::process::ExitCode;

use engine::{EngineError, ServeConfig};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(data_dir), Some(socket)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: engine_for_tests DATA_DIR SOCKET");
        return ExitCode::from(2);
    };
    let serve = || -> Result<(), EngineError> {
        let config = ServeConfig::new(engine::locate()?, data_dir.into(), socket.into());
        engine::serve(config)
    };
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("engine_for_tests: {error}");
            ExitCode::FAILURE
        }
    }
}
