//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use store::catalog::Role;
use store::question::Scope;

use crate::ApiError;

/// Who asks: what handlers know of them. The door puts it into each request that it lets through.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// As others know them; it stands beside what they cut and write.
    pub name: String,
    /// What they work as.
    pub role: Role,
    /// Whose flows they see.
    pub scope: Scope,
}

impl Person {
    /// Whoever works on this machine, where there is no sign-on.
    pub fn operator() -> Self {
        Self {
            name: "operator".to_owned(),
            role: Role::Admin,
            scope: Scope::default(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::nobody)
    }
}
