//! An engine for a test, and ways to speak to it.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::UnixStream;

/// How long an engine may take to start on a busy machine.
const START_WAIT_MAX: Duration = Duration::from_secs(30);

/// Connects to the engine's socket, whatever the address says.
#[derive(Clone)]
pub(crate) struct Connector(PathBuf);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let socket = self.0.clone();
        Box::pin(async move { Ok(TokioIo::new(UnixStream::connect(socket).await?)) })
    }
}

/// What the engine answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<u32>,
    pub(crate) text: String,
}

/// A client of an engine's socket.
#[derive(Clone)]
pub(crate) struct Speaker {
    socket: PathBuf,
    http: Client<Connector, Full<Bytes>>,
}

impl Speaker {
    pub(crate) fn new(socket: &Path) -> Self {
        let connector = Connector(socket.to_owned());
        Self {
            socket: socket.to_owned(),
            http: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Posts a body to an address such as `/?database=x`; `None` if the engine is not there.
    pub(crate) async fn try_post(&self, address: &str, body: impl Into<Bytes>) -> Option<Reply> {
        let request = hyper::Request::post(format!("http://engine{address}"))
            .body(Full::new(body.into()))
            .unwrap();
        let response = self.http.request(request).await.ok()?;
        let status = response.status();
        let code = response.headers().get("x-clickhouse-exception-code");
        let code = code.map(|code| code.to_str().unwrap().parse().unwrap());
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Some(Reply { status, code, text })
    }

    pub(crate) async fn post(&self, address: &str, body: impl Into<Bytes>) -> Reply {
        self.try_post(address, body).await.unwrap()
    }

    /// Runs a statement that must succeed; gives its answer without the last line end.
    pub(crate) async fn ask(&self, statement: &str) -> String {
        let reply = self.post("/", statement.to_owned()).await;
        assert_eq!(reply.code, None, "{statement}: {}", reply.text);
        assert_eq!(reply.status, StatusCode::OK, "{statement}");
        reply.text.trim_end_matches('\n').to_owned()
    }

    /// The official client on the same socket.
    pub(crate) fn official(&self) -> clickhouse::Client {
        let http = Client::builder(TokioExecutor::new()).build(Connector(self.socket.clone()));
        clickhouse::Client::with_http_client(http)
            .with_url("http://engine")
            .with_compression(clickhouse::Compression::None)
    }
}

/// The program of `examples/engine.rs`, which Cargo builds with the tests.
pub(crate) fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join("examples/engine");
    assert!(program.is_file(), "cargo build -p engine --example engine");
    program
}

/// The installed library. `None` skips the test and says so; under `CI=true` that is a failure.
pub(crate) fn library() -> Option<PathBuf> {
    match engine::locate() {
        Ok(library) => Some(library),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// An engine's process that ends with the test.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) folder: TempDir,
    pub(crate) speaker: Speaker,
}

impl Running {
    /// Starts an engine on an empty directory and waits until it answers. `None` if no library is installed.
    pub(crate) async fn start(options: &[&str]) -> Option<Self> {
        let library = library()?;
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("engine.sock");
        let process = command(folder.path(), &library)
            .args(options)
            .spawn()
            .unwrap();
        let speaker = Speaker::new(&socket);
        let running = Self {
            process,
            folder,
            speaker,
        };
        running.wait_until_ready().await;
        Some(running)
    }

    async fn wait_until_ready(&self) {
        let ready = async {
            while self.speaker.try_post("/", "SELECT 1").await.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_WAIT_MAX, ready).await.unwrap();
    }

    /// A size of the process in octets, by its name in `/proc/<pid>/status`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The engine on the directory `data` and the socket `engine.sock` in `folder`.
pub(crate) fn command(folder: &Path, library: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .arg(folder.join("data"))
        .arg(folder.join("engine.sock"))
        .env("FLOWREEL_ENGINE_LIBRARY", library)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command
}
