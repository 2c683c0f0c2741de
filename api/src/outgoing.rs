//! What goes out of the house, for admins; and whether somebody wants mail.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flow::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::catalog::{
    MailWish, Message, MessageCounts, MessageQuery, MessageState, NewMessage, Receiver,
};
use utoipa::{IntoParams, ToSchema};

use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{Parameters, Segment};
use crate::people::audit::Noted;
use crate::people::{Person, own};
use crate::router::Api;

/// Messages of an answer, if nothing else is said; and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 200;

/// What the API needs of those who send; the messages themselves are in the catalog.
pub trait Outgoing: Send + Sync + 'static {
    /// The mail server; `None` if mail is not set up.
    fn mail(&self) -> Option<&MailServer>;
    /// Tells that there is something to send.
    fn wake(&self);
}

/// Where mail goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailServer {
    /// Its name and port.
    pub server: String,
    /// Who mail is from.
    pub from: String,
}

/// What goes out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outbox {
    /// The mail server; none if mail is not set up.
    mail: Option<MailServer>,
    /// How many wait, and how many were given up.
    counts: MessageCounts,
    /// Those that were asked for, newest first. What was sent is known for seven days.
    messages: Vec<Message>,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutboxParameters {
    /// How far they are.
    state: Option<MessageState>,
    /// Only those of a smaller number.
    before: Option<i64>,
    /// How many, 1 to 200; 50 if left out.
    limit: Option<u32>,
}

fn outgoing(api: &Api) -> Result<Arc<dyn Outgoing>, ApiError> {
    let outgoing = api.outgoing.clone();
    outgoing.ok_or_else(|| ApiError::not_found("nothing goes out here"))
}

/// Mails and calls of webhooks: what waits, what was given up and why, what was sent.
#[utoipa::path(get, path = "/api/v1/outgoing", tag = "outgoing", params(OutboxParameters),
    responses((status = 200, body = Outbox), (status = 400, body = ErrorBody)))]
pub(crate) async fn messages(
    State(api): State<Api>,
    Parameters(parameters): Parameters<OutboxParameters>,
) -> Result<Json<Outbox>, ApiError> {
    let limit = parameters.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let why = format!("limit must be from 1 to {PAGE_MAX}");
        return Err(ApiError::parameter("limit", why));
    }
    let query = MessageQuery {
        state: parameters.state,
        before: parameters.before,
        limit,
    };
    let catalog = api.people.catalog();
    Ok(Json(Outbox {
        mail: outgoing(&api)?.mail().cloned(),
        counts: catalog.message_counts().await?,
        messages: catalog.messages(&query).await?,
    }))
}

/// What is to be tried at once.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Again {
    /// A message that waits or was given up; all that were given up, if left out.
    number: Option<i64>,
}

/// How many messages are tried.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tried {
    /// So many.
    messages: u64,
}

/// Has a message tried at once, or all that were given up.
#[utoipa::path(post, path = "/api/v1/outgoing/again", tag = "outgoing", request_body = Again,
    responses((status = 200, body = Tried), (status = 404, body = ErrorBody)))]
pub(crate) async fn again(State(api): State<Api>, body: Sent<Again>) -> Result<Response, ApiError> {
    let again = read(body)?;
    let outgoing = outgoing(&api)?;
    let catalog = api.people.catalog();
    let messages = catalog.send_again(again.number, clock::now()).await?;
    if messages == 0 && again.number.is_some() {
        return Err(ApiError::not_found("there is no such message to be sent"));
    }
    outgoing.wake();
    let noted =
        Noted::object("again").with(json!({ "number": again.number, "messages": messages }));
    Ok((Extension(noted), Json(Tried { messages })).into_response())
}

/// Drops a message that was not sent.
#[utoipa::path(delete, path = "/api/v1/outgoing/{number}", tag = "outgoing",
    params(("number" = i64, Path, description = "Its number")),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn drop_message(
    State(api): State<Api>,
    Segment(number): Segment<i64>,
) -> Result<StatusCode, ApiError> {
    match api.people.catalog().drop_message(number).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("there is no such message to be sent")),
    }
}

/// Where a mail goes that tries the way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailTest {
    /// An e-mail address.
    to: String,
}

/// Sends a mail to see that mail arrives.
#[utoipa::path(post, path = "/api/v1/outgoing/test", tag = "outgoing", request_body = MailTest,
    responses((status = 202), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn test(
    State(api): State<Api>,
    person: Person,
    body: Sent<MailTest>,
) -> Result<Response, ApiError> {
    let MailTest { to } = read(body)?;
    let outgoing = outgoing(&api)?;
    if outgoing.mail().is_none() {
        let why = "mail is not set up: the configuration has no [mail]";
        return Err(ApiError::refused(StatusCode::CONFLICT, why));
    }
    if !to.contains('@')
        || to.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    {
        let why = "an e-mail address has an @ and no spaces";
        return Err(ApiError::parameter("to", why));
    }
    let noted = Noted::object(&to);
    let test = NewMessage {
        to: Receiver::Mail(to),
        ticket: None,
        subject: "Flowreel can send mail".to_owned(),
        body: format!(
            "{} has asked for this mail, to see that it arrives.",
            person.name
        ),
        attachments: Vec::new(),
    };
    let added = api
        .people
        .catalog()
        .add_messages(&[test], clock::now())
        .await?;
    if added.refused > 0 {
        let why = "too much waits to go out";
        return Err(ApiError::refused(StatusCode::INSUFFICIENT_STORAGE, why));
    }
    outgoing.wake();
    Ok((StatusCode::ACCEPTED, Extension(noted)).into_response())
}

/// One's own address, and whether one wants mail there.
#[utoipa::path(get, path = "/api/v1/me/mail", tag = "people", responses((status = 200, body = MailWish)))]
pub(crate) async fn mail_wish(
    State(api): State<Api>,
    person: Person,
) -> Result<Json<MailWish>, ApiError> {
    let account = own::account(&person)?;
    Ok(Json(api.people.catalog().mail_wish(account).await?))
}

/// Whether mail is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedMail {
    /// It is.
    is_wanted: bool,
}

/// Says whether one wants mail.
#[utoipa::path(put, path = "/api/v1/me/mail", tag = "people", request_body = WantedMail,
    responses((status = 200, body = MailWish), (status = 400, body = ErrorBody)))]
pub(crate) async fn want_mail(
    State(api): State<Api>,
    person: Person,
    body: Sent<WantedMail>,
) -> Result<Json<MailWish>, ApiError> {
    let WantedMail { is_wanted } = read(body)?;
    let (account, catalog) = (own::account(&person)?, api.people.catalog());
    catalog.want_mail(account, is_wanted).await?;
    Ok(Json(catalog.mail_wish(account).await?))
}
