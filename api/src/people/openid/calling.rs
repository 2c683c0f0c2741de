//! Requests to the provider: in time, of a size, and to no other place than the one that was meant.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How long an answer may take, all of it.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Octets of an answer. Keys and metadata of large providers are some 20 KiB.
const ANSWER_OCTETS_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// No connection, or it broke.
    #[error("it does not answer")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The answer broke off, or is too large.
    #[error("its answer cannot be read")]
    Answer(#[from] axum::Error),
    /// It takes too long.
    #[error("it does not answer within {} s", ANSWER_WAIT_MAX.as_secs())]
    Late,
}

/// Who asks. Redirects are not followed: whom to trust is configured.
#[derive(Debug)]
pub(super) struct Caller(Client<HttpsConnector<HttpConnector>, Body>);

impl Caller {
    /// One that trusts whom the system trusts (`SSL_CERT_FILE` names others). Unencrypted only for a provider on this machine.
    ///
    /// # Errors
    ///
    /// The system's certificates cannot be read.
    pub(super) fn new(is_encrypted: bool) -> std::io::Result<Self> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?;
        let tls = match is_encrypted {
            true => builder.with_native_roots()?,
            false => builder.with_root_certificates(RootCertStore::empty()),
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth());
        let connector = match is_encrypted {
            true => connector.https_only(),
            false => connector.https_or_http(),
        };
        let client = Client::builder(TokioExecutor::new());
        Ok(Self(client.build(connector.enable_http1().build())))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let (head, body) = self.0.request(request.map(Body::from)).await?.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_OCTETS_MAX).await?;
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = tokio::time::timeout(ANSWER_WAIT_MAX, self.answer(request));
            answer.await.unwrap_or(Err(CallError::Late))
        })
    }
}
