//! What is next, and what became of it.

use std::time::Duration;

use flow::Timestamp;
use sqlx::{QueryBuilder, Sqlite};

use super::{Attachment, COLUMNS, MAIL, Message, MessageRow};
use crate::catalog::{Catalog, CatalogError};

/// One address gets a mail so often at most; what comes up meanwhile goes in one.
pub const MAIL_EVERY: Duration = Duration::from_secs(10);
/// Messages that go in one mail.
pub const JOINED_MAX: u32 = 50;
/// How long it is known of a message that it was sent.
pub const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Messages given up that are kept; beyond, the oldest go.
const DEAD_MAX: u32 = 10_000;
/// Characters of why something was not sent.
const ERROR_CHARS_MAX: usize = 500;

/// What is sent next of a channel: one message, or several to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it is to be sent.
    pub at: Timestamp,
    /// The messages and what they say, oldest first.
    pub messages: Vec<(Message, String)>,
    /// The files of the only one of them.
    pub attachments: Vec<Attachment>,
}

/// The first of each lane, the one that is due first before the others.
pub(super) const FIRST: &str = "SELECT number, lane, next_at FROM outbox AS one
    WHERE channel = ? AND state = 'waiting' AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.lane = one.lane AND earlier.state = 'waiting' AND earlier.number < one.number)
    ORDER BY next_at, number LIMIT 1";

impl Catalog {
    /// What is sent next of a channel, though it may not be due yet; `None` if nothing waits.
    ///
    /// Of mail it is all that waits for one address, up to [`JOINED_MAX`]; a message with files goes alone.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn next_due(&self, channel: &str) -> Result<Option<Due>, CatalogError> {
        let reading = || CatalogError::reading("the outbox");
        let first: Option<(i64, String, i64)> = sqlx::query_as(FIRST)
            .bind(channel)
            .fetch_optional(&self.pool)
            .await
            .map_err(reading())?;
        let Some((number, lane, at)) = first else {
            return Ok(None);
        };
        let attachments = self.attachments(number).await?;
        let joined = match channel == MAIL && attachments.is_empty() {
            true => JOINED_MAX,
            false => 1,
        };
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT number, body FROM outbox WHERE lane = ? AND state = 'waiting'
             AND NOT EXISTS (SELECT 1 FROM outbox_attachments WHERE message = number AND message != ?)
             ORDER BY number LIMIT ?",
        )
        .bind(lane)
        .bind(number)
        .bind(joined)
        .fetch_all(&self.pool)
        .await
        .map_err(reading())?;
        let mut messages = Vec::with_capacity(rows.len());
        for (number, body) in rows {
            messages.push((self.message(number).await?, body));
        }
        Ok(Some(Due {
            at: Timestamp::from_nanos(at),
            messages,
            attachments,
        }))
    }

    /// A message.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is none of this number; else the catalog can't be read or is damaged.
    pub async fn message(&self, number: i64) -> Result<Message, CatalogError> {
        let mut sql = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM outbox"));
        let row: Option<MessageRow> = sql
            .push(" WHERE number = ")
            .push_bind(number)
            .build_query_as()
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a message"))?;
        let unknown = || CatalogError::Unknown {
            what: "message",
            name: number.to_string(),
        };
        row.ok_or_else(unknown)?.try_into()
    }

    pub(super) async fn attachments(&self, number: i64) -> Result<Vec<Attachment>, CatalogError> {
        let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT name, media_type, content FROM outbox_attachments WHERE message = ? ORDER BY rowid",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("a message's files"))?;
        let file = |(name, media_type, content)| Attachment {
            name,
            media_type,
            content,
        };
        Ok(rows.into_iter().map(file).collect())
    }

    /// Notes that messages of one lane were taken by their receiver. What they said is forgotten; what else waits for the same address
    /// waits for [`MAIL_EVERY`].
    ///
    /// # Errors
    ///
    /// The catalog can't be written; they would be sent once more.
    pub async fn sent(&self, numbers: &[i64], now: Timestamp) -> Result<(), CatalogError> {
        let writing = || CatalogError::writing("that a message was sent");
        let mut change = self.begin_writing().await.map_err(writing())?;
        for number in numbers {
            let sent = "UPDATE outbox SET state = 'sent', body = '', error = NULL, ended_at = ? WHERE number = ?";
            let sent = sqlx::query(sent).bind(now.nanos()).bind(number);
            sent.execute(&mut *change).await.map_err(writing())?;
            let files = sqlx::query("DELETE FROM outbox_attachments WHERE message = ?");
            let files = files.bind(number).execute(&mut *change);
            files.await.map_err(writing())?;
        }
        sqlx::query(
            "UPDATE outbox SET next_at = max(next_at, ?) WHERE state = 'waiting' AND channel = 'mail'
             AND lane = (SELECT lane FROM outbox WHERE number = ?)",
        )
        .bind((now + MAIL_EVERY).nanos())
        .bind(numbers.first())
        .execute(&mut *change)
        .await
        .map_err(writing())?;
        change.commit().await.map_err(writing())
    }

    /// Notes that a message could not be sent, why, and when it is tried again; never if `None`.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn not_sent(
        &self,
        number: i64,
        why: &str,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let why: String = why.chars().take(ERROR_CHARS_MAX).collect();
        sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, error = ?2, next_at = coalesce(?3, next_at),
             state = iif(?3 IS NULL, 'dead', state), ended_at = iif(?3 IS NULL, ?4, NULL)
             WHERE number = ?1 AND state = 'waiting'",
        )
        .bind(number)
        .bind(why)
        .bind(next.map(Timestamp::nanos))
        .bind(now.nanos())
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("that a message was not sent"))?;
        Ok(())
    }

    /// Gives up what waits for a channel that is not among these. Returns how many.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn give_up_others(
        &self,
        channels: &[&str],
        now: Timestamp,
    ) -> Result<u64, CatalogError> {
        let mut sql = QueryBuilder::<Sqlite>::new("UPDATE outbox SET state = 'dead', ended_at = ");
        sql.push_bind(now.nanos()).push(
            ", error = 'the configuration has no such receiver any more' WHERE state = 'waiting'",
        );
        for channel in channels {
            sql.push(" AND channel != ").push_bind(*channel);
        }
        let query = sql.build().execute(&self.pool).await;
        let done = query.map_err(CatalogError::writing("the outbox"))?;
        Ok(done.rows_affected())
    }

    /// Forgets what was sent longer than [`KEPT`] ago, and the oldest of too many that were given up.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn tidy_outbox(&self, now: Timestamp) -> Result<(), CatalogError> {
        sqlx::query(
            "DELETE FROM outbox WHERE (state = 'sent' AND ended_at < ?1) OR number IN (SELECT number FROM outbox
             WHERE state = 'dead' ORDER BY number DESC LIMIT -1 OFFSET ?2)",
        )
        .bind((now - KEPT).nanos())
        .bind(DEAD_MAX)
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("the outbox"))?;
        Ok(())
    }
}
