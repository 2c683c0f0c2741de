//! The writing side: one batch, as many blocks as its size asks for, one attempt.

use std::sync::Arc;
use std::time::Duration;

use flow::{FlowBatch, Timestamp};

use crate::attempt::Attempt;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::stats::Stats;

/// Writes batches of one collector.
#[derive(Clone)]
pub struct Writer {
    pub(crate) client: clickhouse::Client,
    pub(crate) database: String,
    pub(crate) collector: String,
    pub(crate) timeout: Duration,
    /// Whether the rows of different segments are on different shards.
    pub(crate) sharded: bool,
    pub(crate) stats: Arc<Stats>,
    pub(crate) disk: Disk,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("database", &self.database)
            .field("collector", &self.collector)
            .finish_non_exhaustive()
    }
}

/// What an insert left out, as the store refuses it for good: to be counted as [`flow::DropKind::Refused`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "refused rows are to be counted"]
pub struct Refused {
    /// Rows that are not stored.
    pub rows: u64,
    /// Datagrams that these rows are of. Other rows of them may be stored.
    pub datagrams: u64,
    /// What the store said of the first.
    pub first_error: Option<String>,
}

impl Writer {
    /// Inserts a batch, in flows and in all rollups, exactly once for each `token`.
    ///
    /// One attempt. The same batch with the same token may be inserted again after any failure: what is there already
    /// is left alone, what is missing is added. `stored_at` is what retention counts from; it may differ between attempts.
    ///
    /// A large batch goes in pieces, one after the other, each under a token of its own, `{token}/` and the tape position
    /// of its first record. Where it is cut depends on the batch alone, so that the same batch is always the same pieces.
    /// What is derived from them follows, under the name of the first piece and the table's behind it.
    ///
    /// A piece that the store refuses for good is tried again as two halves, their tokens with `.0` and `.1` behind, and
    /// so on down to single rows, so that only those rows are left out that it refuses. A repetition goes the same way.
    ///
    /// # Errors
    ///
    /// Whatever it is: insert the same batch again later. Some of it may be stored. Too many refused rows in a batch are
    /// a [`StoreError::Unfit`], too.
    pub async fn insert(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
    ) -> Result<Refused, StoreError> {
        self.attempt(batch, token, stored_at, false).await
    }

    /// As [`Writer::insert`], of a batch of which some may be stored already: from an attempt that broke off, by this process or
    /// one before it.
    ///
    /// Decoded again, a batch may differ where the decoder's state does not hold everything: which observation of a
    /// conversation counts, names under other rules. So what is derived is made of what the store has of the batch now.
    ///
    /// # Errors
    ///
    /// As [`Writer::insert`].
    pub async fn insert_again(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
    ) -> Result<Refused, StoreError> {
        self.attempt(batch, token, stored_at, true).await
    }

    async fn attempt(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
        again: bool,
    ) -> Result<Refused, StoreError> {
        if batch.is_empty() {
            return Ok(Refused::default());
        }
        let mut attempt = Attempt::new(self, batch, seconds(stored_at), again);
        let outcome = async {
            attempt.insert(token).await?;
            self.disk.force().await
        };
        let outcome = outcome.await;
        let outcome = outcome.map(|()| attempt.into_refused());
        self.count(&outcome, batch.rows() as u64);
        outcome
    }

    fn count(&self, outcome: &Result<Refused, StoreError>, rows: u64) {
        let stats = &self.stats;
        match outcome {
            Ok(refused) => {
                Stats::add(&stats.inserted_rows, rows - refused.rows);
                Stats::add(&stats.inserted_batches, 1);
                Stats::add(&stats.refused_rows, refused.rows);
                Stats::add(&stats.refused_batches, u64::from(refused.rows > 0));
            }
            Err(_) => Stats::add(&stats.insert_failures, 1),
        }
    }
}

/// As the engine's `DateTime`: seconds since 1970.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.seconds().max(0)).unwrap_or(u32::MAX)
}
