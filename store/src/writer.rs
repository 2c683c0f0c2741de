//! The writing side: one batch, one block, one attempt.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use flow::clock::Stopwatch;
use flow::{FlowBatch, Timestamp};

use crate::block::{Stamp, block};
use crate::error::StoreError;
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
    /// # Errors
    ///
    /// If [`StoreError::is_retryable`], insert the same batch again later; else it is to be counted as
    /// [`flow::DropKind::Refused`].
    pub async fn insert(
        &self,
        batch: &FlowBatch,
        token: &str,
        stored_at: Timestamp,
    ) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let collector = &self.collector;
        let block = block(
            batch,
            Stamp {
                collector,
                stored_at,
            },
        );
        let statement = self.statement(block.names(), token);
        let octets = block.finish();
        Stats::add_time(&self.stats.encode_us, watch);
        let watch = Stopwatch::start();
        let sent = octets.len() as u64;
        let outcome = self.send(statement, octets).await;
        Stats::add_time(&self.stats.insert_us, watch);
        self.count(&outcome, batch.rows() as u64, sent);
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

/// Views are told the token too. A batch may hold any number of days (imports), so the limit on partitions is off. All
/// rows are in the shards when the insert is acknowledged.
const SETTINGS: &str = ", deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0, \
     max_partitions_per_insert_block = 0, parallel_view_processing = 0, distributed_foreground_insert = 1";
