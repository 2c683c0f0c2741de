//! What is to go out, and which events of tickets have been told.
//!
//! The events of tickets are the first half of the outbox: each is written in the transaction of what it tells of. Messages are made of
//! them afterwards, in the transaction that moves the mark of what was told: so each is told once, whenever a process ends.

use flow::Timestamp;
use sqlx::SqliteConnection;

use super::sending::MAIL_EVERY;
use super::{MAIL, NewMessage, Receiver};
use crate::catalog::tickets::{Ticket, TicketEvent};
use crate::catalog::{Catalog, CatalogError};

/// Messages that wait. What is beyond is refused: nobody reads as many.
pub const WAITING_MAX: u32 = 10_000;
/// Octets of all files of one mail: mail servers refuse more.
pub const ATTACHMENTS_OCTETS_MAX: usize = 10 << 20;
/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 200;

const MARK: &str = "told_event";

/// An event of a ticket that was not told yet.
#[derive(Clone, Debug)]
pub struct Untold {
    /// The event's number.
    pub number: i64,
    /// The event.
    pub event: TicketEvent,
    /// Its ticket, as it is by now.
    pub ticket: Ticket,
}

/// How many messages were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Taken.
    pub taken: u32,
    /// Refused, as [`WAITING_MAX`] wait.
    pub refused: u32,
}

impl Catalog {
    /// Takes messages that are to go out.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Wrong`] if files are too large; else the catalog can't be written. None is taken then.
    pub async fn add_messages(
        &self,
        messages: &[NewMessage],
        now: Timestamp,
    ) -> Result<Added, CatalogError> {
        let mut change = self.begin_writing().await.map_err(writing())?;
        let added = add(&mut change, messages, now).await?;
        change.commit().await.map_err(writing())?;
        Ok(added)
    }

    /// The next events of tickets that were not told, oldest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn untold_events(&self, limit: u32) -> Result<Vec<Untold>, CatalogError> {
        let mark: Option<i64> = self.setting(MARK).await?;
        let rows: Vec<(i64, u32)> = sqlx::query_as(
            "SELECT number, ticket FROM ticket_events WHERE number > ? ORDER BY number LIMIT ?",
        )
        .bind(mark.unwrap_or(0))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("the events of tickets"))?;
        let mut untold = Vec::with_capacity(rows.len());
        for (number, ticket) in rows {
            untold.push(Untold {
                number,
                event: self.ticket_event(number).await?,
                ticket: self.ticket(ticket).await?,
            });
        }
        Ok(untold)
    }

    /// Takes the messages that tell of the events up to this one, and notes that these were told: both or neither.
    ///
    /// # Errors
    ///
    /// As [`Catalog::add_messages`].
    pub async fn tell_events(
        &self,
        up_to: i64,
        messages: &[NewMessage],
        now: Timestamp,
    ) -> Result<Added, CatalogError> {
        let mut change = self.begin_writing().await.map_err(writing())?;
        let added = add(&mut change, messages, now).await?;
        mark(&mut change, Some(up_to)).await?;
        change.commit().await.map_err(writing())?;
        Ok(added)
    }

    /// Notes that all events up to now were told, as there is nobody to tell.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn skip_events(&self) -> Result<(), CatalogError> {
        let mut change = self.begin_writing().await.map_err(writing())?;
        mark(&mut change, None).await?;
        change.commit().await.map_err(writing())
    }
}

/// Moves the mark; to the last event if `None`.
async fn mark(change: &mut SqliteConnection, up_to: Option<i64>) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE settings SET value = CAST(coalesce(?, (SELECT max(number) FROM ticket_events), 0) AS TEXT)
         WHERE key = ?",
    )
    .bind(up_to)
    .bind(MARK)
    .execute(change)
    .await
    .map_err(writing())?;
    Ok(())
}

async fn add(
    change: &mut SqliteConnection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Added, CatalogError> {
    let mut added = Added::default();
    if messages.is_empty() {
        return Ok(added);
    }
    let waiting: u32 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE state = 'waiting'")
        .fetch_one(&mut *change)
        .await
        .map_err(CatalogError::reading("the outbox"))?;
    for message in messages {
        if waiting + added.taken >= WAITING_MAX {
            added.refused += 1;
            continue;
        }
        insert(change, message, now).await?;
        added.taken += 1;
    }
    Ok(added)
}

async fn insert(
    change: &mut SqliteConnection,
    message: &NewMessage,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let octets: usize = message.attachments.iter().map(|it| it.content.len()).sum();
    if octets > ATTACHMENTS_OCTETS_MAX {
        return Err(CatalogError::Wrong(format!(
            "the files of a mail have {octets} octets, and {ATTACHMENTS_OCTETS_MAX} are the most"
        )));
    }
    let (channel, receiver, lane) = match &message.to {
        Receiver::Mail(address) => (MAIL, address.as_str(), format!("{MAIL} {address}")),
        Receiver::Hook(name) => {
            let ticket = message.ticket.unwrap_or_default();
            (name.as_str(), "", format!("{name} {ticket}"))
        }
    };
    // Whoever just got a mail waits for the next.
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO outbox (channel, receiver, lane, ticket, subject, body, state, made_at, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, max(?7, coalesce((SELECT max(ended_at) + ?8 FROM outbox
             WHERE lane = ?3 AND state = 'sent' AND channel = 'mail'), 0))) RETURNING number",
    )
    .bind(channel)
    .bind(receiver)
    .bind(lane)
    .bind(message.ticket)
    .bind(line(&message.subject))
    .bind(&message.body)
    .bind(now.nanos())
    .bind(i64::try_from(MAIL_EVERY.as_nanos()).unwrap_or(i64::MAX))
    .fetch_one(&mut *change)
    .await
    .map_err(writing())?;
    for file in &message.attachments {
        sqlx::query("INSERT INTO outbox_attachments (message, name, media_type, content) VALUES (?, ?, ?, ?)")
            .bind(number)
            .bind(line(&file.name))
            .bind(&file.media_type)
            .bind(&file.content)
            .execute(&mut *change)
            .await
            .map_err(writing())?;
    }
    Ok(())
}

/// One line that can be shown: whatever would end or hide it becomes a space.
fn line(text: &str) -> String {
    let shown = |letter| match flow::text::is_shown(letter) {
        true => letter,
        false => ' ',
    };
    text.chars().map(shown).take(SUBJECT_CHARS_MAX).collect()
}

fn writing() -> impl FnOnce(sqlx::Error) -> CatalogError {
    CatalogError::writing("the outbox")
}
