//! What can go wrong with a tape, with its place.

use std::io;
use std::path::{Path, PathBuf};

use flow::TapePosition;

/// Why a tape cannot be opened, written or read. Damage is none of these: it is skipped and counted.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `open`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process writes this tape.
    #[error("the tape {} is in use by {holder}; stop it, or give this one another data directory", dir.display())]
    Locked {
        /// The tape's folder.
        dir: PathBuf,
        /// Who holds it, as it wrote itself into the lock file.
        holder: String,
    },
    /// A newer Flowreel wrote this tape.
    #[error("{} was written in tape format {found}, this program knows formats up to {known}: use the newer program, or another data directory", path.display())]
    NewerFormat {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The newest that this program knows.
        known: u16,
    },
    /// The last of 4 billion segment numbers is given away.
    #[error("the tape {} has no segment number left: begin a new data directory, with another collector's name", dir.display())]
    NoNumberLeft {
        /// The tape's folder.
        dir: PathBuf,
    },
    /// No datagram starts at this position, or no longer, or it is damaged.
    #[error("there is no readable datagram at tape position {0}")]
    NoDatagram(TapePosition),
    /// A setting cannot work.
    #[error("tape: {0}")]
    Config(String),
}

impl TapeError {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Whether a file or folder was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether there is no space left for it: file system full, or quota used up.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }
}
