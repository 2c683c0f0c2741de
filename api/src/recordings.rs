//! Recordings over HTTP: cut, list, note, share, delete.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use utoipa::{IntoParams, ToSchema};

use crate::ApiError;
use crate::archive::{ArchiveError, Cut, Leaving, NewNote, Recorded, Wrapping};
use crate::body::{Sent, read};
use crate::error::ErrorBody;
use crate::imports::take_upload;
use crate::parameters::{Parameters, Segment};
use crate::people::Person;
use crate::people::audit::Noted;
use crate::router::Api;

/// Octets of a file that are sent at a time.
const PIECE_OCTETS: usize = 256 << 10;

/// All recordings that the asker may know of, oldest first: who sees every flow knows of all, others of those that they cut, or
/// somebody who sees the same.
#[utoipa::path(get, path = "/api/v1/recordings", tag = "recordings",
    responses((status = 200, body = Vec<Recorded>)))]
pub(crate) async fn recordings(
    State(api): State<Api>,
    person: Person,
) -> Result<Json<Vec<Recorded>>, ApiError> {
    Ok(Json(api.archive.list(&person).await?))
}

/// Cuts a recording of what the asker may see: a stretch that has passed, that goes on until some time, or until it is stopped.
#[utoipa::path(post, path = "/api/v1/recordings", tag = "recordings", request_body = Cut,
    responses((status = 201, body = Recorded), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 507, body = ErrorBody)))]
pub(crate) async fn cut(
    State(api): State<Api>,
    person: Person,
    body: Sent<Cut>,
) -> Result<(StatusCode, Extension<Noted>, Json<Recorded>), ApiError> {
    let cut = read(body)?;
    let recorded = api.archive.cut(&person, cut).await?;
    let noted = Noted::object(&recorded.name);
    Ok((StatusCode::CREATED, Extension(noted), Json(recorded)))
}

/// A recording, by name, id or number, with its notes.
#[utoipa::path(get, path = "/api/v1/recordings/{name}", tag = "recordings",
    params(("name" = String, Path, description = "Its name, id or number")),
    responses((status = 200, body = Recorded), (status = 404, body = ErrorBody)))]
pub(crate) async fn recording(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
) -> Result<Json<Recorded>, ApiError> {
    Ok(Json(api.archive.show(&person, &name).await?))
}

/// Removes a recording, and what nothing else holds of it.
#[utoipa::path(delete, path = "/api/v1/recordings/{name}", tag = "recordings",
    params(("name" = String, Path, description = "Its name, id or number")),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
) -> Result<StatusCode, ApiError> {
    api.archive.delete(&person, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a recording that goes on.
#[utoipa::path(post, path = "/api/v1/recordings/{name}/stop", tag = "recordings",
    params(("name" = String, Path, description = "Its name, id or number")),
    responses((status = 200, body = Recorded), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn stop(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
) -> Result<Json<Recorded>, ApiError> {
    Ok(Json(api.archive.stop(&person, &name).await?))
}

/// Gives a recording a tape and tables of its own now, not only when it would expire.
#[utoipa::path(post, path = "/api/v1/recordings/{name}/keep", tag = "recordings",
    params(("name" = String, Path, description = "Its name, id or number")),
    responses((status = 200, body = Recorded), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn keep(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
) -> Result<Json<Recorded>, ApiError> {
    Ok(Json(api.archive.keep(&person, &name).await?))
}

/// Adds a note to a moment of a recording.
#[utoipa::path(post, path = "/api/v1/recordings/{name}/notes", tag = "recordings", request_body = NewNote,
    params(("name" = String, Path, description = "Its name, id or number")),
    responses((status = 201, body = Recorded), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn note(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
    body: Sent<NewNote>,
) -> Result<(StatusCode, Json<Recorded>), ApiError> {
    let note = read(body)?;
    Ok((
        StatusCode::CREATED,
        Json(api.archive.note(&person, &name, note).await?),
    ))
}

/// What a file of a recording holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileKind {
    /// The whole of it: `docs/recordings.md`.
    #[default]
    Reel,
    /// Its datagrams as a capture.
    Pcapng,
}

/// Parameters of a file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileParameters {
    /// `reel` (if left out) or `pcapng`.
    #[serde(default)]
    kind: FileKind,
    /// Whether addresses are rewritten, under this installation's key: those that share a prefix share one afterwards.
    #[serde(default)]
    anonymize: bool,
}

/// A recording as one file. Its datagrams hold other people's flows too, so it is for those who see every flow.
#[utoipa::path(get, path = "/api/v1/recordings/{name}/file", tag = "recordings",
    params(("name" = String, Path, description = "Its name, id or number"), FileParameters),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn file(
    State(api): State<Api>,
    person: Person,
    Segment(name): Segment<String>,
    Parameters(parameters): Parameters<FileParameters>,
) -> Result<Response, ApiError> {
    let anonymize = parameters.anonymize;
    let wrapping = match parameters.kind {
        FileKind::Reel => Wrapping::Reel { anonymize },
        FileKind::Pcapng => Wrapping::Pcapng { anonymize },
    };
    send(api.archive.export(&person, &name, wrapping).await?).await
}

/// Parameters of an import.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParameters {
    /// What to call it here; its own name if left out.
    name: Option<String>,
}

/// Takes in a recording from a `.reel` file, or a capture of flow export, as a world of its own.
#[utoipa::path(post, path = "/api/v1/reels", tag = "recordings", params(ImportParameters),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Recorded), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(crate) async fn import(
    State(api): State<Api>,
    person: Person,
    Parameters(parameters): Parameters<ImportParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Extension<Noted>, Json<Recorded>), ApiError> {
    let file = take_upload(&api, &headers, body).await?;
    let recorded = api.archive.import(&person, parameters.name, file).await?;
    let noted = Noted::object(&recorded.name);
    Ok((StatusCode::CREATED, Extension(noted), Json(recorded)))
}

async fn send(leaving: Leaving) -> Result<Response, ApiError> {
    let failed = |error: std::io::Error| {
        let what = "the recording's file cannot be read";
        ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, &error)
    };
    let file = tokio::fs::File::open(leaving.path())
        .await
        .map_err(failed)?;
    let octets = file.metadata().await.map_err(failed)?.len();
    let pieces = futures_util::stream::try_unfold((file, leaving), |(mut file, leaving)| async {
        let mut piece = Vec::with_capacity(PIECE_OCTETS);
        let read = (&mut file).take(PIECE_OCTETS as u64);
        tokio::pin!(read);
        read.read_to_end(&mut piece).await?;
        let next = (!piece.is_empty()).then_some((piece, (file, leaving)));
        Ok::<_, std::io::Error>(next)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, octets.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Unknown(why) => Self::not_found(why),
            ArchiveError::Conflict(why) => Self::refused(StatusCode::CONFLICT, why),
            ArchiveError::Refused(why) => Self::refused(StatusCode::BAD_REQUEST, why),
            ArchiveError::Unavailable(why) => Self::refused(StatusCode::SERVICE_UNAVAILABLE, why),
            ArchiveError::Full(why) => Self::refused(StatusCode::INSUFFICIENT_STORAGE, why),
            ArchiveError::Failed { what, source } => {
                Self::because(StatusCode::INTERNAL_SERVER_ERROR, what, &*source)
            }
        }
    }
}
