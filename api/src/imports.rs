//! Capture files in.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use utoipa::IntoParams;

use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::{Parameters, Segment};
use crate::plant::{ImportStatus, PlantError};
use crate::router::{Api, UPLOAD_OCTETS_MAX};

/// How long an upload waits for others to end before it is refused.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long nothing may come of an upload.
const PIECE_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether the disk still has room, octets of the upload.
const CHECK_EVERY_OCTETS: u64 = 64 << 20;

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
    responses((status = 202, body = ImportStatus), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(crate) async fn import(
    State(api): State<Api>,
    Parameters(parameters): Parameters<ImportParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ImportStatus>), ApiError> {
    let file = take_upload(&api, &headers, body).await?;
    let status = api.plant.import(parameters.name, file).await?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

/// Waits for a place, writes the body to a file and leaves that to the caller.
pub(crate) async fn take_upload(
    api: &Api,
    headers: &HeaderMap,
    body: Body,
) -> Result<PathBuf, ApiError> {
    let place = tokio::time::timeout(PLACE_WAIT_MAX, api.places.acquire()).await;
    let _place = place.map_err(|_| {
        ApiError::refused(
            StatusCode::TOO_MANY_REQUESTS,
            "as many files are being imported as can be at once; try again later",
        )
    })?;
    Ok(upload(api, headers, body).await?.hand_over())
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
async fn upload(api: &Api, headers: &HeaderMap, body: Body) -> Result<Incoming, ApiError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    check_room(api, announced.unwrap_or(0), announced.unwrap_or(0))?;
    let number = api.uploads.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}.upload", std::process::id());
    let incoming = Incoming(Some(api.plant.incoming().join(name)));
    let failed = |error: std::io::Error| {
        ApiError::because(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the upload could not be written",
            &error,
        )
    };
    let mut file = tokio::fs::File::create(incoming.path())
        .await
        .map_err(failed)?;
    let mut pieces = body.into_data_stream();
    let (mut written, mut checked) = (0, 0);
    while let Some(piece) = next_piece(&mut pieces).await? {
        written += piece.len() as u64;
        if written > UPLOAD_OCTETS_MAX || written >= checked + CHECK_EVERY_OCTETS {
            check_room(api, written, CHECK_EVERY_OCTETS)?;
            checked = written;
        }
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(incoming)
}

async fn next_piece(pieces: &mut BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(PIECE_WAIT_MAX, pieces.next()).await {
        Ok(piece) => piece.transpose().map_err(|error| {
            let what = "the upload ended before its end";
            ApiError::because(StatusCode::BAD_REQUEST, what, &error)
        }),
        Err(_) => Err(ApiError::refused(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "nothing came of the upload for {} seconds",
                PIECE_WAIT_MAX.as_secs()
            ),
        )),
    }
}

/// Whether an upload of `total` octets is not too long, and the disk can hold `more` octets of it.
fn check_room(api: &Api, total: u64, more: u64) -> Result<(), ApiError> {
    if total > UPLOAD_OCTETS_MAX {
        return Err(ApiError::refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "a file may be {} GiB at most; split it",
                UPLOAD_OCTETS_MAX >> 30
            ),
        ));
    }
    let room = api.plant.upload_room()?;
    if more > room {
        return Err(ApiError::refused(
            StatusCode::INSUFFICIENT_STORAGE,
            format!(
                "the disk of the data directory cannot hold the upload: {} MiB are left for it beside the tape",
                room >> 20
            ),
        ));
    }
    Ok(())
}

/// An uploaded file that goes with its owner, until it is handed over.
struct Incoming(Option<PathBuf>);

impl Incoming {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Leaves the file to the caller.
    fn hand_over(mut self) -> PathBuf {
        self.0.take().unwrap_or_default()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        match std::fs::remove_file(path) {
            // It may not have been made yet.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "an upload cannot be removed");
            }
            _ => {}
        }
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
