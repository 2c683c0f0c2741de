//! The books, the exporters, readiness and metrics.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use flow::health::ExporterHealth;
use flow::hints::{Hint, hints};
use flow::{Accounting, clock};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiError;
use crate::error::ErrorBody;
use crate::plant::{Holdings, Readiness};
use crate::router::Api;

/// received = stored + on tape + Σ dropped, in datagrams and in records.
#[utoipa::path(get, path = "/api/v1/accounting", tag = "operations",
    responses((status = 200, body = Accounting)))]
pub(crate) async fn accounting(State(api): State<Api>) -> Json<Accounting> {
    Json(api.plant.accounting())
}

/// An exporter, and what limits the answers that its data can give.
#[derive(Serialize, ToSchema)]
pub(crate) struct Exporter {
    #[serde(flatten)]
    health: ExporterHealth,
    /// What matters most first.
    hints: Vec<Hint>,
}

/// What is known of each exporter.
#[utoipa::path(get, path = "/api/v1/exporters", tag = "operations",
    responses((status = 200, body = Vec<Exporter>)))]
pub(crate) async fn exporters(State(api): State<Api>) -> Json<Vec<Exporter>> {
    let now = clock::now();
    let all = api.plant.exporters().into_iter().map(|health| Exporter {
        hints: hints(&health, now),
        health,
    });
    Json(all.collect())
}

/// What is kept here, how long, and how much more fits.
#[utoipa::path(get, path = "/api/v1/holdings", tag = "operations",
    responses((status = 200, body = Holdings), (status = 500, body = ErrorBody)))]
pub(crate) async fn holdings(State(api): State<Api>) -> Result<Json<Holdings>, ApiError> {
    Ok(Json(api.plant.holdings()?))
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every part can do its work.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, Json<Readiness>) {
    let readiness = api.plant.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}

/// All counters, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String)))]
pub(crate) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], api.plant.metrics())
}
