//! To the provider, and back again. Both are followed by browsers as links: what goes wrong is a word in the address of the page that
//! they come to.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flow::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::catalog::{Account, Act, CatalogError};
use utoipa::{IntoParams, ToSchema};

use super::pending::{Started, TIME_MAX};
use super::refusal::Refusal;
use super::{OpenId, claims};
use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::Parameters;
use crate::people::audit::Noted;
use crate::people::door::{SeenFrom, deed};
use crate::people::secret::{Secret, digest};
use crate::people::{People, session, signing};
use crate::router::Api;

/// The page on which people sign in.
const ENTRANCE: &str = "/sign-in";
/// The cookie of a browser that is away.
const AWAY: &str = "__Host-flowreel-away";
/// Characters of the address of a page.
const PAGE_CHARS_MAX: usize = 4000;

/// The ways to sign on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ways {
    /// Whether people sign on here. If not, everybody is the operator.
    sign_on: bool,
    /// What people call the OpenID provider; none if there is none.
    openid: Option<String>,
}

/// The ways to sign on.
#[utoipa::path(get, path = "/api/v1/sign-on", tag = "people", responses((status = 200, body = Ways)))]
pub(crate) async fn ways(State(api): State<Api>) -> Json<Ways> {
    let openid = api.people.openid().ok();
    Json(Ways {
        sign_on: api.people.is_required(),
        openid: openid.map(|openid| openid.name().to_owned()),
    })
}

/// Where somebody wants to be afterwards.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Leaving {
    /// The page that they come back to, `/explore?last=1h`; their first one if left out, or if it is no page of this server.
    to: Option<String>,
}

/// Sends a browser to the OpenID provider, to sign on there.
#[utoipa::path(get, path = "/api/v1/sign-on/openid", tag = "people", params(Leaving),
    responses((status = 303), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn leave(
    State(api): State<Api>,
    SeenFrom(address): SeenFrom,
    Parameters(leaving): Parameters<Leaving>,
) -> Result<Response, ApiError> {
    let openid = api.people.openid()?;
    let to = leaving.to.filter(|to| is_page(to));
    let sent = send(&api.people, openid, to, address).await;
    Ok(match sent {
        Ok(response) => response,
        Err(why) => {
            note(&api.people, None, address, why).await;
            refused(why)
        }
    })
}

async fn send(
    people: &People,
    openid: &OpenId,
    to: Option<String>,
    address: Option<IpAddr>,
) -> Result<Response, Refusal> {
    let sign_on = people.sign_on().map_err(|_| Refusal::Failed)?;
    sign_on.visit(address).map_err(|_| Refusal::Slowed)?;
    let now = clock::now();
    let departure = openid.provider.depart(now).await?;
    let secret = Secret::new("").map_err(|_| Refusal::Failed)?;
    let started = Started {
        browser: secret.digest(),
        nonce: departure.nonce,
        verifier: departure.verifier,
        to: to.unwrap_or_else(|| ENTRANCE.to_owned()),
        at: now,
    };
    openid.pending().begin(digest(&departure.state), started);
    let cookie = session::cookie(AWAY, secret.text(), TIME_MAX);
    Ok(see(departure.url.as_str(), [cookie]))
}

/// What a browser brings back. What else stands there is not read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Returning {
    /// What it took along.
    state: Option<String>,
    /// What is exchanged for a token.
    code: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Takes a browser back from the OpenID provider: signs on, and goes on to the page where it was.
#[utoipa::path(get, path = "/api/v1/sign-on/openid/callback", tag = "people", params(Returning),
    responses((status = 303), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn come_back(
    State(api): State<Api>,
    SeenFrom(address): SeenFrom,
    headers: HeaderMap,
    Parameters(returning): Parameters<Returning>,
) -> Result<Response, ApiError> {
    let openid = api.people.openid()?;
    let arrived = arrive(&api.people, openid, returning, &headers).await;
    let (account, to) = match arrived {
        Ok(arrived) => arrived,
        Err(Turned { name, why }) => {
            note(&api.people, name, address, why).await;
            return Ok(refused(why));
        }
    };
    api.people.sign_on()?.welcome_back(address);
    let begun = signing::begin_session(&api, &account, address, &headers).await?;
    let detail = json!({ "by": "openid", "role": account.role, "scope": account.scope });
    let noted = Noted::by(&account).with(detail);
    let cookies = [
        begun.cookie,
        session::cookie(AWAY, "", std::time::Duration::ZERO),
    ];
    Ok((axum::Extension(noted), see(&to, cookies)).into_response())
}

/// Who was turned away, if that is known, and why.
struct Turned {
    name: Option<String>,
    why: Refusal,
}

impl From<Refusal> for Turned {
    fn from(why: Refusal) -> Self {
        Self { name: None, why }
    }
}

/// Who comes back, and to which page.
async fn arrive(
    people: &People,
    openid: &OpenId,
    returning: Returning,
    headers: &HeaderMap,
) -> Result<(Account, String), Turned> {
    let now = clock::now();
    let browser = session::cookie_of(headers, AWAY).ok_or(Refusal::Stale)?;
    let state = returning.state.ok_or(Refusal::Stale)?;
    let (state, browser) = (digest(&state), digest(&browser));
    let started = openid.pending().take(&state, &browser, now);
    let started = started.ok_or(Refusal::Stale)?;
    let code = match (returning.code, returning.error) {
        (Some(code), None) => code,
        _ => return Err(Refusal::Denied.into()),
    };
    let provider = &openid.provider;
    let (identity, claims) = provider
        .identify(code, started.verifier, &started.nonce, now)
        .await?;
    let said = match claims::account(&openid.settings, &claims) {
        Err(Refusal::NoGroup) => {
            // Whom the provider lets in no more is out at once, wherever they were.
            let account = people.catalog().shut_out(&identity).await;
            let account = account.map_err(failed)?;
            return Err(Turned {
                name: account.map(|account| account.name),
                why: Refusal::NoGroup,
            });
        }
        said => said?,
    };
    let account = people.catalog().take_in(&identity, &said, now).await;
    let turned = |why| Turned {
        name: Some(said.name.clone()),
        why,
    };
    let account = account.map_err(|error| match error {
        CatalogError::Taken { .. } => turned(Refusal::NameTaken),
        CatalogError::Wrong(_) => turned(Refusal::NoName),
        error => failed(error).into(),
    })?;
    match account.disabled {
        true => Err(turned(Refusal::Disabled)),
        false => Ok((account, started.to)),
    }
}

fn failed(error: CatalogError) -> Refusal {
    tracing::error!(%error, "nobody can sign on now");
    Refusal::Failed
}

/// Sends a browser to the OpenID provider, to sign out there too.
#[utoipa::path(get, path = "/api/v1/sign-off/openid", tag = "people",
    responses((status = 303), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn sign_out_there(State(api): State<Api>) -> Result<Response, ApiError> {
    let openid = api.people.openid()?;
    Ok(match openid.provider.leave(clock::now()).await {
        Ok(Some(place)) => see(place.as_str(), []),
        Ok(None) => see(ENTRANCE, []),
        Err(why) => refused(why),
    })
}

/// Notes that somebody was turned away.
async fn note(people: &People, name: Option<String>, address: Option<IpAddr>, why: Refusal) {
    let mut deed = deed(None, Act::SignOnFailed, name.unwrap_or_default(), address);
    deed.detail = json!({ "by": "openid", "why": why.word() });
    people.scribe().refused(deed, clock::now()).await;
}

/// Back to the entrance, which has words for it.
fn refused(why: Refusal) -> Response {
    let place = format!("{ENTRANCE}?refused={}", why.word());
    see(
        &place,
        [session::cookie(AWAY, "", std::time::Duration::ZERO)],
    )
}

/// See other: [RFC 9110 §15.4.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4.4).
fn see<const COOKIES: usize>(place: &str, cookies: [Option<HeaderValue>; COOKIES]) -> Response {
    let Ok(place) = HeaderValue::try_from(place) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether it is the address of a page of this server, to every browser. `//evil.example` and `/\evil.example` are not
/// ([URL Standard, relative slash state](https://url.spec.whatwg.org/#relative-slash-state)), and tabs in between are left out there.
fn is_page(to: &str) -> bool {
    let mut characters = to.chars();
    characters.next() == Some('/')
        && !matches!(characters.next(), Some('/' | '\\'))
        && to.len() <= PAGE_CHARS_MAX
        && to.chars().all(|it| it.is_ascii_graphic() && it != '\\')
        && !to.starts_with("/api/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_pages_of_this_server_only() {
        for page in [
            "/",
            "/explore?last=1h&filter=site%20berlin",
            "/hosts/2001:db8::1",
            "/a//b",
        ] {
            assert!(is_page(page), "{page}");
        }
        let elsewhere = [
            "",
            "explore",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n//evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "\\\\evil.example",
            " /",
            "/a b",
            "/ä",
            "/a\r\nSet-Cookie: a=b",
            "/api/v1/sign-off/openid",
        ];
        for place in elsewhere {
            assert!(!is_page(place), "{place:?}");
        }
        assert!(!is_page(&format!("/{}", "a".repeat(PAGE_CHARS_MAX))));
    }
}
