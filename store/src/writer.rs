//! The writing side: one batch, as many blocks as its size asks for, one attempt.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flow::clock::Stopwatch;
use flow::{FlowBatch, TapePosition, Timestamp};

use crate::block::{Stamp, block};
use crate::error::StoreError;
use crate::pieces::{Piece, pieces};
use crate::sql::literal;
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

/// Halves of refused pieces that are tried for a batch, at most.
///
/// A row is found in 50,000 with 32 of them. If they don't suffice, it is not these rows but the store that is to be
/// mended, and the batch waits for it. Also each that is stored takes a place among the last 1,000 inserts by whose tokens
/// the tables know a repetition (`non_replicated_deduplication_window`): the first must still be known when the last is
/// tried.
const HALVES_MAX: usize = 800;

impl Writer {
    /// Inserts a batch, in flows and in all rollups, exactly once for each `token`.
    ///
    /// One attempt. The same batch with the same token may be inserted again after any failure: what is there already
    /// is left alone, what is missing is added. `stored_at` is what retention counts from; it may differ between attempts.
    ///
    /// A large batch goes in pieces, one after the other, each under a token of its own, `{token}/` and the tape position
    /// of its first record. Where it is cut depends on the batch alone, so that the same batch is always the same pieces.
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
        if batch.is_empty() {
            return Ok(Refused::default());
        }
        let mut sent = 0;
        let outcome = self.insert_all(batch, token, stored_at, &mut sent).await;
        self.count(&outcome, batch.rows() as u64, sent);
        outcome
    }

    async fn insert_all(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
        sent: &mut u64,
    ) -> Result<Refused, StoreError> {
        let mut open = pieces(batch, token, self.sharded);
        open.reverse();
        let (mut left_out, mut halves_tried) = (LeftOut::default(), 0);
        while let Some(piece) = open.pop() {
            let outcome = self.insert_piece(batch, &piece, stored_at, sent).await;
            match (outcome, piece.halves()) {
                (Ok(()), _) => {}
                (Err(error), _) if error.is_retryable() => return Err(error),
                (Err(error), None) => left_out.add(batch, piece.rows, &error),
                (Err(error), Some([first, second])) => {
                    halves_tried += 2;
                    if halves_tried > HALVES_MAX {
                        return Err(error.into_unfit());
                    }
                    open.extend([second, first]);
                }
            }
        }
        Ok(left_out.into())
    }

    async fn insert_piece(
        &self,
        batch: &FlowBatch,
        piece: &Piece,
        stored_at: Timestamp,
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        let watch = Stopwatch::start();
        let collector = &self.collector;
        let stamp = Stamp {
            collector,
            stored_at,
        };
        let block = block(batch, piece.rows.clone(), stamp);
        let statement = self.statement(block.names(), &piece.token);
        let octets = block.finish();
        Stats::add_time(&self.stats.encode_us, watch);
        let watch = Stopwatch::start();
        *sent += octets.len() as u64;
        let outcome = self.send(statement, octets).await;
        Stats::add_time(&self.stats.insert_us, watch);
        outcome
    }

    async fn send(&self, statement: String, octets: Bytes) -> Result<(), StoreError> {
        let mut insert = self
            .client
            .insert_formatted_with(statement)
            .with_timeouts(Some(self.timeout), Some(self.timeout));
        insert.send(octets).await?;
        insert.end().await?;
        Ok(())
    }

    fn statement(&self, columns: &[&str], token: &str) -> String {
        format!(
            "INSERT INTO {database}.flows (`{columns}`) SETTINGS insert_deduplication_token = {token}{SETTINGS} \
             FORMAT Native",
            database = self.database,
            columns = columns.join("`, `"),
            token = literal(token),
        )
    }

    fn count(&self, outcome: &Result<Refused, StoreError>, rows: u64, octets: u64) {
        let stats = &self.stats;
        match outcome {
            Ok(refused) => {
                Stats::add(&stats.inserted_rows, rows - refused.rows);
                Stats::add(&stats.inserted_batches, 1);
                Stats::add(&stats.inserted_octets, octets);
                Stats::add(&stats.refused_rows, refused.rows);
                Stats::add(&stats.refused_batches, u64::from(refused.rows > 0));
            }
            Err(_) => Stats::add(&stats.insert_failures, 1),
        }
    }
}

/// Rows that were refused so far.
#[derive(Debug, Default)]
struct LeftOut {
    rows: u64,
    datagrams: BTreeSet<TapePosition>,
    first_error: Option<String>,
}

impl LeftOut {
    fn add(&mut self, batch: &FlowBatch, rows: Range<usize>, error: &StoreError) {
        self.rows += rows.len() as u64;
        self.datagrams.extend(rows.map(|row| batch.position(row)));
        self.first_error.get_or_insert_with(|| error.to_string());
    }
}

impl From<LeftOut> for Refused {
    fn from(all: LeftOut) -> Self {
        Self {
            rows: all.rows,
            datagrams: all.datagrams.len() as u64,
            first_error: all.first_error,
        }
    }
}

/// Views are told the token too. A batch may hold any number of days (imports), so the limit on partitions is off. All
/// rows are in the shards when the insert is acknowledged.
const SETTINGS: &str = ", deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0, \
     max_partitions_per_insert_block = 0, parallel_view_processing = 0, distributed_foreground_insert = 1";
