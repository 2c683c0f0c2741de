//! Why somebody is not let in. Pages have the words: nothing that stands in an address is shown.

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The provider does not answer, or not as one.
    ProviderDown,
    /// This browser has not begun it, or too long ago, or it was used.
    Stale,
    /// The provider says no.
    Denied,
    /// What the provider says is not what was asked for, or not its own word.
    NotValid,
    /// They are in no group that may come in.
    NoGroup,
    /// Somebody else has an account of this name.
    NameTaken,
    /// The provider gives no name that an account can have.
    NoName,
    /// An admin disabled their account.
    Disabled,
    /// Too many tries from there.
    Slowed,
    /// It failed here.
    Failed,
}

impl Refusal {
    /// The word for it in an address and in the audit log.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::ProviderDown => "provider_down",
            Self::Stale => "stale",
            Self::Denied => "denied",
            Self::NotValid => "not_valid",
            Self::NoGroup => "no_group",
            Self::NameTaken => "name_taken",
            Self::NoName => "no_name",
            Self::Disabled => "disabled",
            Self::Slowed => "slowed",
            Self::Failed => "failed",
        }
    }
}
