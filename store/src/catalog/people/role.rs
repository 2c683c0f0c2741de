//! The kinds of work that people do here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody works as. It decides what they may do and which page is their first; whose flows they see is their scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Has a problem, and says so.
    EndUser,
    /// Takes in problems.
    HelpDesk,
    /// Finds out why.
    Engineer,
    /// Answers for applications.
    ApplicationOwner,
    /// Answers for the whole.
    Manager,
    /// Says who may do what.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EndUser,
        Self::HelpDesk,
        Self::Engineer,
        Self::ApplicationOwner,
        Self::Manager,
        Self::Admin,
    ];
}
