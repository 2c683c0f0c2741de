//! Webhooks: what becomes of a ticket, told to another system by HTTP, signed.
//!
//! Only the configuration names whom: nobody on the pages can have this server call anything. Redirects are not followed, proxies of
//! the environment not asked, answers not kept.

use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::Timestamp;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use store::catalog::{Due, Ticket, TicketEvent};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::sending::{Carrier, Failure};
use crate::config::outgoing::WebhookConfig;

/// How long a call may take in all.
const CALL_WAIT: Duration = Duration::from_secs(15);
/// Octets of an answer that are read, for what is said of a failure.
const ANSWER_OCTETS_MAX: u64 = 64 << 10;
/// Characters of an answer that are kept with a failure.
const SAID_CHARS_MAX: usize = 200;

/// Calls the address of one webhook.
pub(super) struct Caller(Arc<Place>);

struct Place {
    agent: Agent,
    url: String,
    secret: String,
    authorization: Option<String>,
}

impl Caller {
    /// Reads secrets and certificates; nothing is called yet.
    pub(super) fn new(config: &WebhookConfig) -> Result<Self> {
        let (secret, authorization) = config.secrets()?;
        let vouched = rustls_native_certs::load_native_certs().certs;
        let vouched = vouched
            .iter()
            .map(|it| Certificate::from_der(it).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(vouched.collect())))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(CALL_WAIT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self(Arc::new(Place {
            agent: agent.new_agent(),
            url: config.url.clone(),
            secret,
            authorization,
        })))
    }
}

impl Carrier for Caller {
    fn carry<'a>(&'a self, due: &'a Due, now: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some((message, body)) = due.messages.first() else {
                return Ok(());
            };
            let (place, id, body) = (self.0.clone(), message.id.clone(), body.clone());
            let called = tokio::task::spawn_blocking(move || place.call(&id, &body, now)).await;
            called.unwrap_or_else(|_| Err(Failure::Later("the call ended".to_owned())))
        })
    }
}

impl Place {
    fn call(&self, id: &str, body: &str, now: Timestamp) -> Result<(), Failure> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", id)
            .header("Flowreel-Signature", signature(&self.secret, body, now));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let away = |error: ureq::Error| Failure::Away(error.to_string());
        let answer = request.send(body).map_err(away)?;
        let status = answer.status().as_u16();
        let mut said = Vec::new();
        // What cannot be read of it is not said.
        let reader = answer.into_body().into_reader();
        let _ = reader.take(ANSWER_OCTETS_MAX).read_to_end(&mut said);
        judge(status, &String::from_utf8_lossy(&said))
    }
}

/// What an answer means: 2xx that it was taken; 408, 429 and 5xx not now; everything else, redirects too, never.
fn judge(status: u16, said: &str) -> Result<(), Failure> {
    let said: String = said
        .chars()
        .filter(|letter| flow::text::is_shown(*letter))
        .take(SAID_CHARS_MAX)
        .collect();
    let why = format!("it answered {status}: {said}");
    match status {
        200..300 => Ok(()),
        408 | 429 | 500.. => Err(Failure::Later(why)),
        _ => Err(Failure::Never(why)),
    }
}

/// `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal digits>` ([RFC 2104]): the receiver refuses what is older than five
/// minutes, so that nobody repeats it.
///
/// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
fn signature(secret: &str, body: &str, now: Timestamp) -> String {
    let seconds = now.nanos().div_euclid(1_000_000_000);
    // Keys may be of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{seconds}.{body}").as_bytes());
    let mut text = format!("t={seconds},v1=");
    for octet in mac.finalize().into_bytes() {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// What a webhook is told. The recording's scope, which names servers of others, is not in it.
///
/// # Errors
///
/// It can't be written as JSON.
pub(super) fn facts(ticket: &Ticket, event: &TicketEvent, pages: Option<&str>) -> Result<String> {
    let mut event = event.clone();
    if event.kind == store::catalog::TicketEventKind::Pressed {
        event.text.clear();
    }
    let link = pages.map(|pages| format!("{pages}/tickets/{}", ticket.number));
    let facts = serde_json::json!({ "event": event, "ticket": ticket, "link": link });
    serde_json::to_string(&facts).context("the facts of a ticket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_makes() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac sixteen-letters-
        let now = Timestamp::from_seconds(1_800_000_000);
        let expected =
            "t=1800000000,v1=04cfb45709859bc06ee6dd0e35a32234c30ffc3d64764a013c078f19d5947270";
        assert_eq!(signature("sixteen-letters-", "{}", now), expected);
    }

    #[test]
    fn a_redirect_is_never_followed_and_a_server_in_trouble_is_asked_again() {
        assert_eq!(judge(204, ""), Ok(()));
        for status in [408, 429, 500, 503] {
            assert!(
                matches!(judge(status, ""), Err(Failure::Later(_))),
                "{status}"
            );
        }
        for status in [301, 307, 400, 401, 404, 410] {
            assert!(
                matches!(judge(status, ""), Err(Failure::Never(_))),
                "{status}"
            );
        }
        let long = judge(500, &"\n\u{1b}x".repeat(1000));
        assert_eq!(
            long,
            Err(Failure::Later(format!(
                "it answered 500: {}",
                "x".repeat(200)
            )))
        );
    }
}
