//! Frames: when a player shows something anew, and what it says then.

use std::ops::Range;
use std::time::Duration;

use flow::Timestamp;
use serde::{Deserialize, Serialize};

use super::Player;
use super::reel::Reel;

/// How often a player shows something anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Frames are at whole multiples of this since 1970, in the recording's time, and at the marks. At least a nanosecond.
    pub width: Duration,
    /// Frames in a second of the viewer's time, at most and at least 1; a player that is faster skips ahead.
    pub per_second_max: u32,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            width: Duration::from_secs(1),
            per_second_max: 10,
        }
    }
}

impl Frames {
    pub(super) fn width_nanos(self) -> i64 {
        i64::try_from(self.width.as_nanos())
            .unwrap_or(i64::MAX)
            .max(1)
    }

    /// From one frame to the next, at least.
    fn gap(self) -> Duration {
        const SECOND: u64 = 1_000_000_000;
        Duration::from_nanos(SECOND.div_ceil(u64::from(self.per_second_max.max(1))))
    }

    /// The frame that a reel is at: the last step that it has come to, or the mark at which it ends.
    fn before(self, reel: &Reel) -> Timestamp {
        let position = reel.position();
        if position == reel.marks.end {
            return position;
        }
        position.floor(self.width)
    }

    /// The first frame after the place that a reel is at.
    fn after(self, reel: &Reel) -> Timestamp {
        let before = reel.position().floor(self.width);
        before.offset(self.width_nanos()).min(reel.marks.end)
    }
}

/// What to show now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Frame {
    /// Where the player is, at the frame's step.
    pub position: Timestamp,
    /// What was played since the last frame, up to `position`. Windows follow each other without gap or overlap until a
    /// jump; after a jump the window begins where the player went on.
    pub passed: Range<Timestamp>,
    /// Whether the position was moved since the last frame, by a command or by the loop: this window does not go on where
    /// the last one ended. True for the first frame.
    pub jumped: bool,
}

impl Player {
    /// When the next frame is due, on the clock of `now`; never before `now`. `None` while nothing changes: paused, and
    /// what was last told is shown.
    pub fn next_frame(&self, now: Duration) -> Option<Duration> {
        let moved = self.reel.at(now);
        let allowed = self
            .shown_at
            .map_or(Duration::ZERO, |at| at.saturating_add(self.frames.gap()));
        let overdue = self.jumped
            || self.wrapped
            || moved.wrapped
            || self.frames.before(&moved.reel) > self.shown;
        let due = match (overdue, moved.reel.playing) {
            (true, _) => now,
            (false, true) => moved.reel.reaches(self.frames.after(&moved.reel)),
            (false, false) => return None,
        };
        Some(due.max(allowed).max(now))
    }

    /// The frame that is due by now, if one is. Where the loop went back to the earlier mark there are two: one that ends at
    /// the later mark, and after it one that jumped.
    pub fn frame(&mut self, now: Duration) -> Option<Frame> {
        if self.next_frame(now)? > now {
            return None;
        }
        self.settle(now);
        let from = self.shown;
        let marks = &self.reel.marks;
        let position = match self.wrapped {
            true => marks.end,
            false => self.frames.before(&self.reel).max(from),
        };
        let frame = Frame {
            position,
            passed: from..position,
            jumped: self.jumped,
        };
        self.shown = match self.wrapped {
            true => marks.start,
            false => position,
        };
        (self.jumped, self.wrapped) = (self.wrapped, false);
        self.shown_at = Some(now);
        Some(frame)
    }
}
