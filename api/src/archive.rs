//! What the API needs of the recordings, as a trait that the binary implements.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow::{Filter, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use store::catalog::{CatalogError, Note, RecordingCounts, Viewer};
use store::question::{Scope, Window};
use store::{Slice, Store, StoreError};
use utoipa::ToSchema;

use crate::people::Person;

/// The recordings of this installation, for somebody: what they may not know of is [unknown](ArchiveError::Unknown), in the same words
/// as what is not there. All methods may touch disk and store.
pub trait Archive: Send + Sync + 'static {
    /// All of them, oldest first, without their notes.
    fn list<'a>(&'a self, who: &'a Person) -> BoxFuture<'a, Result<Vec<Recorded>, ArchiveError>>;
    /// One of them, by name, id or number.
    fn show<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Cuts one; it may end in the past, now, later, or when it is told to.
    fn cut<'a>(
        &'a self,
        who: &'a Person,
        cut: Cut,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Ends one that goes on.
    fn stop<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Gives one a tape and tables of its own now, not only when it would expire.
    fn keep<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Adds a note to a moment of one.
    fn note<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
        note: NewNote,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Removes one, and what nothing else holds of it.
    fn delete<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<(), ArchiveError>>;
    /// Writes one as a file for others.
    fn export<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
        wrapping: Wrapping,
    ) -> BoxFuture<'a, Result<Leaving, ArchiveError>>;
    /// Takes one in from a `.reel` file or a capture, which the archive removes.
    fn import<'a>(
        &'a self,
        who: &'a Person,
        name: Option<String>,
        file: PathBuf,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>>;
    /// Whom to ask about one.
    fn find<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Found, ArchiveError>>;
}

/// Whom to ask about a recording.
#[derive(Clone, Debug)]
pub struct Found {
    /// 32 hex digits, as [`Recorded::id`].
    pub id: String,
    /// The store that has its rows.
    pub store: Arc<Store>,
    /// Which of that store's rows; `None` is all.
    pub slice: Option<Slice>,
    /// Which flows are in it. To be asked of a store that has no others, too: what a filter names decides how they are counted.
    pub filter: Filter,
    /// From its beginning to its end, in time of arrival.
    pub window: Window,
}

impl Found {
    /// All event times in it of what an asker may see.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn event_time(&self, scope: &Scope) -> Result<Window, StoreError> {
        let all = self.store.event_time(self.slice.as_ref(), scope).await?;
        Ok(all.unwrap_or(self.window))
    }
}

impl Person {
    /// As who they look for recordings.
    pub fn viewer(&self) -> Viewer<'_> {
        let scope = &self.scope;
        let name = self.account();
        Viewer { name, scope }
    }
}

/// A file that goes when it is sent, or nobody waits for it any more.
#[derive(Debug)]
pub struct Leaving(PathBuf);

impl Leaving {
    /// This file, which is removed with the value.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a file that was sent cannot be removed");
        }
    }
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recorded {
    /// Its number here.
    pub number: u32,
    /// 32 hex digits, the same wherever it goes.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Where it is.
    pub state: Standing,
    /// First instant of arrival.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First instant of arrival after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Which flows, in the filter language; empty for all. What its cutter may see is in it.
    pub filter: String,
    /// Who cut it.
    pub cut_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub cut_at: Timestamp,
    /// The collector that heard it.
    pub collector: String,
    /// When it came here from elsewhere.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub imported_at: Option<Timestamp>,
    /// Whether its addresses are not the real ones.
    pub anonymized: bool,
    /// What it holds; not told to who sees something else than its cutter did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<RecordingCounts>,
    /// Its notes, by their moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Where a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It goes on.
    Recording,
    /// It is over; the tape and the tables of flows hold it.
    Referenced,
    /// It has a tape and tables of its own.
    Own,
    /// It is being imported.
    Making,
    /// It is being removed.
    Deleting,
}

/// What to cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// What to call it; nobody else may be called so.
    pub name: String,
    /// First instant of arrival.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First instant of arrival after it, which may lie ahead; until it is told to stop, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Which flows, in the filter language; all if left out.
    #[serde(default)]
    pub filter: String,
    /// Who cuts it, where nobody has signed on.
    #[serde(default)]
    pub by: Option<String>,
}

/// A note to a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// The moment in the recording; its end, or now while it goes on, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Who writes it, where nobody has signed on.
    #[serde(default)]
    pub by: Option<String>,
    /// What is to be said.
    pub text: String,
}

/// As what a recording leaves.
#[derive(Clone, Debug)]
pub enum Wrapping {
    /// The whole of it: `docs/recordings.md`.
    Reel {
        /// Under other addresses.
        anonymize: bool,
    },
    /// Its datagrams as a capture.
    Pcapng {
        /// Under other addresses.
        anonymize: bool,
    },
}

/// Why the archive did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is no such recording.
    #[error("{0}")]
    Unknown(String),
    /// The name is taken, or the recording is not in a state for that.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for can't be: the caller has to ask for something else.
    #[error("{0}")]
    Refused(String),
    /// There is no room for it.
    #[error("{0}")]
    Full(String),
    /// Not now: the store does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// It should have worked.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<CatalogError> for ArchiveError {
    fn from(error: CatalogError) -> Self {
        match error {
            unknown @ CatalogError::Unknown { .. } => Self::Unknown(unknown.to_string()),
            taken @ CatalogError::Taken { .. } => Self::Conflict(taken.to_string()),
            CatalogError::Conflict(why) => Self::Conflict(why),
            CatalogError::Wrong(why) => Self::Refused(why),
            other => Self::Failed {
                what: "the catalog does not do it".to_owned(),
                source: Box::new(other),
            },
        }
    }
}
