//! Who has signed on, and where.

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::{Account, Digest, accounts::AccountRow};
use crate::catalog::{Catalog, CatalogError};

/// Sessions of one account. Of more, the one that was seen least recently ends.
const SESSIONS_MAX: u32 = 50;
/// Characters that are kept of what a browser calls itself.
const AGENT_CHARS_MAX: usize = 200;

/// Somebody who has signed on somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// No other ever gets it.
    pub number: u32,
    /// When they signed on.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When they were last seen, to a minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// Where they signed on from.
    pub address: Option<String>,
    /// What the browser called itself.
    pub agent: String,
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// Of the secret that its bearer shows.
    pub digest: Digest,
    /// The account's number.
    pub account: u32,
    /// Where from.
    pub address: Option<String>,
    /// What the browser calls itself; it is cut short.
    pub agent: &'a str,
}

impl Catalog {
    /// Begins a session, and returns its number.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; there is no session.
    pub async fn begin_session(
        &self,
        new: &NewSession<'_>,
        now: Timestamp,
    ) -> Result<u32, CatalogError> {
        let writing = || CatalogError::writing("a session");
        let agent = new.agent.chars().filter(|c| flow::text::is_shown(*c));
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let number = sqlx::query_scalar(
            "INSERT INTO sessions (digest, account, made_at, seen_at, address, agent)
             VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
        )
        .bind(&new.digest[..])
        .bind(new.account)
        .bind(now.nanos())
        .bind(now.nanos())
        .bind(&new.address)
        .bind(agent.take(AGENT_CHARS_MAX).collect::<String>())
        .fetch_one(&mut *transaction)
        .await
        .map_err(writing())?;
        sqlx::query(
            "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE account = ?
             ORDER BY seen_at DESC, number DESC LIMIT -1 OFFSET ?)",
        )
        .bind(new.account)
        .bind(SESSIONS_MAX)
        .execute(&mut *transaction)
        .await
        .map_err(writing())?;
        transaction.commit().await.map_err(writing())?;
        Ok(number)
    }

    /// The session of this secret and whose it is, unless they are disabled. Whether it is too old, the caller judges.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn session(
        &self,
        digest: &Digest,
    ) -> Result<Option<(Session, Account)>, CatalogError> {
        let row: Option<SessionRow> =
            sqlx::query_as("SELECT number, account, made_at, seen_at, address, agent FROM sessions WHERE digest = ?")
                .bind(&digest[..])
                .fetch_optional(&self.pool)
                .await
                .map_err(CatalogError::reading("a session"))?;
        let Some(row) = row else { return Ok(None) };
        let account = self.enabled(row.account).await?;
        Ok(account.map(|account| (row.into(), account)))
    }

    /// Notes that it was seen.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn see_session(&self, number: u32, now: Timestamp) -> Result<(), CatalogError> {
        sqlx::query("UPDATE sessions SET seen_at = ? WHERE number = ?")
            .bind(now.nanos())
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a session"))?;
        Ok(())
    }

    /// The sessions of an account, last seen first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn sessions(&self, account: u32) -> Result<Vec<Session>, CatalogError> {
        let rows: Vec<SessionRow> = sqlx::query_as(
            "SELECT number, account, made_at, seen_at, address, agent FROM sessions WHERE account = ?
             ORDER BY seen_at DESC, number DESC",
        )
        .bind(account)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("the sessions"))?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    /// Ends one session of an account, or all of them. Returns how many.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; none has ended.
    pub async fn end_sessions(
        &self,
        account: u32,
        number: Option<u32>,
    ) -> Result<u64, CatalogError> {
        let ended =
            sqlx::query("DELETE FROM sessions WHERE account = ?1 AND (?2 IS NULL OR number = ?2)")
                .bind(account)
                .bind(number)
                .execute(&self.pool)
                .await
                .map_err(CatalogError::writing("the sessions"))?;
        Ok(ended.rows_affected())
    }

    /// Removes sessions that were made, or last seen, before these times.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn expire_sessions(
        &self,
        made: Timestamp,
        seen: Timestamp,
    ) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM sessions WHERE made_at < ? OR seen_at < ?")
            .bind(made.nanos())
            .bind(seen.nanos())
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("the sessions"))?;
        Ok(())
    }

    /// The account of this number, if it may sign on.
    pub(super) async fn enabled(&self, number: u32) -> Result<Option<Account>, CatalogError> {
        let row: Option<AccountRow> =
            sqlx::query_as("SELECT * FROM accounts WHERE number = ? AND disabled = 0")
                .bind(number)
                .fetch_optional(&self.pool)
                .await
                .map_err(CatalogError::reading("an account"))?;
        row.map(Account::try_from).transpose()
    }
}

#[derive(FromRow)]
struct SessionRow {
    number: u32,
    account: u32,
    made_at: i64,
    seen_at: i64,
    address: Option<String>,
    agent: String,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            number: row.number,
            made_at: Timestamp::from_nanos(row.made_at),
            seen_at: Timestamp::from_nanos(row.seen_at),
            address: row.address,
            agent: row.agent,
        }
    }
}
