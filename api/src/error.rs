//! What a caller is told when a question can't be answered.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::catalog::CatalogError;
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong, in a sentence for people.
    pub error: String,
    /// What lies behind it, for whoever looks deeper.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Which parameter is wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parameter: Option<String>,
    /// For a filter: the column of the first character that is wrong, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<usize>,
}

/// An answer that is not a success: a status and its body.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let body = ErrorBody {
            error: error.into(),
            detail: None,
            parameter: None,
            column: None,
        };
        Self { status, body }
    }

    /// 400: a parameter is wrong.
    pub fn parameter(name: &str, error: impl Into<String>) -> Self {
        let mut this = Self::new(StatusCode::BAD_REQUEST, error);
        this.body.parameter = Some(name.to_owned());
        this
    }

    /// The parameter by its name in an address that has each of them twice, for two sides.
    pub(crate) fn on_side(mut self, side: &str) -> Self {
        let of_side = self.body.parameter.take();
        self.body.parameter = of_side.map(|name| match name.as_str() {
            "filter" => name,
            _ => format!("{side}_{name}"),
        });
        self
    }

    /// The same, and where: behind a colon stands what.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.body.error = format!("{place}: {}", self.body.error);
        self
    }

    /// 400: the filter is wrong at a column.
    pub fn filter(error: &flow::filter::FilterError) -> Self {
        let mut this = Self::parameter("filter", error.to_string());
        this.body.column = Some(error.column);
        this
    }

    /// 404: there is no such thing.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// 403: refused.
    pub fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    /// 401: nobody has signed on.
    pub(crate) fn nobody() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign on first")
    }

    /// 408, 413, 429, 507: not in this way, or not now.
    pub fn refused(status: StatusCode, error: impl Into<String>) -> Self {
        Self::new(status, error)
    }

    /// What is told where there is no status to tell.
    pub(crate) fn into_body(self) -> ErrorBody {
        self.body
    }

    /// 409, 422, 500, 503 …: with what lies behind it.
    pub fn because(
        status: StatusCode,
        error: impl Into<String>,
        cause: &dyn std::error::Error,
    ) -> Self {
        let mut detail = cause.to_string();
        let mut source = cause.source();
        while let Some(inner) = source {
            detail = format!("{detail}: {inner}");
            source = inner.source();
        }
        let mut this = Self::new(status, error);
        this.body.detail = Some(detail);
        this
    }
}

impl From<store::StoreError> for ApiError {
    /// A store that can't be reached is a matter of time (503); one that refuses a question is ours to mend (500).
    fn from(error: store::StoreError) -> Self {
        if let store::StoreError::Question(why) = error {
            return Self::new(StatusCode::BAD_REQUEST, why);
        }
        if let store::StoreError::NoStore = error {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        }
        if error.heals_by_itself() {
            Self::because(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer now; arriving flows are kept on tape",
                &error,
            )
        } else {
            Self::because(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store could not answer",
                &error,
            )
        }
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Unknown { .. } => Self::not_found(error.to_string()),
            CatalogError::Taken { .. } => Self::refused(StatusCode::CONFLICT, error.to_string()),
            CatalogError::Wrong(why) => Self::parameter("body", why),
            error => Self::because(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the catalog did not do it",
                &error,
            ),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(
                status = self.status.as_u16(),
                error = self.body.error,
                detail = self.body.detail,
                "request failed"
            );
        }
        (self.status, Json(self.body)).into_response()
    }
}
