//! What the supervisor counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of the engine's process, since the supervisor was made.
#[derive(Debug, Default)]
pub struct Stats {
    /// Times that the engine's process was started.
    pub starts: Counter,
    /// Times that the engine's process ended without being asked to.
    pub exits: Counter,
    /// Times that the engine's process was killed because it did not answer.
    pub kills: Counter,
    /// Looks at the engine that got no answer in time.
    pub pings_missed: Counter,
    /// Lines that the engine wrote to its standard error.
    pub lines: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stats {
    /// Name, help text and value of every counter, for `/metrics`.
    pub fn counters(&self) -> [(&'static str, &'static str, u64); 5] {
        [
            (
                "flowreel_engine_starts_total",
                "times that the engine's process was started",
                self.starts.get(),
            ),
            (
                "flowreel_engine_exits_total",
                "times that the engine's process ended without being asked to",
                self.exits.get(),
            ),
            (
                "flowreel_engine_kills_total",
                "times that the engine's process was killed because it did not answer",
                self.kills.get(),
            ),
            (
                "flowreel_engine_missed_pings_total",
                "looks at the engine that got no answer in time",
                self.pings_missed.get(),
            ),
            (
                "flowreel_engine_lines_total",
                "lines that the engine wrote to its standard error",
                self.lines.get(),
            ),
        ]
    }
}
