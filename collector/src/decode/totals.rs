//! Counters that run on: what a flow's next record adds to what its last one said.

use std::hash::{Hash, Hasher};

use flow::batch::{Columns, CounterKind};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};

/// Counters of one flow as last sent: octets, packets, and those of the reverse direction.
type Counters = [u64; 4];

/// Flows of one domain whose counters were sent as totals. Two generations: when the newer one is full, the older goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    newer: FxHashMap<u64, Counters>,
    older: FxHashMap<u64, Counters>,
}

impl Totals {
    /// Makes totals of rows `from..to` into differences where the same flow (key, start and interface) was seen before.
    ///
    /// The first record of a flow counts whole and stays [`CounterKind::Total`]; a difference is [`CounterKind::Delta`].
    /// Counters that fell began anew.
    pub(crate) fn difference(&mut self, columns: &mut Columns, from: usize, to: usize, max: usize) {
        for row in from..to {
            // What can't be true is no base for a difference, and the difference would not look impossible any more.
            if columns.counter_kind.get(row) == Some(CounterKind::Implausible as u8) {
                continue;
            }
            let Some(key) = key(columns, row) else {
                continue;
            };
            let now = read(columns, row);
            let before = self.remember(key, now, max);
            let Some(before) = before else {
                continue;
            };
            if now.iter().zip(before).any(|(now, before)| *now < before) {
                continue;
            }
            write(columns, row, now, before);
        }
    }

    /// What they take: a table doubles, and is half empty then.
    pub(crate) fn octets(&self) -> usize {
        (self.newer.len() + self.older.len()) * 2 * size_of::<(u64, Counters)>()
    }

    /// Gives up half of what it has.
    pub(crate) fn forget_older(&mut self) {
        self.older = std::mem::take(&mut self.newer);
    }

    fn remember(&mut self, key: u64, now: Counters, max: usize) -> Option<Counters> {
        let before = self
            .newer
            .insert(key, now)
            .or_else(|| self.older.remove(&key));
        if self.newer.len() > max / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        before
    }
}

/// What makes two records the same flow at the same place. A record without a start can't be told from its successor.
fn key(columns: &Columns, row: usize) -> Option<u64> {
    let start = columns.start.get(row)?;
    let mut hasher = FxHasher::default();
    (
        start,
        columns.src_addr.get(row)?,
        columns.dst_addr.get(row)?,
        columns.src_port.get(row),
        columns.dst_port.get(row),
        columns.protocol.get(row),
        columns.in_interface.get(row),
        columns.direction.get(row),
    )
        .hash(&mut hasher);
    Some(hasher.finish())
}

fn read(columns: &Columns, row: usize) -> Counters {
    [
        &columns.octets,
        &columns.packets,
        &columns.reverse_octets,
        &columns.reverse_packets,
    ]
    .map(|column| column.get(row).unwrap_or(0))
}

fn write(columns: &mut Columns, row: usize, now: Counters, before: Counters) {
    let counters = [
        &mut columns.octets,
        &mut columns.packets,
        &mut columns.reverse_octets,
        &mut columns.reverse_packets,
    ];
    for ((column, now), before) in counters.into_iter().zip(now).zip(before) {
        if column.get(row).is_some() {
            column.set(row, now - before);
        }
    }
    columns.counter_kind.set(row, CounterKind::Delta as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: &[(i64, u64)]) -> Columns {
        let mut columns = Columns::default();
        for (row, (start, octets)) in rows.iter().enumerate() {
            columns.start.set(row, *start);
            columns.octets.set(row, *octets);
            columns.src_addr.set(row, std::net::Ipv6Addr::LOCALHOST);
            columns.dst_addr.set(row, std::net::Ipv6Addr::LOCALHOST);
        }
        columns
    }

    #[test]
    fn the_sum_of_the_differences_is_the_last_total() {
        let mut columns = columns(&[(1, 100), (2, 7), (1, 150), (1, 150), (1, 400)]);
        Totals::default().difference(&mut columns, 0, 5, 100);
        assert_eq!(columns.octets.values(), [100, 7, 50, 0, 250]);
    }

    #[test]
    fn an_impossible_total_stays_marked_and_is_no_base() {
        let mut columns = columns(&[(1, 100), (1, u64::MAX), (1, 130)]);
        columns.counter_kind.set(1, CounterKind::Implausible as u8);
        Totals::default().difference(&mut columns, 0, 3, 100);
        assert_eq!(columns.octets.values(), [100, u64::MAX, 30]);
        let marked = CounterKind::Implausible as u8;
        assert_eq!(columns.counter_kind.get(1), Some(marked));
    }

    #[test]
    fn a_counter_that_fell_began_anew() {
        let mut columns = columns(&[(1, 100), (1, 30)]);
        Totals::default().difference(&mut columns, 0, 2, 100);
        assert_eq!(columns.octets.values(), [100, 30]);
    }
}
