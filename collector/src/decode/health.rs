//! What is seen of an exporter in passing: clock, time stamps, timeouts, both directions. Bounded, and never in the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::ops::Range;

use flow::Timestamp;
use flow::batch::{Columns, TimeKind};
use flow::clock::NANOS_PER_SECOND;
use rustc_hash::FxHasher;

use crate::fields::Element;

/// Rows that are looked at one by one before it becomes a sample.
const ROWS_ALL: u64 = 20_000;
/// Of Sets after that, this many rows.
const ROWS_OF_SET: usize = 4;
/// Clock offsets of which the median is told.
const OFFSETS_MAX: usize = 64;
/// Different flow lengths that are counted.
const LENGTHS_MAX: usize = 256;
/// Shorter flows say nothing about the active timeout.
const LENGTH_MIN_S: i64 = 5;
/// Conversations that are watched at a time.
const SLOTS: usize = 512;
/// Different sampling intervals that are listed.
const INTERVALS_MAX: usize = 32;
/// Flow ended because it was active for too long (IE 136).
const ACTIVE_TIMEOUT: u8 = 2;
const TCP: u8 = 6;

/// What was seen of one exporter, version and domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) datagrams: u64,
    pub(crate) records: u64,
    pub(crate) options_records: u64,
    /// Records of fields that nobody knows, of templates that are gone.
    pub(crate) unknown: BTreeMap<Element, u64>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    time_kinds: u16,
    offsets_ms: VecDeque<i64>,
    intervals: BTreeSet<u32>,
    lengths: BTreeMap<u32, u32>,
    conversations: Conversations,
    rows: u64,
}

impl Stats {
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

    /// Rows of one Set were decoded.
    pub(crate) fn rows(&mut self, columns: &Columns, rows: Range<usize>, time_kinds: u16) {
        self.time_kinds |= time_kinds;
        let all = self.rows < ROWS_ALL;
        self.rows += rows.len() as u64;
        self.conversations.look(columns, rows.clone(), all);
        let looked_at = if all { rows.len() } else { ROWS_OF_SET };
        for row in rows.take(looked_at) {
            self.length(columns, row);
            if let Some(interval) = columns.sampling_interval.get(row)
                && self.intervals.len() < INTERVALS_MAX
            {
                self.intervals.insert(interval);
            }
        }
    }

    fn length(&mut self, columns: &Columns, row: usize) {
        let reason = columns.end_reason.get(row);
        let (Some(start), Some(end)) = (columns.start.get(row), columns.end.get(row)) else {
            return;
        };
        let seconds = (end.saturating_sub(start) + NANOS_PER_SECOND / 2) / NANOS_PER_SECOND;
        if reason.is_some_and(|reason| reason != ACTIVE_TIMEOUT) || seconds < LENGTH_MIN_S {
            return;
        }
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        if self.lengths.len() < LENGTHS_MAX || self.lengths.contains_key(&seconds) {
            *self.lengths.entry(seconds).or_default() += 1;
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

    /// The most frequent length, if it stands out: at least 8 flows and a tenth of all that count.
    pub(crate) fn active_timeout_s(&self) -> Option<u32> {
        let all: u32 = self.lengths.values().sum();
        let (seconds, times) = self
            .lengths
            .iter()
            .max_by_key(|(seconds, times)| (**times, **seconds))?;
        (*times >= 8 && times.saturating_mul(10) >= all).then_some(*seconds)
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
    fn look(&mut self, columns: &Columns, rows: Range<usize>, all: bool) {
        for row in rows {
            let (Some(source), Some(destination)) =
                (columns.src_port.get(row), columns.dst_port.get(row))
            else {
                continue;
            };
            // The same choice for both directions.
            if !all && (source ^ destination) & 0x1f != 0 {
                continue;
            }
            if columns.protocol.get(row) != Some(TCP) {
                continue;
            }
            let (Some(from), Some(to)) = (columns.src_addr.get(row), columns.dst_addr.get(row))
            else {
                continue;
            };
            let both = columns
                .reverse_packets
                .get(row)
                .is_some_and(|packets| packets > 0);
            self.seen((from, source), (to, destination), both);
        }
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
    fn the_timeout_is_the_length_that_most_long_flows_have() {
        let mut stats = Stats::default();
        let mut columns = Columns::default();
        for row in 0..20 {
            columns.start.set(row, 0);
            let length = if row < 12 {
                60
            } else {
                7 + i64::try_from(row).unwrap()
            };
            columns.end.set(row, length * NANOS_PER_SECOND);
        }
        stats.rows(&columns, 0..20, 0);
        assert_eq!(stats.active_timeout_s(), Some(60));
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
