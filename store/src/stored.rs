//! What the store has of a collector's tape, for a collector that does not know it any more.

use std::collections::{BTreeSet, HashMap};

use flow::clock::NANOS_PER_SECOND;
use flow::{Feed, FlowBatch, TapePosition, Timestamp};
use serde::Deserialize;

use crate::block::life;
use crate::error::StoreError;
use crate::older;
use crate::plan::{HOUR_S, Tier};
use crate::rebuild::{Stretch, rows};
use crate::sql::Sql;
use crate::store::Store;

/// A row's name, as far as it is not the collector's.
#[derive(Debug, PartialEq, Eq, Hash, Deserialize, clickhouse::Row)]
pub(crate) struct Name {
    tape_segment: u32,
    tape_offset: u32,
    record_offset: u16,
}

impl Name {
    pub(crate) fn new(tape_segment: u32, tape_offset: u32, record_offset: u16) -> Self {
        Self {
            tape_segment,
            tape_offset,
            record_offset,
        }
    }
}

impl Store {
    /// Whether the table of flows is there: `false` of a store that [`Store::prepare`] has never seen, or that was emptied.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn is_made(&self) -> Result<bool, StoreError> {
        let database = self.config.database.as_str();
        // One that is being taken over is there, too.
        if older::exists(&self.client, &older::aside(database)).await? {
            return Ok(true);
        }
        let sql = Sql::with(
            "SELECT count() FROM system.tables WHERE database = ?",
            database,
        );
        let sql = sql.then(" AND name = 'flows'");
        let counted: Vec<u64> = self.read(sql).await?;
        Ok(counted.into_iter().sum::<u64>() > 0)
    }

    /// For each row of a batch, whether the store has it, by its name (collector, place on tape, place in the datagram).
    /// The names are streamed, so memory is that of the batch's own.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn has_rows(
        &self,
        collector: &str,
        batch: &FlowBatch,
    ) -> Result<Vec<bool>, StoreError> {
        let times = self.times(collector, batch).await?;
        let has = |row| {
            times
                .get(&name_of(batch, row))
                .is_some_and(|times| *times > 0)
        };
        Ok((0..batch.rows()).map(has).collect())
    }

    /// How often each row of a batch is in `flows`.
    pub(crate) async fn times(
        &self,
        collector: &str,
        batch: &FlowBatch,
    ) -> Result<HashMap<Name, u64>, StoreError> {
        let mut times: HashMap<Name, u64> = (0..batch.rows())
            .map(|row| (name_of(batch, row), 0))
            .collect();
        let Some(stretch) = around(collector, batch) else {
            return Ok(times);
        };
        let sql = Sql::text(format!(
            "SELECT tape_segment, tape_offset, record_offset FROM {}.flows\nWHERE ",
            self.config.database
        ));
        let sql = sql
            .join(rows(&stretch))
            .then("\nSETTINGS max_execution_time = 0");
        let mut names = sql.query(&self.client).fetch::<Name>()?;
        while let Some(name) = names.next().await? {
            if let Some(times) = times.get_mut(&name) {
                *times += 1;
            }
        }
        Ok(times)
    }

    /// Rows that one import of a collector has brought into the store.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn rows_of_feed(&self, collector: &str, feed: Feed) -> Result<u64, StoreError> {
        let sql = Sql::text(format!(
            "SELECT count() FROM {}.flows\nWHERE feed = ? AND collector = ?",
            self.config.database
        ));
        let sql = sql.bind(u64::from(feed.0)).bind(collector);
        let counted: Vec<u64> = self.read(sql).await?;
        Ok(counted.into_iter().sum())
    }
}

/// Hours of event time that the rows of a batch are in, in the rollups: each by its start, seconds since 1970. As
/// [`Store::hours_of`] finds them of rows that are stored.
pub fn hours_of(batch: &FlowBatch) -> BTreeSet<i64> {
    let lives = (0..batch.rows()).map(|row| life(batch, row));
    let rolled = lives.filter(|(first, last)| last - first <= Tier::Hour.life_ns_max());
    rolled
        .flat_map(|(first, last)| [hour(first), hour(last)])
        .collect()
}

/// Hours in which the datagrams of a batch arrived, in the same form.
pub fn arrivals_of(batch: &FlowBatch) -> BTreeSet<i64> {
    batch
        .origin
        .received_at
        .iter()
        .map(|at| hour(*at))
        .collect()
}

fn hour(nanos: i64) -> i64 {
    nanos.div_euclid(HOUR_S * NANOS_PER_SECOND) * HOUR_S
}

pub(crate) fn name_of(batch: &FlowBatch, row: usize) -> Name {
    Name {
        tape_segment: batch.origin.tape_segment[row],
        tape_offset: batch.origin.tape_offset[row],
        record_offset: batch.origin.record_offset[row],
    }
}

/// The smallest stretch that all rows of a batch are in; `None` of an empty one.
pub fn around(collector: &str, batch: &FlowBatch) -> Option<Stretch> {
    let positions = (0..batch.rows()).map(|row| batch.position(row));
    let (from, last) = (positions.clone().min()?, positions.max()?);
    let arrived = batch.origin.received_at.iter().copied();
    let (first_at, last_at) = (arrived.clone().min()?, arrived.max()?);
    Some(Stretch {
        collector: collector.to_owned(),
        from,
        to: TapePosition {
            offset: last.offset.saturating_add(1),
            ..last
        },
        received_from: Timestamp::from_nanos(first_at),
        received_to: Timestamp::from_nanos(last_at.saturating_add(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[(i64, u32, i64, i64)]) -> FlowBatch {
        let mut batch = FlowBatch::default();
        for (row, (received, offset, start, end)) in rows.iter().enumerate() {
            batch.origin.received_at.push(received * NANOS_PER_SECOND);
            batch.origin.tape_segment.push(3);
            batch.origin.tape_offset.push(*offset);
            batch.origin.record_offset.push(24);
            batch.columns.start.set(row, start * NANOS_PER_SECOND);
            batch.columns.end.set(row, end * NANOS_PER_SECOND);
        }
        batch
    }

    #[test]
    fn a_batch_is_in_the_hours_in_which_its_flows_begin_and_end() {
        // The third lives for two hours, so it is in no rollup.
        let batch = batch(&[
            (7300, 64, 7190, 7210),
            (7300, 128, 10_800, 10_801),
            (10_900, 192, 36_000, 43_200),
        ]);
        assert_eq!(Vec::from_iter(hours_of(&batch)), [3600, 7200, 10_800]);
        assert_eq!(Vec::from_iter(arrivals_of(&batch)), [7200, 10_800]);
    }

    #[test]
    fn the_stretch_around_a_batch_holds_its_first_and_last_row() {
        assert_eq!(around("a", &FlowBatch::default()), None);
        let stretch = around("a", &batch(&[(9, 500, 0, 1), (5, 64, 0, 1)])).unwrap();
        let place = |offset| TapePosition { segment: 3, offset };
        assert_eq!((stretch.from, stretch.to), (place(64), place(501)));
        assert_eq!(stretch.received_from, Timestamp::from_seconds(5));
        let after_it = Timestamp::from_nanos(9 * NANOS_PER_SECOND + 1);
        assert_eq!(stretch.received_to, after_it);
    }
}
