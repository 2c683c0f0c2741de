//! The writing side: one batch, as many blocks as its size asks for, one attempt.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use flow::clock::{NANOS_PER_SECOND, Stopwatch};
use flow::{FlowBatch, Timestamp};

use crate::block::{Stamp, block, life};
use crate::error::StoreError;
use crate::plan::Tier;
use crate::sql::literal;
use crate::stats::Stats;

/// Writes batches of one collector.
#[derive(Clone)]
pub struct Writer {
    pub(crate) client: clickhouse::Client,
    pub(crate) database: String,
    pub(crate) collector: String,
    pub(crate) timeout: Duration,
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

impl Writer {
    /// Inserts a batch, in flows and in all rollups, exactly once for each `token`.
    ///
    /// One attempt. The same batch with the same token may be inserted again after any failure: what is there already
    /// is left alone, what is missing is added. `stored_at` is what retention counts from; it may differ between attempts.
    ///
    /// A large batch goes in pieces, one after the other, each under a token of its own: `{token}/0`, `{token}/1` and
    /// so on. Where it is cut depends on the batch alone, so that the same batch is always the same pieces.
    ///
    /// # Errors
    ///
    /// If [`StoreError::is_retryable`], insert the same batch again later; else it is to be counted as
    /// [`flow::DropKind::Refused`]. Pieces before the one that failed are stored.
    pub async fn insert(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
    ) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut sent = 0;
        let mut outcome = Ok(());
        for (number, rows) in pieces(batch).into_iter().enumerate() {
            let token = format!("{token}/{number}");
            outcome = self
                .insert_piece(batch, rows, &token, stored_at, &mut sent)
                .await;
            if outcome.is_err() {
                break;
            }
        }
        self.count(&outcome, batch.rows() as u64, sent);
        outcome
    }

    async fn insert_piece(
        &self,
        batch: &FlowBatch,
        rows: Range<usize>,
        token: &str,
        stored_at: Timestamp,
        sent: &mut u64,
    ) -> Result<(), StoreError> {
        let watch = Stopwatch::start();
        let collector = &self.collector;
        let stamp = Stamp {
            collector,
            stored_at,
        };
        let block = block(batch, rows, stamp);
        let statement = self.statement(block.names(), token);
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

    fn count(&self, outcome: &Result<(), StoreError>, rows: u64, octets: u64) {
        let stats = &self.stats;
        match outcome {
            Ok(()) => {
                stats.inserted_rows.fetch_add(rows, Ordering::Relaxed);
                stats.inserted_batches.fetch_add(1, Ordering::Relaxed);
                stats.inserted_octets.fetch_add(octets, Ordering::Relaxed);
            }
            Err(error) if error.is_retryable() => Stats::add(&stats.insert_failures, 1),
            Err(_) => Stats::add(&stats.refused_batches, 1),
        }
    }
}

/// Rows of a piece, at most.
const PIECE_ROWS_MAX: usize = 50_000;
/// Buckets of a rollup that the rows of a piece are in, at most, and those of one more row.
///
/// The views make a row of each, and a group with a set of clients of each if no two rows share an interface. Measured
/// with an engine of 1 GB, where a statement has 334 MiB: 500,000 such groups are too many.
const PIECE_BUCKETS_MAX: u64 = 200_000;
/// Octets of texts without a column that a piece holds, at most, and those of one more row.
const PIECE_TEXT_OCTETS_MAX: usize = 16 << 20;

/// Where a batch is cut, so that no piece needs more memory than a small engine has. By the batch alone: what was cut
/// otherwise when it is repeated would be there twice.
fn pieces(batch: &FlowBatch) -> Vec<Range<usize>> {
    let mut found = Vec::with_capacity(batch.rows() / PIECE_ROWS_MAX + 1);
    let (mut start, mut buckets, mut octets) = (0, 0, 0);
    for row in 0..batch.rows() {
        let full = row - start == PIECE_ROWS_MAX
            || buckets >= PIECE_BUCKETS_MAX
            || octets >= PIECE_TEXT_OCTETS_MAX;
        if full {
            found.push(start..row);
            (start, buckets, octets) = (row, 0, 0);
        }
        buckets += buckets_of(life(batch, row));
        if !batch.extras.is_absent() {
            let texts = batch.extras.get(row);
            octets += texts.map(|(_, text)| text.len()).sum::<usize>();
        }
    }
    found.push(start..batch.rows());
    found
}

/// In how many buckets of a rollup a flow is, of the one where it is in most.
fn buckets_of((first, last): (i64, i64)) -> u64 {
    let tier = [Tier::TenSeconds, Tier::Minute]
        .into_iter()
        .find(|tier| last - first <= tier.life_ns_max());
    let seconds = u64::try_from((last - first) / NANOS_PER_SECOND).unwrap_or(0);
    tier.map_or(0, |tier| seconds / tier.width_s() + 1)
}

/// Views are told the token too. A batch may hold any number of days (imports), so the limit on partitions is off. All
/// rows are in the shards when the insert is acknowledged.
const SETTINGS: &str = ", deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0, \
     max_partitions_per_insert_block = 0, parallel_view_processing = 0, distributed_foreground_insert = 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: usize, text: &str) -> FlowBatch {
        let mut batch = FlowBatch::default();
        for row in 0..rows {
            batch.origin.received_at.push(0);
            if !text.is_empty() {
                batch.extras.push(row, "text".into(), text.to_owned());
            }
        }
        batch
    }

    #[test]
    fn a_batch_is_cut_at_the_same_rows_always() {
        let ends = |rows: usize| -> Vec<usize> {
            let found = pieces(&batch(rows, ""));
            found.into_iter().map(|piece| piece.end).collect()
        };
        assert_eq!(ends(1), [1]);
        assert_eq!(ends(50_000), [50_000]);
        assert_eq!(ends(100_001), [50_000, 100_000, 100_001]);
    }

    #[test]
    fn much_text_makes_small_pieces() {
        // 16 MiB are 256 times 64 KiB.
        let long = "x".repeat(1 << 16);
        assert_eq!(pieces(&batch(300, &long)), [0..256, 256..300]);
    }

    #[test]
    fn long_lives_make_small_pieces() {
        let mut batch = batch(10_000, "");
        for row in 0..10_000 {
            batch.columns.start.set(row, 0);
            batch.columns.end.set(row, 600 * NANOS_PER_SECOND);
        }
        // 61 buckets of ten seconds each: 3,279 rows are in 200,019.
        let ends: Vec<usize> = pieces(&batch).iter().map(|p| p.end).collect();
        assert_eq!(ends, [3279, 6558, 9837, 10_000]);
        let buckets = |seconds: i64| buckets_of((0, seconds * NANOS_PER_SECOND));
        assert_eq!([buckets(0), buckets(59), buckets(601)], [1, 6, 11]);
        assert_eq!([buckets(3600), buckets(3601)], [61, 0]);
    }
}
