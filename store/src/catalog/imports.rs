//! Captures that were imported: each has a feed number of its own, for ever.

use flow::{Feed, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::{Catalog, CatalogError, signed};

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// The file is being put on tape.
    Reading,
    /// All of it is on tape, not all of it is in the store.
    Storing,
    /// All of it is in the store.
    Done,
    /// It did not come to its end.
    Failed,
}

/// What an import brought so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportCounts {
    /// Datagrams put on tape.
    pub datagrams: u64,
    /// Flow records decoded from them.
    pub records: u64,
    /// Arrival of the first datagram, by the capture's own stamp.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_received_at: Option<Timestamp>,
    /// Arrival of the last datagram.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_received_at: Option<Timestamp>,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its feed.
    pub feed: Feed,
    /// The file's name.
    pub name: String,
    /// How far it is.
    pub state: ImportState,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was done, or failed.
    pub finished_at: Option<Timestamp>,
    /// What it brought so far.
    pub counts: ImportCounts,
}

impl Catalog {
    /// Begins an import and gives it the next feed number, which no other import ever gets.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; don't begin.
    pub async fn begin_import(&self, name: &str, now: Timestamp) -> Result<Feed, CatalogError> {
        let feed: u32 = sqlx::query_scalar(
            "INSERT INTO imports (name, state, started_at) VALUES (?, 'reading', ?) RETURNING feed",
        )
        .bind(name)
        .bind(now.nanos())
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::writing("an import"))?;
        Ok(Feed(feed))
    }

    /// Notes that the whole file is on tape, and what it brought.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if the feed is not an import that is under way; else the catalog can't be written.
    pub async fn import_on_tape(
        &self,
        feed: Feed,
        counts: &ImportCounts,
    ) -> Result<(), CatalogError> {
        self.update_import(feed, ImportState::Storing, counts, None, None)
            .await
    }

    /// Notes that all of it is in the store.
    ///
    /// # Errors
    ///
    /// As [`Catalog::import_on_tape`].
    pub async fn finish_import(
        &self,
        feed: Feed,
        counts: &ImportCounts,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        self.update_import(feed, ImportState::Done, counts, None, Some(now))
            .await
    }

    /// Notes that it did not come to its end, and why. What it had brought stays.
    ///
    /// # Errors
    ///
    /// As [`Catalog::import_on_tape`].
    pub async fn fail_import(
        &self,
        feed: Feed,
        counts: &ImportCounts,
        error: &str,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        self.update_import(feed, ImportState::Failed, counts, Some(error), Some(now))
            .await
    }

    /// Fails the imports whose file was being read when the product stopped; call it at start. Those that were wholly on
    /// tape go on by themselves. Returns how many.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn fail_interrupted_imports(&self, now: Timestamp) -> Result<u64, CatalogError> {
        let done = sqlx::query(
            "UPDATE imports SET state = 'failed', finished_at = ?, error = 'interrupted: the program stopped while it read the file'
             WHERE state = 'reading'",
        )
        .bind(now.nanos())
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("the imports"))?;
        Ok(done.rows_affected())
    }

    /// All imports, oldest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn imports(&self) -> Result<Vec<Import>, CatalogError> {
        let rows: Vec<ImportRow> = sqlx::query_as("SELECT * FROM imports ORDER BY feed")
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::reading("the imports"))?;
        rows.into_iter().map(Import::try_from).collect()
    }

    async fn update_import(
        &self,
        feed: Feed,
        state: ImportState,
        counts: &ImportCounts,
        error: Option<&str>,
        finished_at: Option<Timestamp>,
    ) -> Result<(), CatalogError> {
        let done = sqlx::query(
            "UPDATE imports SET state = ?, error = ?, finished_at = ?, datagrams = ?, records = ?,
             first_received_at = ?, last_received_at = ?
             WHERE feed = ? AND state IN ('reading', 'storing')",
        )
        .bind(state.name())
        .bind(error)
        .bind(finished_at.map(Timestamp::nanos))
        .bind(signed(counts.datagrams))
        .bind(signed(counts.records))
        .bind(counts.first_received_at.map(Timestamp::nanos))
        .bind(counts.last_received_at.map(Timestamp::nanos))
        .bind(feed.0)
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("an import"))?;
        match done.rows_affected() {
            0 => Err(CatalogError::Unknown {
                what: "running import",
                name: feed.0.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl ImportState {
    const ALL: [Self; 4] = [Self::Reading, Self::Storing, Self::Done, Self::Failed];

    /// The name in the catalog and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Storing => "storing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A row of the table, in the order of its columns.
#[derive(FromRow)]
struct ImportRow {
    feed: u32,
    name: String,
    state: String,
    error: Option<String>,
    started_at: i64,
    finished_at: Option<i64>,
    datagrams: i64,
    records: i64,
    first_received_at: Option<i64>,
    last_received_at: Option<i64>,
}

impl TryFrom<ImportRow> for Import {
    type Error = CatalogError;
    fn try_from(row: ImportRow) -> Result<Self, CatalogError> {
        let state = ImportState::ALL
            .into_iter()
            .find(|state| state.name() == row.state);
        Ok(Self {
            feed: Feed(row.feed),
            state: state.ok_or_else(|| {
                CatalogError::damaged(
                    "import",
                    &row.name,
                    format!("unknown state '{}'", row.state),
                )
            })?,
            name: row.name,
            error: row.error,
            started_at: Timestamp::from_nanos(row.started_at),
            finished_at: row.finished_at.map(Timestamp::from_nanos),
            counts: ImportCounts {
                datagrams: u64::try_from(row.datagrams).unwrap_or(0),
                records: u64::try_from(row.records).unwrap_or(0),
                first_received_at: row.first_received_at.map(Timestamp::from_nanos),
                last_received_at: row.last_received_at.map(Timestamp::from_nanos),
            },
        })
    }
}
