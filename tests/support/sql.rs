//! Questions to the embedded engine past Flowreel: what its tables really hold.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::eventually;

/// Asks the engine behind this socket; rows of texts.
///
/// # Errors
///
/// What the engine, or the system, says.
pub(crate) fn try_ask(socket: &Path, statement: &str) -> Result<Vec<Vec<String>>, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut engine = UnixStream::connect(socket).map_err(said)?;
    let statement = format!("{statement} FORMAT TabSeparated");
    let length = statement.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{statement}"
    );
    engine.write_all(request.as_bytes()).map_err(said)?;
    let mut answer = String::new();
    engine.read_to_string(&mut answer).map_err(said)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(body.to_owned());
    }
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(body.lines().map(row).collect())
}

/// Asks until the engine answers.
pub(crate) fn ask(socket: &Path, statement: &str) -> Vec<Vec<String>> {
    let mut last = String::new();
    eventually("the engine answers a question", || {
        match try_ask(socket, statement) {
            Ok(rows) => Some(rows),
            Err(error) => {
                if error != last {
                    eprintln!("{statement}: {error}");
                    last = error;
                }
                None
            }
        }
    })
}

/// Asks for one number.
pub(crate) fn number(socket: &Path, statement: &str) -> u64 {
    ask(socket, statement)[0][0].parse().unwrap()
}
