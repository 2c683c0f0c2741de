//! An exporter's flow cache: packets that pass become entries, closed by time-outs and by the connection's end.

use super::talk::Crossing;
use super::tcp::{FIN, RST, SECOND};
use super::train::{Direction, Train};

/// flowEndReason (IE 136).
const IDLE: u8 = 1;
const ACTIVE: u8 = 2;
const ENDED: u8 = 3;

/// One direction of an entry. Times are true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Half {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) flags: u16,
}

/// What becomes one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// By direction. An exporter with one entry for each direction fills only one.
    pub(super) halves: [Option<Half>; 2],
    pub(super) reason: u8,
    /// When the exporter takes it out of its cache.
    pub(super) due: i64,
}

/// When entries are closed, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) active: i64,
    pub(super) inactive: i64,
}

/// The entries of one conversation. `crossings` is emptied; `both` keeps both directions in one entry.
pub(super) fn entries(
    crossings: &mut Vec<Crossing>,
    timeouts: Timeouts,
    both: bool,
    out: &mut Vec<Entry>,
) {
    if both {
        return slice(crossings, timeouts, out);
    }
    let mut back: Vec<Crossing> = Vec::new();
    crossings.retain(|crossing| {
        let forward = crossing.direction == Direction::ToServer;
        if !forward {
            back.push(*crossing);
        }
        forward
    });
    slice(crossings, timeouts, out);
    slice(&mut back, timeouts, out);
}

/// Latest first, so that the next one is popped from the end.
fn slice(crossings: &mut Vec<Crossing>, timeouts: Timeouts, out: &mut Vec<Entry>) {
    crossings.sort_by_key(|crossing| std::cmp::Reverse(crossing.train.at));
    let mut open: Option<Open> = None;
    while let Some(Crossing { direction, train }) = crossings.pop() {
        if let Some(closed) = open.take_if(|open| open.is_over(train.at, timeouts)) {
            out.push(closed.close(train.at, timeouts));
        }
        let entry = open.get_or_insert_with(|| Open::new(train.at));
        // A train slower than the inactive time-out is packet by packet; else all that the active time-out lets in.
        let fits = if train.spacing > timeouts.inactive {
            1
        } else {
            train.packets_before(entry.first + timeouts.active).max(1)
        };
        if let Some(part) = train.part(0, fits) {
            entry.add(direction, part);
        }
        if let Some(train) = train.part(fits, train.packets) {
            let rest = Crossing { direction, train };
            let place = crossings.partition_point(|other| other.train.at > train.at);
            crossings.insert(place, rest);
        }
    }
    if let Some(open) = open {
        out.push(open.close(i64::MAX, timeouts));
    }
}

struct Open {
    first: i64,
    last: i64,
    halves: [Option<Half>; 2],
}

impl Open {
    fn new(at: i64) -> Self {
        Self {
            first: at,
            last: at,
            halves: [None; 2],
        }
    }

    fn is_over(&self, at: i64, timeouts: Timeouts) -> bool {
        at >= self.first + timeouts.active || at - self.last > timeouts.inactive
    }

    fn add(&mut self, direction: Direction, part: Train) {
        let traffic = part.traffic();
        self.last = self.last.max(part.last());
        let half = self.halves[direction.index()].get_or_insert(Half {
            first: part.at,
            last: part.at,
            packets: 0,
            octets: 0,
            flags: 0,
        });
        half.first = half.first.min(part.at);
        half.last = half.last.max(part.last());
        half.packets += traffic.packets;
        half.octets += traffic.octets;
        half.flags |= part.flags;
    }

    /// Closes it, knowing when the next packet comes.
    fn close(self, next: i64, timeouts: Timeouts) -> Entry {
        let flags = self
            .halves
            .iter()
            .flatten()
            .fold(0, |flags, half| flags | half.flags);
        let silent_from = self.last + timeouts.inactive;
        let (reason, due) = if next == i64::MAX && flags & (FIN | RST) != 0 {
            (ENDED, self.last + SECOND)
        } else if next > silent_from && silent_from < self.first + timeouts.active {
            (IDLE, silent_from)
        } else {
            (
                ACTIVE,
                (self.first + timeouts.active).max(self.last + SECOND),
            )
        };
        Entry {
            halves: self.halves,
            reason,
            due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        active: 60 * SECOND,
        inactive: 15 * SECOND,
    };

    fn crossing(direction: Direction, seconds: i64, packets: u64) -> Crossing {
        let train = Train {
            at: seconds * SECOND,
            spacing: SECOND,
            packets,
            size: 100,
            last_size: 40,
            flags: 0x10,
        };
        Crossing { direction, train }
    }

    fn cut(mut crossings: Vec<Crossing>, both: bool) -> Vec<Entry> {
        let mut out = Vec::new();
        entries(&mut crossings, TIMEOUTS, both, &mut out);
        out
    }

    #[test]
    fn the_active_timeout_cuts_a_long_flow() {
        let found = cut(vec![crossing(Direction::ToServer, 0, 130)], false);
        let halves: Vec<Half> = found.iter().filter_map(|entry| entry.halves[0]).collect();
        let packets: Vec<u64> = halves.iter().map(|half| half.packets).collect();
        assert_eq!(packets, [60, 60, 10]);
        assert_eq!(
            (halves[1].first, halves[1].last),
            (60 * SECOND, 119 * SECOND)
        );
        assert_eq!(halves[2].octets, 9 * 100 + 40);
        let reasons: Vec<u8> = found.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, [ACTIVE, ACTIVE, IDLE]);
        assert_eq!(found[0].due, 60 * SECOND);
        assert_eq!(found[2].due, 144 * SECOND);
    }

    #[test]
    fn silence_closes_a_flow_and_directions_are_apart_unless_told() {
        let trains = vec![
            crossing(Direction::ToServer, 0, 2),
            crossing(Direction::ToClient, 1, 1),
            crossing(Direction::ToServer, 30, 1),
        ];
        let apart = cut(trains.clone(), false);
        assert_eq!(apart.len(), 3);
        assert_eq!((apart[0].reason, apart[0].due), (IDLE, 16 * SECOND));
        let together = cut(trains, true);
        assert_eq!(together.len(), 2);
        assert!(together[0].halves.iter().all(Option::is_some));
        assert_eq!(together[1].halves[1], None);
    }

    #[test]
    fn trains_that_overlap_are_cut_at_the_same_instant() {
        // 50 to 79 s and, within it, 55 s: the second belongs to the first entry, which ends at 60 s.
        let trains = vec![
            crossing(Direction::ToServer, 0, 70),
            crossing(Direction::ToServer, 55, 1),
        ];
        let packets: Vec<u64> = cut(trains, false)
            .iter()
            .filter_map(|one| one.halves[0])
            .map(|half| half.packets)
            .collect();
        assert_eq!(packets, [61, 10]);
    }
}
