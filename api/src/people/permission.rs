//! What may be done here, and which role may.

use serde::{Deserialize, Serialize};
use store::catalog::Role;
use utoipa::ToSchema;

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Ask about flows, within one's scope.
    Ask,
    /// See and replay recordings, within one's scope.
    Replay,
    /// Cut recordings, and write notes.
    Record,
    /// Take recordings away as files, with every datagram in them.
    Share,
    /// Bring captures and recordings in.
    Import,
    /// Say how flows are named, and what is kept.
    Rule,
    /// See how this installation works: exporters, counters, room.
    Operate,
    /// Say who may do what.
    Administer,
    /// Report a problem, and see what becomes of it.
    Report,
    /// Work on tickets.
    Work,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Ask,
        Self::Replay,
        Self::Record,
        Self::Share,
        Self::Import,
        Self::Rule,
        Self::Operate,
        Self::Administer,
        Self::Report,
        Self::Work,
    ];

    /// Whether a role has it.
    pub fn is_of(self, role: Role) -> bool {
        let of_role: &[Self] = match role {
            Role::Admin => return true,
            Role::EndUser => &[Self::Ask, Self::Report],
            Role::Manager => &[Self::Ask, Self::Replay, Self::Report],
            Role::ApplicationOwner => &[Self::Ask, Self::Replay, Self::Record, Self::Report],
            Role::HelpDesk => &[
                Self::Ask,
                Self::Replay,
                Self::Record,
                Self::Report,
                Self::Work,
            ],
            Role::Engineer => &[
                Self::Ask,
                Self::Replay,
                Self::Record,
                Self::Share,
                Self::Import,
                Self::Rule,
                Self::Operate,
                Self::Report,
                Self::Work,
            ],
        };
        of_role.contains(&self)
    }
}

/// Whether whoever works as `outer` may do all that `inner` may.
pub(super) fn covers(outer: Role, inner: Role) -> bool {
    let mut of_inner = Permission::ALL.iter().filter(|it| it.is_of(inner));
    of_inner.all(|it| it.is_of(outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what_others_may() {
        use Role::{Admin, ApplicationOwner, EndUser, Engineer, HelpDesk, Manager};
        for role in Role::ALL {
            assert!(covers(Admin, role) && covers(role, EndUser) && covers(role, role));
            assert_eq!(covers(role, Admin), role == Admin);
        }
        assert!(covers(HelpDesk, ApplicationOwner) && !covers(ApplicationOwner, HelpDesk));
        assert!(covers(Engineer, HelpDesk) && !covers(HelpDesk, Engineer));
        assert!(!covers(Manager, HelpDesk) && !covers(EndUser, Manager));
    }
}
