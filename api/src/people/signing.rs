//! Sign-on, sign-off, the first admin, and who am I.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flow::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::catalog::{Account, Act, NewAccount, NewSession, PERSON_CHARS_MAX, Role};
use store::question::Scope;
use utoipa::ToSchema;

use super::audit::Noted;
use super::door::{SeenFrom, deed};
use super::identify::People;
use super::secret::{Secret, digest};
use super::{Identity, Permission, Person, password, session};
use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::router::Api;

/// Who asks, and what pages show them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// As others know them.
    name: String,
    /// As others see them; `None` without an account.
    shown_name: Option<String>,
    /// What they work as.
    role: Role,
    /// What they may do; what tells of the whole network only with an empty scope.
    permissions: Vec<Permission>,
    /// Whose flows they see, in the filter language; empty for all.
    scope: String,
    /// The address of their first page.
    home: String,
    /// Whether people sign on here. If not, everybody is the operator.
    sign_on: bool,
}

/// Who asks.
#[utoipa::path(get, path = "/api/v1/me", tag = "people",
    responses((status = 200, body = Me), (status = 401, body = ErrorBody)))]
pub(crate) async fn me(State(api): State<Api>, person: Person) -> Result<Json<Me>, ApiError> {
    let shown_name = match person.account() {
        Some(name) => api.people.catalog().account(name).await?,
        None => None,
    };
    let shown_name = shown_name.map(|(account, _)| account.shown_name);
    Ok(Json(Me::of(person, shown_name, &api.people)))
}

impl Me {
    fn of(person: Person, shown_name: Option<String>, people: &People) -> Self {
        let all = Permission::ALL.into_iter();
        Self {
            permissions: all.filter(|it| it.is_of(person.role)).collect(),
            scope: text(&person.scope),
            home: home(person.role).to_owned(),
            sign_on: people.is_required(),
            role: person.role,
            name: person.name,
            shown_name,
        }
    }
}

fn text(scope: &Scope) -> String {
    let only = scope.only.as_ref();
    only.map(ToString::to_string).unwrap_or_default()
}

/// The page that somebody sees first.
const fn home(role: Role) -> &'static str {
    match role {
        Role::EndUser => "/report",
        Role::HelpDesk => "/queue",
        Role::Engineer | Role::Admin => "/",
        Role::ApplicationOwner => "/owned",
        Role::Manager => "/management",
    }
}

/// What somebody knows who signs on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SigningOn {
    /// The account's name.
    name: String,
    /// Its password.
    password: String,
}

/// Signs on: the answer gives the browser a cookie. One that it had is worth nothing afterwards.
///
/// All that fails has the same words. Who guesses waits: 100 times an hour for an account, 720 from an address.
#[utoipa::path(post, path = "/api/v1/sign-on", tag = "people", request_body = SigningOn,
    responses((status = 200, body = Me), (status = 401, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn sign_on(
    State(api): State<Api>,
    SeenFrom(address): SeenFrom,
    headers: HeaderMap,
    body: Sent<SigningOn>,
) -> Result<Response, ApiError> {
    let body = read(body)?;
    let (people, sign_on) = (&api.people, api.people.sign_on()?);
    let mut name = body.name.trim().to_lowercase();
    if name.chars().count() > PERSON_CHARS_MAX {
        name.clear();
    }
    if let Err(wait) = sign_on.attempt(&name, address) {
        failed(people, "", address, "slowed").await;
        return Ok(later(wait));
    }
    let found = people.catalog().account(&name).await?;
    let (account, hash) = found.unzip();
    let is_right = sign_on.passwords.is(body.password, hash.flatten()).await?;
    // What was written as a name may have been a password: only that of an account is noted.
    let known = account
        .as_ref()
        .map_or("", |account| &account.name)
        .to_owned();
    match account.filter(|account| is_right && !account.disabled) {
        None => {
            failed(people, &known, address, "wrong").await;
            Err(ApiError::refused(
                StatusCode::UNAUTHORIZED,
                "name or password is wrong",
            ))
        }
        Some(account) => {
            sign_on.succeeded(&name, address);
            begin(&api, &account, address, &headers).await
        }
    }
}

/// 429, and when it may be tried again.
pub(super) fn later(wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let error = ApiError::refused(
        StatusCode::TOO_MANY_REQUESTS,
        format!("too many tries: try again in {seconds} seconds"),
    );
    ([(header::RETRY_AFTER, seconds)], error).into_response()
}

async fn failed(people: &People, name: &str, address: Option<IpAddr>, why: &str) {
    let mut deed = deed(None, Act::SignOnFailed, name.to_owned(), address);
    deed.detail = json!({ "why": why });
    people.scribe().refused(deed, clock::now()).await;
}

/// Begins a session, and answers with its cookie. What the browser showed before is worth nothing from here on, so nobody can have
/// given it a session that he knows.
pub(super) async fn begin(
    api: &Api,
    account: &Account,
    address: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let (people, sign_on) = (&api.people, api.people.sign_on()?);
    let (catalog, lasting, now) = (people.catalog(), sign_on.lasting, clock::now());
    if let Some(earlier) = session::shown(headers)
        && let Some((earlier, whose)) = catalog.session(&digest(&earlier)).await?
    {
        catalog
            .end_sessions(whose.number, Some(earlier.number))
            .await?;
    }
    catalog
        .expire_sessions(now - lasting.whole, now - lasting.idle)
        .await?;
    let secret = Secret::new("").map_err(|error| {
        let what = "a session could not be made";
        ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, &error)
    })?;
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let new = NewSession {
        digest: secret.digest(),
        account: account.number,
        address: address.map(|address| address.to_string()),
        agent: agent.unwrap_or_default(),
    };
    let identity = Identity::Session {
        account: account.number,
        session: catalog.begin_session(&new, now).await?,
    };
    let person = Person::of(account, identity, account.role, "", address);
    let noted = Noted {
        who: Some((account.name.clone(), account.number)),
        ..Noted::object("")
    };
    let cookie = session::given(&secret, lasting.whole);
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    let me = Json(Me::of(person, Some(account.shown_name.clone()), people));
    Ok((cookie, Extension(noted), me).into_response())
}

/// Signs off: the session ends here, not only in the browser.
#[utoipa::path(post, path = "/api/v1/sign-off", tag = "people",
    responses((status = 204), (status = 401, body = ErrorBody)))]
pub(crate) async fn sign_off(State(api): State<Api>, person: Person) -> Result<Response, ApiError> {
    if let Identity::Session { account, session } = person.identity {
        let catalog = api.people.catalog();
        catalog.end_sessions(account, Some(session)).await?;
    }
    let cookie = session::taken().map(|cookie| [(header::SET_COOKIE, cookie)]);
    // What browsers kept of it goes as well (W3C Clear Site Data).
    let clear = [("clear-site-data", "\"cache\", \"storage\"")];
    Ok((StatusCode::NO_CONTENT, cookie, clear).into_response())
}

/// Whoever has the link that the first start prints.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Welcome {
    /// What stands behind the `#` of the link.
    token: String,
    /// What the account is to be called.
    name: String,
    /// As others see them; the name if left out.
    shown_name: Option<String>,
    /// Its password.
    password: String,
}

/// Makes the first account, an admin, and signs on. Works once, with the link that the last start printed.
#[utoipa::path(post, path = "/api/v1/welcome", tag = "people", request_body = Welcome,
    responses((status = 200, body = Me), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn welcome(
    State(api): State<Api>,
    SeenFrom(address): SeenFrom,
    headers: HeaderMap,
    body: Sent<Welcome>,
) -> Result<Response, ApiError> {
    let body = read(body)?;
    let (catalog, sign_on) = (api.people.catalog(), api.people.sign_on()?);
    let secret = digest(&body.token);
    let used = || {
        ApiError::forbidden(
            "this link was used, or is an old one: a start prints it as long as there is no account",
        )
    };
    if !catalog.is_welcome(&secret).await? {
        return Err(used());
    }
    password::check(&body.password, &body.name)?;
    let new = NewAccount {
        shown_name: body.shown_name.unwrap_or_else(|| body.name.clone()),
        email: None,
        role: Role::Admin,
        scope: String::new(),
        password: Some(sign_on.passwords.hash(body.password).await?),
        made_by: body.name.clone(),
        name: body.name,
    };
    let made = catalog.use_welcome(&secret, &new, clock::now()).await?;
    begin(&api, &made.ok_or_else(used)?, address, &headers).await
}
