//! A press: a ticket and its recording, in one transaction.

use std::collections::BTreeSet;
use std::net::IpAddr;

use flow::Timestamp;
use sqlx::SqliteConnection;

use super::{TicketEventKind, check_lines, work};
use crate::catalog::recordings::{NAME_CHARS_MAX, check_text, insert};
use crate::catalog::{Catalog, CatalogError, Recording};

/// Characters of what a person says of it.
pub const WORDS_CHARS_MAX: usize = 2000;
/// Tickets that are not closed, at most: nobody works a longer queue, and each holds a stretch of the tape.
pub const TICKETS_MAX: u32 = 10_000;

/// What a press notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// 32 hex digits that no other has.
    pub id: String,
    /// When.
    pub pressed_at: Timestamp,
    /// Who.
    pub reporter: String,
    /// The address that it is about.
    pub host: IpAddr,
    /// Its site; empty if it has none.
    pub site: String,
    /// What they say is slow; may be empty.
    pub application: String,
    /// What they say of it; may be empty.
    pub words: String,
    /// The servers that the host had used.
    pub servers: BTreeSet<IpAddr>,
    /// What there is to say of the recording's scope.
    pub scoped: String,
}

impl Catalog {
    /// Notes a ticket and its recording, which gets the name `ticket 42`, or neither. Gives both numbers.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Wrong`] if a text is too long or can't be shown, or [`TICKETS_MAX`] are not closed; else the catalog can't be
    /// written. Nothing is noted then.
    pub async fn press(
        &self,
        new: &NewTicket,
        recording: &Recording,
    ) -> Result<(u32, u32), CatalogError> {
        check(new)?;
        let writing = || CatalogError::writing("a ticket");
        let mut change = self.begin_writing().await.map_err(writing())?;
        check_room(&mut change).await?;
        let ticket = add(&mut change, new).await?;
        let recording = Recording {
            name: free_name(&mut change, ticket, &new.id).await?,
            ..recording.clone()
        };
        let number = insert(&mut *change, &recording).await?;
        sqlx::query("UPDATE tickets SET recording = ? WHERE number = ?")
            .bind(number)
            .bind(ticket)
            .execute(&mut *change)
            .await
            .map_err(writing())?;
        let event = (new.pressed_at, &*new.reporter);
        work::note(
            &mut change,
            ticket,
            event,
            TicketEventKind::Pressed,
            &new.scoped,
        )
        .await?;
        change.commit().await.map_err(writing())?;
        Ok((ticket, number))
    }
}

fn check(new: &NewTicket) -> Result<(), CatalogError> {
    check_text("reporter", &new.reporter, NAME_CHARS_MAX)?;
    for (what, text) in [("application", &new.application), ("site", &new.site)] {
        if !text.is_empty() {
            check_text(what, text, NAME_CHARS_MAX)?;
        }
    }
    check_lines("what you say of it", &new.words, WORDS_CHARS_MAX)
}

async fn check_room(change: &mut SqliteConnection) -> Result<(), CatalogError> {
    let waiting: u32 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM tickets WHERE state IN ('open', 'escalated') LIMIT ?)",
    )
    .bind(TICKETS_MAX)
    .fetch_one(change)
    .await
    .map_err(CatalogError::reading("the tickets"))?;
    if waiting < TICKETS_MAX {
        return Ok(());
    }
    Err(CatalogError::Wrong(format!(
        "{waiting} tickets are waiting, and no more are taken: call the help desk"
    )))
}

async fn add(change: &mut SqliteConnection, new: &NewTicket) -> Result<u32, CatalogError> {
    let number: u32 = sqlx::query_scalar(
        "INSERT INTO tickets (id, pressed_at, reporter, host, site, application, words, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'open') RETURNING number",
    )
    .bind(&new.id)
    .bind(new.pressed_at.nanos())
    .bind(&new.reporter)
    .bind(new.host.to_canonical().to_string())
    .bind(&new.site)
    .bind(&new.application)
    .bind(&new.words)
    .fetch_one(&mut *change)
    .await
    .map_err(CatalogError::writing("a ticket"))?;
    for server in &new.servers {
        sqlx::query("INSERT INTO ticket_servers (server, ticket) VALUES (?, ?)")
            .bind(server.to_canonical().to_string())
            .bind(number)
            .execute(&mut *change)
            .await
            .map_err(CatalogError::writing("a ticket's servers"))?;
    }
    Ok(number)
}

/// `ticket 42`, unless somebody called a recording so.
async fn free_name(
    change: &mut SqliteConnection,
    ticket: u32,
    id: &str,
) -> Result<String, CatalogError> {
    let name = format!("ticket {ticket}");
    let is_taken: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM recordings WHERE name = ?)")
            .bind(&name)
            .fetch_one(change)
            .await
            .map_err(CatalogError::reading("the recordings"))?;
    Ok(match is_taken {
        false => name,
        true => format!("{name} ({id})"),
    })
}
