//! What is seen of an exporter in passing: clock, time stamps, timeouts, both directions. Bounded, and never in the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use flow::Timestamp;
use flow::batch::{Columns, TimeKind};
use rustc_hash::FxHasher;

use super::timeout::ActiveTimeout;
use crate::fields::Element;

/// Rows that are looked at one by one before it becomes a sample.
const ROWS_ALL: u64 = 20_000;
/// Of Sets after that, this many rows.
const ROWS_OF_SET: usize = 4;
/// Clock offsets of which the median is told.
const OFFSETS_MAX: usize = 64;
/// Conversations that are watched at a time.
const SLOTS: usize = 512;
/// Different sampling intervals that are listed.
const INTERVALS_MAX: usize = 32;
/// Different unknown fields that are counted; of more, those that came first.
pub(super) const UNKNOWN_MAX: usize = 128;
const TCP: u8 = 6;

/// What was seen of one exporter, version and domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) datagrams: u64,
    pub(crate) records: u64,
    pub(crate) options_records: u64,
    /// See [`Stats::unknown`].
    unknown: BTreeMap<Element, u64>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    time_kinds: u16,
    offsets_ms: VecDeque<i64>,
    intervals: BTreeSet<u32>,
    active_timeout: ActiveTimeout,
    conversations: Conversations,
    /// Whether single rows are looked at; without, timeout and conversations tell nothing.
    watched: Option<Arc<()>>,
    rows: u64,
}

impl Stats {
    /// Nothing seen yet. Single rows are looked at where there is a permit, which is held as long.
    pub(crate) fn new(watched: Option<Arc<()>>) -> Self {
        Self {
            watched,
            ..Self::default()
        }
    }

    /// Looks at single rows from now on, where there is a permit.
    pub(crate) fn watched(&mut self, permit: Option<Arc<()>>) {
        self.watched = permit;
    }

    /// A datagram with `export` in its header arrived at `received`.
    pub(crate) fn datagram(&mut self, received: Timestamp, export: Option<i64>) {
        if self.datagrams == 0 {
            self.first_seen = received;
        }
        self.datagrams += 1;
        self.last_seen = self.last_seen.max(received);
        if let Some(export) = export {
            if self.offsets_ms.len() >= OFFSETS_MAX {
                self.offsets_ms.pop_front();
            }
            self.offsets_ms
                .push_back(export.saturating_sub(received.nanos()) / 1_000_000);
        }
    }

    /// A template that `records` records had goes, of which nobody knows these elements.
    pub(crate) fn retire(&mut self, unknown: &[Element], records: u64) {
        for element in unknown {
            if self.unknown.len() < UNKNOWN_MAX || self.unknown.contains_key(element) {
                *self.unknown.entry(*element).or_default() += records;
            }
        }
    }

    /// Records of unknown fields, of templates that are gone.
    pub(crate) fn unknown(&self) -> BTreeMap<Element, u64> {
        self.unknown.clone()
    }

    /// Rows of one Set were decoded.
    pub(crate) fn rows(&mut self, columns: &Columns, rows: Range<usize>, time_kinds: u16) {
        self.time_kinds |= time_kinds;
        let all = self.rows < ROWS_ALL;
        self.rows += rows.len() as u64;
        if self.watched.is_none() {
            // Too many are.
        } else if all {
            rows.clone().for_each(|row| self.look(columns, row));
        } else {
            self.look_at_sample(columns, rows.start);
        }
        let looked_at = if all { rows.len() } else { ROWS_OF_SET };
        for row in rows.take(looked_at) {
            if let Some(interval) = columns.sampling_interval.get(row)
                && self.intervals.len() < INTERVALS_MAX
            {
                self.intervals.insert(interval);
            }
        }
    }

    fn look(&mut self, columns: &Columns, row: usize) {
        self.active_timeout.look(columns, row);
        self.conversations.look(columns, row);
    }

    /// Looks at rows `from..` of the 32nd part of all conversations, the same part for both directions.
    fn look_at_sample(&mut self, columns: &Columns, from: usize) {
        let (source, destination) = (columns.src_port.values(), columns.dst_port.values());
        let source = source.get(from..).unwrap_or_default();
        let destination = destination.get(from..).unwrap_or_default();
        for (index, (source, destination)) in source.iter().zip(destination).enumerate() {
            // Ports that are absent read as 0.
            if (source ^ destination) & 0x1f == 0 && source | destination != 0 {
                self.look(columns, from + index);
            }
        }
    }

    /// Median of the last offsets.
    pub(crate) fn clock_offset_ms(&self) -> Option<i64> {
        let mut offsets: Vec<_> = self.offsets_ms.iter().copied().collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied()
    }

    /// Names of the stamp families seen.
    pub(crate) fn time_kinds(&self) -> Vec<String> {
        TimeKind::ALL
            .iter()
            .filter(|kind| self.time_kinds & 1 << **kind as u8 != 0)
            .map(|kind| kind.name().to_owned())
            .collect()
    }

    /// Sampling intervals that rows got.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = u32> {
        self.intervals.iter().copied()
    }

    /// See [`ActiveTimeout::seconds`].
    pub(crate) fn active_timeout_s(&self) -> Option<u32> {
        self.active_timeout.seconds()
    }

    /// Share of TCP conversations of which both directions were seen.
    pub(crate) fn both_directions_share(&self) -> Option<f64> {
        self.conversations.share()
    }
}

/// A sample of TCP conversations: which directions of each were reported. A slot holds the hash of a conversation and a
/// bit per direction; another conversation with the same slot takes it over.
#[derive(Clone, Debug, Default)]
struct Conversations {
    slots: Vec<u64>,
    finished: u64,
    finished_both: u64,
}

impl Conversations {
    fn look(&mut self, columns: &Columns, row: usize) {
        if columns.protocol.get(row) != Some(TCP) {
            return;
        }
        let (Some(source), Some(destination)) =
            (columns.src_port.get(row), columns.dst_port.get(row))
        else {
            return;
        };
        let (Some(from), Some(to)) = (columns.src_addr.get(row), columns.dst_addr.get(row)) else {
            return;
        };
        let both = columns
            .reverse_packets
            .get(row)
            .is_some_and(|packets| packets > 0);
        self.seen((from, source), (to, destination), both);
    }

    fn seen<E: Ord + Hash>(&mut self, from: E, to: E, both: bool) {
        let forward = from <= to;
        let (low, high) = if forward { (from, to) } else { (to, from) };
        let mut hasher = FxHasher::default();
        (low, high).hash(&mut hasher);
        let hash = hasher.finish() & !3;
        let bits = match (both, forward) {
            (true, _) => 3,
            (false, true) => 1,
            (false, false) => 2,
        };
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let index = usize::try_from(hash >> 32).unwrap_or(0) % SLOTS;
        let slot = &mut self.slots[index];
        if *slot & !3 != hash {
            let before = std::mem::replace(slot, hash);
            self.finished += u64::from(before & 3 != 0);
            self.finished_both += u64::from(before & 3 == 3);
        }
        *slot |= bits;
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of a sample")]
    fn share(&self) -> Option<f64> {
        let now =
            |wanted: fn(u64) -> bool| self.slots.iter().filter(|slot| wanted(**slot & 3)).count();
        let all = self.finished + now(|bits| bits != 0) as u64;
        let both = self.finished_both + now(|bits| bits == 3) as u64;
        (all > 0).then(|| both as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_half_the_conversations() {
        let mut conversations = Conversations::default();
        for port in 0..40_u16 {
            conversations.seen((1, port), (2, 80), false);
            if port % 2 == 0 {
                conversations.seen((2, 80), (1, port), false);
            }
        }
        let share = conversations.share().unwrap();
        assert!((0.4..=0.6).contains(&share), "{share}");
    }

    #[test]
    fn the_clock_offset_is_a_median() {
        let mut stats = Stats::default();
        for late_ms in [20, 30, 5_000] {
            let received = Timestamp::from_millis(1_000_000 + late_ms);
            stats.datagram(received, Some(1_000_000 * 1_000_000));
        }
        assert_eq!(stats.clock_offset_ms(), Some(-30));
    }
}
