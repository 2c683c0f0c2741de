//! What is told to a player, and what it tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flow::{Filter, Timestamp};
use replay::player::{Command, Frames, Player, PlayerError, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use store::question::{Scope, Subject, Window};
use utoipa::ToSchema;

use super::show::Show;
use super::{FRAMES_PER_SECOND_MAX, VIEW_NAME_MAX, VIEWS_MAX};
use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::{self, parse_duration, time};
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
    /// What to show, by names of the asker's choice: 1 to 12 views.
    pub(super) views: BTreeMap<String, View>,
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
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Move(Command),
    Know(Knowledge),
    Show(Change),
}

/// What to show from now on; what is left out stays.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) views: Option<BTreeMap<String, View>>,
    pub(super) filter: Option<Filter>,
    pub(super) window: Option<Duration>,
}

/// A command: `{"do":"play"}`, `{"do":"pause"}`, `{"do":"step","frames":-1}`, `{"do":"step","millis":250}`,
/// `{"do":"seek","to":"2026-03-01T10:42:00Z"}`, `{"do":"speed","times":10}`, `{"do":"loop","on":true}`,
/// `{"do":"marks","from":…,"to":…}`, `{"do":"knowledge","to":"final"}` or
/// `{"do":"show","views":{…},"filter":"app web","window":"5m"}`.
///
/// This is for the OpenAPI document only; [`Order::read`] reads it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says how a command is written")]
pub(crate) struct CommandBody {
    /// `play`, `pause`, `step`, `seek`, `speed`, `loop`, `marks`, `knowledge` or `show`.
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
    /// `show`: the views that take the place of those that were; these if left out.
    views: Option<BTreeMap<String, View>>,
    /// `show`: which flows; as before if left out, all if empty.
    filter: Option<String>,
    /// `show`: how much event time before its position a frame shows; as before if left out.
    window: Option<String>,
}

/// The commands that are no matter of the player's clock.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Other {
    Knowledge {
        to: Knowledge,
    },
    Show {
        views: Option<BTreeMap<String, View>>,
        filter: Option<String>,
        window: Option<String>,
    },
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
    /// By the view's name: what the question's own route answers.
    pub(super) answers: &'a BTreeMap<String, Box<RawValue>>,
    /// By the view's name: why its question failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) errors: &'a BTreeMap<String, ErrorBody>,
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

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    pub(super) views: BTreeMap<String, View>,
    pub(super) filter: Filter,
    /// How much event time before its position a frame shows.
    pub(super) window: Duration,
    /// What may be seen: fixed when the player is made.
    pub(super) scope: Scope,
}

impl Program {
    /// Whether it can be shown at all, found out without the store.
    ///
    /// # Errors
    ///
    /// 400 with the parameter that is wrong.
    pub(super) fn check(&self, position: Timestamp) -> Result<(), ApiError> {
        if !(1..=VIEWS_MAX).contains(&self.views.len()) {
            let why = format!(
                "a player shows 1 to {VIEWS_MAX} views, not {}",
                self.views.len()
            );
            return Err(ApiError::parameter("views", why));
        }
        for (name, view) in &self.views {
            check_name(name)?;
            let subject = self.subject(self.before(position), None);
            view.question(subject)
                .and_then(|question| question.check())
                .map_err(|error| error.within(&format!("view '{name}'")))?;
        }
        Ok(())
    }

    /// The event time that a frame shows.
    pub(super) fn before(&self, position: Timestamp) -> Window {
        Window {
            from: position - self.window,
            to: position,
        }
    }

    /// What is asked about at a moment, before it is narrowed down to a recording.
    pub(super) fn subject(&self, window: Window, known_at: Option<Timestamp>) -> Subject {
        Subject {
            window,
            filter: self.filter.clone(),
            known_at,
            arrived: None,
            scope: self.scope.clone(),
        }
    }

    /// The same with what somebody changes of it.
    pub(super) fn with(&self, change: Change) -> Self {
        Self {
            views: change.views.unwrap_or_else(|| self.views.clone()),
            filter: change.filter.unwrap_or_else(|| self.filter.clone()),
            window: change.window.unwrap_or(self.window),
            scope: self.scope.clone(),
        }
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    if !(1..=VIEW_NAME_MAX).contains(&length) || !name.chars().all(flow::text::is_shown) {
        let why =
            format!("a view's name has 1 to {VIEW_NAME_MAX} characters, all of which can be shown");
        return Err(ApiError::parameter("views", why));
    }
    Ok(())
}

impl NewPlayer {
    /// What it shows of what may be seen, at the first instant. `recording` is the window of the recording that it names.
    ///
    /// # Errors
    ///
    /// 400 with the parameter that is wrong.
    pub(super) fn begin(self, recording: Option<Window>, scope: Scope) -> Result<Show, ApiError> {
        let instant = |name: &'static str, text: &Option<String>| {
            text.as_deref().map(|text| time(name, text)).transpose()
        };
        let frames = Frames {
            width: length("frame", self.frame.as_deref())?.unwrap_or(FRAME),
            per_second_max: FRAMES_PER_SECOND_MAX,
        };
        let (from, to) = (instant("from", &self.from)?, instant("to", &self.to)?);
        let program = Program {
            views: self.views,
            filter: parameters::filter(self.filter.as_deref())?,
            window: length("window", self.window.as_deref())?.unwrap_or(WINDOW),
            scope,
        };
        let mut player = clock(recording, from, to, frames)?;
        let mut tell = |command| player.tell(command, Duration::ZERO).map_err(refused);
        if let Some(times) = self.speed {
            tell(Command::Speed { times })?;
        }
        tell(Command::Loop { on: self.looping })?;
        if self.play {
            tell(Command::Play)?;
        }
        program.check(player.at(Duration::ZERO))?;
        Ok(Show::new(player, Arc::new(program), self.knowledge))
    }
}

/// A length of time, if it was said.
fn length(name: &'static str, text: Option<&str>) -> Result<Option<Duration>, ApiError> {
    let read = text.map(parse_duration).transpose();
    read.map_err(|error| ApiError::parameter(name, error))
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
        let what = written.get("do").and_then(Value::as_str);
        let is_other = matches!(what, Some("knowledge" | "show"));
        let fields = written.len();
        let written = Value::Object(written);
        let wrong = |error: serde_json::Error| ApiError::parameter("body", error.to_string());
        if is_other {
            return Self::other(serde_json::from_value(written).map_err(wrong)?);
        }
        let read = Self::Move(serde_json::from_value(written).map_err(wrong)?);
        // serde does not look for unknown fields where there should be none.
        if fields > 1 && matches!(read, Self::Move(Command::Play | Command::Pause)) {
            let why = "'play' and 'pause' have no other fields than 'do'";
            return Err(ApiError::parameter("body", why));
        }
        Ok(read)
    }

    fn other(written: Other) -> Result<Self, ApiError> {
        Ok(match written {
            Other::Knowledge { to } => Self::Know(to),
            Other::Show {
                views,
                filter,
                window,
            } => Self::Show(Change {
                views,
                filter: filter
                    .map(|text| parameters::filter(Some(&text)))
                    .transpose()?,
                window: length("window", window.as_deref())?,
            }),
        })
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

    /// So many views.
    fn views_of(count: usize) -> Value {
        let views = (0..count).map(|number| (number.to_string(), json!({"flows": {}})));
        Value::Object(views.collect())
    }

    /// The parameter that is refused, by the body of the answer.
    async fn wrong(body: Value, recording: bool) -> String {
        let error = new(body)
            .unwrap()
            .begin(recording.then(window), Scope::default())
            .unwrap_err();
        let answer = error.into_response();
        assert_eq!(answer.status(), 400);
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await;
        let body: ErrorBody = serde_json::from_slice(&body.unwrap()).unwrap();
        body.parameter.unwrap()
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let body = json!({"views": {"largest": {"top": {"dimension": "applications"}}}});
        let mut show = new(body)
            .unwrap()
            .begin(Some(window()), Scope::default())
            .unwrap();
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
        let views = json!({"line": {"series": {}}});
        let of_recording = [
            (json!({"views": views, "window": "a while"}), "window"),
            (json!({"views": views, "frame": "0s"}), "frame"),
            (json!({"views": views, "from": "yesterday"}), "from"),
            (json!({"views": views, "to": "99"}), "from"),
            (
                json!({"views": views, "from": "1100", "to": "1100"}),
                "from",
            ),
            (json!({"views": views, "filter": "app"}), "filter"),
            (json!({"views": views, "speed": 0.05}), "speed"),
            (json!({"views": views, "speed": 1001}), "speed"),
            (json!({"views": {}}), "views"),
            (json!({"views": {"": {"flows": {}}}}), "views"),
            (json!({"views": {"two\nlines": {"flows": {}}}}), "views"),
            (json!({"views": {"é".repeat(65): {"flows": {}}}}), "views"),
            (json!({"views": views_of(13)}), "views"),
            (json!({"views": {"a": {"flows": {"limit": 0}}}}), "limit"),
            (
                json!({"views": {"a": {"flows": {}}, "b": {"series": {"step": "1500ms"}}}}),
                "step",
            ),
            (
                json!({"views": {"a": {"series": {"step": "1s"}}}, "window": "1h"}),
                "step",
            ),
        ];
        for (body, parameter) in of_recording {
            assert_eq!(wrong(body.clone(), true).await, parameter, "{body}");
        }
        let live = json!({"views": views, "from": "1000"});
        assert_eq!(wrong(live, false).await, "to");
        let backwards = json!({"views": views, "from": "1000", "to": "900"});
        assert_eq!(wrong(backwards, false).await, "from");
    }

    #[test]
    fn what_is_not_known_is_no_player() {
        for body in [
            json!({}),
            json!({"view": {"flows": {}}}),
            json!({"views": "top"}),
            json!({"views": {"flows": {}}}),
            json!({"views": {"a": {"top": {}}}}),
            json!({"views": {"a": {"top": {"dimension": "colours"}}}}),
            json!({"views": {"a": {"top": {"dimension": "sites", "step": "1s"}}}}),
            json!({"views": {"a": {"top": {"dimension": "sites"}, "flows": {}}}}),
            json!({"views": {"a": {"flows": {}}}, "knowledge": "now"}),
            json!({"views": {"a": {"flows": {}}}, "speed": "fast"}),
            json!({"views": {"a": {"flows": {}}}, "colour": "red"}),
        ] {
            assert!(new(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn as_many_views_and_names_as_long_as_may_be() {
        let longest = json!({"é".repeat(64): {"flows": {}}});
        for views in [views_of(12), longest] {
            let body = json!({"views": views});
            assert!(
                new(body)
                    .unwrap()
                    .begin(Some(window()), Scope::default())
                    .is_ok(),
                "{views}"
            );
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
        let order = read(json!({"do": "show", "filter": "app web", "window": "5m"})).unwrap();
        let change = Change {
            views: None,
            filter: Some(Filter::parse("app web").unwrap()),
            window: Some(Duration::from_secs(300)),
        };
        assert_eq!(order, Order::Show(change));
        for body in [
            json!({}),
            json!({"do": "show", "view": {"flows": {}}}),
            json!({"do": "show", "views": {"a": {"top": {}}}}),
            json!({"do": "show", "filter": "app"}),
            json!({"do": "show", "window": "a while"}),
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
