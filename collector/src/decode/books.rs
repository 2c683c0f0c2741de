//! The decoder's share of the books: what became of each datagram that it was given.

use std::collections::BTreeMap;

use flow::DropKind;
use serde::{Deserialize, Serialize};

/// Cumulative since the data directory was made (they are part of the state that is kept).
///
/// `seen = understood + waiting + Σ dropped`, in datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Datagrams given to the decoder.
    pub seen: u64,
    /// Datagrams of which everything that could be had is in a batch or was a template: stored, once the batch is.
    pub understood: u64,
    /// Datagrams of which a Set waits for its template now.
    pub waiting: u64,
    /// Datagrams that gave nothing and never will, by kind.
    pub dropped: BTreeMap<DropKind, u64>,
    /// Flow records put into a batch.
    pub records: u64,
    /// Options records read.
    pub options_records: u64,
    /// Flow records that were there and could not be read, as far as they can be told apart, by kind.
    pub records_dropped: BTreeMap<DropKind, u64>,
}

impl Books {
    pub(crate) fn drop(&mut self, kind: DropKind) {
        *self.dropped.entry(kind).or_default() += 1;
    }

    pub(crate) fn drop_records(&mut self, kind: DropKind, count: u64) {
        if count > 0 {
            *self.records_dropped.entry(kind).or_default() += count;
        }
    }

    /// Whether every datagram is accounted for.
    pub fn balance(&self) -> bool {
        self.seen == self.understood + self.waiting + self.dropped.values().sum::<u64>()
    }
}
