//! What is at addresses that are no routes: the pages, which the binary hands in.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;

use crate::ApiError;
use crate::router::Api;

/// Answers a request that is for a page or a part of one; `None` for any other.
pub type Pages = fn(&Parts) -> Option<Response<Cow<'static, [u8]>>>;

/// Whatever no route wanted.
pub(crate) async fn answer(State(api): State<Api>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    match api.pages.and_then(|pages| pages(&head)) {
        Some(page) => page.map(Body::from),
        None => ApiError::not_found("there is nothing at this address").into_response(),
    }
}
