//! What went out, and what did not.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of all channels.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    sent: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    refused: AtomicU64,
}

impl Stats {
    pub(super) fn sent(&self, messages: usize) {
        self.sent.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, is_dead: bool) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.dead.fetch_add(u64::from(is_dead), Ordering::Relaxed);
    }

    pub(super) fn refused(&self, messages: u32) {
        self.refused
            .fetch_add(u64::from(messages), Ordering::Relaxed);
    }

    /// Name, help and value of each.
    pub(crate) fn read(&self) -> [(&'static str, &'static str, u64); 4] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            (
                "sent_messages",
                "Mails and calls of webhooks that were taken.",
                read(&self.sent),
            ),
            (
                "failed_attempts",
                "Attempts to send one that failed.",
                read(&self.failed),
            ),
            (
                "dead_messages",
                "Messages that were given up.",
                read(&self.dead),
            ),
            (
                "refused_messages",
                "Messages not taken, as too many wait.",
                read(&self.refused),
            ),
        ]
    }
}
