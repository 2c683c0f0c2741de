//! Who may sign on, for those who say so.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flow::clock;
use serde::Deserialize;
use serde_json::json;
use store::catalog::{Account, AccountChange, NewAccount, Role};
use utoipa::ToSchema;

use super::audit::Noted;
use super::{Person, password};
use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{Segment, filter};
use crate::router::Api;

/// All accounts, by name.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "people", responses((status = 200, body = Vec<Account>)))]
pub(crate) async fn accounts(State(api): State<Api>) -> Result<Json<Vec<Account>>, ApiError> {
    Ok(Json(api.people.catalog().accounts().await?))
}

/// An account that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedAccount {
    /// What is written to sign on: lower case, without spaces.
    name: String,
    /// As others see them; the name if left out.
    shown_name: Option<String>,
    /// Where mail goes.
    email: Option<String>,
    /// What they work as.
    role: Role,
    /// Whose flows they see, in the filter language; all if left out.
    #[serde(default)]
    scope: String,
    /// What they sign on with first; they can't by a password if it is left out.
    password: Option<String>,
}

/// Makes an account.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "people", request_body = WantedAccount,
    responses((status = 201, body = Account), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn make_account(
    State(api): State<Api>,
    person: Person,
    body: Sent<WantedAccount>,
) -> Result<Response, ApiError> {
    let wanted = read(body)?;
    let sign_on = api.people.sign_on()?;
    filter(Some(&wanted.scope))?;
    let hash = match wanted.password {
        None => None,
        Some(password) => {
            password::check(&password, &wanted.name)?;
            Some(sign_on.passwords.hash(password).await?)
        }
    };
    let new = NewAccount {
        shown_name: wanted.shown_name.unwrap_or_else(|| wanted.name.clone()),
        name: wanted.name,
        email: wanted.email,
        role: wanted.role,
        scope: wanted.scope,
        password: hash,
        made_by: person.name,
    };
    let made = api.people.catalog().add_account(&new, clock::now()).await?;
    let noted = Noted::object(&made.name).with(json!({ "role": made.role, "scope": made.scope }));
    Ok((StatusCode::CREATED, Extension(noted), Json(made)).into_response())
}

/// Changes an account: what is left out stays. It applies to their next request, wherever they have signed on.
#[utoipa::path(patch, path = "/api/v1/accounts/{name}", tag = "people", request_body = AccountChange,
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, body = Account), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn change_account(
    State(api): State<Api>,
    Segment(name): Segment<String>,
    body: Sent<AccountChange>,
) -> Result<Response, ApiError> {
    let change = read(body)?;
    api.people.sign_on()?;
    if let Some(scope) = &change.scope {
        filter(Some(scope))?;
    }
    let changed = api.people.catalog().change_account(&name, &change).await?;
    let noted = Noted::object(&name).with(json!(change));
    Ok((Extension(noted), Json(changed)).into_response())
}

/// A password that somebody else is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// What they sign on with next.
    password: String,
}

/// Gives an account another password, and signs it out everywhere.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/password", tag = "people", request_body = ResetPassword,
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn reset_password(
    State(api): State<Api>,
    Segment(name): Segment<String>,
    body: Sent<ResetPassword>,
) -> Result<StatusCode, ApiError> {
    let body = read(body)?;
    let sign_on = api.people.sign_on()?;
    password::check(&body.password, &name)?;
    let hash = sign_on.passwords.hash(body.password).await?;
    api.people.catalog().set_password(&name, &hash).await?;
    Ok(StatusCode::NO_CONTENT)
}
