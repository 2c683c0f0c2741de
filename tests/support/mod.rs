//! The real binary, started on free ports with a data directory of its own, and asked over HTTP.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod chance;
pub(crate) mod fleet;
pub(crate) mod http;
pub(crate) mod injury;
pub(crate) mod lab;
pub(crate) mod ledger;
pub(crate) mod listening;
pub(crate) mod peers;
pub(crate) mod people;
pub(crate) mod place;
pub(crate) mod sql;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use flow::Accounting;
use flow::clock::Stopwatch;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long anything may take before a test gives up; a machine under load is slow, not wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Where a running server listens; it writes this file when it is ready to receive.
#[derive(Debug, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) http: SocketAddr,
    pub(crate) listen: Vec<SocketAddr>,
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    data_dir: PathBuf,
    pub(crate) running: Running,
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    /// The data directory as the server sees it.
    pub(crate) data_dir: PathBuf,
    /// The same as the test sees it, if that is another path.
    pub(crate) seen_as: Option<PathBuf>,
    /// Further arguments.
    pub(crate) more: Vec<String>,
    /// What the command line is put behind, as `nsenter`.
    pub(crate) entrance: Vec<OsString>,
    pub(crate) environment: Vec<(String, OsString)>,
    /// Where what it prints goes, with the ending `out`, and what it logs, with `err`; to the test's own if `None`.
    pub(crate) said: Option<PathBuf>,
}

impl Launch {
    /// On free ports of 127.0.0.1.
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            ..Self::default()
        }
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, listen: &str) -> Command {
        let mut words = self.entrance.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg("--").arg(binary());
                command
            }
            None => Command::new(binary()),
        };
        command
            .args(["serve", "--listen", listen, "--http", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(&self.more)
            // Those on which people sign on are `support::people`.
            .env("FLOWREEL_SIGN_ON", "off")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(said) = &self.said {
            let file = |ending| {
                let path = said.with_extension(ending);
                let mut options = std::fs::File::options();
                options.create(true).append(true).open(path).unwrap()
            };
            command.stdout(file("out")).stderr(file("err"));
        }
        command
    }
}

impl Server {
    /// Starts `flowreel serve` on free ports of 127.0.0.1.
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::start_on(data_dir, "127.0.0.1:0", more)
    }

    /// Starts `flowreel serve`, listening on this address.
    pub(crate) fn start_on(data_dir: &Path, listen: &str, more: &[&str]) -> Self {
        let mut launch = Launch::of(data_dir);
        launch.more = more.iter().map(|&word| word.to_owned()).collect();
        let this = Self::receiving(&launch, listen);
        this.wait_until_ready();
        this
    }

    /// Starts it, and waits until it receives; the store may not answer yet.
    pub(crate) fn receiving(launch: &Launch, listen: &str) -> Self {
        let data_dir = launch.seen_as.as_ref().unwrap_or(&launch.data_dir);
        let running = data_dir.join("running.json");
        let _ = std::fs::remove_file(&running);
        let mut child = launch.command(listen).spawn().unwrap();
        let running = eventually("the server is ready to receive", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended at start: {status}");
            }
            // Half of it may be written by now.
            serde_json::from_slice(&std::fs::read(&running).ok()?).ok()
        });
        Self {
            child,
            data_dir: data_dir.to_owned(),
            running,
        }
    }

    /// Waits until sockets, tape and store work.
    pub(crate) fn wait_until_ready(&self) {
        eventually("the server is ready", || {
            self.try_get::<serde_json::Value>("/readyz").ok()
        });
    }

    /// The data directory as the test sees it.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The embedded engine's socket.
    pub(crate) fn engine_socket(&self) -> PathBuf {
        self.data_dir.join("engine.sock")
    }

    /// The engine's process: a child of the server, whichever thread started it.
    pub(crate) fn engine(&self) -> u32 {
        eventually("the engine runs", || self.try_engine())
    }

    /// The engine's process, if there is one now.
    pub(crate) fn try_engine(&self) -> Option<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .find_map(|children| children.split_whitespace().next()?.parse().ok())
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A metric by its name, labels included.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let answer = ureq::get(format!("{}/metrics", self.url())).call();
        let text = answer.ok()?.body_mut().read_to_string().ok()?;
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.http)
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.running.listen[0]
    }

    pub(crate) fn try_get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ureq::Error> {
        ureq::get(format!("{}{path}", self.url()))
            .call()?
            .body_mut()
            .read_json()
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.try_get(path)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn accounting(&self) -> Accounting {
        self.get("/api/v1/accounting")
    }

    /// Waits until this many datagrams were received and none is left on tape.
    pub(crate) fn wait_for_datagrams(&self, count: u64) -> Accounting {
        eventually(
            &format!("{count} datagrams are received and stored"),
            || {
                let books = self.accounting();
                let done = books.datagrams.received >= count && books.datagrams.on_tape == 0;
                done.then_some(books)
            },
        )
    }

    /// Asks the command line of this server.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        flowreel(&[args, &["--server", &self.url()]].concat())
    }

    /// Ends it as an operator does, and returns how long it took.
    pub(crate) fn stop(mut self) -> Duration {
        let watch = Stopwatch::start();
        signal(self.child.id(), nix::sys::signal::Signal::SIGTERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the server ended with {status}");
        watch.elapsed()
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number from the environment, for trials that can be longer or others.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} = '{text}' is no number"))
    })
}

/// Sends a signal to a process that the test started.
pub(crate) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// The program under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_flowreel")
}

/// Runs a command of the program under test.
pub(crate) fn flowreel(args: &[&str]) -> Output {
    Command::new(binary())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a successful command printed.
pub(crate) fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Tries until it works; panics with what was waited for.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(watch.elapsed() < PATIENCE, "waited in vain until {what}");
        // Between two looks; what is waited for decides, not the pause.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The folder of captures beside the checkout. `None` without it, which is an error in CI.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing",
        folder.display()
    );
    eprintln!("skipped: there is no {}", folder.display());
    None
}

/// One row of the captures' manifest.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claim {
    pub(crate) path: String,
    pub(crate) version: String,
    pub(crate) datagrams: u64,
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    pub(crate) data_records: u64,
    pub(crate) records_expected: Option<Expected>,
}

/// How many records a capture holds, by independent decoders.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expected {
    Exact(u64),
    AtLeast(u64),
}

/// The manifest's rows.
pub(crate) fn manifest(folder: &Path) -> Vec<Claim> {
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}
