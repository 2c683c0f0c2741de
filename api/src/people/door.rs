//! The one place that lets requests through, or not: everything that nobody allowed is refused. And the one that notes what was done.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::RequestPartsExt as _;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flow::clock;
use futures_util::StreamExt as _;
use store::catalog::{Act, Deed};

use super::access::{Access, NOT_YOURS, Rule, rule};
use super::audit::Noted;
use super::identify::{People, Shown};
use super::{Identity, Person};
use crate::ApiError;

/// The address that a request is seen from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenFrom(pub(crate) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for SeenFrom {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map(|ConnectInfo(peer)| peer.ip().to_canonical())))
    }
}

/// The middleware: finds out who asks, and whether they may.
pub(crate) async fn keep(State(people): State<People>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    // What is no route is a page: the same for everybody.
    let Some(route) = head.extensions.get::<MatchedPath>().cloned() else {
        return next.run(Request::from_parts(head, body)).await;
    };
    let Ok(SeenFrom(address)) = head.extract().await;
    let rule = rule(&head.method, route.as_str());
    let shown = Shown::of(&head);
    let person = match admit(&people, rule, shown.as_ref(), address).await {
        Ok(person) => person,
        Err(refusal) => {
            note_refusal(&people, refusal.by, &head, address).await;
            return refusal.error.into_response();
        }
    };
    let place = place(&mut head).await;
    if let Some(person) = &person {
        head.extensions.insert(person.clone());
    }
    let response = next.run(Request::from_parts(head, body)).await;
    if let Some(act) = rule.and_then(|rule| rule.act)
        && was_done(&response)
    {
        let mut deed = deed(person.as_ref(), act, place, address);
        let noted = response.extensions().get::<Noted>();
        noted.cloned().unwrap_or_default().complete(&mut deed);
        people.scribe().note(&deed, clock::now()).await;
    }
    match person {
        Some(person) => while_they_may(response, people, shown, person),
        None => response,
    }
}

/// Whether an answer is of something that was done. One that sends a browser elsewhere says so itself.
fn was_done(response: &Response) -> bool {
    let is_elsewhere = response.status().is_redirection();
    response.status().is_success()
        || (is_elsewhere && response.extensions().get::<Noted>().is_some())
}

/// Why somebody was not let through.
struct Refusal {
    error: ApiError,
    /// Who it was, if that is to be written down.
    by: Option<Person>,
}

/// Who asks, if they may; `None` where that does not matter.
async fn admit(
    people: &People,
    rule: Option<&Rule>,
    shown: Option<&Shown>,
    address: Option<IpAddr>,
) -> Result<Option<Person>, Refusal> {
    let access = rule.map(|rule| rule.access);
    if access == Some(Access::Everybody) && people.is_required() {
        return Ok(None);
    }
    let nobody = |error| Refusal { error, by: None };
    let person = people.recognise(shown, address, clock::now()).await;
    let person = person
        .map_err(|error| nobody(error.into()))?
        .ok_or_else(|| nobody(ApiError::nobody()))?;
    let checked = match access {
        Some(access) => access.check(&person),
        None => Err(ApiError::forbidden(NOT_YOURS)),
    };
    match checked {
        Ok(()) => Ok(Some(person)),
        Err(error) => Err(Refusal {
            error,
            by: Some(person),
        }),
    }
}

/// What the address names, for the log.
async fn place(head: &mut Parts) -> String {
    let names = head.extract::<RawPathParams>().await;
    let names = names.iter().flat_map(|names| names.iter());
    names.map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

async fn note_refusal(people: &People, by: Option<Person>, head: &Parts, address: Option<IpAddr>) {
    // Of those whom nobody knows there are too many, and nothing to say.
    let Some(person) = by else { return };
    let asked = format!("{} {}", head.method, head.uri.path());
    let deed = deed(Some(&person), Act::Refused, asked, address);
    people.scribe().refused(deed, clock::now()).await;
}

/// What is known of a deed before its handler has said anything.
pub(super) fn deed(
    person: Option<&Person>,
    act: Act,
    object: String,
    address: Option<IpAddr>,
) -> Deed {
    let nobody = Person {
        name: String::new(),
        address,
        ..Person::operator()
    };
    person.unwrap_or(&nobody).deed(act, object)
}

/// An answer that goes on ends when who asked is no longer who they were.
fn while_they_may(
    response: Response,
    people: People,
    shown: Option<Shown>,
    person: Person,
) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let goes_on = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !goes_on || person.identity == Identity::Operator {
        return response;
    }
    let ended = Box::pin(people.no_longer(shown, person));
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(ended)))
}
