//! Tickets over HTTP: the button, the queue, and what is done with one.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Deserialize;
use store::catalog::{PAGE_MAX, Step, Ticket, TicketQuery, TicketState};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use super::{Desk, DeskError, Here, NewPress, Opened, Press};
use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{Parameters, Segment};
use crate::people::{Person, SeenFrom};
use crate::pictures::sent;
use crate::router::Api;
use crate::studio::PictureFile;

/// Tickets of a page, if nothing else is said.
const PAGE: u32 = 50;
/// Pages of [`PAGE_MAX`] tickets that are read for one of somebody who does not see all of them: more than are ever open.
const PAGES_MAX: usize = 100;
/// A listener to whom nothing was told for so long gets a comment.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

fn desk(api: &Api) -> Result<Arc<dyn Desk>, ApiError> {
    let desk = api.desk.clone();
    desk.ok_or_else(|| ApiError::not_found("nobody takes tickets here"))
}

/// Where one is seen from, and what that address used in the last ten minutes.
#[utoipa::path(get, path = "/api/v1/here", tag = "tickets", responses((status = 200, body = Here)))]
pub(crate) async fn here(
    State(api): State<Api>,
    person: Person,
    SeenFrom(address): SeenFrom,
) -> Result<Json<Here>, ApiError> {
    Ok(Json(desk(&api)?.here(address, &person.scope).await))
}

/// Reports a problem: a ticket, and a recording of ten minutes before to five after. Story and picture follow in a moment.
///
/// At most three in a minute and twenty in an hour from one reporter; the answer beyond (429) says when the next is taken.
#[utoipa::path(post, path = "/api/v1/tickets", tag = "tickets", request_body = NewPress,
    responses((status = 201, body = Ticket), (status = 400, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 507, body = ErrorBody)))]
pub(crate) async fn press(
    State(api): State<Api>,
    person: Person,
    SeenFrom(address): SeenFrom,
    body: Sent<NewPress>,
) -> Result<Response, ApiError> {
    let new = read(body)?;
    let Some(host) = new.host.or(address) else {
        let why = "it is not known where you are: say which address it is about";
        return Err(ApiError::parameter("host", why));
    };
    let press = Press {
        reporter: person.reporter(address),
        host: host.to_canonical(),
        application: new.application.trim().to_owned(),
        words: new.words.trim().replace("\r\n", "\n"),
    };
    match desk(&api)?.press(press).await {
        Ok(ticket) => Ok((StatusCode::CREATED, Json(ticket)).into_response()),
        Err(DeskError::Slowed { why, wait_s, .. }) => {
            let later = [(header::RETRY_AFTER, wait_s.to_string())];
            let slowed = ApiError::refused(StatusCode::TOO_MANY_REQUESTS, why);
            Ok((later, slowed).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Which tickets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueParameters {
    /// How far they are.
    state: Option<TicketState>,
    /// The address that they are about.
    #[param(value_type = Option<String>)]
    host: Option<IpAddr>,
    /// Its site.
    site: Option<String>,
    /// A server that the host had used.
    #[param(value_type = Option<String>)]
    server: Option<IpAddr>,
    /// Only those that one has reported oneself; of an end user they always are.
    #[serde(default)]
    mine: bool,
    /// Who works on them.
    assignee: Option<String>,
    /// Only those that nobody works on.
    #[serde(default)]
    unassigned: bool,
    /// Only those of a smaller number: the page after that one.
    before: Option<u32>,
    /// How many, 1 to 200; 50 if left out.
    limit: Option<u32>,
}

/// Tickets, newest first: of an end user their own.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", params(QueueParameters),
    responses((status = 200, body = Vec<Ticket>), (status = 400, body = ErrorBody)))]
pub(crate) async fn tickets(
    State(api): State<Api>,
    person: Person,
    SeenFrom(address): SeenFrom,
    Parameters(parameters): Parameters<QueueParameters>,
) -> Result<Json<Vec<Ticket>>, ApiError> {
    let limit = parameters.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let why = format!("limit must be from 1 to {PAGE_MAX}");
        return Err(ApiError::parameter("limit", why));
    }
    if parameters.server.is_some() && !person.scope.sees_all() {
        // Which servers a host used is told with the ticket, as far as they see its flows.
        return Err(ApiError::forbidden(
            "you see a part of the flows only: ask by host, site or state",
        ));
    }
    let query = TicketQuery {
        state: parameters.state,
        host: parameters.host,
        site: parameters.site,
        server: parameters.server,
        reporter: (parameters.mine || !person.works_tickets()).then(|| person.reporter(address)),
        assignee: match parameters.unassigned {
            true => Some(None),
            false => parameters.assignee.map(Some),
        },
        before: parameters.before,
        limit,
    };
    Ok(Json(page(&*desk(&api)?, &person, query).await?))
}

/// A page of what somebody may see.
async fn page(
    desk: &dyn Desk,
    person: &Person,
    mut query: TicketQuery,
) -> Result<Vec<Ticket>, ApiError> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    if !person.scope.sees_all() {
        query.limit = PAGE_MAX;
    }
    let read = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut seen = Vec::new();
    for _ in 0..PAGES_MAX {
        let all = desk.list(&query).await?;
        let was_last = all.len() < read;
        query.before = all.last().map(|ticket| ticket.number);
        let all = all.into_iter().filter(|ticket| person.may_see(ticket));
        seen.extend(all.map(|ticket| person.shown(ticket)));
        if was_last || seen.len() >= limit {
            break;
        }
    }
    seen.truncate(limit);
    Ok(seen)
}

/// The desk, if this person may see this ticket; one that they may not see is unknown to them.
async fn desk_with(api: &Api, person: &Person, number: u32) -> Result<Arc<dyn Desk>, ApiError> {
    let desk = desk(api)?;
    let ticket = desk.show(number).await?;
    match person.may_see(&ticket) {
        true => Ok(desk),
        false => Err(ApiError::not_found(unknown(number))),
    }
}

/// As the catalog says it.
fn unknown(number: u32) -> String {
    format!("the catalog has no ticket '{number}'")
}

/// A ticket with its events, its story and those like it.
#[utoipa::path(get, path = "/api/v1/tickets/{number}", tag = "tickets",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Opened), (status = 404, body = ErrorBody)))]
pub(crate) async fn ticket(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
) -> Result<Json<Opened>, ApiError> {
    let desk = desk_with(&api, &person, number).await?;
    Ok(Json(opened(&*desk, &person, number).await?))
}

async fn opened(desk: &dyn Desk, person: &Person, number: u32) -> Result<Opened, ApiError> {
    let opened = desk.open(number, person.told_within()).await?;
    let mut opened = person.part_of(opened);
    let mut similar = Vec::new();
    for number in opened.similar {
        if person.may_compare(&opened.ticket, &desk.show(number).await?) {
            similar.push(number);
        }
    }
    opened.similar = similar;
    Ok(opened)
}

/// What it looked like: the host's traffic by application in the hour up to the press.
#[utoipa::path(get, path = "/api/v1/tickets/{number}/picture.svg", tag = "tickets",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Vec<u8>, content_type = "image/svg+xml"), (status = 404, body = ErrorBody)))]
pub(crate) async fn picture(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
) -> Result<Response, ApiError> {
    let desk = desk_with(&api, &person, number).await?;
    let picture = match person.may_see_traffic(&desk.show(number).await?) {
        true => desk.picture(number, person.told_within()).await?,
        false => None,
    };
    let none = || ApiError::not_found(format!("ticket {number} has no picture, or not yet"));
    Ok(sent(PictureFile::Svg, picture.ok_or_else(none)?))
}

/// Who works on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    /// An account's name; nobody if `null`.
    to: Option<String>,
}

/// What there is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// Up to 2,000 characters, of several lines.
    #[serde(default)]
    text: String,
}

/// Which one goes on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merging {
    /// The number of the ticket that goes on.
    into: u32,
}

async fn step(
    api: &Api,
    person: &Person,
    number: u32,
    step: Step,
) -> Result<Json<Ticket>, ApiError> {
    let desk = desk_with(api, person, number).await?;
    if let Step::Merge(into) = step {
        desk_with(api, person, into).await?;
    }
    Ok(Json(desk.work(number, &person.name, step).await?))
}

/// Says who works on a ticket.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/assign", tag = "tickets", request_body = Assignment,
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn assign(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
    body: Sent<Assignment>,
) -> Result<Json<Ticket>, ApiError> {
    step(&api, &person, number, Step::Assign(read(body)?.to)).await
}

/// Says something of a ticket. End users may, of their own.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/comments", tag = "tickets", request_body = Words,
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn comment(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
    body: Sent<Words>,
) -> Result<Json<Ticket>, ApiError> {
    let desk = desk_with(&api, &person, number).await?;
    let is_theirs = desk.show(number).await?.reporter == person.name;
    if !is_theirs && !person.may_work() {
        return Err(ApiError::forbidden(
            "you may look at this ticket, and write to your own only",
        ));
    }
    step(&api, &person, number, Step::Comment(read(body)?.text)).await
}

/// Hands a ticket to an engineer.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/escalate", tag = "tickets", request_body = Words,
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn escalate(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
    body: Sent<Words>,
) -> Result<Json<Ticket>, ApiError> {
    step(&api, &person, number, Step::Escalate(read(body)?.text)).await
}

/// Closes a ticket, as another one goes on with it.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/merge", tag = "tickets", request_body = Merging,
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn merge(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
    body: Sent<Merging>,
) -> Result<Json<Ticket>, ApiError> {
    step(&api, &person, number, Step::Merge(read(body)?.into)).await
}

/// Closes a ticket, for a reason.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/close", tag = "tickets", request_body = Words,
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn close(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
    body: Sent<Words>,
) -> Result<Json<Ticket>, ApiError> {
    step(&api, &person, number, Step::Close(read(body)?.text)).await
}

/// Opens a ticket again that was closed.
#[utoipa::path(post, path = "/api/v1/tickets/{number}/reopen", tag = "tickets",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn reopen(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
) -> Result<Json<Ticket>, ApiError> {
    step(&api, &person, number, Step::Reopen).await
}

/// Tells which tickets are new or changed: server-sent events, `event: ticket` with the number.
///
/// `event: missed` says that some were left out, as they were not taken in time: ask for the queue again.
#[utoipa::path(get, path = "/api/v1/tickets/events", tag = "tickets",
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 429, body = ErrorBody)))]
pub(crate) async fn events(
    State(api): State<Api>,
    person: Person,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = api.players.place()?;
    let told = desk(&api)?.bulletin().listen();
    let stopped = || {
        ApiError::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is being stopped",
        )
    };
    let told = told.ok_or_else(stopped)?;
    let listener = (told, person, place);
    let events = futures_util::stream::unfold(listener, |(mut told, person, place)| async {
        let event = loop {
            match told.recv().await {
                Ok(ticket) if person.may_see(&ticket) => {
                    break Event::default()
                        .event("ticket")
                        .data(ticket.number.to_string());
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break Event::default().event("missed").data(""),
                Err(RecvError::Closed) => return None,
            }
        };
        Some((Ok(event), (told, person, place)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Unknown(why) => Self::not_found(why),
            DeskError::Refused(why) => Self::refused(StatusCode::BAD_REQUEST, why),
            DeskError::Conflict(why) => Self::refused(StatusCode::CONFLICT, why),
            DeskError::Slowed { why, .. } => Self::refused(StatusCode::TOO_MANY_REQUESTS, why),
            DeskError::Full(why) => Self::refused(StatusCode::INSUFFICIENT_STORAGE, why),
            DeskError::Busy(why) => Self::refused(StatusCode::SERVICE_UNAVAILABLE, why),
            DeskError::Failed { what, source } => {
                Self::because(StatusCode::INTERNAL_SERVER_ERROR, what, &*source)
            }
        }
    }
}
