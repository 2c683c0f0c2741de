//! One look at the engine: `GET /ping` on its socket.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::http::PROCESS;

const REQUEST: &[u8] = b"GET /ping HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n\r\n";

/// Octets of an answer that are read.
const ANSWER_OCTETS_MAX: u64 = 4096;

/// Whether the process `pid` answers on the socket within `wait_max`. Another engine there does not count.
pub(crate) async fn ping(socket: &Path, pid: u32, wait_max: Duration) -> bool {
    let answer = tokio::time::timeout(wait_max, ask(socket)).await;
    matches!(answer, Ok(Some(answer)) if comes_from(&answer, pid))
}

async fn ask(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    stream.write_all(REQUEST).await.ok()?;
    let mut answer = String::new();
    let mut stream = stream.take(ANSWER_OCTETS_MAX);
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

fn comes_from(answer: &str, pid: u32) -> bool {
    let mut lines = answer.lines();
    let well = lines
        .next()
        .is_some_and(|status| status.starts_with("HTTP/1.1 200 "));
    let process = lines.find_map(|line| line.strip_prefix(PROCESS)?.strip_prefix(": "));
    well && process.and_then(|process| process.parse().ok()) == Some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_childs_good_answer_counts() {
        let answer = "HTTP/1.1 200 OK\r\nx-engine-process: 42\r\ncontent-length: 4\r\n\r\nOk.\n";
        assert!(comes_from(answer, 42));
        assert!(!comes_from(answer, 43));
        assert!(!comes_from("HTTP/1.1 200 OK\r\n\r\n", 42));
        assert!(!comes_from(
            "HTTP/1.1 503 x\r\nx-engine-process: 42\r\n\r\n",
            42
        ));
        assert!(!comes_from("", 42));
    }
}
