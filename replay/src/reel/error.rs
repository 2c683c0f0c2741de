//! What can be wrong with a `.reel` file, with its place.

use std::io;
use std::path::{Path, PathBuf};

use flow::text::is_shown;

/// Characters of somebody else's text that an error shows.
const SHOWN_CHARS: usize = 120;

/// Why a recording's file cannot be written or read. Whoever asked shows it, and nothing of the file is used.
#[derive(Debug, thiserror::Error)]
pub enum ReelError {
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
    /// Something else, such as a capture.
    #[error("{} is not a network recording: {why}", path.display())]
    NotAReel {
        /// The file.
        path: PathBuf,
        /// By what it is told.
        why: String,
    },
    /// A newer Flowreel made this file.
    #[error("{} was made by a newer version: its format is {found}, this program knows formats up to {known}; use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that this program knows.
        known: u32,
    },
    /// The manifest says what no recording can be: damage, or somebody who tries what happens.
    #[error("{}: manifest.json: {what}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// The file ends too early, or too late.
    #[error("{} {} {found} octets, and should have {expected}", path.display(), if found < expected { "is cut short: it has" } else { "has something behind its end: it has" })]
    Length {
        /// The file.
        path: PathBuf,
        /// Octets that it has.
        found: u64,
        /// Octets that its manifest says.
        expected: u64,
    },
    /// Octets are not those that were written.
    #[error("{}: {part} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The member.
        part: String,
        /// What does not fit.
        what: &'static str,
    },
    /// A file cannot become a part, or a recording has no such part.
    #[error("{}: {what}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

impl ReelError {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Somebody else's text, so that it can be shown: control characters escaped, and cut.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS)
        .flat_map(|c| -> Box<dyn Iterator<Item = char>> {
            match is_shown(c) {
                true => Box::new(std::iter::once(c)),
                false => Box::new(c.escape_unicode()),
            }
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_shown_harmless_and_short() {
        assert_eq!(shown("Zürich 東京"), "Zürich 東京");
        assert_eq!(shown("\u{1b}[31m\u{202e}"), "\\u{1b}[31m\\u{202e}");
        let long = shown(&"x".repeat(1 << 20));
        assert_eq!(long.chars().count(), SHOWN_CHARS + 1);
    }
}
