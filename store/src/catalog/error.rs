//! What can go wrong with the catalog.

use std::path::{Path, PathBuf};

use super::edit::RulesError;

/// Why the catalog didn't do it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A newer Flowreel made it. Fatal at start; start the newer one, or another data directory.
    #[error(
        "the catalog {} was made by a newer Flowreel (its version is {found}, this program knows {known}): start the newer program, or use another data directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// It can't be opened, is no catalog, or could not be brought up to date. Fatal at start.
    #[error("the catalog {} can't be used", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The rules would contradict themselves: the asker has to mend them. Nothing has changed.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// There is no such thing: the asker has a wrong or an old name.
    #[error("the catalog has no {what} '{name}'")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is one already: the asker has to take another name.
    #[error("the catalog has a {what} '{name}' already")]
    Taken {
        /// What there is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It is not in a state for that. Nothing has changed.
    #[error("{0}")]
    Conflict(String),
    /// The asker wants what cannot be. Nothing has changed.
    #[error("{0}")]
    Wrong(String),
    /// It could not be read. Try again later.
    #[error("could not read {what} from the catalog")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// It could not be written: disk full, or another program holds it. Nothing has changed; try again later.
    #[error("could not write {what} to the catalog")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Something in it is not what this program writes. Somebody has to look at it.
    #[error("the catalog's {what} '{name}' is damaged")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CatalogError {
    pub(super) fn unusable(path: &Path, source: sqlx::Error) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn reading(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Read { what, source }
    }

    pub(super) fn writing(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Write { what, source }
    }

    pub(super) fn damaged(
        what: &'static str,
        name: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged {
            what,
            name: name.to_owned(),
            source: source.into(),
        }
    }
}
