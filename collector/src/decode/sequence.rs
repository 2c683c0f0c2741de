//! What sequence numbers tell: losses, reordering, duplicates, restarts, and that some exporters do not count.

use std::collections::VecDeque;

use flow::health::SequenceState;
use serde::{Deserialize, Serialize};

/// Datagrams back in which a repeated one is recognised.
const WINDOW: usize = 64;
/// Units that a late one may lie behind.
const LATE_MAX: usize = WINDOW * 64;
/// A jump of more than this is not loss but another way of counting, or a restart.
const GAP_MAX: u32 = 1 << 20;
/// Datagrams after which it is clear whether an exporter counts.
const PROBATION: u32 = 8;

/// What a datagram's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New.
    New,
    /// The same octets came before.
    Duplicate,
}

/// The numbers of one exporter, version and domain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sequence {
    /// The number that should come next; `None` at first and after a datagram whose records can't be counted.
    next: Option<u32>,
    last: Option<u32>,
    /// Datagrams of which it could be told whether the number was the expected one.
    judged: u32,
    /// The last 32 datagrams, newest in the lowest bit: 1 where the number was the expected one or late.
    history: u32,
    /// Lost units while it is not clear yet whether it counts.
    pending: u64,
    /// Lost units since the history was last all right, to be taken back if it turns out not to count.
    doubtful: u64,
    state: SequenceState,
    pub(crate) lost: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicates: u64,
    pub(crate) reboots: u64,
    /// Numbers and check sums of the last datagrams.
    recent: VecDeque<(u32, u32)>,
    /// Uptime of the last datagram in order, for telling a restart.
    uptime_ms: Option<u32>,
}

impl Sequence {
    /// Looks whether the datagram came before, by its number and its check sum over all octets.
    pub(crate) fn arrive(&mut self, number: u32, checksum: u32) -> Arrival {
        if self.recent.contains(&(number, checksum)) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        }
        if self.recent.len() >= WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back((number, checksum));
        Arrival::New
    }

    /// Notices that the uptime fell, which neither reordering nor its 32-bit wrap explains. Returns whether it did.
    pub(crate) fn uptime(&mut self, uptime_ms: u32) -> bool {
        const LATE_MS: u32 = 60_000;
        let before = self.uptime_ms.replace(uptime_ms);
        let Some(before) = before else {
            return false;
        };
        let ahead = uptime_ms.wrapping_sub(before);
        if ahead < u32::MAX / 2 {
            return false;
        }
        if before - uptime_ms.min(before) <= LATE_MS {
            // A late datagram: the clock of the newest stands.
            self.uptime_ms = Some(before);
            return false;
        }
        self.restart();
        true
    }

    /// Notices that an exporter that counts began again near 0: for IPFIX, whose header has no uptime. Returns whether it did.
    pub(crate) fn began_anew(&mut self, number: u32) -> bool {
        let Some(next) = self.next.filter(|_| self.state == SequenceState::Counting) else {
            return false;
        };
        let behind = next.wrapping_sub(number);
        let late = usize::try_from(behind).is_ok_and(|behind| behind <= LATE_MAX);
        // Nearer to 0 than to where it was, and not by the wrap of 32 bits.
        if late || behind > u32::MAX / 2 || number >= behind {
            return false;
        }
        self.restart();
        true
    }

    fn restart(&mut self) {
        self.reboots += 1;
        // What came last stays known: its octets tell it from what has the same number now.
        self.next = None;
    }

    /// Takes a datagram's number and by how much the next one is larger: records (v5, v7, IPFIX) or 1 (v9). `None` if its
    /// records can't be counted, as a template is missing.
    pub(crate) fn advance(&mut self, number: u32, units: Option<u32>) {
        let constant = self.last.replace(number) == Some(number) && units != Some(0);
        let Some(next) = self.next else {
            self.next = units.map(|units| number.wrapping_add(units));
            return;
        };
        let ahead = number.wrapping_sub(next);
        let behind = next.wrapping_sub(number);
        let fine = if constant {
            false
        } else if ahead == 0 {
            true
        } else if ahead <= GAP_MAX {
            self.lose(u64::from(ahead));
            false
        } else {
            behind <= GAP_MAX && self.late(behind, units)
        };
        // A late datagram must not pull the expectation back.
        if !(fine && ahead != 0) {
            self.next = units.map(|units| number.wrapping_add(units));
        }
        self.history = self.history << 1 | u32::from(fine);
        self.judged = self.judged.saturating_add(1);
        self.decide();
    }

    fn lose(&mut self, units: u64) {
        match self.state {
            SequenceState::Counting => {
                self.lost += units;
                self.doubtful += units;
            }
            SequenceState::Unknown => self.pending += units,
            SequenceState::NotCounting | SequenceState::None => {}
        }
    }

    /// A number from before: late, and so not lost after all. Only what a gap left open can come late.
    fn late(&mut self, behind: u32, units: Option<u32>) -> bool {
        let units = u64::from(units.unwrap_or(1));
        let room = match self.state {
            SequenceState::Counting => &mut self.lost,
            _ => &mut self.pending,
        };
        let near = usize::try_from(behind).is_ok_and(|behind| behind <= LATE_MAX);
        if *room == 0 || !near {
            return false;
        }
        *room = room.saturating_sub(units);
        self.doubtful = self.doubtful.saturating_sub(units);
        self.reordered += 1;
        true
    }

    fn decide(&mut self) {
        let looked_at = self.judged.min(32);
        let fine = self.history.count_ones();
        if fine == looked_at {
            self.doubtful = 0;
        }
        let state = match (self.state, fine * 2 >= looked_at) {
            (SequenceState::Unknown, _) if looked_at < PROBATION => return,
            (SequenceState::Counting, _) if fine * 4 >= looked_at => return,
            (_, true) => SequenceState::Counting,
            (_, false) => SequenceState::NotCounting,
        };
        match (self.state, state) {
            (SequenceState::Unknown, SequenceState::Counting) => self.lost += self.pending,
            (SequenceState::Counting, SequenceState::NotCounting) => {
                self.lost = self.lost.saturating_sub(self.doubtful);
            }
            _ => {}
        }
        (self.pending, self.doubtful) = (0, 0);
        self.state = state;
    }

    /// Whether it counts, as far as can be told.
    pub(crate) fn state(&self) -> SequenceState {
        self.state
    }

    /// Lost units, those of the first datagrams too where most of them were in order.
    pub(crate) fn lost(&self) -> u64 {
        let looked_at = self.judged.min(32);
        let likely =
            self.state == SequenceState::Unknown && self.history.count_ones() * 2 >= looked_at;
        self.lost + if likely { self.pending } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(units: u32) -> (Sequence, u32) {
        let mut sequence = Sequence::default();
        let mut number = 1_000;
        for _ in 0..20 {
            sequence.advance(number, Some(units));
            number += units;
        }
        assert_eq!(sequence.state(), SequenceState::Counting);
        (sequence, number)
    }

    #[test]
    fn a_gap_is_a_loss_in_the_protocols_own_units() {
        let (mut sequence, number) = counting(30);
        sequence.advance(number + 90, Some(30));
        assert_eq!(sequence.lost(), 90);
    }

    #[test]
    fn what_comes_late_was_not_lost() {
        let (mut sequence, number) = counting(30);
        sequence.advance(number + 30, Some(30));
        sequence.advance(number, Some(30));
        sequence.advance(number + 60, Some(30));
        assert_eq!((sequence.lost(), sequence.reordered), (0, 1));
    }

    #[test]
    fn constant_or_random_numbers_are_no_loss() {
        for step in [0_u32, 0x5bd1_e995] {
            let mut sequence = Sequence::default();
            let mut number = 7_u32;
            for _ in 0..100 {
                sequence.advance(number, Some(1));
                number = number.wrapping_add(step).wrapping_mul(step | 1);
            }
            assert_eq!(sequence.state(), SequenceState::NotCounting, "{step}");
            assert_eq!(sequence.lost(), 0);
        }
    }

    #[test]
    fn the_number_wraps() {
        let mut sequence = Sequence::default();
        sequence.advance(u32::MAX - 9, Some(30));
        sequence.advance(20, Some(30));
        assert_eq!((sequence.lost(), sequence.history), (0, 1));
    }

    #[test]
    fn a_restart_is_an_event_and_no_loss() {
        let (mut sequence, _) = counting(1);
        assert!(!sequence.uptime(5_000_000));
        assert!(!sequence.uptime(4_990_000), "late, not restarted");
        assert!(sequence.uptime(1_000));
        sequence.advance(0, Some(1));
        sequence.advance(1, Some(1));
        assert_eq!((sequence.lost(), sequence.reboots), (0, 1));
    }

    #[test]
    fn uptime_may_wrap() {
        let mut sequence = Sequence::default();
        assert!(!sequence.uptime(u32::MAX - 1_000));
        assert!(!sequence.uptime(1_000));
        assert_eq!(sequence.reboots, 0);
    }

    #[test]
    fn a_duplicate_is_the_same_number_and_the_same_octets() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.arrive(7, 1), Arrival::New);
        assert_eq!(sequence.arrive(7, 2), Arrival::New);
        assert_eq!(sequence.arrive(7, 1), Arrival::Duplicate);
        for number in 8..80 {
            sequence.arrive(number, 1);
        }
        assert_eq!(sequence.arrive(7, 1), Arrival::New, "outside the window");
    }
}
