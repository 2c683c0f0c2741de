//! The catalog: what people told the product, in one SQLite file. Rules, imports, settings; small and transactional.
//!
//! | file | holds |
//! |---|---|
//! | `rules` | applications, sites and exporters, edited as a whole in one transaction |
//! | `edit` | changes of rules, without a database |
//! | `merge` | the catalog's rules before those of the config file |
//! | `imports` | captures that were imported, and their feed numbers |
//! | `recordings` | network recordings and their notes |
//! | `people` | who they are, how they are known again, and what they did |
//! | `tickets` | visual trouble tickets |
//! | `outbox` | what goes out of the house, until it was taken |
//! | `error` | what can go wrong |
//!
//! The tables are `store/migrations/`. Any number of readers read while one writes (write-ahead log).

mod edit;
mod error;
mod imports;
mod merge;
mod outbox;
mod people;
mod recordings;
mod rules;
mod tickets;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr as _, Sqlite, SqlitePool, Transaction};

pub use edit::{RulesError, check_rules};
pub use error::CatalogError;
pub use imports::{Import, ImportCounts, ImportState};
pub use merge::merge;
pub use outbox::{
    ATTACHMENTS_OCTETS_MAX, Added, Attachment, Due, JOINED_MAX, KEPT, MAIL, MAIL_EVERY, MailWish,
    Message, MessageCounts, MessageQuery, MessageState, NewMessage, Receiver, Untold, WAITING_MAX,
};
pub use people::{
    Account, AccountChange, Act, AuditCheck, AuditQuery, Broken, Deed, Digest, Entry, Identity,
    NewAccount, NewSession, NewToken, PERSON_CHARS_MAX, Role, Session, Token,
};
pub use recordings::{NAME_CHARS_MAX, Note, Recording, RecordingCounts, RecordingState, Viewer};
pub use tickets::{
    COMMENT_CHARS_MAX, NewTicket, PAGE_MAX, SIMILAR_MAX, Step, TICKETS_MAX, Ticket, TicketEvent,
    TicketEventKind, TicketQuery, TicketState, WORDS_CHARS_MAX,
};

/// The numbered SQL files, in order. One that was released never changes: SQLite remembers its checksum.
const MIGRATIONS: [(i64, &str, &str); 9] = [
    (
        1,
        "settings",
        include_str!("../../migrations/0001_settings.sql"),
    ),
    (2, "rules", include_str!("../../migrations/0002_rules.sql")),
    (
        3,
        "imports",
        include_str!("../../migrations/0003_imports.sql"),
    ),
    (
        4,
        "recordings",
        include_str!("../../migrations/0004_recordings.sql"),
    ),
    (
        5,
        "people",
        include_str!("../../migrations/0005_people.sql"),
    ),
    (
        6,
        "recording scope",
        include_str!("../../migrations/0006_recording_scope.sql"),
    ),
    (
        7,
        "tickets",
        include_str!("../../migrations/0007_tickets.sql"),
    ),
    (
        9,
        "identities",
        include_str!("../../migrations/0009_identities.sql"),
    ),
    (
        10,
        "outbox",
        include_str!("../../migrations/0010_outbox.sql"),
    ),
];

/// Connections kept open: one that writes and some that read.
const CONNECTIONS_MAX: u32 = 4;

/// How long a writer waits for another, of this process or the command line, before it gives up.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// The open catalog. Clones share it.
#[derive(Clone, Debug)]
pub struct Catalog {
    pool: SqlitePool,
    path: PathBuf,
}

impl Catalog {
    /// Opens the catalog at `path`, makes it if there is none (readable by its owner only), and brings an older one up to
    /// date. Its folder must exist.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Newer`] if a newer Flowreel made it, [`CatalogError::Unusable`] if it can't be opened or is
    /// something else. Both are fatal at start; the file is as it was.
    pub async fn open(path: &Path) -> Result<Self, CatalogError> {
        let unusable = |source| CatalogError::unusable(path, source);
        make_private(path).map_err(|error| unusable(sqlx::Error::Io(error)))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was acknowledged survives a power cut. Writes are rare.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options)
            .await
            .map_err(unusable)?;
        if let Err(error) = migrator().run(&pool).await {
            pool.close().await;
            return Err(refusal(path, error));
        }
        Ok(Self {
            pool,
            path: path.to_owned(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a whole copy of it to `path`, where there must be nothing, as of one moment.
    ///
    /// # Errors
    ///
    /// It can't be read, or the copy can't be written.
    pub async fn copy_to(&self, path: &Path) -> Result<(), CatalogError> {
        make_private(path).map_err(|error| CatalogError::unusable(path, sqlx::Error::Io(error)))?;
        // SQLite takes an empty file for a database without tables, and so writes into it.
        sqlx::query("VACUUM INTO ?")
            .bind(path.to_string_lossy().into_owned())
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a copy"))?;
        Ok(())
    }

    /// Closes all connections and folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that writes. IMMEDIATE: one that begins by reading can't become a writer when another wrote in between.
    async fn begin_writing(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// The collector's name among all that write to one store: 16 hexadecimal digits, made when the catalog was.
    ///
    /// # Errors
    ///
    /// As [`Catalog::setting`].
    pub async fn collector_id(&self) -> Result<String, CatalogError> {
        let id = self.setting("collector_id").await?;
        id.ok_or_else(|| CatalogError::damaged("setting", "collector_id", "it is not there"))
    }

    /// Gives the collector another name, for a tape that begins anew: what the old one named keeps its names.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; the name is the old one.
    pub async fn renew_collector_id(&self) -> Result<String, CatalogError> {
        let id = sqlx::query_scalar::<_, String>(
            "UPDATE settings SET value = json_quote(lower(hex(randomblob(8))))
             WHERE key = 'collector_id' RETURNING value",
        );
        id.fetch_one(&self.pool)
            .await
            .map_err(CatalogError::writing("the collector's name"))?;
        self.collector_id().await
    }

    /// What tells the recordings of this installation from those of others in one store: 12 hexadecimal digits, made when the catalog was.
    ///
    /// # Errors
    ///
    /// As [`Catalog::setting`].
    pub async fn archive_id(&self) -> Result<String, CatalogError> {
        Ok(self.setting("archive_id").await?.unwrap_or_default())
    }

    /// The setting of this name, if it was ever set.
    ///
    /// # Errors
    ///
    /// The catalog can't be read, or the value is of another kind.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CatalogError> {
        let value: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a setting"))?;
        value
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| CatalogError::damaged("setting", key, error))
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; nothing has changed.
    pub async fn set_setting<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), CatalogError> {
        let json = serde_json::to_string(value)
            .map_err(|error| CatalogError::damaged("setting", key, error))?;
        sqlx::query(
            "INSERT INTO settings (key, value) VALUES (?, ?)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(json)
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("a setting"))?;
        Ok(())
    }
}

/// SQLite's integers are signed; no count comes near the difference.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
}

/// Makes an empty file that only its owner can read: the catalog holds password hashes. SQLite gives the files next
/// to it the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    const OWNER_ONLY: u32 = 0o600;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .append(true)
        .create(true)
        .mode(OWNER_ONLY)
        .open(path)
        .map(drop)
}

fn refusal(path: &Path, error: MigrateError) -> CatalogError {
    let known = MIGRATIONS
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or(0);
    match error {
        MigrateError::VersionMissing(found) if found > known => CatalogError::Newer {
            path: path.to_owned(),
            found,
            known,
        },
        MigrateError::Execute(source) => CatalogError::unusable(path, source),
        other => CatalogError::unusable(path, sqlx::Error::Migrate(Box::new(other))),
    }
}
