#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use flow::Timestamp;
use proptest::prelude::*;

use super::{Command, Frame, Frames, Player, PlayerError, Stride};

/// Seconds of the recording, which is an hour long.
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000).offset(nanos(seconds))
}

#[expect(clippy::cast_possible_truncation, reason = "tests stay below an hour")]
fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

fn now(seconds: f64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos(seconds)).unwrap())
}

fn player() -> Player {
    Player::new(at(0.0)..at(3600.0), Frames::default()).unwrap()
}

fn told(commands: &[(f64, Command)]) -> Player {
    let mut player = player();
    for (seconds, command) in commands {
        player.tell(*command, now(*seconds)).unwrap();
    }
    player
}

fn seek(seconds: f64) -> Command {
    Command::Seek { to: at(seconds) }
}

fn speed(times: f64) -> Command {
    Command::Speed { times }
}

fn marks(from: f64, to: f64) -> Command {
    let (from, to) = (Some(at(from)), Some(at(to)));
    Command::Marks { from, to }
}

const LOOP: Command = Command::Loop { on: true };

#[test]
fn stands_still_until_it_is_told_to_play() {
    let player = told(&[]);
    assert_eq!(player.at(now(100.0)), at(0.0));
    assert!(!player.is_playing(now(100.0)));
}

#[test]
fn moves_as_fast_as_it_is_told_from_where_it_was() {
    // 2 s at 1, 3 s at 10, 4 s paused, 5 s at 0.1: 2 + 30 + 0 + 0.5.
    let player = told(&[
        (1.0, Command::Play),
        (3.0, speed(10.0)),
        (6.0, Command::Pause),
        (9.0, speed(0.1)),
        (10.0, Command::Play),
    ]);
    assert_eq!(player.at(now(15.0)), at(32.5));
    assert!(player.is_playing(now(15.0)));
}

#[test]
fn thirds_of_a_nanosecond_are_not_lost() {
    // At a tenth of the speed, ten nanoseconds make one; a command at each of them must not round anything away.
    let mut player = told(&[(0.0, Command::Play), (0.0, speed(0.1))]);
    for nano in 1..=1_000_000 {
        player.tell(speed(0.1), Duration::from_nanos(nano)).unwrap();
    }
    assert_eq!(player.at(now(0.001)), at(0.0).offset(100_000));
}

#[test]
fn seeks_and_steps_stay_between_the_marks() {
    let ends = [(-5.0, 0.0), (17.5, 17.5), (9999.0, 3600.0)];
    for (to, expected) in ends {
        let player = told(&[(0.0, seek(to))]);
        assert_eq!(player.at(now(1.0)), at(expected));
    }
    let frames = |count| Command::Step(Stride::Frames(count));
    let steps = [(3, 103.0), (-4, 96.0), (i64::MIN, 0.0), (i64::MAX, 3600.0)];
    for (count, expected) in steps {
        let player = told(&[
            (0.0, seek(90.0)),
            (0.0, Command::Play),
            (10.0, frames(count)),
        ]);
        assert_eq!(player.at(now(20.0)), at(expected), "a step pauses");
    }
    let player = told(&[(0.0, Command::Step(Stride::Millis(250)))]);
    assert_eq!(player.at(now(0.0)), at(0.25));
}

#[test]
fn pauses_at_the_later_mark_and_begins_again() {
    let mut player = told(&[(0.0, marks(100.0, 110.0)), (0.0, Command::Play)]);
    assert_eq!(player.at(now(9.0)), at(109.0));
    assert!(player.is_playing(now(9.999)));
    for late in [10.0, 5000.0] {
        assert_eq!(player.at(now(late)), at(110.0));
        assert!(!player.is_playing(now(late)));
    }
    player.tell(LOOP, now(20.0)).unwrap();
    assert!(!player.is_playing(now(20.0)), "it has ended already");
    player.tell(Command::Play, now(21.0)).unwrap();
    assert_eq!(player.at(now(22.0)), at(101.0));
}

#[test]
fn loops_between_the_marks() {
    // 7 s at 4 times from second 100 on: 28 s, twice around ten seconds, and 8.
    let player = told(&[
        (0.0, marks(100.0, 110.0)),
        (0.0, speed(4.0)),
        (0.0, LOOP),
        (0.0, Command::Play),
    ]);
    assert_eq!(player.at(now(7.0)), at(108.0));
    assert_eq!(player.at(now(2.5)), at(100.0));
    assert!(player.is_playing(now(1e6)));
}

#[test]
fn marks_take_the_position_along_or_leave_it() {
    let play = [(0.0, seek(50.0)), (0.0, Command::Play)];
    let mut inside = told(&play);
    inside.tell(marks(40.0, 60.0), now(5.0)).unwrap();
    assert_eq!(inside.at(now(6.0)), at(56.0));
    let mut before = told(&play);
    before.tell(marks(70.0, 80.0), now(5.0)).unwrap();
    assert_eq!(before.at(now(6.0)), at(71.0));
    let none = Command::Marks {
        from: None,
        to: None,
    };
    before.tell(none, now(7.0)).unwrap();
    let state = before.state(now(7.0));
    assert_eq!((state.from, state.to), (at(0.0), at(3600.0)));
}

#[test]
fn refuses_what_cannot_be_and_goes_on() {
    let mut player = told(&[(0.0, Command::Play)]);
    for times in [0.0, 0.09, 1000.1, -1.0, f64::NAN, f64::INFINITY] {
        let error = player.tell(speed(times), now(1.0)).unwrap_err();
        assert!(matches!(error, PlayerError::Speed(_)), "{times}");
    }
    for (from, to) in [(5.0, 5.0), (6.0, 5.0), (-1.0, 5.0), (5.0, 3600.1)] {
        let error = player.tell(marks(from, to), now(1.0)).unwrap_err();
        assert!(matches!(error, PlayerError::Marks { .. }), "{from} {to}");
    }
    assert_eq!(player.at(now(2.0)), at(2.0));
    let nothing = Player::new(at(1.0)..at(1.0), Frames::default());
    assert!(matches!(nothing, Err(PlayerError::Empty { .. })));
    let text = PlayerError::Speed(0.0).to_string();
    assert_eq!(
        text,
        "the speed must be from 0.1 to 1000 times as fast as it was, not 0"
    );
}

/// All frames up to `until`, each with when it was given, by a viewer who asks exactly when one is due.
fn frames(player: &mut Player, from: f64, until: f64) -> Vec<(Duration, Frame)> {
    let (mut at, mut given) = (now(from), Vec::new());
    while let Some(due) = player.next_frame(at).filter(|due| *due <= now(until)) {
        at = due;
        given.push((at, player.frame(at).unwrap()));
    }
    given
}

/// As `(when, position, window's start, jumped)`, in seconds.
fn brief(frames: &[(Duration, Frame)]) -> Vec<(f64, f64, f64, bool)> {
    #[expect(clippy::cast_precision_loss, reason = "tests stay below an hour")]
    let seconds = |of: Timestamp| of.nanos_since(at(0.0)) as f64 / 1e9;
    let brief = |(when, frame): &(Duration, Frame)| {
        assert_eq!(frame.passed.end, frame.position);
        let from = seconds(frame.passed.start);
        (
            when.as_secs_f64(),
            seconds(frame.position),
            from,
            frame.jumped,
        )
    };
    frames.iter().map(brief).collect()
}

#[test]
fn slow_frames_come_at_steps_of_the_recordings_time() {
    // The recording begins on a whole second, the seek does not: the first window is the short one.
    let mut player = told(&[(1.0, seek(20.5)), (2.0, speed(0.5)), (2.0, Command::Play)]);
    let given = brief(&frames(&mut player, 2.0, 7.0));
    let expected = [
        (2.0, 20.5, 20.5, true),
        (3.0, 21.0, 20.5, false),
        (5.0, 22.0, 21.0, false),
        (7.0, 23.0, 22.0, false),
    ];
    assert_eq!(given, expected);
}

#[test]
fn fast_frames_skip_ahead() {
    // At 1000 times, a tenth of a second is 100 seconds; the hour is over after 3.6 s.
    let mut player = told(&[(0.0, speed(1000.0)), (0.0, Command::Play)]);
    let given = brief(&frames(&mut player, 0.0, 100.0));
    assert_eq!(given.len(), 37);
    assert_eq!(given[0], (0.0, 0.0, 0.0, true));
    assert_eq!(given[2], (0.2, 200.0, 100.0, false));
    assert_eq!(given[36], (3.6, 3600.0, 3500.0, false));
    assert_eq!(player.next_frame(now(9.0)), None);
}

#[test]
fn a_loop_shows_its_tail_and_then_jumps() {
    let mut player = told(&[(0.0, marks(10.0, 11.5)), (0.0, LOOP), (0.0, Command::Play)]);
    let given = brief(&frames(&mut player, 0.0, 2.6));
    let expected = [
        (0.0, 10.0, 10.0, true),
        (1.0, 11.0, 10.0, false),
        (1.5, 11.5, 11.0, false),
        (1.6, 10.0, 10.0, true),
        (2.5, 11.0, 10.0, false),
    ];
    assert_eq!(given, expected);
}

#[test]
fn a_jump_is_shown_while_paused_and_then_nothing_is() {
    let mut player = told(&[]);
    assert_eq!(brief(&frames(&mut player, 0.0, 5.0)).len(), 1);
    assert_eq!(player.next_frame(now(5.0)), None);
    player.tell(seek(33.3), now(5.0)).unwrap();
    player.tell(seek(44.4), now(5.01)).unwrap();
    let given = brief(&frames(&mut player, 5.01, 9.0));
    assert_eq!(given, [(5.01, 44.4, 44.4, true)]);
    // One more at once: it waits until a tenth of a second is over.
    player.tell(seek(55.5), now(5.02)).unwrap();
    assert_eq!(player.next_frame(now(5.02)), Some(now(5.11)));
    assert_eq!(player.frame(now(5.1)), None);
}

#[test]
fn commands_and_states_are_json() {
    let texts = [
        (r#"{"do":"play"}"#, Command::Play),
        (r#"{"do":"pause"}"#, Command::Pause),
        (
            r#"{"do":"step","frames":-1}"#,
            Command::Step(Stride::Frames(-1)),
        ),
        (
            r#"{"do":"step","millis":250}"#,
            Command::Step(Stride::Millis(250)),
        ),
        (
            r#"{"do":"seek","to":"2023-11-14T22:13:30.000Z"}"#,
            seek(10.0),
        ),
        (r#"{"do":"speed","times":10.0}"#, speed(10.0)),
        (r#"{"do":"loop","on":true}"#, LOOP),
        (
            r#"{"do":"marks","from":"2023-11-14T22:13:20.000Z","to":"2023-11-14T22:13:21.500Z"}"#,
            marks(0.0, 1.5),
        ),
        (
            r#"{"do":"marks"}"#,
            Command::Marks {
                from: None,
                to: None,
            },
        ),
    ];
    for (text, command) in texts {
        assert_eq!(serde_json::to_string(&command).unwrap(), text);
        assert_eq!(serde_json::from_str::<Command>(text).unwrap(), command);
    }
    let whole = serde_json::from_str::<Command>(r#"{"do":"speed","times":10}"#);
    assert_eq!(whole.unwrap(), speed(10.0));
    for wrong in [
        r#"{"do":"rewind"}"#,
        r#"{"do":"seek"}"#,
        r#"{"do":"seek","to":"soon"}"#,
        r#"{"do":"speed","times":10,"or":20}"#,
        r#"{"do":"step","frames":1,"millis":1}"#,
        r#"{"times":10}"#,
    ] {
        assert!(serde_json::from_str::<Command>(wrong).is_err(), "{wrong}");
    }
    let state = told(&[(0.0, LOOP)]).state(now(1.0));
    assert_eq!(
        serde_json::to_string(&state).unwrap(),
        r#"{"position":"2023-11-14T22:13:20.000Z","playing":false,"times":1.0,"loop":true,"#
            .to_owned()
            + r#""from":"2023-11-14T22:13:20.000Z","to":"2023-11-14T23:13:20.000Z","#
            + r#""recording_from":"2023-11-14T22:13:20.000Z","recording_to":"2023-11-14T23:13:20.000Z"}"#
    );
    let frame = player().frame(now(0.0)).unwrap();
    assert_eq!(
        serde_json::to_string(&frame).unwrap(),
        r#"{"position":"2023-11-14T22:13:20.000Z","passed":{"start":"2023-11-14T22:13:20.000Z","end":"2023-11-14T22:13:20.000Z"},"jumped":true}"#
    );
}

/// Any command, sensible or not.
fn any_command() -> impl Strategy<Value = Command> {
    let any_time = prop_oneof![
        (-100_i64..4_000_000).prop_map(|millis| at(0.0).offset(millis * 1_000_000)),
        any::<i64>().prop_map(Timestamp::from_nanos),
    ];
    prop_oneof![
        Just(Command::Play),
        Just(Command::Pause),
        (-5_i64..5).prop_map(|count| Command::Step(Stride::Frames(count))),
        any::<i64>().prop_map(|millis| Command::Step(Stride::Millis(millis))),
        any_time.clone().prop_map(|to| Command::Seek { to }),
        prop_oneof![0.1..1000.0, any::<f64>()].prop_map(speed),
        any::<bool>().prop_map(|on| Command::Loop { on }),
        (
            proptest::option::of(any_time.clone()),
            proptest::option::of(any_time)
        )
            .prop_map(|(from, to)| Command::Marks { from, to }),
    ]
}

proptest! {
    #[test]
    fn never_leaves_the_marks_nor_runs_backwards(
        commands in prop::collection::vec((0_u64..3_000_000_000, any_command()), 1..40),
        width in 1_u64..20_000_000_000,
    ) {
        let frames = Frames { width: Duration::from_nanos(width), ..Frames::default() };
        let mut player = Player::new(at(0.0)..at(3600.0), frames).unwrap();
        let mut now = Duration::ZERO;
        for (wait, command) in commands {
            let _refused = player.tell(command, now);
            let state = player.state(now);
            prop_assert!(state.recording_from <= state.from && state.to <= state.recording_to);
            let mut before = state.position;
            for part in 0..=4 {
                let then = now + Duration::from_nanos(wait / 4 * part);
                let position = player.at(then);
                prop_assert!(state.from <= position && position <= state.to);
                prop_assert!(state.looping || position >= before);
                prop_assert!(state.playing || position == before);
                before = position;
            }
            now += Duration::from_nanos(wait);
        }
    }

    #[test]
    fn is_where_the_sum_of_all_times_says(
        parts in prop::collection::vec((0_u64..3_000_000, 100_u32..1_000_000), 1..50),
    ) {
        let mut player = told(&[(0.0, Command::Play)]);
        let (mut now, mut expected) = (Duration::ZERO, 0_u64);
        for (nanos, thousandths) in parts {
            player.tell(speed(f64::from(thousandths) / 1000.0), now).unwrap();
            now += Duration::from_nanos(nanos);
            expected += nanos * u64::from(thousandths);
            // The sum is of thousandths of a nanosecond, and below the hour: 50 × 3 ms × 1000 is 150 s.
            let position = at(0.0).offset(i64::try_from(expected / 1000).unwrap());
            prop_assert_eq!(player.at(now), position);
        }
    }

    #[test]
    fn windows_follow_each_other_and_are_not_too_many(
        commands in prop::collection::vec((0_u64..3_000_000_000, any_command()), 1..20),
        width in 1_u64..20_000_000_000,
        late in 0_u64..300_000_000,
    ) {
        let frames = Frames { width: Duration::from_nanos(width), per_second_max: 10 };
        let mut player = Player::new(at(0.0)..at(3600.0), frames).unwrap();
        let (mut now, mut last) = (Duration::ZERO, None::<(Duration, Frame)>);
        for (wait, command) in commands {
            let _refused = player.tell(command, now);
            let end = now + Duration::from_nanos(wait);
            while let Some(due) = player.next_frame(now).filter(|due| *due <= end) {
                prop_assert!(due >= now);
                now = (due + Duration::from_nanos(late)).min(end);
                let frame = player.frame(now).unwrap();
                let state = player.state(now);
                prop_assert!(frame.passed.start <= frame.passed.end);
                prop_assert!(state.from <= frame.passed.start && frame.position <= state.to);
                if let Some((when, last)) = &last {
                    prop_assert!(now - *when >= Duration::from_millis(100));
                    prop_assert!(frame.jumped || frame.passed.start == last.position);
                    prop_assert!(frame.jumped || frame.position > last.position);
                }
                last = Some((now, frame));
            }
            now = end;
        }
    }
}
