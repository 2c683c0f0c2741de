//! What people tell a player.

use flow::Timestamp;
use serde::{Deserialize, Serialize};

/// The slowest speed, times as fast as it was.
pub const SPEED_MIN: f64 = 0.1;
/// The fastest.
pub const SPEED_MAX: f64 = 1000.0;

/// A command, as JSON `{"do":"seek","to":"2026-03-01T10:42:00Z"}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Let the position move; from the earlier mark if it is at the later one.
    Play,
    /// Stop where it is.
    Pause,
    /// Pause, and move a little: `{"do":"step","frames":-1}` or `{"do":"step","millis":250}`.
    Step(Stride),
    /// Go to a time; one outside the marks becomes the nearer mark.
    Seek {
        /// Which time.
        to: Timestamp,
    },
    /// Play this many times as fast as it was, from [`SPEED_MIN`] to [`SPEED_MAX`], rounded to a thousandth.
    Speed {
        /// 1 is as it was.
        times: f64,
    },
    /// What to do at the later mark: go on at the earlier one, or pause.
    Loop {
        /// Whether to go on.
        on: bool,
    },
    /// Play nothing outside these; without them, the recording's own ends. A position outside moves to the nearer mark.
    Marks {
        /// The earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// The later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Timestamp>,
    },
}

/// How far to step, forward or back, in the recording's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stride {
    /// So many times the width of a frame.
    Frames(i64),
    /// So many milliseconds.
    Millis(i64),
}

/// Why a player refuses.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PlayerError {
    /// There is nothing to play.
    #[error("a recording from {from} to {to} has no length: nothing can be played")]
    Empty {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// A speed that is too slow, too fast, or no number.
    #[error("the speed must be from {SPEED_MIN} to {SPEED_MAX} times as fast as it was, not {0}")]
    Speed(f64),
    /// Marks that cannot be.
    #[error(
        "the marks {from} and {to} must follow each other within the recording, {recording_from} to {recording_to}"
    )]
    Marks {
        /// The earlier mark.
        from: Timestamp,
        /// The later mark.
        to: Timestamp,
        /// Where the recording begins.
        recording_from: Timestamp,
        /// Where the recording ends.
        recording_to: Timestamp,
    },
}
