//! How to reach ClickHouse: a Unix socket for the embedded engine, a URL for a server.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{Builder, Client as HttpClient};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tower::Service;

use crate::config::{Config, Engine};
use crate::error::StoreError;

/// ClickHouse closes idle connections after three seconds (`keep_alive_timeout`); we do so before.
const IDLE: Duration = Duration::from_secs(2);

/// The client for `config`; `socket` is the embedded engine's. Connects at the first request.
///
/// # Errors
///
/// [`StoreError::Configuration`] if they contradict each other, [`StoreError::PasswordFile`] if it can't be read.
pub(crate) fn client(
    config: &Config,
    socket: Option<&Path>,
) -> Result<clickhouse::Client, StoreError> {
    config.check()?;
    let client = match (config.engine, socket, &config.url) {
        (Engine::Embedded, Some(path), _) => {
            let socket = UnixConnector { path: path.into() };
            // The name stands in the Host header only.
            clickhouse::Client::with_http_client(pool().build(socket)).with_url("http://engine")
        }
        (Engine::Embedded, None, _) => {
            let message = "the embedded engine has no socket";
            return Err(StoreError::Configuration(message.to_owned()));
        }
        // Whoever asks is told before this is used.
        (Engine::None, ..) => clickhouse::Client::default(),
        (Engine::Clickhouse, _, Some(url)) if url.starts_with("https://") => {
            clickhouse::Client::default().with_url(url)
        }
        (Engine::Clickhouse, _, url) => {
            let mut connector = HttpConnector::new();
            connector.set_keepalive(Some(Duration::from_secs(60)));
            connector.set_nodelay(true);
            clickhouse::Client::with_http_client(pool().build(connector))
                .with_url(url.as_deref().unwrap_or_default())
        }
    };
    let client = match &config.user {
        Some(user) => client.with_user(user),
        None => client,
    };
    Ok(match &config.password_file {
        Some(path) => client.with_password(password(path)?),
        None => client,
    })
}

fn password(path: &Path) -> Result<String, StoreError> {
    let text = std::fs::read_to_string(path).map_err(|source| StoreError::PasswordFile {
        path: path.into(),
        source,
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn pool() -> Builder {
    let mut builder = HttpClient::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE);
    builder
}

/// Connects to one path, whatever the address asks for.
#[derive(Clone, Debug)]
struct UnixConnector {
    path: PathBuf,
}

impl Service<Uri> for UnixConnector {
    type Response = UnixConnection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<UnixConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.path.clone();
        Box::pin(async move {
            let stream = UnixStream::connect(path).await?;
            Ok(UnixConnection(TokioIo::new(stream)))
        })
    }
}

/// A Unix stream that hyper can pool.
struct UnixConnection(TokioIo<UnixStream>);

impl Connection for UnixConnection {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for UnixConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for UnixConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
