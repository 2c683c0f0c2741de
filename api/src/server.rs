//! The HTTP server around the router.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

/// Why the server does not run.
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
    /// It stopped by itself.
    #[error("the HTTP server stopped")]
    Stopped(#[source] std::io::Error),
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

/// Serves until `shutdown` ends, then lets running requests finish.
///
/// # Errors
///
/// [`ServerError::Stopped`] if the listener fails.
pub async fn run(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServerError> {
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(ServerError::Stopped)
}
