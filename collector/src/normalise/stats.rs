//! What the normaliser counts.

/// Counters since the start. The first sentence of each is its help text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NormaliseStats {
    /// Rows normalised.
    pub rows: u64,
    /// Rows that views do not count, because another observation point counted the same traffic.
    pub rows_observed_elsewhere: u64,
    /// Rows without both addresses: no conversation, each is counted.
    pub rows_without_conversation: u64,
    /// Conversations begun.
    pub conversations: u64,
    /// Conversations forgotten before their time, because the table was full.
    pub conversations_forgotten: u64,
    /// Services learned.
    pub services_learned: u64,
    /// Services that were not learned because there was no room.
    pub services_refused: u64,
}
