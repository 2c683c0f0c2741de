//! The promise in numbers: received = stored + on tape + Σ dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a datagram, or records of one, will never be stored. Each has a counter of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DropKind {
    /// The exporter's address is not on the allow list.
    NotAllowed,
    /// The queue between socket and tape was full.
    QueueFull,
    /// The tape could not be written: disk full or failing.
    TapeFailed,
    /// The tape's oldest segment had to go before it was stored.
    TapeExpired,
    /// The frame on tape was damaged.
    TapeDamaged,
    /// The tape lost its end in a power cut, before it was forced to disk.
    TapeLost,
    /// Not an export protocol at all, or a version that does not exist.
    NotFlowExport,
    /// sFlow or NetFlow v8: recognised, not decoded.
    Unsupported,
    /// Contradicts its own lengths.
    Malformed,
    /// The same datagram as before: same exporter, same sequence number, same octets.
    Duplicate,
    /// Its template did not come in time.
    NoTemplate,
    /// The store refuses it for good.
    Refused,
    /// Understood, and there is no store to keep it: `engine = "none"`.
    NotKept,
}

impl DropKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::NotAllowed,
        Self::QueueFull,
        Self::TapeFailed,
        Self::TapeExpired,
        Self::TapeDamaged,
        Self::TapeLost,
        Self::NotFlowExport,
        Self::Unsupported,
        Self::Malformed,
        Self::Duplicate,
        Self::NoTemplate,
        Self::Refused,
        Self::NotKept,
    ];

    /// The name in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::QueueFull => "queue_full",
            Self::TapeFailed => "tape_failed",
            Self::TapeExpired => "tape_expired",
            Self::TapeDamaged => "tape_damaged",
            Self::TapeLost => "tape_lost",
            Self::NotFlowExport => "not_flow_export",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate",
            Self::NoTemplate => "no_template",
            Self::Refused => "refused",
            Self::NotKept => "not_kept",
        }
    }
}

/// One side of the books: datagrams, or records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// Handed over by the kernel (records: told apart by the decoder).
    pub received: u64,
    /// In the store, or, for a datagram that held only templates, understood.
    pub stored: u64,
    /// On tape and not stored yet; waiting for a template included.
    pub on_tape: u64,
    /// Gone, by kind. A kind that never happened is there with 0.
    pub dropped: BTreeMap<DropKind, u64>,
}

impl Ledger {
    /// Counts `count` as gone.
    pub fn drop(&mut self, kind: DropKind, count: u64) {
        *self.dropped.entry(kind).or_default() += count;
    }

    /// Everything that is gone.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether received = stored + on tape + Σ dropped.
    pub fn balances(&self) -> bool {
        self.received == self.stored + self.on_tape + self.dropped_total()
    }
}

/// The books of a collector since its data directory was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accounting {
    /// Datagrams.
    pub datagrams: Ledger,
    /// Flow records. What is still on tape is not counted in records before it is decoded.
    pub records: Ledger,
    /// Datagrams that the kernel dropped before handing them over, as far as its sockets said (`SO_RXQ_OVFL`).
    pub kernel_drops: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_written_as_it_is_named() {
        for kind in DropKind::ALL {
            assert_eq!(
                format!("{kind:?}").to_lowercase(),
                kind.name().replace('_', "")
            );
        }
    }

    #[test]
    fn the_books_balance_or_not() {
        let mut ledger = Ledger {
            received: 5,
            stored: 3,
            on_tape: 1,
            ..Ledger::default()
        };
        assert!(!ledger.balances());
        ledger.drop(DropKind::Malformed, 1);
        assert!(ledger.balances());
    }
}
