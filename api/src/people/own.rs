//! One's own password, sessions and tokens.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flow::{Timestamp, clock};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::catalog::{NewToken, Role, Session, Token};
use utoipa::ToSchema;

use super::audit::Noted;
use super::permission::covers;
use super::secret::{Secret, TOKEN};
use super::{Identity, Person, password, session, signing};
use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{Segment, filter};
use crate::router::Api;

/// A token lives no longer: one that nobody thinks of any more should end by itself.
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Whose it is.
///
/// # Errors
///
/// 403 for the operator, whom the door refuses before.
pub(crate) fn account(person: &Person) -> Result<u32, ApiError> {
    person
        .number()
        .ok_or_else(|| ApiError::forbidden("the operator has no account"))
}

/// A password in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The one that is to go.
    old: String,
    /// The one that is to come.
    new: String,
}

/// Changes one's own password. All sessions end, and this browser gets a new one.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "people", request_body = NewPassword,
    responses((status = 200, body = signing::Me), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 429, body = ErrorBody)))]
pub(crate) async fn change_password(
    State(api): State<Api>,
    person: Person,
    headers: HeaderMap,
    body: Sent<NewPassword>,
) -> Result<Response, ApiError> {
    let body = read(body)?;
    let (catalog, sign_on) = (api.people.catalog(), api.people.sign_on()?);
    // Who found a browser that somebody left must not guess here either.
    if let Err(wait) = sign_on.attempt(&person.name, person.address) {
        return Ok(signing::later(wait));
    }
    let found = catalog.account(&person.name).await?;
    let (account, hash) = found.ok_or_else(ApiError::nobody)?;
    if !sign_on.passwords.is(body.old, hash).await? {
        return Err(ApiError::parameter("old", "this is not your password"));
    }
    sign_on.succeeded(&person.name, person.address);
    password::check(&body.new, &account.name)?;
    let hash = sign_on.passwords.hash(body.new).await?;
    catalog.set_password(&account.name, &hash).await?;
    signing::begin(&api, &account, person.address, &headers).await
}

/// One of one's sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnSession {
    #[serde(flatten)]
    session: Session,
    /// Whether it is the one that asks.
    this: bool,
}

/// Where one has signed on.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "people",
    responses((status = 200, body = Vec<OwnSession>), (status = 401, body = ErrorBody)))]
pub(crate) async fn sessions(
    State(api): State<Api>,
    person: Person,
) -> Result<Json<Vec<OwnSession>>, ApiError> {
    let sign_on = api.people.sign_on()?;
    let (all, now) = (
        api.people.catalog().sessions(account(&person)?),
        clock::now(),
    );
    let own = all
        .await?
        .into_iter()
        .filter(|one| sign_on.lasting.includes(one, now));
    let own = own.map(|session| OwnSession {
        this: matches!(person.identity, Identity::Session { session: this, .. } if this == session.number),
        session,
    });
    Ok(Json(own.collect()))
}

/// Signs out everywhere, here too.
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "people",
    responses((status = 204), (status = 401, body = ErrorBody)))]
pub(crate) async fn end_sessions(
    State(api): State<Api>,
    person: Person,
) -> Result<Response, ApiError> {
    let ended = api
        .people
        .catalog()
        .end_sessions(account(&person)?, None)
        .await?;
    let cookie = session::taken().map(|cookie| [(header::SET_COOKIE, cookie)]);
    let noted = Extension(Noted::object("").with(json!({ "sessions": ended })));
    Ok((StatusCode::NO_CONTENT, cookie, noted).into_response())
}

/// Ends one of one's sessions.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{number}", tag = "people",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn end_session(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
) -> Result<StatusCode, ApiError> {
    let ended = api
        .people
        .catalog()
        .end_sessions(account(&person)?, Some(number));
    match ended.await? {
        0 => Err(ApiError::not_found("you have no such session")),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedToken {
    /// What it is for.
    name: String,
    /// What it may do, at most what its owner may.
    role: Role,
    /// Whose flows it sees, of those that its owner sees, in the filter language; all of them if left out.
    #[serde(default)]
    scope: String,
    /// When it ends, within a year.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A token, and the secret that is told this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    #[serde(flatten)]
    token: Token,
    /// What a program shows: `Authorization: Bearer flr_…`.
    secret: String,
}

/// One's tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "people",
    responses((status = 200, body = Vec<Token>), (status = 401, body = ErrorBody)))]
pub(crate) async fn tokens(
    State(api): State<Api>,
    person: Person,
) -> Result<Json<Vec<Token>>, ApiError> {
    Ok(Json(api.people.catalog().tokens(account(&person)?).await?))
}

/// Makes a token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "people", request_body = WantedToken,
    responses((status = 201, body = MadeToken), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn make_token(
    State(api): State<Api>,
    person: Person,
    body: Sent<WantedToken>,
) -> Result<Response, ApiError> {
    let wanted = read(body)?;
    let now = clock::now();
    if !covers(person.role, wanted.role) {
        let why = "a token may do no more than its owner";
        return Err(ApiError::parameter("role", why));
    }
    if wanted.expires_at <= now || wanted.expires_at > now + TOKEN_LIFE_MAX {
        let why = "a token ends within a year from now";
        return Err(ApiError::parameter("expires_at", why));
    }
    filter(Some(&wanted.scope))?;
    let secret = Secret::new(TOKEN).map_err(|error| {
        let what = "a token could not be made";
        ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, &error)
    })?;
    let new = NewToken {
        digest: secret.digest(),
        owner: account(&person)?,
        name: wanted.name,
        role: wanted.role,
        scope: wanted.scope,
        expires_at: wanted.expires_at,
    };
    let token = api.people.catalog().add_token(&new, now).await?;
    let noted = Noted::object(&token.name).with(json!({
        "number": token.number, "role": token.role, "scope": token.scope, "expires_at": token.expires_at,
    }));
    let secret = secret.text().to_owned();
    let made = Json(MadeToken { token, secret });
    Ok((StatusCode::CREATED, Extension(noted), made).into_response())
}

/// Revokes one of one's tokens.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{number}", tag = "people",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_token(
    State(api): State<Api>,
    person: Person,
    Segment(number): Segment<u32>,
) -> Result<StatusCode, ApiError> {
    let revoked = api.people.catalog().revoke_token(account(&person)?, number);
    match revoked.await? {
        false => Err(ApiError::not_found("you have no such token")),
        true => Ok(StatusCode::NO_CONTENT),
    }
}
