//! What can keep the engine from running.

use std::path::PathBuf;

/// Why the engine's process does not run. All are fatal for the child; the supervisor reports them and tries again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The library is in none of the places.
    #[error(
        "the engine library libchdb.so is not installed: looked at {}; install it with scripts/install-engine.sh",
        places(looked)
    )]
    NotInstalled {
        /// Where it was looked for, first to last.
        looked: Vec<PathBuf>,
    },
    /// The library can't be loaded.
    #[error("cannot load the engine library {path}")]
    Load {
        /// The library.
        path: PathBuf,
        /// The loader's reason.
        source: libloading::Error,
    },
    /// The library is of another release.
    #[error("the engine library {path} has no {name}: install the pinned release")]
    Symbol {
        /// The library.
        path: PathBuf,
        /// The function that it lacks.
        name: &'static str,
        /// The loader's reason.
        source: libloading::Error,
    },
    /// The library refused the data directory.
    #[error("the engine does not open its data; its reason is in the lines before")]
    Open,
    /// Another engine has the data directory.
    #[error("the data directory {path} is in use by another engine")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// A path can't be written into the engine's configuration or is too long for a socket.
    #[error("the path {path} cannot be used: {reason}")]
    Path {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A file or socket.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl EngineError {
    /// For `map_err`: what was tried on which path.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

fn places(looked: &[PathBuf]) -> String {
    let shown: Vec<_> = looked
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}
