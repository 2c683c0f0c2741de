//! Capture files in.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use utoipa::IntoParams;

use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::{Parameters, Segment};
use crate::plant::{ImportStatus, PlantError};
use crate::router::Api;

/// Parameters of an import.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParameters {
    /// What to call it: the file's name.
    name: String,
}

/// Takes a pcap or pcapng file of flow export and stores its flows under a feed of their own.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", params(ImportParameters),
    request_body(content = Vec<u8>, content_type = "application/vnd.tcpdump.pcap"),
    responses((status = 202, body = ImportStatus), (status = 400, body = ErrorBody)))]
pub(crate) async fn import(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ImportParameters>,
    body: Body,
) -> Result<(StatusCode, Json<ImportStatus>), ApiError> {
    let file = upload(&api, body).await?;
    let status = api.plant.import(parameters.name, file).await?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

/// Where each import stands.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports",
    responses((status = 200, body = Vec<ImportStatus>)))]
pub(crate) async fn imports(State(api): State<Api>) -> Result<Json<Vec<ImportStatus>>, ApiError> {
    Ok(Json(api.plant.imports().await?))
}

/// Where one import stands.
#[utoipa::path(get, path = "/api/v1/imports/{feed}", tag = "imports",
    params(("feed" = u32, Path, description = "Its feed number")),
    responses((status = 200, body = ImportStatus), (status = 404, body = ErrorBody)))]
pub(crate) async fn import_status(
    State(api): State<Api>,
    Segment(feed): Segment<u32>,
) -> Result<Json<ImportStatus>, ApiError> {
    let imports = api.plant.imports().await?;
    let found = imports.into_iter().find(|import| import.feed == feed);
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("there is no import {feed}")))
}

/// Writes the body to a file of its own, as it comes; whatever goes wrong, no half file stays.
async fn upload(api: &Api, body: Body) -> Result<std::path::PathBuf, ApiError> {
    let failed = |error: &dyn std::error::Error| {
        ApiError::because(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the upload could not be written",
            error,
        )
    };
    let folder = api.plant.incoming();
    let number = api
        .uploads
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = folder.join(format!("{}-{number}.pcap", std::process::id()));
    let mut file = tokio::fs::File::create(&path)
        .await
        .map_err(|error| failed(&error))?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let written = match piece {
            Ok(octets) => file
                .write_all(&octets)
                .await
                .map_err(|error| failed(&error)),
            Err(error) => Err(ApiError::because(
                StatusCode::BAD_REQUEST,
                "the upload ended before its end",
                &error,
            )),
        };
        if let Err(error) = written {
            remove(&path).await;
            return Err(error);
        }
    }
    match file.flush().await {
        Ok(()) => Ok(path),
        Err(error) => {
            remove(&path).await;
            Err(failed(&error))
        }
    }
}

async fn remove(path: &std::path::Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "upload could not be removed");
    }
}

impl From<PlantError> for ApiError {
    fn from(error: PlantError) -> Self {
        match error {
            PlantError::Refused(why) => Self::parameter("body", why),
            PlantError::Failed { what, source } => {
                Self::because(StatusCode::INTERNAL_SERVER_ERROR, what, &*source)
            }
        }
    }
}
