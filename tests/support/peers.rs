//! Programs of others: mail servers and whom webhooks call, each a process of its own (`ui/web/e2e/peers`).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::eventually;

/// A running peer, and what it has written so far. It ends with this.
pub(crate) struct Peer {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Peer {
    /// Starts `ui/web/e2e/peers/<script>` with these words.
    pub(crate) fn start(script: &str, words: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/web/e2e/peers");
        let mut child = Command::new("node")
            .arg(folder.join(script))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let port = first.trim().strip_prefix("port ").unwrap().parse().unwrap();
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let written = lines.clone();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap();
                written.lock().unwrap().push(line);
            }
        });
        Self { child, port, lines }
    }

    /// What it has taken.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    /// The same, as soon as it is so many.
    pub(crate) fn taken_by(&self, count: usize) -> Vec<Value> {
        eventually("the peer has taken it", || {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
