//! Lists, for whoever looks after it.

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite};
use utoipa::ToSchema;

use super::{COLUMNS, Message, MessageRow, MessageState};
use crate::catalog::{Catalog, CatalogError};

/// The most messages of an answer.
const PAGE_MAX: u32 = 200;

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageQuery {
    /// How far they are.
    pub state: Option<MessageState>,
    /// Only those of a smaller number.
    pub before: Option<i64>,
    /// At most so many, and at most 200.
    pub limit: u32,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageCounts {
    /// That wait.
    pub waiting: u32,
    /// That were given up.
    pub dead: u32,
}

impl Catalog {
    /// Messages, newest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn messages(&self, query: &MessageQuery) -> Result<Vec<Message>, CatalogError> {
        let mut sql =
            QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM outbox WHERE number < "));
        sql.push_bind(query.before.unwrap_or(i64::MAX));
        if let Some(state) = query.state {
            sql.push(" AND state = ").push_bind(state.name());
        }
        sql.push(" ORDER BY number DESC LIMIT ")
            .push_bind(query.limit.min(PAGE_MAX));
        let rows: Vec<MessageRow> = sql
            .build_query_as()
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::reading("the outbox"))?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// How many messages wait, and how many were given up.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn message_counts(&self) -> Result<MessageCounts, CatalogError> {
        let (waiting, dead) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'dead')
             FROM outbox WHERE state IN ('waiting', 'dead')",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::reading("the outbox"))?;
        Ok(MessageCounts { waiting, dead })
    }

    /// Has a message tried at once that waits or was given up; all that were given up, if no number is named. Returns how many.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn send_again(
        &self,
        number: Option<i64>,
        now: Timestamp,
    ) -> Result<u64, CatalogError> {
        let done = sqlx::query(
            "UPDATE outbox SET state = 'waiting', attempts = 0, ended_at = NULL, next_at = ?2
             WHERE (?1 IS NULL AND state = 'dead') OR (number = ?1 AND state IN ('waiting', 'dead'))",
        )
        .bind(number)
        .bind(now.nanos())
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("the outbox"))?;
        Ok(done.rows_affected())
    }

    /// Removes a message that was not sent. Whether there was one.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn drop_message(&self, number: i64) -> Result<bool, CatalogError> {
        let done = sqlx::query("DELETE FROM outbox WHERE number = ? AND state != 'sent'")
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("the outbox"))?;
        Ok(done.rows_affected() > 0)
    }
}
