//! Bodies of requests, read whole before they are looked at, within a time: whoever sends an octet now and then would otherwise
//! hold one of the few connections for as long as he likes.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::ApiError;
use crate::people::Person;

/// Largest body, octets. Uploads of captures have a rule of their own.
const BODY_OCTETS_MAX: usize = 2 << 20;
/// Largest body of whom nobody knows: a name and a password.
const STRANGER_OCTETS_MAX: usize = 8 << 10;
/// How long it may take.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// What a request says in JSON, as it came.
pub(crate) type Sent<T> = Result<Json<T>, JsonRejection>;

/// What it says, with our own error where it is wrong.
pub(crate) fn read<T>(sent: Sent<T>) -> Result<T, ApiError> {
    let Json(read) = sent.map_err(|error| ApiError::parameter("body", error.body_text()))?;
    Ok(read)
}

/// The middleware.
pub(crate) async fn read_in_time(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let octets_max = match head.extensions.get::<Person>() {
        Some(_) => BODY_OCTETS_MAX,
        None => STRANGER_OCTETS_MAX,
    };
    match whole(body, octets_max, BODY_WAIT_MAX).await {
        Ok(body) => next.run(Request::from_parts(head, body.into())).await,
        Err(error) => error.into_response(),
    }
}

async fn whole(body: Body, octets_max: usize, wait_max: Duration) -> Result<Vec<u8>, ApiError> {
    let deadline = Instant::now() + wait_max;
    let (mut read, mut pieces) = (Vec::new(), body.into_data_stream());
    loop {
        let piece = timeout_at(deadline, pieces.next()).await;
        let piece = piece.map_err(|_| {
            let seconds = wait_max.as_secs();
            ApiError::refused(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body of the request did not come within {seconds} seconds"),
            )
        })?;
        match piece {
            None => return Ok(read),
            Some(Ok(piece)) if read.len() + piece.len() <= octets_max => {
                read.extend_from_slice(&piece);
            }
            Some(Ok(_)) => {
                return Err(ApiError::refused(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("a request may have {} KiB at most", octets_max >> 10),
                ));
            }
            Some(Err(error)) => {
                let what = "the body of the request ended before its end";
                return Err(ApiError::because(StatusCode::BAD_REQUEST, what, &error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures_util::stream;

    use super::*;

    /// A body of these pieces, an hour apart.
    fn slow(pieces: &'static [&'static [u8]]) -> Body {
        Body::from_stream(stream::iter(pieces).then(async |piece| {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(piece))
        }))
    }

    async fn status(body: Body, wait_max: Duration) -> StatusCode {
        let error = whole(body, BODY_OCTETS_MAX, wait_max).await.unwrap_err();
        error.into_response().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_whole_or_refused() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600 + 1);
        let whole = |body, wait_max| whole(body, BODY_OCTETS_MAX, wait_max);
        let read = whole(slow(&[b"{\"a\"", b":1}"]), hours(2)).await.unwrap();
        assert_eq!(read, b"{\"a\":1}");
        assert!(whole(Body::empty(), hours(0)).await.unwrap().is_empty());
        let late = status(slow(&[b"{\"a\"", b":1}"]), hours(1)).await;
        assert_eq!(late, StatusCode::REQUEST_TIMEOUT);
        let most = vec![b' '; BODY_OCTETS_MAX];
        assert_eq!(whole(most.clone().into(), hours(0)).await.unwrap(), most);
        let more = [most, b" ".to_vec()].concat();
        assert_eq!(
            status(more.into(), hours(0)).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
        let broken = status(Body::from_stream(broken), hours(0)).await;
        assert_eq!(broken, StatusCode::BAD_REQUEST);
    }
}
