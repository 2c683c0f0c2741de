//! The writing side: one batch, as many blocks as its size asks for, one attempt.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::{FlowBatch, TapePosition, Timestamp};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::block::{Stamp, block};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::native::Block;
use crate::observed;
use crate::order::sorted;
use crate::pieces::{Piece, stretches};
use crate::rollup::{self, Part, Rollups};
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

/// Halves of refused pieces that are tried for a batch, at most.
///
/// A row is found in 100,000 with 34 of them. If they don't suffice, it is not these rows but the store that is to be
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
        let mut sent = 0;
        let outcome = async {
            let refused = self
                .insert_all(batch, token, (stored_at, again), &mut sent)
                .await?;
            self.disk.force().await?;
            Ok(refused)
        };
        let outcome = outcome.await;
        self.count(&outcome, batch.rows() as u64, sent);
        outcome
    }

    async fn insert_all(
        &self,
        batch: &FlowBatch,
        token: &str,
        (stored_at, again): (Timestamp, bool),
        sent: &mut u64,
    ) -> Result<Refused, StoreError> {
        let mut left_out = LeftOut::default();
        for stretch in stretches(batch, token, self.sharded) {
            let mut taken = Vec::with_capacity(stretch.rows.len());
            let name = stretch.pieces.first().map(|piece| piece.token.clone());
            let name = name.unwrap_or_default();
            self.insert_flows(
                batch,
                stretch.pieces,
                stored_at,
                (&mut taken, &mut left_out),
                sent,
            )
            .await?;
            let derived = if again {
                let place = (self.database.as_str(), self.collector.as_str());
                let stored = observed::of_rows(&self.client, place, batch, &taken).await?;
                self.work(|| rollup::parts(&stored.rollups()))
            } else {
                let seconds = seconds(stored_at);
                let rows = taken.iter().map(|row| (*row, seconds));
                self.work(|| rollup::parts(&Rollups::of(batch, rows)))
            };
            self.insert_derived(derived, &name, sent).await?;
        }
        Ok(left_out.into())
    }

    /// Work of tens of milliseconds: others of the runtime go on beside it, if it has other threads.
    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
        let done = match flavor {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        };
        Stats::add_time(&self.stats.encode_us, watch);
        done
    }

    /// The rows themselves; adds those that were taken, and those that were not.
    async fn insert_flows(
        &self,
        batch: &FlowBatch,
        pieces: Vec<Piece>,
        stored_at: Timestamp,
        (taken, left_out): (&mut Vec<usize>, &mut LeftOut),
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        let mut open = pieces;
        open.reverse();
        while let Some(piece) = open.pop() {
            let outcome = self.insert_piece(batch, &piece, stored_at, sent).await;
            match (outcome, piece.halves()) {
                (Ok(()), _) => taken.extend(piece.rows),
                (Err(error), _) if error.is_retryable() => return Err(error),
                (Err(error), None) => left_out.add(batch, piece.rows, &error),
                (Err(error), Some([first, second])) => {
                    left_out.halves_tried += 2;
                    if left_out.halves_tried > HALVES_MAX {
                        return Err(error.into_unfit());
                    }
                    open.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    async fn insert_piece(
        &self,
        batch: &FlowBatch,
        piece: &Piece,
        stored_at: Timestamp,
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        let stamp = Stamp {
            collector: &self.collector,
            stored_at: seconds(stored_at),
        };
        let rows = piece.rows.clone();
        let block = self.work(|| block(batch, &sorted(batch, rows), stamp));
        self.send("flows", block, &piece.token, sent).await
    }

    /// There is nothing in it that the store could refuse for good.
    async fn insert_derived(
        &self,
        parts: Vec<Part>,
        token: &str,
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        for part in parts {
            let token = format!("{token}/{}", part.name);
            let outcome = self.send(part.table, part.block, &token, sent).await;
            outcome.map_err(|error| {
                if error.is_retryable() {
                    error
                } else {
                    error.into_unfit()
                }
            })?;
        }
        Ok(())
    }

    async fn send(
        &self,
        table: &str,
        block: Block,
        token: &str,
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        let watch = Stopwatch::start();
        let statement = self.statement(table, block.names(), token);
        let outcome = insert_block(&self.client, statement, block, Some(self.timeout)).await;
        Stats::add_time(&self.stats.insert_us, watch);
        *sent += outcome?;
        Ok(())
    }

    fn statement(&self, table: &str, columns: &[&str], token: &str) -> String {
        format!(
            "INSERT INTO {database}.{table} (`{columns}`) SETTINGS insert_deduplication_token = {token}{SETTINGS} \
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

/// As the engine's `DateTime`: seconds since 1970.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.seconds().max(0)).unwrap_or(u32::MAX)
}

/// Sends a block; returns its octets.
pub(crate) async fn insert_block(
    client: &clickhouse::Client,
    statement: String,
    block: Block,
    timeout: Option<Duration>,
) -> Result<u64, StoreError> {
    let insert = client.insert_formatted_with(statement);
    let mut insert = insert.with_timeouts(timeout, timeout);
    let mut sent = 0;
    for octets in block.finish() {
        sent += octets.len() as u64;
        insert.send(octets).await?;
    }
    insert.end().await?;
    Ok(sent)
}

/// Rows that were refused so far.
#[derive(Debug, Default)]
struct LeftOut {
    rows: u64,
    datagrams: BTreeSet<TapePosition>,
    first_error: Option<String>,
    halves_tried: usize,
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
