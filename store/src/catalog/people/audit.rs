//! What was done, row upon row: each is sealed with the digest of the one before.

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{FromRow, SqliteConnection};
use utoipa::ToSchema;

use super::{Digest, chain};
use crate::catalog::{Catalog, CatalogError};

/// Entries that are kept. Beyond, the oldest go, and an entry says so.
const KEPT_MAX: u32 = 1_000_000;
/// Entries between two looks whether there are too many.
const LOOK_EVERY: i64 = 10_000;
/// Characters of what was done to; octets of what is said besides.
const OBJECT_CHARS_MAX: usize = 300;
const DETAIL_OCTETS_MAX: usize = 4096;
/// Entries of one answer.
const ANSWER_MAX: u32 = 1000;

/// The kinds of things that are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Somebody signed on.
    SignedOn,
    /// Somebody tried to.
    SignOnFailed,
    /// Somebody signed off.
    SignedOff,
    /// The first admin was made, by the link that the start prints.
    Welcomed,
    /// Somebody changed their own password.
    PasswordChanged,
    /// Somebody ended sessions of their own.
    SessionsEnded,
    /// A token was made.
    TokenMade,
    /// A token was revoked.
    TokenRevoked,
    /// An account was made.
    AccountMade,
    /// An account was changed.
    AccountChanged,
    /// Somebody else's password was replaced.
    PasswordReset,
    /// Somebody said that something is slow.
    TicketMade,
    /// Something was done with a ticket.
    TicketWorked,
    /// Messages that were not sent were sent again, or dropped; or one to try the way.
    OutgoingChanged,
    /// Somebody said whether they want mail.
    MailChanged,
    /// Somebody asked for what they may not.
    Refused,
    /// The names of things were changed.
    RulesChanged,
    /// A stretch of the past was named again.
    Reclassified,
    /// A capture was brought in.
    CaptureImported,
    /// A recording was cut.
    RecordingCut,
    /// A recording was ended.
    RecordingStopped,
    /// A recording was given a tape of its own.
    RecordingKept,
    /// A note was written.
    NoteWritten,
    /// A recording was removed.
    RecordingDeleted,
    /// A recording was taken away as a file.
    RecordingExported,
    /// A recording was brought in.
    RecordingImported,
    /// A recording, or the live past, was replayed.
    Replayed,
    /// The oldest entries were removed.
    LogShortened,
}

impl Act {
    /// The name in the catalog and in answers.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// Something that was done, not yet written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// By whom, as they are called: an account's name, `operator`, or empty for nobody.
    pub who: String,
    /// Their account's number.
    pub account: Option<u32>,
    /// The number of the token that they used.
    pub token: Option<u32>,
    /// Where from.
    pub address: Option<String>,
    /// What.
    pub what: Act,
    /// To what, or whom. It is cut short.
    pub object: String,
    /// What else is to be said: an object of JSON.
    pub detail: Value,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// One more than that of the entry before.
    pub number: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By whom, as they were called then.
    pub who: String,
    /// Their account's number.
    pub account: Option<u32>,
    /// The number of the token that they used.
    pub token: Option<u32>,
    /// Where from.
    pub address: Option<String>,
    /// What.
    pub what: Act,
    /// To what, or whom.
    pub object: String,
    /// What else is to be said.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only those with a smaller number.
    pub before: Option<i64>,
    /// Only what this one did.
    pub who: Option<String>,
    /// Only this kind.
    pub what: Option<Act>,
    /// How many at most, up to 1,000.
    pub limit: u32,
}

impl Catalog {
    /// Writes down what was done, and seals it.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; the caller says so where somebody reads it.
    pub async fn write_down(&self, deed: &Deed, now: Timestamp) -> Result<(), CatalogError> {
        let writing = || CatalogError::writing("the audit log");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let number = append(&mut transaction, deed, now)
            .await
            .map_err(writing())?;
        if number % LOOK_EVERY == 0 {
            shorten(&mut transaction, KEPT_MAX, now)
                .await
                .map_err(writing())?;
        }
        transaction.commit().await.map_err(writing())
    }

    /// Entries, newest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<Entry>, CatalogError> {
        let rows: Vec<EntryRow> = sqlx::query_as(
            "SELECT * FROM audit WHERE (?1 IS NULL OR number < ?1) AND (?2 IS NULL OR who = ?2)
             AND (?3 IS NULL OR what = ?3) ORDER BY number DESC LIMIT ?4",
        )
        .bind(query.before)
        .bind(&query.who)
        .bind(query.what.map(Act::name))
        .bind(query.limit.min(ANSWER_MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("the audit log"))?;
        rows.into_iter().map(Entry::try_from).collect()
    }

    /// Removes the oldest entries, as far as there are more than `kept`, and writes down that it did.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; nothing has changed.
    pub async fn shorten_audit(&self, kept: u32, now: Timestamp) -> Result<(), CatalogError> {
        let writing = || CatalogError::writing("the audit log");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        shorten(&mut transaction, kept, now)
            .await
            .map_err(writing())?;
        transaction.commit().await.map_err(writing())
    }
}

async fn append(
    connection: &mut SqliteConnection,
    deed: &Deed,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    let (before, seal) = end(connection).await?;
    let mut detail = deed.detail.to_string();
    if detail.len() > DETAIL_OCTETS_MAX {
        detail = json!({ "octets_left_out": detail.len() }).to_string();
    }
    let mut row = EntryRow {
        number: before + 1,
        at: now.nanos(),
        who: deed.who.clone(),
        account: deed.account,
        token: deed.token,
        address: deed.address.clone(),
        what: deed.what.name(),
        object: deed.object.chars().take(OBJECT_CHARS_MAX).collect(),
        detail,
        digest: Vec::new(),
    };
    row.digest = chain::seal(&seal, &row).to_vec();
    sqlx::query("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(row.number)
        .bind(row.at)
        .bind(&row.who)
        .bind(row.account)
        .bind(row.token)
        .bind(&row.address)
        .bind(&row.what)
        .bind(&row.object)
        .bind(&row.detail)
        .bind(&row.digest)
        .execute(connection)
        .await?;
    Ok(row.number)
}

/// The number and the digest that the next entry follows.
async fn end(connection: &mut SqliteConnection) -> Result<(i64, Vec<u8>), sqlx::Error> {
    let last = sqlx::query_as("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1");
    match last.fetch_optional(&mut *connection).await? {
        Some(last) => Ok(last),
        None => head(connection).await,
    }
}

/// The number and the digest that the first entry that is kept follows.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<(i64, Vec<u8>), sqlx::Error> {
    let head = sqlx::query_as("SELECT number, digest FROM audit_head");
    head.fetch_one(connection).await
}

async fn shorten(
    connection: &mut SqliteConnection,
    kept: u32,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (first, _) = head(connection).await?;
    let (last, _) = end(connection).await?;
    let kept = i64::from(kept.max(1));
    if last - first <= kept {
        return Ok(());
    }
    // The entry about it is one of those that are kept.
    let through = last + 1 - kept;
    let digest: Vec<u8> = sqlx::query_scalar("SELECT digest FROM audit WHERE number = ?")
        .bind(through)
        .fetch_one(&mut *connection)
        .await?;
    let deed = Deed {
        who: "flowreel".to_owned(),
        account: None,
        token: None,
        address: None,
        what: Act::LogShortened,
        object: String::new(),
        detail: json!({ "through": through, "digest": chain::hex(&digest) }),
    };
    append(connection, &deed, now).await?;
    for statement in [
        "UPDATE audit_head SET number = ?1, digest = ?2",
        "DELETE FROM audit WHERE number <= ?1 AND ?2 IS NOT NULL",
    ] {
        let query = sqlx::query(statement).bind(through).bind(&digest);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A row of the table, in the order of its columns.
#[derive(FromRow)]
pub(super) struct EntryRow {
    pub(super) number: i64,
    pub(super) at: i64,
    pub(super) who: String,
    pub(super) account: Option<u32>,
    pub(super) token: Option<u32>,
    pub(super) address: Option<String>,
    pub(super) what: String,
    pub(super) object: String,
    pub(super) detail: String,
    pub(super) digest: Vec<u8>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = CatalogError;
    fn try_from(row: EntryRow) -> Result<Self, CatalogError> {
        let damaged =
            |error| CatalogError::damaged("audit log's entry", &row.number.to_string(), error);
        let what = serde_json::from_value(Value::String(row.what.clone())).map_err(&damaged)?;
        let detail = serde_json::from_str(&row.detail).map_err(&damaged)?;
        Ok(Self {
            number: row.number,
            at: Timestamp::from_nanos(row.at),
            who: row.who,
            account: row.account,
            token: row.token,
            address: row.address,
            what,
            object: row.object,
            detail,
        })
    }
}

/// So that a digest that was read can be compared with one that was made.
pub(super) fn as_digest(octets: &[u8]) -> Option<Digest> {
    octets.try_into().ok()
}
