//! Keeps the engine's process running: starts it, looks at it, restarts it, stops it.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::config::SupervisorConfig;
use crate::ping::ping;
use crate::stats::Stats;

/// The first pause before a child is started again; it doubles with every failure in a row.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(100);

/// A child that was ready for this long was healthy: the next pause is the first again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Between two looks at a child that starts.
const START_PING_EVERY: Duration = Duration::from_millis(20);

/// Octets of a line of the child's standard error that are kept.
const LINE_OCTETS_MAX: u64 = 4096;

/// Where the engine is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The process starts, for the first time or again.
    #[default]
    Starting,
    /// It answers.
    Ready,
    /// It ended or was killed, and starts again after a pause.
    Restarting,
    /// It was told to stop, and has.
    Stopped,
}

/// What is known of the engine's process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineState {
    /// Where it is in its life.
    pub phase: Phase,
    /// Its process id, while there is a process.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// How the last process ended, with its last line on standard error; for people.
    pub last_exit: Option<String>,
}

/// Owns the engine's process. Dropping a running one kills the process.
pub struct Supervisor {
    config: SupervisorConfig,
    state: watch::Sender<EngineState>,
    stats: Arc<Stats>,
    renewal: Arc<Notify>,
}

/// Why the watch over one child ended.
enum Outcome {
    /// Told to stop: the child has ended.
    Stopped,
    /// The child ended or was killed. How, and whether it had been healthy.
    Lost { how: String, healthy: bool },
}

/// The last line on the child's standard error.
type LastLine = watch::Receiver<String>;

impl Supervisor {
    /// A supervisor that has not started anything yet.
    pub fn new(config: SupervisorConfig) -> Self {
        Self {
            config,
            state: watch::Sender::new(EngineState::default()),
            stats: Arc::new(Stats::default()),
            renewal: Arc::default(),
        }
    }

    /// Whoever notifies its waiters has the child killed and started again. At its start the engine puts aside what it finds
    /// damaged among its files; while it runs it stumbles over that again and again.
    pub fn renewal(&self) -> Arc<Notify> {
        self.renewal.clone()
    }

    /// The engine's state, now and whenever it changes.
    pub fn state(&self) -> watch::Receiver<EngineState> {
        self.state.subscribe()
    }

    /// The counters.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Runs the engine until `shutdown` completes; then tells it to stop, and kills it if it takes too long.
    ///
    /// Never gives up: a process that can't start (library missing, directory in use) is tried again with growing
    /// pauses, and [`EngineState::last_exit`] says why.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut pause = RESTART_PAUSE_MIN;
        loop {
            let (how, healthy) = match self.live(&mut shutdown).await {
                Outcome::Stopped => break,
                Outcome::Lost { how, healthy } => (how, healthy),
            };
            if healthy {
                pause = RESTART_PAUSE_MIN;
            }
            tracing::warn!(
                engine.exit = how,
                engine.restart_ms = pause.as_millis(),
                "engine is gone, starting it again"
            );
            self.state.send_modify(|state| {
                state.phase = Phase::Restarting;
                state.pid = None;
                state.restarts += 1;
                state.last_exit = Some(how);
            });
            tokio::select! {
                () = sleep(pause) => {}
                () = &mut shutdown => break,
            }
            pause = (pause * 2).min(self.config.restart_pause_max);
        }
        self.state.send_modify(|state| {
            state.phase = Phase::Stopped;
            state.pid = None;
        });
    }

    /// One child, from its start to its end.
    async fn live(&self, shutdown: &mut (impl Future<Output = ()> + Unpin)) -> Outcome {
        self.stats.starts.add_one();
        let (mut child, last_line) = match self.spawn() {
            Ok(spawned) => spawned,
            Err(error) => {
                let program = self.config.program.display();
                return Outcome::Lost {
                    how: format!("cannot start {program}: {error}"),
                    healthy: false,
                };
            }
        };
        self.state.send_modify(|state| {
            state.pid = child.id();
            state.phase = Phase::Starting;
        });
        let watched = tokio::select! {
            watched = self.watch(&mut child) => watched,
            () = shutdown => {
                self.stop(&mut child).await;
                return Outcome::Stopped;
            }
        };
        let how = match watched.end {
            End::Exited(status) => {
                self.stats.exits.add_one();
                exit_text(status, &last_line)
            }
            End::Killed(reason) => {
                self.stats.kills.add_one();
                // It may have ended in the meantime; either way it is reaped.
                let _ = child.kill().await;
                format!("killed: {reason}")
            }
        };
        Outcome::Lost {
            how,
            healthy: watched.healthy,
        }
    }

    fn spawn(&self) -> std::io::Result<(Child, LastLine)> {
        let mut child = Command::new(&self.config.program)
            .args(&self.config.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal goes to the whole group: the engine ends when we say so.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (sender, last_line) = watch::channel(String::new());
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(forward(stderr, sender, self.stats.clone()));
        }
        Ok((child, last_line))
    }

    /// Looks at the child until it ends, is silent for too long or is to be started again. The child's standard input stays open, as the child
    /// ends with it.
    async fn watch(&self, child: &mut Child) -> Watched {
        let input = child.stdin.take();
        let pid = child.id().unwrap_or_default();
        let ready_since = OnceLock::new();
        let end = tokio::select! {
            status = child.wait() => End::Exited(status),
            reason = self.look(pid, &ready_since) => End::Killed(reason),
            () = self.renewal.notified() => End::Killed("its files are damaged"),
        };
        drop(input);
        let healthy = |since: &Instant| since.elapsed() >= HEALTHY_AFTER;
        Watched {
            end,
            healthy: ready_since.get().is_some_and(healthy),
        }
    }

    /// Pings until too many in a row are missed.
    async fn look(&self, pid: u32, ready_since: &OnceLock<Instant>) -> &'static str {
        let config = &self.config;
        let first = async {
            while !ping(&config.socket, pid, config.ping_wait_max).await {
                sleep(START_PING_EVERY).await;
            }
        };
        if timeout(config.start_wait_max, first).await.is_err() {
            return "it did not get ready in time";
        }
        ready_since.get_or_init(Instant::now);
        self.state.send_modify(|state| state.phase = Phase::Ready);
        let mut missed = 0;
        while missed < config.pings_missed_max {
            sleep(config.ping_every).await;
            if ping(&config.socket, pid, config.ping_wait_max).await {
                missed = 0;
            } else {
                missed += 1;
                self.stats.pings_missed.add_one();
            }
        }
        "it does not answer any more"
    }

    /// SIGTERM, some patience, SIGKILL.
    async fn stop(&self, child: &mut Child) {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // Fails only if it is gone, and then `wait` returns at once.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(self.config.stop_wait_max, child.wait())
            .await
            .is_err()
        {
            tracing::warn!("engine does not stop, killing it");
            let _ = child.kill().await;
        }
    }
}

struct Watched {
    end: End,
    healthy: bool,
}

enum End {
    Exited(std::io::Result<ExitStatus>),
    Killed(&'static str),
}

fn exit_text(status: std::io::Result<ExitStatus>, last_line: &LastLine) -> String {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let line = last_line.borrow();
    if line.is_empty() {
        return status;
    }
    format!("{status}: {}", *line)
}

/// Hands the child's standard error to the log, line by line; a line longer than [`LINE_OCTETS_MAX`] is cut in pieces.
async fn forward(stderr: ChildStderr, last: watch::Sender<String>, stats: Arc<Stats>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines)
            .take(LINE_OCTETS_MAX)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(octets) if octets > 0 => {}
            _ => return,
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if text.is_empty() {
            continue;
        }
        stats.lines.add_one();
        tracing::warn!(engine.line = text, "engine says");
        last.send_replace(text);
    }
}
