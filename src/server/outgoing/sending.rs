//! The task of a channel: what waits, one after the other, and again later.

use std::sync::Arc;
use std::time::Duration;

use flow::{Timestamp, clock};
use futures_util::future::BoxFuture;
use store::catalog::{Catalog, CatalogError, Due};
use tokio::sync::Notify;

use super::backoff;
use super::stats::Stats;

/// The longest sleep, after which it is looked again and what is old is forgotten.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Before anything else is tried of a receiver that is not there.
const AWAY: Duration = Duration::from_secs(30);
/// Before the catalog is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Hands messages to their receiver, within a bounded time.
pub(super) trait Carrier: Send + Sync + 'static {
    /// Hands them over.
    fn carry<'a>(&'a self, due: &'a Due, now: Timestamp) -> BoxFuture<'a, Result<(), Failure>>;
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not now.
    Later(String),
    /// The receiver is not there: nothing else is tried for a while either.
    Away(String),
    /// Nor ever.
    Never(String),
}

/// A channel at work.
pub(super) struct Sending {
    pub(super) channel: String,
    pub(super) catalog: Catalog,
    pub(super) carrier: Box<dyn Carrier>,
    pub(super) stats: Arc<Stats>,
    /// Tells that there may be something to send.
    pub(super) wake: Arc<Notify>,
}

impl Sending {
    /// Runs as long as the product. The queue is the catalog's, so it outlives a crash; one message at a time is on its way.
    ///
    /// What was taken and not yet noted when the process ended is sent once more, with the same id.
    pub(super) async fn run(self) {
        loop {
            let slept = match self.send_next().await {
                Ok(Next::Now) => continue,
                Ok(Next::Away) => tokio::time::timeout(AWAY, self.wake.notified()).await,
                Ok(Next::At(at)) => {
                    let wait = u64::try_from(at.nanos_since(clock::now())).unwrap_or(0);
                    let wait = Duration::from_nanos(wait).min(LOOK_EVERY);
                    tokio::time::timeout(wait, self.wake.notified()).await
                }
                Ok(Next::Nothing) => tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await,
                Err(error) => {
                    let error = crate::output::chain(&error);
                    tracing::warn!(channel = self.channel, %error, "what is to go out waits");
                    tokio::time::timeout(PAUSE, std::future::pending()).await
                }
            };
            if slept.is_err()
                && let Err(error) = self.catalog.tidy_outbox(clock::now()).await
            {
                tracing::debug!(%error, "what was sent is not forgotten yet");
            }
        }
    }

    async fn send_next(&self) -> Result<Next, CatalogError> {
        let Some(due) = self.catalog.next_due(&self.channel).await? else {
            return Ok(Next::Nothing);
        };
        let now = clock::now();
        if due.at > now {
            return Ok(Next::At(due.at));
        }
        let outcome = self.carrier.carry(&due, now).await;
        match outcome {
            Ok(()) => {
                let numbers: Vec<i64> = due.messages.iter().map(|(it, _)| it.number).collect();
                self.catalog.sent(&numbers, clock::now()).await?;
                self.stats.sent(numbers.len());
                Ok(Next::Now)
            }
            Err(failure) => self.put_off(&due, failure).await,
        }
    }

    async fn put_off(&self, due: &Due, failure: Failure) -> Result<Next, CatalogError> {
        let (why, is_lasting) = match &failure {
            Failure::Later(why) | Failure::Away(why) => (why, false),
            Failure::Never(why) => (why, true),
        };
        let now = clock::now();
        for (message, _) in &due.messages {
            let again = backoff::again(message.attempts, now, chance());
            let again = again.filter(|_| !is_lasting);
            self.catalog
                .not_sent(message.number, why, again, now)
                .await?;
            self.stats.failed(again.is_none());
            if again.is_none() {
                tracing::warn!(
                    channel = self.channel,
                    message = message.number,
                    why,
                    "a message was given up"
                );
            }
        }
        Ok(match failure {
            Failure::Away(_) => Next::Away,
            _ => Next::Now,
        })
    }
}

/// When it is looked again.
enum Next {
    Now,
    Away,
    At(Timestamp),
    Nothing,
}

/// From 0 to 1; the middle, if the system gives none.
fn chance() -> f64 {
    let octets = api::chance::octets::<4>();
    octets.map_or(0.5, |octets| {
        f64::from(u32::from_le_bytes(octets)) / f64::from(u32::MAX)
    })
}
