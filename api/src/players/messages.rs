//! What is told to a player, and what it tells.

use std::time::Duration;

use flow::{Filter, Timestamp};
use replay::player::{Command, Frames, Player, PlayerError, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use store::question::{Scope, Subject, Window};
use utoipa::ToSchema;

use super::FRAMES_PER_SECOND_MAX;
use super::show::Show;
use crate::ApiError;
use crate::parameters::{parse_duration, time};
use crate::view::View;

/// How much event time before its position a frame shows, if nobody says.
const WINDOW: Duration = Duration::from_secs(60);
/// How far apart frames are, in the recording's time, if nobody says.
const FRAME: Duration = Duration::from_secs(1);

/// A player to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlayer {
    /// Plays a recording, by name, id or number; what is live if left out.
    pub(super) recording: Option<String>,
    /// The earlier mark: RFC 3339, a date, or seconds since 1970. The recording's first instant of arrival if left out.
    pub(super) from: Option<String>,
    /// The later mark; the recording's last instant of arrival if left out.
    pub(super) to: Option<String>,
    /// What to show.
    pub(super) view: View,
    /// Which flows, in the filter language; all if left out.
    pub(super) filter: Option<String>,
    /// How much event time before its position a frame shows: `60s` if left out.
    pub(super) window: Option<String>,
    /// What is known in a frame: what had arrived by then if left out.
    #[serde(default)]
    pub(super) knowledge: Knowledge,
    /// Frames are at whole multiples of this in the recording's time: `1s` if left out.
    pub(super) frame: Option<String>,
    /// How many times as fast as it was, from 0.1 to 1,000; 1 if left out.
    pub(super) speed: Option<f64>,
    /// Whether to play at once.
    #[serde(default)]
    pub(super) play: bool,
    /// Whether to go on at `from` when it comes to `to`.
    #[serde(default, rename = "loop")]
    pub(super) looping: bool,
}

/// What is known in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Knowledge {
    /// Only what had arrived by the frame's position: as it looked then.
    #[default]
    Then,
    /// Everything that has arrived since: as it is finally known.
    Final,
}

/// What somebody told a player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Move(Command),
    Know(Knowledge),
}

/// A command: `{"do":"play"}`, `{"do":"pause"}`, `{"do":"step","frames":-1}`, `{"do":"step","millis":250}`,
/// `{"do":"seek","to":"2026-03-01T10:42:00Z"}`, `{"do":"speed","times":10}`, `{"do":"loop","on":true}`,
/// `{"do":"marks","from":…,"to":…}` or `{"do":"knowledge","to":"final"}`.
///
/// This is for the OpenAPI document only; [`Order::read`] reads it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says how a command is written")]
pub(crate) struct CommandBody {
    /// `play`, `pause`, `step`, `seek`, `speed`, `loop`, `marks` or `knowledge`.
    r#do: String,
    /// `step`: so many frames, forward or back.
    frames: Option<i64>,
    /// `step`: so many milliseconds of the recording, forward or back.
    millis: Option<i64>,
    /// `seek`: where to. `marks`: the later mark; the recording's end if left out. `knowledge`: `then` or `final`.
    to: Option<String>,
    /// `marks`: the earlier mark; the recording's start if left out.
    from: Option<String>,
    /// `speed`: how many times as fast as it was.
    times: Option<f64>,
    /// `loop`: whether to go on at the earlier mark.
    on: Option<bool>,
}

/// The only command that is no matter of the player's clock.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Know {
    Knowledge { to: Knowledge },
}

/// What a player does.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PlayerState {
    /// Where it is.
    #[schema(value_type = String, format = DateTime)]
    position: Timestamp,
    /// Whether the position moves.
    playing: bool,
    /// How many times as fast as it was, exact to a thousandth.
    times: f64,
    /// Whether it goes on at `from` when it comes to `to`.
    #[serde(rename = "loop")]
    looping: bool,
    /// The earlier mark.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// The later mark.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Where the recording begins.
    #[schema(value_type = String, format = DateTime)]
    recording_from: Timestamp,
    /// Where the recording ends; of one that goes on, where it ended when the player was made.
    #[schema(value_type = String, format = DateTime)]
    recording_to: Timestamp,
    /// What is known in a frame.
    knowledge: Knowledge,
}

/// A player that was made.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Made {
    /// Its name: 32 hex digits that nobody guesses.
    pub(super) id: String,
    /// What it does.
    pub(super) state: PlayerState,
}

/// The data of an `event: frame`.
#[derive(Debug, Serialize)]
pub(super) struct FrameEvent<'a> {
    pub(super) position: Timestamp,
    pub(super) window: Span,
    /// Whether the position was moved since the frame before, by a command or by the loop.
    pub(super) jumped: bool,
    pub(super) state: PlayerState,
    /// What the question's own route answers.
    pub(super) answer: &'a RawValue,
}

/// The event times of a frame: `from` is in it, `to` is not.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl From<Window> for Span {
    fn from(window: Window) -> Self {
        Self {
            from: window.from,
            to: window.to,
        }
    }
}

impl PlayerState {
    pub(super) fn new(state: State, knowledge: Knowledge) -> Self {
        Self {
            position: state.position,
            playing: state.playing,
            times: state.times,
            looping: state.looping,
            from: state.from,
            to: state.to,
            recording_from: state.recording_from,
            recording_to: state.recording_to,
            knowledge,
        }
    }
}

/// What is shown of whom; the same for all frames of a player.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The recording's id; what is live without one.
    pub(super) recording: Option<String>,
    pub(super) view: View,
    pub(super) filter: Filter,
}

impl Program {
    /// What is asked about at a moment, before it is narrowed down to a recording.
    pub(super) fn subject(&self, window: Window, known_at: Option<Timestamp>) -> Subject {
        Subject {
            window,
            filter: self.filter.clone(),
            known_at,
            arrived: None,
            scope: Scope::default(),
        }
    }
}

impl NewPlayer {
    /// What it shows, and its clock, at the first instant. `recording` is the id and the window of the recording that it
    /// names.
    ///
    /// # Errors
    ///
    /// 400 with the parameter that is wrong.
    pub(super) fn begin(
        self,
        recording: Option<(String, Window)>,
    ) -> Result<(Program, Show), ApiError> {
        let length = |name: &'static str, text: &Option<String>, otherwise: Duration| {
            let read = text.as_deref().map(parse_duration).transpose();
            let read = read.map_err(|error| ApiError::parameter(name, error))?;
            Ok::<_, ApiError>(read.unwrap_or(otherwise))
        };
        let instant = |name: &'static str, text: &Option<String>| {
            text.as_deref().map(|text| time(name, text)).transpose()
        };
        let window = length("window", &self.window, WINDOW)?;
        let frames = Frames {
            width: length("frame", &self.frame, FRAME)?,
            per_second_max: FRAMES_PER_SECOND_MAX,
        };
        let (from, to) = (instant("from", &self.from)?, instant("to", &self.to)?);
        let filter = Filter::parse(self.filter.as_deref().unwrap_or_default());
        let (recording, within) = recording.unzip();
        let program = Program {
            recording,
            filter: filter.map_err(|error| ApiError::filter(&error))?,
            view: self.view,
        };
        let mut player = clock(within, from, to, frames)?;
        let mut tell = |command| player.tell(command, Duration::ZERO).map_err(refused);
        if let Some(times) = self.speed {
            tell(Command::Speed { times })?;
        }
        tell(Command::Loop { on: self.looping })?;
        if self.play {
            tell(Command::Play)?;
        }
        let position = player.at(Duration::ZERO);
        let first = Window {
            from: position - window,
            to: position,
        };
        let first = program.subject(first, None);
        program.view.question(first)?.check()?;
        Ok((program, Show::new(player, window, self.knowledge)))
    }
}

/// The clock between these marks, of a recording or of what is live.
fn clock(
    recording: Option<Window>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    frames: Frames,
) -> Result<Player, ApiError> {
    let needed = |name: &'static str, mark: Option<Timestamp>| {
        let why = || format!("without a recording, '{name}' has to say what is played");
        mark.ok_or_else(|| ApiError::parameter(name, why()))
    };
    let Some(Window {
        from: first,
        to: last,
    }) = recording
    else {
        let marks = needed("from", from)?..needed("to", to)?;
        return Player::new(marks, frames).map_err(refused);
    };
    let mut player = Player::new(first..last, frames).map_err(refused)?;
    if from.or(to).is_some() {
        let marks = Command::Marks { from, to };
        player.tell(marks, Duration::ZERO).map_err(refused)?;
    }
    Ok(player)
}

impl Order {
    /// Reads a command.
    ///
    /// # Errors
    ///
    /// 400: what is wrong with it.
    pub(super) fn read(written: Map<String, Value>) -> Result<Self, ApiError> {
        let is_knowledge = written.get("do").is_some_and(|what| what == "knowledge");
        let fields = written.len();
        let written = Value::Object(written);
        let read = match is_knowledge {
            true => serde_json::from_value(written).map(|Know::Knowledge { to }| Self::Know(to)),
            false => serde_json::from_value(written).map(Self::Move),
        };
        let read = read.map_err(|error| ApiError::parameter("body", error.to_string()))?;
        // serde does not look for unknown fields where there should be none.
        if fields > 1 && matches!(read, Self::Move(Command::Play | Command::Pause)) {
            let why = "'play' and 'pause' have no other fields than 'do'";
            return Err(ApiError::parameter("body", why));
        }
        Ok(read)
    }
}

/// 400: the player's reason, with the parameter that is wrong.
pub(super) fn refused(error: PlayerError) -> ApiError {
    let parameter = match error {
        PlayerError::Empty { .. } | PlayerError::Marks { .. } => "from",
        PlayerError::Speed(_) => "speed",
    };
    ApiError::parameter(parameter, error.to_string())
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde_json::json;

    use super::*;
    use crate::error::ErrorBody;

    fn new(body: Value) -> Result<NewPlayer, serde_json::Error> {
        serde_json::from_value(body)
    }

    fn window() -> Window {
        Window {
            from: Timestamp::from_seconds(1000),
            to: Timestamp::from_seconds(1600),
        }
    }

    /// The parameter that is refused, by the body of the answer.
    async fn wrong(body: Value, recording: bool) -> String {
        let recording = recording.then(|| ("0".repeat(32), window()));
        let error = new(body).unwrap().begin(recording).unwrap_err();
        let answer = error.into_response();
        assert_eq!(answer.status(), 400);
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await;
        let body: ErrorBody = serde_json::from_slice(&body.unwrap()).unwrap();
        body.parameter.unwrap()
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let body = json!({"view": {"top": {"dimension": "applications"}}});
        let begun = new(body).unwrap().begin(Some(("7".repeat(32), window())));
        let (program, mut show) = begun.unwrap();
        assert_eq!(program.recording, Some("7".repeat(32)));
        let state = serde_json::to_value(show.state(Duration::ZERO)).unwrap();
        let expected = json!({
            "position": "1970-01-01T00:16:40.000Z", "playing": false, "times": 1.0, "loop": false,
            "from": "1970-01-01T00:16:40.000Z", "to": "1970-01-01T00:26:40.000Z",
            "recording_from": "1970-01-01T00:16:40.000Z", "recording_to": "1970-01-01T00:26:40.000Z",
            "knowledge": "then",
        });
        assert_eq!(state, expected);
        let first = show.take(Duration::ZERO).unwrap();
        assert_eq!(first.window.from, Timestamp::from_seconds(940));
    }

    #[tokio::test]
    async fn the_parameter_that_is_wrong_is_named() {
        let view = json!({"series": {}});
        let of_recording = [
            (json!({"view": view, "window": "a while"}), "window"),
            (json!({"view": view, "frame": "0s"}), "frame"),
            (json!({"view": view, "from": "yesterday"}), "from"),
            (json!({"view": view, "to": "99"}), "from"),
            (json!({"view": view, "from": "1100", "to": "1100"}), "from"),
            (json!({"view": view, "filter": "app"}), "filter"),
            (json!({"view": view, "speed": 0.05}), "speed"),
            (json!({"view": view, "speed": 1001}), "speed"),
            (json!({"view": {"flows": {"limit": 0}}}), "limit"),
            (json!({"view": {"series": {"step": "1500ms"}}}), "step"),
            (
                json!({"view": {"series": {"step": "1s"}}, "window": "1h"}),
                "step",
            ),
        ];
        for (body, parameter) in of_recording {
            assert_eq!(wrong(body.clone(), true).await, parameter, "{body}");
        }
        let live = json!({"view": view, "from": "1000"});
        assert_eq!(wrong(live, false).await, "to");
        let backwards = json!({"view": view, "from": "1000", "to": "900"});
        assert_eq!(wrong(backwards, false).await, "from");
    }

    #[test]
    fn what_is_not_known_is_no_player() {
        for body in [
            json!({}),
            json!({"view": "top"}),
            json!({"view": {"top": {}}}),
            json!({"view": {"top": {"dimension": "colours"}}}),
            json!({"view": {"top": {"dimension": "sites", "step": "1s"}}}),
            json!({"view": {"top": {"dimension": "sites"}, "flows": {}}}),
            json!({"view": {"flows": {}}, "knowledge": "now"}),
            json!({"view": {"flows": {}}, "speed": "fast"}),
            json!({"view": {"flows": {}}, "colour": "red"}),
        ] {
            assert!(new(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn commands_are_read_as_the_clock_writes_them_and_knowledge_besides() {
        let read = |body: Value| Order::read(body.as_object().unwrap().clone());
        let to = Timestamp::from_seconds(1200);
        let moves = [
            Command::Play,
            Command::Pause,
            Command::Step(replay::player::Stride::Frames(-1)),
            Command::Seek { to },
            Command::Speed { times: 2.5 },
            Command::Loop { on: true },
            Command::Marks {
                from: None,
                to: Some(to),
            },
        ];
        for command in moves {
            let order = read(serde_json::to_value(command).unwrap()).unwrap();
            assert_eq!(order, Order::Move(command));
        }
        let order = read(json!({"do": "knowledge", "to": "final"})).unwrap();
        assert_eq!(order, Order::Know(Knowledge::Final));
        for body in [
            json!({}),
            json!({"do": "explode"}),
            json!({"do": 7}),
            json!({"do": "seek"}),
            json!({"do": "seek", "to": "noon"}),
            json!({"do": "play", "loudly": true}),
            json!({"do": "knowledge"}),
            json!({"do": "knowledge", "to": "less"}),
            json!({"do": "knowledge", "to": "then", "from": "now"}),
        ] {
            assert!(read(body.clone()).is_err(), "{body}");
        }
    }
}
