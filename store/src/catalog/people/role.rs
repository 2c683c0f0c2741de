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

    /// The name in the catalog and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndUser => "end_user",
            Self::HelpDesk => "help_desk",
            Self::Engineer => "engineer",
            Self::ApplicationOwner => "application_owner",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}
