//! The ClickHouse HTTP interface, as far as the official client and people with `curl --unix-socket` use it.
//!
//! An answer is complete in memory before its first octet goes out, so an exception always has a status of its own
//! (as with `wait_end_of_query=1`); `max_result_bytes` bounds it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use tokio::sync::mpsc::{self, Sender};

use crate::desk::Desk;
use crate::exception::{Exception, TIMEOUT_EXCEEDED};
use crate::library::Answer;
use crate::request::Request;
use crate::session::{Insert, Piece};
use crate::statement::{Statement, classify};

/// How long a client may pause within a request's body.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Pieces of an insert's data between the socket and the engine: at most this many, each as large as the socket gave
/// it (at most some 400 KiB).
///
/// When full, the socket is not read; the client waits.
const PIECES_MAX: usize = 4;

/// Octets of the body of an insert that has already failed which are still read, so that the client can finish writing
/// and read the answer.
const LEFTOVER_OCTETS_MAX: u64 = 64 << 20;

/// The code, as a header.
const EXCEPTION_CODE: &str = "x-clickhouse-exception-code";
/// The process that answers a ping, as a header: its supervisor must not take another engine for its child.
pub(crate) const PROCESS: &str = "x-engine-process";
/// Counts of rows and octets, as a header.
const SUMMARY: &str = "x-clickhouse-summary";

type Body = Full<Bytes>;

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn answer(
    desk: Arc<Desk>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let answered = match (&parts.method, parts.uri.path()) {
        (&Method::GET | &Method::HEAD, "/ping") => return Ok(ping(&desk).await),
        (&Method::GET | &Method::POST, "/") => statement(&desk, &parts, body).await,
        _ => return Ok(plain(StatusCode::NOT_FOUND, "There is no such handle\n")),
    };
    Ok(match answered {
        Ok(answer) => rows(answer),
        Err(exception) => failure(&exception),
    })
}

async fn ping(desk: &Arc<Desk>) -> Response<Body> {
    if desk.answers().await {
        let mut response = plain(StatusCode::OK, "Ok.\n");
        let process = HeaderValue::from(std::process::id());
        response.headers_mut().insert(PROCESS, process);
        response
    } else {
        plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "The engine does not answer\n",
        )
    }
}

async fn statement(desk: &Arc<Desk>, parts: &Parts, body: Incoming) -> Result<Answer, Exception> {
    let mut request = Request::from_address(parts.uri.query().unwrap_or_default())?;
    if parts.method == Method::GET {
        request = request.with_setting("readonly", "1");
    }
    if let Some(insert) = insert_of(&request.query)? {
        return stream(desk, request, insert, body).await;
    }
    let body = collect(body, desk.query_octets_max()).await?;
    match parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    {
        Some(form) if form.starts_with("multipart/form-data") => request.add_form(form, &body)?,
        _ => request.query.extend_from_slice(&body),
    }
    let statement = std::mem::take(&mut request.query);
    match insert_of(&statement)? {
        None => desk.query(request, statement).await,
        Some(insert) => {
            let (pieces, data) = mpsc::channel(1);
            // The whole data is inline: the empty piece that ends it always fits.
            let _ = pieces.try_send(Ok(Bytes::new()));
            drop(pieces);
            desk.insert(request, insert, data).await
        }
    }
}

fn insert_of(statement: &[u8]) -> Result<Option<Insert>, Exception> {
    Ok(match classify(statement)? {
        Statement::Plain => None,
        Statement::Insert {
            head,
            format,
            inline,
        } => Some(Insert {
            head: head.to_vec(),
            format: format.to_owned(),
            inline: inline.to_vec(),
        }),
    })
}

async fn collect(body: Incoming, octets_max: usize) -> Result<Bytes, Exception> {
    let collected = tokio::time::timeout(BODY_PAUSE_MAX, Limited::new(body, octets_max).collect());
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Exception::malformed(&format!(
            "a statement has more than {octets_max} octets"
        ))),
        Ok(Err(_)) => Err(Exception::malformed("the request's body broke off")),
        Err(_) => Err(stalled()),
    }
}

fn stalled() -> Exception {
    let reason = "the request's body stalled";
    Exception::new(TIMEOUT_EXCEEDED, "TIMEOUT_EXCEEDED", reason)
}

/// Runs an insert with the body as its data, while the body arrives.
async fn stream(
    desk: &Arc<Desk>,
    request: Request,
    insert: Insert,
    mut body: Incoming,
) -> Result<Answer, Exception> {
    let (pieces, data) = mpsc::channel(PIECES_MAX);
    let octets_max = desk.insert_octets_max();
    let feeding = async {
        feed(&mut body, &pieces, octets_max).await;
        drop(pieces);
        drain(&mut body).await;
    };
    let (stored, ()) = tokio::join!(desk.insert(request, insert, data), feeding);
    stored
}

/// Hands the body to the engine piece by piece, and an empty piece at its end. Stops when the engine stops reading.
async fn feed(body: &mut Incoming, pieces: &Sender<Piece>, octets_max: u64) {
    let mut left = octets_max;
    loop {
        let piece = match tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
            Err(_) => Err(stalled()),
            Ok(Some(Err(_))) => Err(Exception::malformed("the insert's data broke off")),
            Ok(None) => Ok(Bytes::new()),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(piece) if piece.is_empty() => continue,
                Ok(piece) => Ok(piece),
                Err(_trailers) => continue,
            },
        };
        let length = piece
            .as_ref()
            .map_or(0, |piece| u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let piece = match left.checked_sub(length) {
            Some(remaining) => {
                left = remaining;
                piece
            }
            None => Err(Exception::malformed(&format!(
                "an insert has more than {octets_max} octets"
            ))),
        };
        let last = piece.as_ref().map_or(true, Bytes::is_empty);
        if pieces.send(piece).await.is_err() || last {
            return;
        }
    }
}

/// Reads what the client still sends after its insert failed.
async fn drain(body: &mut Incoming) {
    let mut left = LEFTOVER_OCTETS_MAX;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(u64::try_from(length).unwrap_or(u64::MAX)) {
            Some(remaining) => left = remaining,
            None => return,
        }
    }
}

fn rows(answer: Answer) -> Response<Body> {
    let [read_rows, read_bytes, written_rows, written_bytes] = answer.counts();
    let summary = format!(
        "{{\"read_rows\":\"{read_rows}\",\"read_bytes\":\"{read_bytes}\",\
         \"written_rows\":\"{written_rows}\",\"written_bytes\":\"{written_bytes}\"}}"
    );
    let mut response = Response::new(Full::new(Bytes::from_owner(answer)));
    if let Ok(summary) = HeaderValue::from_str(&summary) {
        response.headers_mut().insert(SUMMARY, summary);
    }
    response
}

fn failure(exception: &Exception) -> Response<Body> {
    let mut response = plain(exception.status(), &format!("{}\n", exception.text));
    response
        .headers_mut()
        .insert(EXCEPTION_CODE, HeaderValue::from(exception.code));
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
