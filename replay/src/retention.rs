//! What may go when the tape is full, old, or in the way of others.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use flow::{TapePosition, Timestamp};

use crate::directory;
use crate::error::TapeError;
use crate::live::Live;
use crate::reader;
use crate::stats::add;
use crate::tail::State;
use crate::writer::TapeWriter;

/// How long one segment is written at most.
const LIVE_AGE_MAX: Duration = Duration::from_secs(3600);
/// How long a file system may take to show that space was freed: btrfs commits every 30 s.
const FREED_SHOWS_AFTER: Duration = Duration::from_secs(30);

/// Segments that must stay, whatever their age and however full the tape is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    by_name: BTreeMap<String, RangeInclusive<u32>>,
}

impl Pins {
    /// Keeps these segments for `name`, instead of those that it had kept before.
    pub fn pin(&mut self, name: &str, segments: RangeInclusive<u32>) {
        self.by_name.insert(name.to_owned(), segments);
    }

    /// Lets the segments of `name` go. Others may still pin them.
    pub fn unpin(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Whether anybody pins this segment.
    pub fn hold(&self, segment: u32) -> bool {
        self.by_name.values().any(|range| range.contains(&segment))
    }
}

/// What was removed.
///
/// The ledger of drops is better kept by the reader ([`crate::ReaderCounts::missing`]): it knows which datagrams it
/// really did not get, and counts each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Segments.
    pub segments: u64,
    /// Octets on disk.
    pub octets: u64,
    /// Datagrams that the store had.
    pub stored: u64,
    /// Datagrams that the store did not have yet: [`flow::DropKind::TapeExpired`].
    pub not_stored: u64,
}

impl Expired {
    fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.octets += other.octets;
        self.stored += other.stored;
        self.not_stored += other.not_stored;
    }
}

/// Space that was freed lately and may not show yet.
///
/// Without it, the whole tape would be removed within a moment on a file system that frees space late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Freed {
    octets: u64,
    at: Timestamp,
}

impl Freed {
    fn add(&mut self, octets: u64, now: Timestamp) {
        self.octets = self.lately(now).saturating_add(octets);
        self.at = now;
    }

    fn lately(&self, now: Timestamp) -> u64 {
        match now < self.at + FREED_SHOWS_AFTER {
            true => self.octets,
            false => 0,
        }
    }

    /// Octets that the file system of `dir` has to give, with those that do not show yet.
    pub(crate) fn free_octets(&self, dir: &Path, now: Timestamp) -> Result<u64, TapeError> {
        Ok(directory::free_octets(dir)?.saturating_add(self.lately(now)))
    }
}

/// Segments that were removed to make room, without a datagram finding room since.
///
/// Somebody else may take what is freed, or it shows late, or a quota counts otherwise: then removing more takes the whole
/// tape and helps nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vain {
    octets: u64,
    at: Timestamp,
}

impl Vain {
    pub(crate) fn add(&mut self, octets: u64, now: Timestamp) {
        if now >= self.at + FREED_SHOWS_AFTER {
            self.octets = 0;
        }
        self.octets = self.octets.saturating_add(octets);
        self.at = now;
    }

    /// Whether twice the room of a segment has been made for nothing, and may still show.
    pub(crate) fn forbids(&self, now: Timestamp, segment_octets: u32) -> bool {
        self.octets >= 2 * u64::from(segment_octets) && now < self.at + FREED_SHOWS_AFTER
    }
}

impl TapeWriter {
    /// Removes what is too much or too old: the oldest segment first, never the one that is written, never a pinned
    /// one. To be called about once a second. Seals a segment that has been written for an hour, so that a quiet tape
    /// grows old as well.
    ///
    /// All datagrams before `stored_up_to` are in the store. Both arguments are remembered for the moment when the disk
    /// is full.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`] if a file cannot be removed; what was removed before it is counted, and the next call goes on.
    pub fn retain(
        &mut self,
        now: Timestamp,
        stored_up_to: TapePosition,
        pins: &Pins,
    ) -> Result<Expired, TapeError> {
        self.stored_up_to = stored_up_to;
        if self.pins != *pins {
            self.pins = pins.clone();
        }
        let aged = |live: &Live| live.created_at < now - LIVE_AGE_MAX;
        let sealed = match self.live.as_ref().is_some_and(aged) {
            true => self.seal(now),
            false => Ok(()),
        };
        let mut expired = Expired::default();
        while let Some(number) = self.too_much(now)? {
            expired.add(self.remove(number, now)?);
        }
        sealed.map(|()| expired)
    }

    /// The oldest segment, if the tape is too large, it is too old, or the file system too full.
    fn too_much(&self, now: Timestamp) -> Result<Option<u32>, TapeError> {
        let config = &self.shared.config;
        let (oldest, octets, old) = {
            let state = self.shared.lock();
            let Some(oldest) = self.oldest(&state) else {
                return Ok(None);
            };
            let old = config
                .max_age()
                .is_some_and(|age| sealed_before(&state, oldest, now, age));
            (oldest, state.octets_on_disk(), old)
        };
        let crowded = octets > config.max_octets
            || self.freed.free_octets(&config.dir, now)? < config.min_free_octets;
        Ok((old || crowded).then_some(oldest))
    }

    /// Removes the oldest segment that may go, for space; `None` if there is none.
    pub(crate) fn make_room(&mut self, now: Timestamp) -> Result<Option<Expired>, TapeError> {
        let oldest = {
            let state = self.shared.lock();
            self.oldest(&state)
        };
        let Some(number) = oldest else {
            return Ok(None);
        };
        add(&self.shared.stats.made_room, 1);
        self.remove(number, now).map(Some)
    }

    fn oldest(&self, state: &State) -> Option<u32> {
        let mut removable = state
            .segments
            .iter()
            .filter(|(number, segment)| segment.form.may_go() && !self.pins.hold(**number));
        removable.next().map(|(number, _)| *number)
    }

    fn remove(&mut self, number: u32, now: Timestamp) -> Result<Expired, TapeError> {
        let (segment, datagrams_behind) = {
            let mut state = self.shared.lock();
            let behind = state.segments.range(number + 1..).next();
            let behind = behind.map_or(state.datagrams_total, |(_, next)| {
                next.datagrams_before - next.lost_before.min(next.datagrams_before)
            });
            state.names_changed = true;
            state.unsynced.remove(&number);
            match state.segments.remove(&number) {
                Some(segment) => (segment, behind),
                None => return Ok(Expired::default()),
            }
        };
        let datagrams = datagrams_behind.saturating_sub(segment.datagrams_before);
        let not_stored = match self.stored_up_to.segment {
            stored if stored > number => 0,
            stored if stored < number => datagrams,
            _ => {
                // Unreadable counts as not stored: rather a drop too many than one too few.
                let before = reader::datagrams_before(&self.shared.config.dir, self.stored_up_to);
                let stored = before.ok().flatten().unwrap_or(segment.datagrams_before);
                datagrams_behind.saturating_sub(stored).min(datagrams)
            }
        };
        directory::remove_segment(&self.shared.disk, &self.shared.config.dir, number)?;
        self.freed.add(segment.octets_on_disk, now);
        let expired = Expired {
            segments: 1,
            octets: segment.octets_on_disk,
            stored: datagrams - not_stored,
            not_stored,
        };
        let stats = &self.shared.stats;
        add(&stats.expired_segments, 1);
        add(&stats.expired_stored_datagrams, expired.stored);
        add(&stats.expired_unstored_datagrams, expired.not_stored);
        Ok(expired)
    }
}

/// A segment was sealed when the next one was begun.
fn sealed_before(state: &State, number: u32, now: Timestamp, age: Duration) -> bool {
    let next = state.segments.range(number + 1..).next();
    next.is_some_and(|(_, next)| next.created_at < now - age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_space_counts_until_it_must_show() {
        let second = Timestamp::from_seconds;
        let mut freed = Freed::default();
        assert_eq!(freed.lately(second(0)), 0);
        freed.add(5, second(10));
        freed.add(7, second(20));
        assert_eq!(freed.lately(second(49)), 12);
        assert_eq!(freed.lately(second(50)), 0);
        freed.add(1, second(60));
        assert_eq!(freed.lately(second(60)), 1);
    }

    #[test]
    fn a_segment_stays_as_long_as_anybody_pins_it() {
        let mut pins = Pins::default();
        pins.pin("a", 1..=5);
        pins.pin("b", 4..=9);
        pins.pin("a", 5..=6);
        let held: Vec<u32> = (0..12).filter(|segment| pins.hold(*segment)).collect();
        assert_eq!(held, [4, 5, 6, 7, 8, 9]);
        pins.unpin("b");
        let held: Vec<u32> = (0..12).filter(|segment| pins.hold(*segment)).collect();
        assert_eq!(held, [5, 6]);
    }
}
