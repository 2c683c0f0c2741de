//! Where the store is: engines that tests start, and the server that the environment names.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::config::Engine;
use store::{Config, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::one_shard::OneShard;

/// How long an engine may take to start on a busy machine.
const START_WAIT_MAX: Duration = Duration::from_secs(60);

/// An engine in a process of its own, which ends with the test.
pub(crate) struct Running {
    process: Child,
    folder: PathBuf,
    /// Removed with it, if it was made for it.
    _made: Option<TempDir>,
}

impl Running {
    /// Starts one on an empty directory. `None` if no library is installed, which fails under `CI=true`.
    pub(crate) async fn start() -> Option<Self> {
        let made = TempDir::new().unwrap();
        let mut running = Self::start_in(made.path()).await?;
        running._made = Some(made);
        Some(running)
    }

    /// Starts one whose data are in `data` of this folder, with what else is configured there.
    pub(crate) async fn start_in(folder: &Path) -> Option<Self> {
        if let Err(error) = engine::locate() {
            let must_run = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!must_run, "{error}");
            eprintln!("skipped: {error}");
            return None;
        }
        let running = Self {
            process: spawn(folder),
            folder: folder.to_owned(),
            _made: None,
        };
        running.wait_until_ready().await;
        Some(running)
    }

    /// Kills the process and starts another on the same directory.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(&self.folder);
        self.wait_until_ready().await;
    }

    /// A store with a configuration.
    pub(crate) fn store(&self, config: Config) -> Store {
        Store::new(config, Some(&self.socket())).unwrap()
    }

    /// Where it answers.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// Runs a statement past the store.
    pub(crate) async fn run(&self, statement: &str) -> String {
        let mut stream = tokio::net::UnixStream::connect(self.socket())
            .await
            .unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{statement}",
            statement.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{statement}: {reply}");
        reply.split_once("\r\n\r\n").unwrap().1.trim().to_owned()
    }

    async fn wait_until_ready(&self) {
        let store = self.store(Config::default());
        let ready = async {
            while store.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_WAIT_MAX, ready).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("engine.sock")
}

/// The program of `examples/engine_for_tests.rs`, which Cargo builds with the tests.
fn spawn(folder: &Path) -> Child {
    let here = std::env::current_exe().unwrap();
    let program = here
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/engine_for_tests");
    assert!(
        program.is_file(),
        "cargo build -p store --example engine_for_tests"
    );
    Command::new(program)
        .arg(folder.join("data"))
        .arg(socket(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A store with an empty database, and what keeps it there.
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) database: String,
    pub(crate) engine: Option<Running>,
    _one_shard: Option<OneShard>,
}

/// Every store that this run tests, each with an empty database, and a cluster of one shard: for what is asked or written
/// in another way on a cluster.
pub(crate) async fn places() -> Vec<Place> {
    let mut found = servers().await;
    if let Some(cluster) = OneShard::start().await {
        let config = cluster.config(database());
        let database = config.database.clone();
        let store = Store::new(config, None).unwrap();
        store.prepare().await.unwrap();
        found.push(Place {
            store,
            database,
            engine: None,
            _one_shard: Some(cluster),
        });
    }
    found
}

/// Every store that this run tests, each with an empty database.
pub(crate) async fn servers() -> Vec<Place> {
    let mut found = Vec::new();
    if let Some(engine) = Running::start().await {
        let config = Config {
            database: database(),
            ..Config::default()
        };
        let (store, database) = (engine.store(config.clone()), config.database);
        found.push(Place {
            store,
            database,
            engine: Some(engine),
            _one_shard: None,
        });
    }
    if let Ok(url) = std::env::var("FLOWREEL_TEST_CLICKHOUSE_URL") {
        let config = Config {
            engine: Engine::Clickhouse,
            url: Some(url),
            user: std::env::var("FLOWREEL_TEST_CLICKHOUSE_USER").ok(),
            cluster: std::env::var("FLOWREEL_TEST_CLICKHOUSE_CLUSTER").ok(),
            database: database(),
            ..Config::default()
        };
        let database = config.database.clone();
        found.push(Place {
            store: Store::new(config, None).unwrap(),
            database,
            engine: None,
            _one_shard: None,
        });
    }
    for place in &found {
        place.store.prepare().await.unwrap();
    }
    found
}

fn database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("flowreel_test_{}_{number}", std::process::id())
}
