//! The product under measurement: the real program, with a data directory of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::Accounting;
use flow::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use crate::exporters::Sent;
use crate::processes::{
    Running, child_of, cpu_of_threads, cpu_seconds, kernel_drops, resident_mb, until,
};

/// After this time without a datagram nothing more comes, whatever became of it.
const SILENCE: Duration = Duration::from_secs(10);

/// After this time nothing more is stored.
const STANDSTILL: Duration = Duration::from_secs(60);

/// A server and, with a store, its engine.
pub(crate) struct Product {
    server: Running,
    engine: Option<u32>,
    url: String,
    listen: SocketAddr,
    /// Ends after the server.
    _data: TempDir,
}

/// CPU seconds so far.
pub(crate) struct Spent {
    pub(crate) server: f64,
    pub(crate) engine: f64,
    pub(crate) threads: BTreeMap<String, f64>,
}

impl Product {
    /// Starts it, with or without a store, and waits until it is ready.
    pub(crate) fn start(store: bool) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(beside_this_program("flowreel")?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data.path())
            .env("FLOWREEL_LOG__LEVEL", "error")
            .env("FLOWREEL_SIGN_ON", "off")
            .stdin(Stdio::null());
        if !store {
            command.env("FLOWREEL_STORE__ENGINE", "none");
        }
        let server = Running(command.spawn()?);
        let running: Value = until("it listens", || {
            let text = std::fs::read(data.path().join("running.json")).ok()?;
            serde_json::from_slice(&text).ok()
        })?;
        let url = format!("http://{}", running["http"].as_str().context("http")?);
        until("it is ready", || {
            ureq::get(format!("{url}/readyz")).call().ok()
        })?;
        Ok(Self {
            engine: store.then(|| child_of(server.0.id())).flatten(),
            listen: running["listen"][0].as_str().context("listen")?.parse()?,
            server,
            url,
            _data: data,
        })
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it receives.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The body of an answer.
    pub(crate) fn ask(&self, path: &str) -> Result<Value> {
        let mut answer = ureq::get(format!("{}{path}", self.url)).call()?;
        Ok(answer.body_mut().read_json()?)
    }

    /// A command of `flowreel recording`, until it is done.
    pub(crate) fn recording(&self, words: &[&str]) -> Result<()> {
        let output = Command::new(beside_this_program("flowreel")?)
            .arg("recording")
            .args(words)
            .args(["--server", &self.url])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{words:?}: {said}");
        Ok(())
    }

    /// Its books.
    pub(crate) fn books(&self) -> Result<Accounting> {
        Ok(serde_json::from_value(self.ask("/api/v1/accounting")?)?)
    }

    /// Datagrams that the kernel dropped at its socket.
    pub(crate) fn kernel_drops(&self) -> u64 {
        kernel_drops(self.listen.port()).unwrap_or(0)
    }

    /// Waits until all that was sent is accounted for and nothing is left to do, or nothing is done any more: data of captures
    /// without their templates waits longer than we do.
    pub(crate) fn finished(&self, sent: Sent) -> Result<Accounting> {
        let mut most = (0, Stopwatch::start());
        let mut left = (0, Stopwatch::start());
        until("everything is stored", || {
            let books = self.books().ok()?;
            // What the kernel dropped after the last datagram that it handed over, only its own table says.
            let expected = sent.datagrams.saturating_sub(self.kernel_drops());
            if books.datagrams.received > most.0 {
                most = (books.datagrams.received, Stopwatch::start());
            }
            let in_hand = books.datagrams.received >= expected || most.1.elapsed() > SILENCE;
            if books.datagrams.on_tape != left.0 {
                left = (books.datagrams.on_tape, Stopwatch::start());
            }
            let done = left.0 == 0 || left.1.elapsed() > STANDSTILL;
            (in_hand && done).then_some(books)
        })
    }

    /// CPU time so far.
    pub(crate) fn spent(&self) -> Result<Spent> {
        let server = self.server.0.id();
        Ok(Spent {
            server: cpu_seconds(server)?,
            engine: self.engine.map_or(Ok(0.0), cpu_seconds)?,
            threads: cpu_of_threads(server)?,
        })
    }

    /// Resident memory of server and engine, MB: now, or the most so far.
    pub(crate) fn resident(&self, most: bool) -> Result<(u64, u64)> {
        let engine = self
            .engine
            .map_or(Ok(0), |engine| resident_mb(engine, most));
        Ok((resident_mb(self.server.0.id(), most)?, engine?))
    }
}

impl Spent {
    /// What was spent since an earlier moment.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let of_thread = |(name, spent): (&String, &f64)| {
            let earlier = before.threads.get(name).copied().unwrap_or(0.0);
            (name.clone(), spent - earlier)
        };
        Self {
            server: self.server - before.server,
            engine: self.engine - before.engine,
            threads: self.threads.iter().map(of_thread).collect(),
        }
    }
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_exe()?;
    let folder = folder
        .parent()
        .and_then(Path::parent)
        .context("target folder")?;
    let program = folder.join(name);
    anyhow::ensure!(
        program.is_file(),
        "{}: build it first, `cargo build --release`",
        program.display()
    );
    Ok(program)
}
