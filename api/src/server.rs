//! The HTTP server around the router.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::proxies::Proxies;
use crate::router::{Api, router};
use crate::tls::Tls;

/// Connections that are open at the same time.
///
/// When as many are, the next waits in the kernel's queue until one ends: each takes one of the files that a process may
/// have open, and these are for the tape first.
pub const CONNECTIONS_MAX: usize = 256;
/// How long a client may take for the head of a request, and a connection wait for its next one: it has one of the places
/// meanwhile.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long nothing is accepted when the system has no connection to give, as where its files are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be had.
    #[error("cannot listen on {address} for HTTP; choose another with --http")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Opens the address; port 0 takes a free one.
///
/// # Errors
///
/// [`ServerError::Bind`] names the address; fatal at start.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServerError::Bind { address, source })
}

/// How connections come in.
#[derive(Clone, Default)]
pub struct Entrance {
    /// Encrypted, if there is a certificate.
    pub tls: Option<Arc<Tls>>,
    /// From others on behalf of whom.
    pub proxies: Proxies,
}

/// Serves until `shutdown` ends; then it ends all players and the news of tickets, whose listeners would wait for ever, and lets the
/// other requests finish.
pub async fn run(
    listener: TcpListener,
    entrance: Entrance,
    api: Api,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (players, desk) = (api.players.clone(), api.desk.clone());
    let shutdown = async {
        shutdown.await;
        players.end_all();
        if let Some(desk) = desk {
            desk.bulletin().close();
        }
    };
    serve(listener, entrance, router(api), shutdown, HEAD_WAIT_MAX).await;
}

async fn serve(
    listener: TcpListener,
    entrance: Entrance,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
    head_wait_max: Duration,
) {
    let entrance = Arc::new(entrance);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head_wait_max);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let (router, entrance, http) = (router.clone(), entrance.clone(), http.clone());
        let watcher = connections.watcher();
        tokio::spawn(async move {
            let opened = timeout(head_wait_max, entrance.open(stream)).await;
            // A client that goes in the middle, is too slow, or shakes no hands, is no trouble of ours.
            if let Ok(Ok(stream)) = opened {
                let service = service_fn(move |request: Request<Incoming>| {
                    let mut request = request.map(Body::new);
                    entrance.proxies.settle(peer, &mut request);
                    answer(router.clone(), request, entrance.tls.is_some())
                });
                let connection = http.serve_connection(TokioIo::new(stream), service);
                let _ = watcher.watch(connection).await;
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// What is read from and written to.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Entrance {
    async fn open(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.accept(stream).await?),
        })
    }
}

/// Browsers that have come by TLS come by nothing else for a year (RFC 6797).
const BY_TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

async fn answer(
    router: Router,
    request: Request<Body>,
    is_tls: bool,
) -> Result<Response, Infallible> {
    let mut response = router.oneshot(request).await?;
    if is_tls {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, BY_TLS_ONLY);
    }
    Ok(response)
}

/// The next connection, when there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Fails only when the semaphore is closed, which nobody does.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            // Of a client that is gone already, or of a system without files: neither ends the server.
            Err(error) => {
                tracing::debug!(%error, "no connection was accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::{oneshot, watch};

    use super::*;

    /// Sends this and reads until the server closes.
    async fn ask(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // One that is closed with something unread is reset.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn half_requests_keep_no_place_and_running_ones_are_finished() {
        let (begun, mut running) = watch::channel(false);
        let (finish, finished) = watch::channel(false);
        let slow = get(move || async move {
            begun.send_replace(true);
            let mut finished = finished.clone();
            let _ = finished.wait_for(|it| *it).await;
            "done"
        });
        let peer =
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
        let router = Router::new().route("/slow", slow).route("/peer", peer);
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(
            listener,
            Entrance::default(),
            router,
            async { stopped.await.unwrap_or_default() },
            Duration::from_millis(100),
        ));
        // As many as there are places, and each ends.
        let halves: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| tokio::spawn(ask(address, "GET /peer HTTP/1.1\r\nHost: a")))
            .collect();
        for half in halves {
            let answer = half.await.unwrap();
            assert!(!answer.contains(" 200 "), "{answer}");
        }
        let close = "Host: a\r\nConnection: close\r\n\r\n";
        let answer = ask(address, &format!("GET /peer HTTP/1.1\r\n{close}")).await;
        assert!(
            answer.contains(" 200 ") && answer.contains("127.0.0.1:"),
            "{answer}"
        );
        // A request longer than the wait for a head goes on, through the shutdown.
        let request = format!("GET /slow HTTP/1.1\r\n{close}");
        let slow = tokio::spawn(async move { ask(address, &request).await });
        running.wait_for(|it| *it).await.unwrap();
        let _ = stop.send(());
        finish.send_replace(true);
        assert!(slow.await.unwrap().ends_with("done"));
        server.await.unwrap();
    }
}
