//! Players over HTTP: made, told, listened to, ended.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::{Extension, Json};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::messages::{CommandBody, Made, NewPlayer, Order, PlayerState};
use super::running::{Ask, Said};
use super::show::Moment;
use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{Segment, of_recording};
use crate::people::Person;
use crate::people::audit::Noted;
use crate::router::Api;
use crate::view::{Answer, View};

/// Makes a player of a recording, or of a stretch of what is live.
///
/// At most 1,000 at a time. One that nobody listens to for a minute ends, and every one after 24 hours.
#[utoipa::path(post, path = "/api/v1/players", tag = "players", request_body = NewPlayer,
    responses((status = 201, body = Made), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 429, body = ErrorBody)))]
pub(crate) async fn make(
    State(api): State<Api>,
    person: Person,
    body: Sent<NewPlayer>,
) -> Result<(StatusCode, Extension<Noted>, Json<Made>), ApiError> {
    let new = read(body)?;
    let recording = match &new.recording {
        None => None,
        Some(name) => {
            let found = api.archive.find(&person, name).await?;
            Some((found.id, found.window))
        }
    };
    let noted = Noted::object(new.recording.clone().unwrap_or_default());
    let (recording, window) = recording.unzip();
    let show = new.begin(window, person.scope.clone())?;
    let (id, running) = api
        .players
        .begin(&person, show, asking(&api, (&person, recording)))?;
    let state = running.state();
    let made = Json(Made { id, state });
    Ok((StatusCode::CREATED, Extension(noted), made))
}

/// What a player does.
#[utoipa::path(get, path = "/api/v1/players/{id}", tag = "players",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = PlayerState), (status = 404, body = ErrorBody)))]
pub(crate) async fn state(
    State(api): State<Api>,
    person: Person,
    Segment(id): Segment<String>,
) -> Result<Json<PlayerState>, ApiError> {
    Ok(Json(api.players.find(&person, &id)?.state()))
}

/// Tells a player what to do. It does it at once.
#[utoipa::path(post, path = "/api/v1/players/{id}", tag = "players", request_body = CommandBody,
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = PlayerState), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn tell(
    State(api): State<Api>,
    person: Person,
    Segment(id): Segment<String>,
    body: Sent<Map<String, Value>>,
) -> Result<Json<PlayerState>, ApiError> {
    let player = api.players.find(&person, &id)?;
    let written = read(body)?;
    let state = player.order(Order::read(written)?)?;
    Ok(Json(state))
}

/// Ends a player, and the streams of those who listen to it.
#[utoipa::path(delete, path = "/api/v1/players/{id}", tag = "players",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn end(
    State(api): State<Api>,
    person: Person,
    Segment(id): Segment<String>,
) -> Result<StatusCode, ApiError> {
    api.players.end(&person, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Listens to a player: server-sent events, until it ends.
///
/// `event: state` comes first, and after each command: what `GET /api/v1/players/{id}` answers. `event: frame` has
/// `{"position", "window": {"from", "to"}, "jumped", "state", "answers", "errors"}`, where `answers` has for each view, by its
/// name, what the question's own route answers for that window. `errors` is there if a question failed, and says why
/// (`ErrorBody`), by the view's name; the player goes on. The newest frame comes at once if it is where the player is. All listeners of a player get the same frames, at most ten a second. When the
/// store is slower than that, or a listener, frames are left out and never late.
#[utoipa::path(get, path = "/api/v1/players/{id}/frames", tag = "players",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = ErrorBody),
        (status = 429, body = ErrorBody)))]
pub(crate) async fn frames(
    State(api): State<Api>,
    person: Person,
    Segment(id): Segment<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let player = api.players.find(&person, &id)?;
    let listener = player.listen(api.players.place()?);
    let events = futures_util::stream::unfold(listener, |mut listener| async {
        let event = match listener.next().await? {
            Said::Nothing => Event::default().comment(""),
            Said::State(json) => Event::default().event("state").data(&*json),
            Said::Frame(json) => Event::default().event("frame").data(&*json),
        };
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events))
}

/// How a player asks: anew for each frame, as a recording may be moved or removed meanwhile.
fn asking(api: &Api, (person, recording): (&Person, Option<String>)) -> Ask {
    let (api, recording) = (api.clone(), recording.map(Arc::<str>::from));
    let person = Arc::new(person.clone());
    Arc::new(move |moment, view| {
        let (api, person, recording) = (api.clone(), person.clone(), recording.clone());
        let (moment, view) = (moment.clone(), view.clone());
        let answer =
            async move { answer((&api, &person), recording.as_deref(), &moment, &view).await };
        Box::pin(answer) as BoxFuture<'static, _>
    })
}

async fn answer(
    (api, person): (&Api, &Person),
    recording: Option<&str>,
    moment: &Moment,
    view: &View,
) -> Result<Answer, ApiError> {
    let subject = moment.program.subject(moment.window, moment.known_at);
    let (store, subject) = match recording {
        None => (api.store.clone(), subject),
        Some(id) => of_recording(api.archive.find(person, id).await?, subject),
    };
    Ok(view.question(subject)?.ask(&store).await?)
}
