//! The arithmetic: a place that moves as time passes.

use std::ops::Range;
use std::time::Duration;

use flow::Timestamp;

use super::command::{PlayerError, SPEED_MAX, SPEED_MIN};

/// Places are counted in these parts of a nanosecond, and speeds in the same parts of 1: their products are whole.
const PARTS: i128 = 1000;

/// Thousandths of the speed at which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speed(u32);

impl Speed {
    pub(super) fn new(times: f64) -> Result<Self, PlayerError> {
        if !(SPEED_MIN..=SPEED_MAX).contains(&times) {
            return Err(PlayerError::Speed(times));
        }
        #[expect(clippy::cast_possible_truncation, reason = "from 100 to 1,000,000")]
        #[expect(clippy::cast_sign_loss, reason = "from 100 to 1,000,000")]
        Ok(Self((times * 1000.0).round() as u32))
    }

    pub(super) fn times(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// Where it is and how it goes on from there.
#[derive(Clone, Debug)]
pub(super) struct Reel {
    /// Nothing outside of these is played.
    pub(super) marks: Range<Timestamp>,
    pub(super) speed: Speed,
    pub(super) playing: bool,
    pub(super) looping: bool,
    /// Where it was at `since`, in parts of a nanosecond since 1970; between the marks.
    place: i128,
    since: Duration,
}

/// A reel some time later.
pub(super) struct Moved {
    pub(super) reel: Reel,
    /// It went from the later mark to the earlier one on the way.
    pub(super) wrapped: bool,
}

impl Reel {
    pub(super) fn new(marks: Range<Timestamp>) -> Self {
        Self {
            place: parts(marks.start),
            marks,
            speed: Speed(1000),
            playing: false,
            looping: false,
            since: Duration::ZERO,
        }
    }

    pub(super) fn position(&self) -> Timestamp {
        let nanos = self.place.div_euclid(PARTS);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Goes to a place between the marks.
    pub(super) fn place(&mut self, to: Timestamp) {
        self.place = parts(to.clamp(self.marks.start, self.marks.end));
    }

    /// The same reel at `now`.
    pub(super) fn at(&self, now: Duration) -> Moved {
        let mut reel = self.clone();
        reel.since = self.since.max(now);
        if !self.playing {
            return Moved {
                reel,
                wrapped: false,
            };
        }
        let passed = i128::try_from((reel.since - self.since).as_nanos()).unwrap_or(i128::MAX);
        let place = passed
            .saturating_mul(i128::from(self.speed.0))
            .saturating_add(self.place);
        let (start, end) = (parts(self.marks.start), parts(self.marks.end));
        let wrapped = place >= end && self.looping;
        if wrapped {
            reel.place = start + (place - start) % (end - start);
        } else {
            reel.place = place.min(end);
            reel.playing = place < end;
        }
        Moved { reel, wrapped }
    }

    /// When it comes to `position`, a later one, if it plays and nobody interferes: the first whole nanosecond at which it
    /// is there.
    pub(super) fn reaches(&self, position: Timestamp) -> Duration {
        let way = u128::try_from(parts(position) - self.place).unwrap_or(0);
        let nanos = way.div_ceil(u128::from(self.speed.0));
        let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.since.saturating_add(nanos)
    }
}

fn parts(at: Timestamp) -> i128 {
    i128::from(at.nanos()) * PARTS
}
