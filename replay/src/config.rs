//! How large the tape may grow, how old, and how often it is forced to disk.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::TapeError;

/// The tape's part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TapeConfig {
    /// The folder that holds the tape and nothing else. Made if it is not there.
    pub dir: PathBuf,
    /// A segment is sealed when its next frame would take it past this many octets.
    pub segment_octets: u32,
    /// Octets on disk above which the oldest unpinned segment goes. Compressed segments count as they are on disk.
    pub max_octets: u64,
    /// Hours after which a sealed, unpinned segment goes; `None` keeps it until the tape is full.
    pub max_age_hours: Option<u32>,
    /// Milliseconds between two calls that force the tape to disk: what a power cut may cost.
    pub fsync_interval_ms: u64,
    /// Whether sealed segments are compressed in the background.
    pub compress: bool,
    /// Octets of the file system that are left to others: below it the oldest unpinned segments go, then datagrams.
    pub min_free_octets: u64,
}

impl Default for TapeConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("tape"),
            segment_octets: 64 << 20,
            max_octets: 16 << 30,
            max_age_hours: None,
            fsync_interval_ms: 200,
            compress: true,
            min_free_octets: 256 << 20,
        }
    }
}

/// The smallest segment: any datagram must fit.
pub const SEGMENT_OCTETS_MIN: u32 = 128 << 10;

/// The largest segment: offsets are 32 bits wide.
pub const SEGMENT_OCTETS_MAX: u32 = 1 << 30;

impl TapeConfig {
    /// Between two calls that force the tape to disk; at least a millisecond.
    pub fn fsync_interval(&self) -> Duration {
        Duration::from_millis(self.fsync_interval_ms.max(1))
    }

    /// How old a sealed segment may become.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_hours
            .map(|hours| Duration::from_secs(u64::from(hours) * 3600))
    }

    /// Looks for values that cannot work.
    ///
    /// # Errors
    ///
    /// [`TapeError::Config`] with the reason; the caller shows it and does not start.
    pub fn check(&self) -> Result<(), TapeError> {
        if !(SEGMENT_OCTETS_MIN..=SEGMENT_OCTETS_MAX).contains(&self.segment_octets) {
            return Err(TapeError::Config(format!(
                "segment_octets is {}, it must be from {SEGMENT_OCTETS_MIN} to {SEGMENT_OCTETS_MAX}",
                self.segment_octets
            )));
        }
        let two_segments = u64::from(self.segment_octets) * 2;
        if self.max_octets < two_segments {
            return Err(TapeError::Config(format!(
                "max_octets is {}, it must hold at least two segments: {two_segments}",
                self.max_octets
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_nonsense_is_named() {
        assert!(TapeConfig::default().check().is_ok());
        let tiny = TapeConfig {
            segment_octets: 1,
            ..TapeConfig::default()
        };
        let said = tiny.check().unwrap_err().to_string();
        assert!(said.contains("segment_octets is 1"), "{said}");
        let small = TapeConfig {
            max_octets: 64 << 20,
            ..TapeConfig::default()
        };
        let said = small.check().unwrap_err().to_string();
        assert!(said.contains("at least two segments: 134217728"), "{said}");
    }

    #[test]
    fn unknown_settings_are_refused() {
        let read: Result<TapeConfig, _> = serde_json::from_str(r#"{"segment_size": 5}"#);
        assert!(read.is_err());
        let read: TapeConfig =
            serde_json::from_str(r#"{"max_age_hours": 48, "fsync_interval_ms": 0}"#).unwrap();
        assert_eq!(read.max_age(), Some(Duration::from_secs(172_800)));
        assert_eq!(read.fsync_interval(), Duration::from_millis(1));
    }
}
