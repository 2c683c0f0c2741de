//! The clock of a player that shows a recording: where it is, when the next frame is due, and what people may tell it.
//!
//! | module | holds |
//! |---|---|
//! | [`command`] | what people tell a player, and why it may refuse |
//! | [`frame`] | when a player shows something anew, and what it says then |
//! | `reel` | the arithmetic: a place that moves as time passes |
//!
//! Nothing here looks at a clock. `now` is always the time since the player began, by a clock that is never set back; a
//! `now` before that of an earlier call counts as that one.

use std::ops::Range;
use std::time::Duration;

use flow::Timestamp;
use serde::{Deserialize, Serialize};

pub mod command;
pub mod frame;
mod reel;
#[cfg(test)]
mod tests;

pub use command::{Command, PlayerError, Stride};
pub use frame::{Frame, Frames};

use reel::{Reel, Speed};

/// A player of one recording.
///
/// The position is always between the marks, both included; the marks are the recording's own ends until somebody sets
/// others. While it plays, the position is exactly `speed` times the time that has passed since the last command, counted
/// from where it was then: in thousandths of a nanosecond, so that no number of commands makes it drift. At the later mark
/// it pauses, or goes on at the earlier one if it loops.
///
/// ```
/// use std::time::Duration;
/// use flow::Timestamp;
/// use replay::player::{Command, Frames, Player};
///
/// let recording = Timestamp::from_seconds(1_000)..Timestamp::from_seconds(1_600);
/// let mut player = Player::new(recording, Frames::default())?;
/// player.tell(Command::Speed { times: 10.0 }, Duration::ZERO)?;
/// player.tell(Command::Play, Duration::from_secs(1))?;
/// assert_eq!(player.at(Duration::from_secs(4)), Timestamp::from_seconds(1_030));
/// # Ok::<(), replay::player::PlayerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Player {
    recording: Range<Timestamp>,
    reel: Reel,
    frames: Frames,
    /// Up to here frames were given: the start of the next frame's window.
    shown: Timestamp,
    /// When the last frame was given; `None` before the first.
    shown_at: Option<Duration>,
    /// Somebody moved the position since the last frame; `shown` is where it went on.
    jumped: bool,
    /// The position went from the later mark to the earlier one since the last frame.
    wrapped: bool,
}

/// What a player does, for people and pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct State {
    /// Where in the recording it is.
    pub position: Timestamp,
    /// Whether the position moves.
    pub playing: bool,
    /// How many times as fast as it was, exact to a thousandth.
    pub times: f64,
    /// Whether it goes on at `from` when it comes to `to`.
    #[serde(rename = "loop")]
    pub looping: bool,
    /// The earlier mark.
    pub from: Timestamp,
    /// The later mark.
    pub to: Timestamp,
    /// Where the recording begins.
    pub recording_from: Timestamp,
    /// Where the recording ends.
    pub recording_to: Timestamp,
}

impl Player {
    /// A player at the start of a recording, paused, at the speed at which it was recorded, without a loop. Its first frame
    /// is due at once.
    ///
    /// # Errors
    ///
    /// [`PlayerError::Empty`] if the recording does not end after its start; the caller shows it.
    pub fn new(recording: Range<Timestamp>, frames: Frames) -> Result<Self, PlayerError> {
        let Range { start, end } = recording;
        if start >= end {
            return Err(PlayerError::Empty {
                from: start,
                to: end,
            });
        }
        Ok(Self {
            reel: Reel::new(start..end),
            frames,
            shown: start,
            shown_at: None,
            jumped: true,
            wrapped: false,
            recording: start..end,
        })
    }

    /// Where in the recording it is; rounded down to the nanosecond.
    pub fn at(&self, now: Duration) -> Timestamp {
        self.reel.at(now).reel.position()
    }

    /// Whether the position moves. False at the later mark, unless it loops.
    pub fn is_playing(&self, now: Duration) -> bool {
        self.reel.at(now).reel.playing
    }

    /// All of it.
    pub fn state(&self, now: Duration) -> State {
        let reel = self.reel.at(now).reel;
        State {
            position: reel.position(),
            playing: reel.playing,
            times: reel.speed.times(),
            looping: reel.looping,
            from: reel.marks.start,
            to: reel.marks.end,
            recording_from: self.recording.start,
            recording_to: self.recording.end,
        }
    }

    /// Does what it is told.
    ///
    /// # Errors
    ///
    /// [`PlayerError`], and the player goes on as before; the caller shows it to whoever gave the command.
    pub fn tell(&mut self, command: Command, now: Duration) -> Result<(), PlayerError> {
        self.settle(now);
        match command {
            Command::Play => self.play(),
            Command::Pause => self.reel.playing = false,
            Command::Step(stride) => {
                self.reel.playing = false;
                let nanos = match stride {
                    Stride::Frames(count) => self.frames.width_nanos().saturating_mul(count),
                    Stride::Millis(millis) => millis.saturating_mul(flow::clock::NANOS_PER_MILLI),
                };
                self.jump(self.reel.position().offset(nanos));
            }
            Command::Seek { to } => self.jump(to),
            Command::Speed { times } => self.reel.speed = Speed::new(times)?,
            Command::Loop { on } => self.reel.looping = on,
            Command::Marks { from, to } => self.mark(from, to)?,
        }
        Ok(())
    }

    /// At the later mark there is nothing left to play: it begins again.
    fn play(&mut self) {
        if self.reel.position() == self.reel.marks.end {
            self.jump(self.reel.marks.start);
        }
        self.reel.playing = true;
    }

    fn mark(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), PlayerError> {
        let recording = &self.recording;
        let from = from.unwrap_or(recording.start);
        let to = to.unwrap_or(recording.end);
        if from < recording.start || to > recording.end || from >= to {
            return Err(PlayerError::Marks {
                from,
                to,
                recording_from: recording.start,
                recording_to: recording.end,
            });
        }
        let position = self.reel.position();
        self.reel.marks = from..to;
        let outside = !(from..=to).contains(&position) || !(from..=to).contains(&self.shown);
        if outside || self.wrapped {
            self.jump(position);
        }
        Ok(())
    }

    /// Somebody moves the position: between the marks, wherever they asked for. What was played since the last frame is
    /// not shown any more.
    fn jump(&mut self, to: Timestamp) {
        self.reel.place(to);
        self.shown = self.reel.position();
        self.jumped = true;
        self.wrapped = false;
    }

    /// Brings the arithmetic to `now`, and keeps in mind what frames have to tell.
    fn settle(&mut self, now: Duration) {
        let moved = self.reel.at(now);
        self.reel = moved.reel;
        self.wrapped |= moved.wrapped;
    }
}
