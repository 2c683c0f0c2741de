//! The one place that lets requests through, or not: everything that nobody allowed is refused.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Person;
use super::access::{Access, access};
use crate::ApiError;

/// The middleware: finds out who asks, and whether they may.
pub(crate) async fn keep(mut request: Request, next: Next) -> Response {
    let person = Person::operator();
    match check(&request, &person) {
        Ok(()) => {
            request.extensions_mut().insert(person);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn check(request: &Request, person: &Person) -> Result<(), ApiError> {
    // What is no route is a page: the same for everybody.
    let Some(route) = request.extensions().get::<MatchedPath>() else {
        return Ok(());
    };
    match access(request.method(), route.as_str()) {
        Some(Access::Everybody) => Ok(()),
        Some(Access::With(permission)) if permission.is_of(person.role) => Ok(()),
        Some(Access::Whole(permission)) if permission.is_of(person.role) => {
            match person.scope.sees_all() {
                true => Ok(()),
                false => Err(ApiError::forbidden(
                    "this holds what is everybody's, and you see a part of the flows only",
                )),
            }
        }
        Some(Access::With(_) | Access::Whole(_)) | None => Err(ApiError::forbidden(
            "this is not among what your role may do",
        )),
    }
}
