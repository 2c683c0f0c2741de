//! What a player shows and when, without a clock or a store: `now` is the time since the player began.

use std::sync::Arc;
use std::time::Duration;

use flow::Timestamp;
use replay::player::{Command, Player, PlayerError};
use store::question::Window;

use super::FRAMES_PER_SECOND_MAX;
use super::messages::{Change, Knowledge, Order, PlayerState, Program, refused};
use crate::ApiError;

/// From one question to the next, at least.
const GAP: Duration = Duration::from_millis(1000 / FRAMES_PER_SECOND_MAX as u64);

/// A player's clock, and what is made of its frames.
#[derive(Clone, Debug)]
pub(super) struct Show {
    player: Player,
    program: Arc<Program>,
    knowledge: Knowledge,
    /// The position that was asked about last, and when.
    asked: Option<(Timestamp, Duration)>,
    /// Whether the answer about that position is what people see.
    answered: bool,
    /// The same position has to be asked about again: with other knowledge or other views, or as an answer came too late.
    again: bool,
    /// A question about that position failed.
    failed: bool,
    /// The position was moved since the last frame that people saw.
    jumped: bool,
    /// How often somebody changed what is to be seen: an answer to a question of before is of no use.
    changes: u64,
}

/// What to ask the store for a frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    /// Where the player is.
    pub(super) position: Timestamp,
    /// The event time up to there.
    pub(super) window: Window,
    /// What may be known: only what had arrived by then.
    pub(super) known_at: Option<Timestamp>,
    /// What is shown of it.
    pub(super) program: Arc<Program>,
    changes: u64,
}

impl Show {
    pub(super) fn new(player: Player, program: Arc<Program>, knowledge: Knowledge) -> Self {
        Self {
            player,
            program,
            knowledge,
            asked: None,
            answered: false,
            again: false,
            failed: false,
            jumped: false,
            changes: 0,
        }
    }

    pub(super) fn state(&self, now: Duration) -> PlayerState {
        PlayerState::new(self.player.state(now), self.knowledge)
    }

    /// Does what it is told; on an error it goes on as before.
    ///
    /// # Errors
    ///
    /// 400: what is wrong with it.
    pub(super) fn tell(&mut self, order: Order, now: Duration) -> Result<(), ApiError> {
        match order {
            Order::Move(command) => self.move_by(command, now).map_err(refused),
            Order::Know(knowledge) => {
                if self.knowledge != knowledge {
                    self.knowledge = knowledge;
                    self.ask_again();
                }
                Ok(())
            }
            Order::Show(change) => self.show(change, now),
        }
    }

    fn show(&mut self, change: Change, now: Duration) -> Result<(), ApiError> {
        let program = self.program.with(change);
        program.check(self.player.at(now))?;
        if program != *self.program {
            self.program = Arc::new(program);
            self.ask_again();
        }
        Ok(())
    }

    fn ask_again(&mut self) {
        self.changes += 1;
        self.again = true;
    }

    fn move_by(&mut self, command: Command, now: Duration) -> Result<(), PlayerError> {
        let before = self.player.at(now);
        self.player.tell(command, now)?;
        if self.player.at(now) != before {
            self.changes += 1;
        }
        Ok(())
    }

    /// When the next frame is due; `None` while nothing changes.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let moved = self.player.next_frame(now);
        let again = self.asked.filter(|_| self.again);
        let again = again.map(|(_, at)| now.max(at.saturating_add(GAP)));
        moved.into_iter().chain(again).min()
    }

    /// Whether the last answer shows where the player is.
    pub(super) fn is_shown(&self, now: Duration) -> bool {
        self.answered && self.due(now).is_none_or(|due| due > now)
    }

    /// Asks again if one of the last questions failed.
    pub(super) fn retry(&mut self) {
        self.again |= self.failed;
    }

    /// What to ask now, if a frame is due.
    pub(super) fn take(&mut self, now: Duration) -> Option<Moment> {
        if self.due(now)? > now {
            return None;
        }
        let position = match (self.player.frame(now), self.asked) {
            (Some(frame), _) => {
                self.jumped |= frame.jumped;
                frame.position
            }
            (None, Some((position, _))) => position,
            (None, None) => return None,
        };
        (self.answered, self.again, self.failed) = (false, false, false);
        self.asked = Some((position, now));
        Some(self.moment(position))
    }

    fn moment(&self, position: Timestamp) -> Moment {
        Moment {
            position,
            window: self.program.before(position),
            known_at: match self.knowledge {
                Knowledge::Then => Some(position),
                Knowledge::Final => None,
            },
            program: self.program.clone(),
            changes: self.changes,
        }
    }

    /// Whether the answer about a moment is still what is to be seen; else it is asked for again. When it is, says whether
    /// the position was moved since the last one that was.
    pub(super) fn seen(&mut self, moment: &Moment) -> Option<bool> {
        if moment.changes != self.changes {
            self.again = true;
            return None;
        }
        self.answered = true;
        Some(std::mem::take(&mut self.jumped))
    }

    /// A question about the last moment failed: the next frame may do better.
    pub(super) fn missed(&mut self) {
        self.failed = true;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flow::Filter;
    use flow::clock::NANOS_PER_MILLI;
    use replay::player::{Frames, Stride};

    use store::question::Scope;

    use super::*;
    use crate::view::View;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Flow records of windows of so many seconds.
    fn program(seconds: u64) -> Arc<Program> {
        Arc::new(Program {
            views: BTreeMap::from([("all".to_owned(), View::Flows { limit: None })]),
            filter: Filter::default(),
            window: Duration::from_secs(seconds),
            scope: Scope::default(),
        })
    }

    /// Of a minute, with windows of ten seconds.
    fn show() -> Show {
        let player = Player::new(at(0)..at(60), Frames::default()).unwrap();
        Show::new(player, program(10), Knowledge::Then)
    }

    fn told(show: &mut Show, commands: &[Command], now: Duration) {
        for command in commands {
            show.tell(Order::Move(*command), now).unwrap();
        }
    }

    #[test]
    fn a_frame_shows_the_window_before_its_position_as_it_looked_then() {
        let mut show = show();
        let first = show.take(ms(0)).unwrap();
        assert_eq!(first.position, at(0));
        assert_eq!(
            (first.window.from, first.window.to, first.known_at),
            (at(-10), at(0), Some(at(0)))
        );
        assert_eq!(show.seen(&first), Some(true));
        assert_eq!(show.take(ms(5000)), None);
        told(&mut show, &[Command::Play], ms(5000));
        assert_eq!(show.due(ms(5000)), Some(ms(6000)));
        let second = show.take(ms(6000)).unwrap();
        assert_eq!(second.position, at(1));
        assert_eq!(show.seen(&second), Some(false));
    }

    #[test]
    fn frames_that_the_store_had_no_time_for_are_left_out() {
        let mut show = show();
        told(&mut show, &[Command::Play], ms(0));
        let first = show.take(ms(0)).unwrap();
        // Its answer takes five and a half seconds.
        show.seen(&first);
        assert_eq!(show.take(ms(5500)).unwrap().position, at(5));
        assert_eq!(show.take(ms(5700)), None);
    }

    #[test]
    fn an_answer_that_a_command_overtook_is_not_shown() {
        let mut show = show();
        let first = show.take(ms(0)).unwrap();
        told(&mut show, &[Command::Seek { to: at(30) }], ms(40));
        assert_eq!(show.seen(&first), None);
        // Not more often than ten times a second.
        assert_eq!(show.due(ms(50)), Some(ms(100)));
        let second = show.take(ms(100)).unwrap();
        assert_eq!((second.position, show.seen(&second)), (at(30), Some(true)));
        assert_eq!(show.due(ms(100)), None);
        // A pause changes nothing that is to be seen.
        told(&mut show, &[Command::Play], ms(200));
        let third = show.take(ms(1200)).unwrap();
        told(&mut show, &[Command::Pause], ms(1250));
        assert_eq!(show.seen(&third), Some(false));
    }

    #[test]
    fn other_knowledge_shows_the_same_moment_again() {
        let mut show = show();
        told(&mut show, &[Command::Seek { to: at(20) }], ms(0));
        let first = show.take(ms(0)).unwrap();
        show.seen(&first);
        assert!(show.is_shown(ms(1000)));
        show.tell(Order::Know(Knowledge::Final), ms(1000)).unwrap();
        assert!(!show.is_shown(ms(1000)));
        let again = show.take(ms(1000)).unwrap();
        assert_eq!((again.position, again.known_at), (at(20), None));
        assert_eq!(show.seen(&again), Some(false));
        show.tell(Order::Know(Knowledge::Final), ms(2000)).unwrap();
        assert_eq!(show.due(ms(2000)), None, "nothing has changed");
    }

    #[test]
    fn other_views_show_the_same_moment_again_and_the_clock_goes_on() {
        let mut show = show();
        told(&mut show, &[Command::Seek { to: at(20) }], ms(0));
        let first = show.take(ms(0)).unwrap();
        let change = |window: u64| {
            Order::Show(Change {
                views: None,
                filter: None,
                window: Some(Duration::from_secs(window)),
            })
        };
        let before = show.state(ms(50));
        show.tell(change(30), ms(50)).unwrap();
        assert_eq!(show.state(ms(50)), before);
        assert_eq!(
            show.seen(&first),
            None,
            "it shows what was asked for before"
        );
        let second = show.take(ms(100)).unwrap();
        assert_eq!((second.window.from, second.window.to), (at(-10), at(20)));
        assert_eq!(show.seen(&second), Some(true));
        show.tell(change(30), ms(1000)).unwrap();
        assert_eq!(show.due(ms(1000)), None, "nothing has changed");
        let none = Change {
            views: Some(BTreeMap::new()),
            filter: None,
            window: None,
        };
        assert!(show.tell(Order::Show(none), ms(1000)).is_err());
        assert_eq!(show.due(ms(1000)), None);
    }

    #[test]
    fn a_jump_whose_answer_came_too_late_is_told_with_the_next() {
        let mut show = show();
        let first = show.take(ms(0)).unwrap();
        show.tell(Order::Know(Knowledge::Final), ms(50)).unwrap();
        assert_eq!(show.seen(&first), None);
        let second = show.take(ms(100)).unwrap();
        assert_eq!((second.position, show.seen(&second)), (at(0), Some(true)));
    }

    #[test]
    fn a_question_that_failed_is_asked_again_for_the_next_listener() {
        let mut show = show();
        show.take(ms(0)).unwrap();
        assert!(!show.is_shown(ms(10)), "it is being asked");
        show.missed();
        assert_eq!(show.due(ms(1000)), None);
        show.retry();
        let again = show.take(ms(1000)).unwrap();
        assert_eq!((again.position, show.seen(&again)), (at(0), Some(true)));
        assert!(show.is_shown(ms(1000)));
        show.retry();
        assert_eq!(show.due(ms(2000)), None);
    }

    #[test]
    fn no_more_than_ten_frames_a_second_at_any_speed() {
        let frames = Frames {
            width: ms(1),
            per_second_max: FRAMES_PER_SECOND_MAX,
        };
        let player = Player::new(at(0)..at(60), frames).unwrap();
        let mut show = Show::new(player, program(1), Knowledge::Then);
        told(&mut show, &[Command::Play], ms(0));
        let taken = (0..2000).filter(|now| show.take(ms(*now)).is_some());
        assert_eq!(taken.count(), 20);
        // Steps and seeks too, whatever the pace at which they come.
        let step = Command::Step(Stride::Millis(1));
        let taken = (2000..4000).filter(|now| {
            told(&mut show, &[step], ms(*now));
            show.take(ms(*now)).is_some()
        });
        assert_eq!(taken.count(), 20);
        assert_eq!(
            GAP.as_nanos(),
            u128::from(100 * NANOS_PER_MILLI.unsigned_abs())
        );
    }
}
