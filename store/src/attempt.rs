//! One attempt to insert a batch: its rows piece by piece, and what is derived from those that were taken.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use flow::clock::Stopwatch;
use flow::{FlowBatch, TapePosition};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::block::{RowBlock, Stamp};
use crate::error::StoreError;
use crate::observed;
use crate::order::sorted;
use crate::pieces::{Derivation, Piece, derivations};
use crate::rollup::{self, Rollups, SumBlock};
use crate::sql::literal;
use crate::stats::Stats;
use crate::writer::{Refused, Writer};

/// Halves of refused pieces that are tried for a batch, at most.
///
/// A row is found in 131,072 with 34 of them. If they don't suffice, it is not these rows but the store that is to be
/// mended, and the batch waits for it. Also each that is stored takes a place among the last 1,000 inserts by whose tokens
/// the tables know a repetition (`non_replicated_deduplication_window`): the first must still be known when the last is
/// tried.
const HALVES_MAX: usize = 800;

/// What it knows of the batch, and what it learns.
pub(crate) struct Attempt<'a> {
    writer: &'a Writer,
    batch: &'a FlowBatch,
    /// Seconds since 1970.
    stored_at: u32,
    /// Whether the store may have some of the batch already.
    again: bool,
    left_out: LeftOut,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        writer: &'a Writer,
        batch: &'a FlowBatch,
        stored_at: u32,
        again: bool,
    ) -> Self {
        Self {
            writer,
            batch,
            stored_at,
            again,
            left_out: LeftOut::default(),
        }
    }

    /// What the store refused for good.
    pub(crate) fn into_refused(self) -> Refused {
        self.left_out.into()
    }

    pub(crate) async fn insert(&mut self, token: &str) -> Result<(), StoreError> {
        for derivation in derivations(self.batch, token, self.writer.sharded) {
            let Derivation { rows, pieces } = derivation;
            let name = pieces.first().map(|piece| piece.token.clone());
            let name = name.unwrap_or_default();
            let (taken, sums) = self.insert_flows(rows.clone(), pieces).await?;
            let sums = match sums {
                Some(sums) if taken.len() == rows.len() => sums,
                _ if self.again => self.sums_of_stored(&taken).await?,
                _ => self.sums(taken.into_iter()),
            };
            self.insert_sums(sums, &name).await?;
        }
        Ok(())
    }

    fn sums(&self, rows: impl Iterator<Item = usize>) -> Vec<SumBlock> {
        let rows = rows.map(|row| (row, self.stored_at));
        self.work(|| rollup::parts(&Rollups::of(self.batch, rows)))
    }

    async fn sums_of_stored(&self, rows: &[usize]) -> Result<Vec<SumBlock>, StoreError> {
        let writer = self.writer;
        let place = (writer.database.as_str(), writer.collector.as_str());
        let stored = observed::of_rows(&writer.client, place, self.batch, rows).await?;
        Ok(self.work(|| rollup::parts(&stored.rollups())))
    }

    /// The rows themselves; gives back those that were taken, and the sums of all, made while the engine was at work, unless
    /// they are to be made of what it has.
    async fn insert_flows(
        &mut self,
        all: Range<usize>,
        pieces: Vec<Piece>,
    ) -> Result<(Vec<usize>, Option<Vec<SumBlock>>), StoreError> {
        let (mut taken, mut sums) = (Vec::with_capacity(all.len()), None);
        let mut open = pieces;
        open.reverse();
        while let Some(piece) = open.pop() {
            let make_sums = !self.again && sums.is_none();
            let all = make_sums.then(|| all.clone());
            let (made, outcome) = self.insert_piece(&piece, all).await;
            sums = sums.or(made);
            match (outcome, piece.halves()) {
                (Ok(()), _) => taken.extend(piece.rows),
                (Err(error), _) if error.is_retryable() => return Err(error),
                (Err(error), None) => self.left_out.add(self.batch, piece.rows, &error),
                (Err(error), Some([first, second])) => {
                    self.left_out.halves_tried += 2;
                    if self.left_out.halves_tried > HALVES_MAX {
                        return Err(error.into_unfit());
                    }
                    open.extend([second, first]);
                }
            }
        }
        Ok((taken, sums))
    }

    /// One piece; and the sums of some rows, made while the engine is at work.
    async fn insert_piece(
        &self,
        piece: &Piece,
        summed: Option<Range<usize>>,
    ) -> (Option<Vec<SumBlock>>, Result<(), StoreError>) {
        let stamp = Stamp {
            collector: &self.writer.collector,
            stored_at: self.stored_at,
        };
        let rows = piece.rows.clone();
        let rows = self.work(|| RowBlock::of(self.batch, sorted(self.batch, rows)));
        let block = rows.block(stamp);
        let statement = self.statement("flows", block.names(), &piece.token);
        let (batch, stored_at) = (self.batch, self.stored_at);
        let beside = || {
            let rows = summed?.map(|row| (row, stored_at));
            Some(self.work(|| rollup::parts(&Rollups::of(batch, rows))))
        };
        let watch = Stopwatch::start();
        let done = self.send(statement, block.into_octets(), beside).await;
        Stats::add_time(&self.writer.stats.insert_us, watch);
        done
    }

    /// Two at a time, which is what the embedded engine takes. There is nothing in them that the store could refuse for good.
    async fn insert_sums(&self, sums: Vec<SumBlock>, token: &str) -> Result<(), StoreError> {
        let watch = Stopwatch::start();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for part in sums {
            let shorter = match octets_of(&first) <= octets_of(&second) {
                true => &mut first,
                false => &mut second,
            };
            shorter.push(part);
        }
        // Both to their end: nothing is to be under way when the batch is tried again.
        let (first, second) = tokio::join!(
            self.insert_parts(first, token),
            self.insert_parts(second, token)
        );
        Stats::add_time(&self.writer.stats.insert_us, watch);
        first.and(second).map_err(|error| {
            if error.is_retryable() {
                error
            } else {
                error.into_unfit()
            }
        })
    }

    async fn insert_parts(&self, parts: Vec<SumBlock>, token: &str) -> Result<(), StoreError> {
        for part in parts {
            let token = format!("{token}/{}", part.name);
            let statement = self.statement(part.table, &part.block.names, &token);
            let octets = part.block.octets.into_iter();
            let ((), outcome) = self.send(statement, octets, || ()).await;
            outcome?;
        }
        Ok(())
    }

    async fn send<T>(
        &self,
        statement: String,
        octets: impl Iterator<Item = Bytes>,
        beside: impl FnOnce() -> T,
    ) -> (T, Result<(), StoreError>) {
        let writer = self.writer;
        let sent = &writer.stats.inserted_octets;
        let octets = octets.inspect(|octets| Stats::add(sent, octets.len() as u64));
        let timeout = Some(writer.timeout);
        insert_block(&writer.client, statement, octets, timeout, beside).await
    }

    fn statement(&self, table: &str, columns: &[&str], token: &str) -> String {
        format!(
            "INSERT INTO {database}.{table} (`{columns}`) SETTINGS insert_deduplication_token = {token}{SETTINGS} \
             FORMAT Native",
            database = self.writer.database,
            columns = columns.join("`, `"),
            token = literal(token),
        )
    }

    /// Work of tens of milliseconds: others of the runtime go on beside it, if it has other threads.
    fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
        let done = match flavor {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        };
        Stats::add_time(&self.writer.stats.encode_us, watch);
        done
    }
}

/// Sends a block, and does something else while the engine is at work with it.
pub(crate) async fn insert_block<T>(
    client: &clickhouse::Client,
    statement: String,
    octets: impl Iterator<Item = Bytes>,
    timeout: Option<Duration>,
    beside: impl FnOnce() -> T,
) -> (T, Result<(), StoreError>) {
    let insert = client.insert_formatted_with(statement);
    let mut insert = insert.with_timeouts(timeout, timeout);
    for octets in octets {
        if let Err(error) = insert.send(octets).await {
            return (beside(), Err(error.into()));
        }
    }
    // In this order: the first step of ending it tells the engine that this is all.
    let (ended, made) = tokio::join!(biased; insert.end(), async { beside() });
    (made, ended.map_err(StoreError::from))
}

fn octets_of(parts: &[SumBlock]) -> usize {
    let octets = parts.iter().flat_map(|part| &part.block.octets);
    octets.map(Bytes::len).sum()
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
/// rows are in the shards when the insert is acknowledged. The writer has summed up already, and merges do the rest.
const SETTINGS: &str = ", deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0, optimize_on_insert = 0, \
     max_partitions_per_insert_block = 0, parallel_view_processing = 0, distributed_foreground_insert = 1";
