//! The names of things: applications, sites, exporters; and the past named again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use flow::filter::complete::{Completion, complete};
use flow::site::Rules;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use crate::ApiError;
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::parameters::{DEFAULT_LAST, Parameters, soon, window};
use crate::plant::{LearnedEndpoint, Reclassified};
use crate::router::Api;

/// The rules in force, the configuration's included.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = Rules)))]
pub(crate) async fn rules(State(api): State<Api>) -> Json<Rules> {
    Json(api.plant.rules())
}

/// The rules of the catalog alone: those that can be replaced. The others in force are the configuration's.
#[utoipa::path(get, path = "/api/v1/rules/catalog", tag = "rules", responses((status = 200, body = Rules)))]
pub(crate) async fn catalog_rules(State(api): State<Api>) -> Result<Json<Rules>, ApiError> {
    Ok(Json(api.plant.catalog_rules().await?))
}

/// Replaces the rules of the catalog. They apply to what arrives from now on.
#[utoipa::path(put, path = "/api/v1/rules", tag = "rules", request_body = Rules,
    responses((status = 200, body = Rules), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(crate) async fn set_rules(
    State(api): State<Api>,
    body: Sent<Map<String, Value>>,
) -> Result<Json<Rules>, ApiError> {
    // By its names only: a list would be taken by places, and an empty one for "no rules at all".
    let named = read(body)?;
    let rules = serde_json::from_value(Value::Object(named));
    let rules: Rules = rules.map_err(|error| ApiError::parameter("body", error.to_string()))?;
    api.plant.set_rules(rules).await?;
    Ok(Json(api.plant.rules()))
}

/// Services that were learned from the traffic.
#[utoipa::path(get, path = "/api/v1/learned", tag = "rules", responses((status = 200, body = Vec<LearnedEndpoint>)))]
pub(crate) async fn learned(State(api): State<Api>) -> Json<Vec<LearnedEndpoint>> {
    Json(api.plant.learned())
}

/// A stretch of the past, by time of arrival.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReclassifyParameters {
    /// The last minutes, hours or days.
    last: Option<String>,
    /// First instant of arrival.
    from: Option<String>,
    /// First instant of arrival after it; now if left out.
    to: Option<String>,
}

/// Decodes a stretch of the tape again under the rules of today and replaces what the store has of it.
#[utoipa::path(post, path = "/api/v1/reclassify", tag = "rules", params(ReclassifyParameters),
    responses((status = 200, body = Reclassified), (status = 400, body = ErrorBody)))]
pub(crate) async fn reclassify(
    State(api): State<Api>,
    Parameters(asked): Parameters<ReclassifyParameters>,
) -> Result<(StatusCode, Json<Reclassified>), ApiError> {
    let (last, from, to) = (
        asked.last.as_deref(),
        asked.from.as_deref(),
        asked.to.as_deref(),
    );
    let window = window((last, DEFAULT_LAST), from, to, soon())?;
    Ok((
        StatusCode::OK,
        Json(api.plant.reclassify(window.from, window.to).await?),
    ))
}

/// A filter that is being written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompleteParameters {
    /// The text so far.
    text: String,
    /// Where the cursor stands, in characters; at the end if left out.
    cursor: Option<usize>,
}

/// What could be written next in a filter.
#[utoipa::path(get, path = "/api/v1/filter/complete", tag = "rules", params(CompleteParameters),
    responses((status = 200, body = Vec<Completion>)))]
pub(crate) async fn complete_filter(
    Parameters(asked): Parameters<CompleteParameters>,
) -> Json<Vec<Completion>> {
    let cursor = asked.cursor.unwrap_or_else(|| asked.text.chars().count());
    Json(complete(&asked.text, cursor))
}
