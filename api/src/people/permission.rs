//! What may be done here, and which role may.

use store::catalog::Role;

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
