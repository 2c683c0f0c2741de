//! Every counter of the tape. The doc comment of a counter is its help text.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident,)+) => {
        /// Counters while the tape is open; shared by the writer and its threads.
        #[derive(Debug, Default)]
        pub(crate) struct TapeStats {
            $(#[doc = $doc] pub(crate) $name: AtomicU64,)+
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct TapeCounts {
            $(#[doc = $doc] pub $name: u64,)+
        }

        impl TapeStats {
            /// All counters, each read once.
            pub(crate) fn snapshot(&self) -> TapeCounts {
                TapeCounts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl TapeCounts {
            /// Name, help text and value of every counter, for metrics.
            pub fn each(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $doc.trim_ascii(), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Datagrams appended.
    appended_datagrams,
    /// Octets appended, with their frames.
    appended_octets,
    /// Write calls that it took.
    writes,
    /// Write calls that failed.
    write_failures,
    /// Datagrams that were lost with the tape's end, in a power cut, as far as others remember that they had been there.
    lost_datagrams,
    /// Datagrams dropped because the tape could not be written.
    failed_datagrams,
    /// Times that the tape was forced to disk.
    fsyncs,
    /// Times that forcing it to disk failed.
    fsync_failures,
    /// Microseconds of the slowest time that it was forced to disk.
    fsync_slowest_us,
    /// Segments begun.
    segments_begun,
    /// Segments compressed.
    segments_compressed,
    /// Octets of segments before they were compressed.
    compressed_from_octets,
    /// Octets of segments after they were compressed.
    compressed_to_octets,
    /// Times that compressing a segment failed; it stays as it was.
    compress_failures,
    /// Segments removed by age, size or want of space.
    expired_segments,
    /// Datagrams in removed segments that the store had.
    expired_stored_datagrams,
    /// Datagrams in removed segments that the store did not have yet.
    expired_unstored_datagrams,
    /// Times that a segment was removed because the disk was full.
    made_room,
    /// Index entries that could not be written; the segment is searched instead.
    index_failures,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// A length as a counter's unit.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_carry_their_help() {
        let stats = TapeStats::default();
        add(&stats.fsyncs, 2);
        let each = stats.snapshot().each();
        assert!(each.contains(&("fsyncs", "Times that the tape was forced to disk.", 2)));
    }
}
