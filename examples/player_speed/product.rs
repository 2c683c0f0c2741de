//! The product under measurement: the real program, with a data directory of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flow::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{Running, child_of, cpu_seconds, until};
use crate::recording;

/// The engine is at rest when it has done next to nothing for so long, in seconds of processor time.
const REST: Duration = Duration::from_secs(2);
const REST_CPU_S: f64 = 0.2;

/// A server and its engine.
pub(crate) struct Product {
    engine: u32,
    url: String,
    _server: Running,
    /// Ends after the server.
    data: TempDir,
}

impl Product {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let folder = data.path().join("data");
        let mut command = Command::new(program()?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(&folder)
            .env("FLOWREEL_LOG__LEVEL", "error")
            .env("FLOWREEL_SIGN_ON", "off")
            .stdin(Stdio::null());
        let server = Running(command.spawn()?);
        let running: Value = until("it listens", || {
            let text = std::fs::read(folder.join("running.json")).ok()?;
            serde_json::from_slice(&text).ok()
        })?;
        let url = format!("http://{}", running["http"].as_str().context("http")?);
        until("it is ready", || {
            ureq::get(format!("{url}/readyz")).call().ok()
        })?;
        Ok(Self {
            engine: child_of(server.0.id()).context("engine")?,
            url,
            _server: server,
            data,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes the recording `load` of so many flows; returns how many it has.
    pub(crate) fn import(&self, flows: u64) -> Result<u64> {
        let path = self.data.path().join("load.pcap");
        let written = recording::write(File::create(&path)?, flows)?;
        let url = format!("{}/api/v1/reels?name=load", self.url);
        let mut answer = ureq::post(url).send(File::open(&path)?)?;
        std::fs::remove_file(&path)?;
        let recorded: Value = answer.body_mut().read_json()?;
        let stored = recorded["counts"]["flows"].as_u64();
        ensure!(stored == Some(written), "{written} were sent: {recorded}");
        Ok(written)
    }

    /// Waits until merging has ended: nobody looks at a recording while it is made.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut before = (cpu_seconds(self.engine)?, Stopwatch::start());
        until("the engine rests", || {
            if before.1.elapsed() < REST {
                return None;
            }
            let spent = cpu_seconds(self.engine).ok()?;
            let rests = spent - before.0 < REST_CPU_S;
            before = (spent, Stopwatch::start());
            rests.then_some(())
        })
    }

    /// Processor time that the engine has taken.
    pub(crate) fn engine_cpu_s(&self) -> Result<f64> {
        cpu_seconds(self.engine)
    }

    /// Sends JSON, and returns the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut answer = ureq::post(format!("{}{path}", self.url)).send_json(body)?;
        Ok(answer.body_mut().read_json()?)
    }

    /// Ends a player.
    pub(crate) fn end(&self, id: &str) {
        // One that has ended is what is wanted.
        let _ = ureq::delete(format!("{}/api/v1/players/{id}", self.url)).call();
    }
}

/// The program beside this one.
fn program() -> Result<PathBuf> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent);
    let program = folder.context("target folder")?.join("flowreel");
    ensure!(
        program.is_file(),
        "{}: build it first, `cargo build --release`",
        program.display()
    );
    Ok(program)
}
