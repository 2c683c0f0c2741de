//! The supervisor: ready, restarted, stopped; and the process without one.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use engine::{EngineState, Phase, Supervisor, SupervisorConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use crate::running::{Running, Speaker, command, library, program};

/// A supervised engine. Restarts take half a second; a machine that also compiles takes longer.
pub(crate) struct Supervised {
    pub(crate) folder: TempDir,
    pub(crate) speaker: Speaker,
    pub(crate) state: watch::Receiver<EngineState>,
    pub(crate) stats: std::sync::Arc<engine::Stats>,
    renewal: std::sync::Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Supervised {
    pub(crate) fn start(change: impl FnOnce(&mut SupervisorConfig)) -> Option<Self> {
        // The engine finds the library by itself, next to this program's folder or in the cache.
        library()?;
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("engine.sock");
        let arguments = vec![folder.path().join("data").into(), socket.clone().into()];
        let mut config = SupervisorConfig::new(program(), arguments, socket.clone());
        change(&mut config);
        let supervisor = Supervisor::new(config);
        let (stop, stopped) = oneshot::channel();
        Some(Self {
            folder,
            speaker: Speaker::new(&socket),
            state: supervisor.state(),
            stats: supervisor.stats(),
            renewal: supervisor.renewal(),
            stop,
            task: tokio::spawn(supervisor.run(async {
                let _ = stopped.await;
            })),
        })
    }

    /// Waits for a state; gives it.
    pub(crate) async fn reaches(
        &mut self,
        wanted: impl FnMut(&EngineState) -> bool,
    ) -> EngineState {
        let reached = self.state.wait_for(wanted);
        let reached = tokio::time::timeout(Duration::from_secs(30), reached);
        reached.await.unwrap().unwrap().clone()
    }

    pub(crate) async fn ready(&mut self, restarts: u64) -> Pid {
        let ready = |state: &EngineState| state.phase == Phase::Ready && state.restarts >= restarts;
        let state = self.reaches(ready).await;
        Pid::from_raw(i32::try_from(state.pid.unwrap()).unwrap())
    }

    pub(crate) async fn stop(self) -> EngineState {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .unwrap()
            .unwrap();
        self.state.borrow().clone()
    }
}

#[tokio::test]
async fn an_engine_that_stumbles_over_its_files_is_started_again_once() {
    let Some(mut engine) = Supervised::start(|_| {}) else {
        return;
    };
    let first = engine.ready(0).await;
    engine.renewal.notify_waiters();
    assert_ne!(engine.ready(1).await, first);
    let state = engine.stop().await;
    assert_eq!(state.restarts, 1);
    assert_eq!(state.last_exit.unwrap(), "killed: its files are damaged");
}

#[tokio::test]
async fn a_killed_engine_is_back_within_two_seconds() {
    let Some(mut engine) = Supervised::start(|_| {}) else {
        return;
    };
    let first = engine.ready(0).await;
    engine
        .speaker
        .ask("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        .await;
    let started = tokio::time::Instant::now();
    kill(first, Signal::SIGKILL).unwrap();
    let second = engine.ready(1).await;
    // It takes half a second alone; the bound leaves room for a machine that runs other tests.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_ne!(first, second);
    assert_eq!(engine.speaker.ask("SELECT count() FROM t").await, "0");
    let state = engine.state.borrow().clone();
    assert_eq!(state.last_exit.as_deref(), Some("signal: 9 (SIGKILL)"));
    assert_eq!(
        (engine.stats.starts.get(), engine.stats.exits.get()),
        (2, 1)
    );
    let stopped = engine.stop().await;
    assert_eq!(
        (stopped.phase, stopped.pid, stopped.restarts),
        (Phase::Stopped, None, 1)
    );
}

#[tokio::test]
async fn an_engine_that_hangs_is_killed_and_restarted() {
    let faster = |config: &mut SupervisorConfig| {
        config.ping_every = Duration::from_millis(100);
        config.ping_wait_max = Duration::from_millis(1000);
        config.pings_missed_max = 2;
    };
    let Some(mut engine) = Supervised::start(faster) else {
        return;
    };
    let first = engine.ready(0).await;
    kill(first, Signal::SIGSTOP).unwrap();
    let second = engine.ready(1).await;
    assert_ne!(first, second);
    assert_eq!(engine.stats.kills.get(), 1);
    assert!(engine.stats.pings_missed.get() >= 2);
    let exit = engine.state.borrow().last_exit.clone();
    assert_eq!(exit.as_deref(), Some("killed: it does not answer any more"));
    engine.stop().await;
}

#[tokio::test]
async fn a_second_engine_on_the_same_directory_says_so() {
    let Some(mut engine) = Supervised::start(|_| {}) else {
        return;
    };
    engine.ready(0).await;
    let socket = engine.folder.path().join("other.sock");
    let arguments = vec![
        engine.folder.path().join("data").into(),
        socket.clone().into(),
    ];
    let second = Supervisor::new(SupervisorConfig::new(program(), arguments, socket));
    let mut state = second.state();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(second.run(async {
        let _ = stopped.await;
    }));
    let refused = state.wait_for(|state| state.last_exit.is_some());
    let refused = tokio::time::timeout(Duration::from_secs(20), refused);
    let exit = refused.await.unwrap().unwrap().last_exit.clone().unwrap();
    assert!(
        exit.contains("exit status: 1") && exit.contains("in use by another engine"),
        "{exit}"
    );
    stop.send(()).unwrap();
    running.await.unwrap();
    engine.stop().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_reported() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("no-such-program");
    let socket = folder.path().join("engine.sock");
    let supervisor = Supervisor::new(SupervisorConfig::new(program, Vec::new(), socket));
    let mut state = supervisor.state();
    let running = tokio::spawn(supervisor.run(std::future::pending()));
    let tried = state
        .wait_for(|state| state.restarts >= 2)
        .await
        .unwrap()
        .clone();
    let exit = tried.last_exit.unwrap();
    assert!(
        exit.starts_with("cannot start ") && exit.contains("no-such-program"),
        "{exit}"
    );
    running.abort();
}

#[tokio::test]
async fn the_engine_ends_with_its_parent() {
    let Some(mut engine) = Running::start(&[]).await else {
        return;
    };
    // What the system does when the parent dies, however it dies.
    drop(engine.process.stdin.take());
    let ended = engine.process.wait();
    assert!(ended.unwrap().success());
    assert!(!engine.folder.path().join("engine.sock").exists());
}

#[tokio::test]
async fn a_running_statement_is_answered_before_the_end() {
    let Some(mut engine) = Running::start(&[]).await else {
        return;
    };
    let speaker = engine.speaker.clone();
    let asked = tokio::spawn(async move { speaker.ask("SELECT sleep(1)").await });
    let running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'";
    while engine.speaker.ask(running).await != "1" {}
    let pid = Pid::from_raw(i32::try_from(engine.process.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(asked.await.unwrap(), "0");
    assert!(engine.process.wait().unwrap().success());
}

#[tokio::test]
async fn a_socket_that_something_else_has_is_left_alone() {
    let Some(library) = library() else { return };
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("engine.sock"), "precious").unwrap();
    let mut process = command(folder.path(), &library)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert!(
        said.contains("there is a file that is not a socket"),
        "{said}"
    );
    let kept = std::fs::read_to_string(folder.path().join("engine.sock")).unwrap();
    assert_eq!(kept, "precious");
}
