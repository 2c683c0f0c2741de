//! Every counter of the store. The doc comment is the help text.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters since the program started.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: AtomicU64,)+
        }

        impl Stats {
            /// Name (to be prefixed with `flowreel_store_`), help text and value of every counter.
            pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($doc),+).trim_ascii(), self.$name.load(Ordering::Relaxed)),)+]
            }
        }
    };
}

counters! {
    /// Rows that the store acknowledged, repeated batches included.
    inserted_rows,
    /// Batches that the store acknowledged.
    inserted_batches,
    /// Octets of the blocks that were sent, those of failed attempts too.
    inserted_octets,
    /// Attempts to insert that failed and may be repeated.
    insert_failures,
    /// Batches of which the store refused rows for good.
    refused_batches,
    /// Rows that the store refused for good.
    refused_rows,
    /// Microseconds that inserts took, making the columns and sums included.
    insert_us,
    /// Microseconds spent sorting rows and summing them up, mostly while the store is at work with an insert.
    encode_us,
    /// Questions asked.
    questions,
    /// Questions that failed.
    question_failures,
    /// Microseconds spent waiting for answers.
    question_us,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64, value: u64) {
        counter.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn add_time(counter: &AtomicU64, watch: flow::clock::Stopwatch) {
        let us = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
        Self::add(counter, us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_the_doc_comment() {
        let stats = Stats::default();
        Stats::add(&stats.refused_batches, 2);
        assert!(stats.read().contains(&(
            "refused_batches",
            "Batches of which the store refused rows for good.",
            2
        )));
    }
}
