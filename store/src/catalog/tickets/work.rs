//! What is done with a ticket, each with its event in the same transaction.

use flow::Timestamp;
use sqlx::SqliteConnection;

use super::{TicketEventKind, TicketState, check_lines, unknown};
use crate::catalog::recordings::{NAME_CHARS_MAX, check_text};
use crate::catalog::{Catalog, CatalogError};

/// Characters of a comment, and of why a ticket is closed.
pub const COMMENT_CHARS_MAX: usize = 2000;
/// Events of one ticket: a list that is read as a whole.
const EVENTS_MAX: u32 = 1000;

/// What is done with a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Somebody works on it; nobody any more if `None`.
    Assign(Option<String>),
    /// Something is said.
    Comment(String),
    /// An engineer is to look at it; what there is to say of it may be empty.
    Escalate(String),
    /// Another ticket goes on with it.
    Merge(u32),
    /// It is over, for a reason.
    Close(String),
    /// It was not over.
    Reopen,
}

impl Catalog {
    /// Does one step with a ticket.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if a ticket is not there, [`CatalogError::Conflict`] if it is not in a state for that,
    /// [`CatalogError::Wrong`] if a text is too long or missing; else the catalog can't be written. Nothing has changed then.
    pub async fn work_on(
        &self,
        number: u32,
        (at, who): (Timestamp, &str),
        step: &Step,
    ) -> Result<(), CatalogError> {
        check_text("author", who, NAME_CHARS_MAX)?;
        let writing = || CatalogError::writing("a ticket");
        let mut change = self.begin_writing().await.map_err(writing())?;
        let state = state(&mut change, number).await?;
        check_events(&mut change, number).await?;
        match step {
            Step::Assign(to) => {
                check_going_on(number, state)?;
                let to = to.as_deref();
                to.map_or(Ok(()), |to| check_text("assignee", to, NAME_CHARS_MAX))?;
                set(&mut change, number, "assignee", to).await?;
            }
            Step::Comment(text) => check_said("a comment", text)?,
            Step::Escalate(text) => {
                check_lines("what you say of it", text, COMMENT_CHARS_MAX)?;
                if state != TicketState::Open {
                    return Err(not_in(number, state));
                }
                enter(&mut change, number, TicketState::Escalated).await?;
            }
            Step::Merge(into) => {
                check_going_on(number, state)?;
                merge(&mut change, number, *into, (at, who)).await?;
            }
            Step::Close(reason) => {
                check_going_on(number, state)?;
                check_said("the reason", reason)?;
                set(&mut change, number, "reason", Some(reason)).await?;
                enter(&mut change, number, TicketState::Closed).await?;
            }
            Step::Reopen => {
                if state != TicketState::Closed {
                    return Err(not_in(number, state));
                }
                sqlx::query(
                    "UPDATE tickets SET reason = NULL, merged_into = NULL WHERE number = ?",
                )
                .bind(number)
                .execute(&mut *change)
                .await
                .map_err(writing())?;
                enter(&mut change, number, TicketState::Open).await?;
            }
        }
        note(&mut change, number, (at, who), step.kind(), &step.text()).await?;
        change.commit().await.map_err(writing())
    }
}

impl Step {
    fn kind(&self) -> TicketEventKind {
        match self {
            Self::Assign(_) => TicketEventKind::Assigned,
            Self::Comment(_) => TicketEventKind::Commented,
            Self::Escalate(_) => TicketEventKind::Escalated,
            Self::Merge(_) => TicketEventKind::Merged,
            Self::Close(_) => TicketEventKind::Closed,
            Self::Reopen => TicketEventKind::Reopened,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Assign(to) => to.clone().unwrap_or_default(),
            Self::Comment(text) | Self::Escalate(text) | Self::Close(text) => text.clone(),
            Self::Merge(into) => into.to_string(),
            Self::Reopen => String::new(),
        }
    }
}

/// Adds an event.
pub(super) async fn note(
    change: &mut SqliteConnection,
    number: u32,
    (at, who): (Timestamp, &str),
    kind: TicketEventKind,
    text: &str,
) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO ticket_events (ticket, at, who, kind, text) VALUES (?, ?, ?, ?, ?)")
        .bind(number)
        .bind(at.nanos())
        .bind(who)
        .bind(kind.name())
        .bind(text)
        .execute(change)
        .await
        .map_err(CatalogError::writing("a ticket's event"))?;
    Ok(())
}

async fn state(change: &mut SqliteConnection, number: u32) -> Result<TicketState, CatalogError> {
    let name: Option<String> = sqlx::query_scalar("SELECT state FROM tickets WHERE number = ?")
        .bind(number)
        .fetch_optional(change)
        .await
        .map_err(CatalogError::reading("a ticket"))?;
    let name = name.ok_or_else(|| unknown(number))?;
    let mut states = TicketState::ALL.into_iter();
    states
        .find(|state| state.name() == name)
        .ok_or_else(|| CatalogError::damaged("ticket", &number.to_string(), "its state is unknown"))
}

async fn check_events(change: &mut SqliteConnection, number: u32) -> Result<(), CatalogError> {
    let events: u32 = sqlx::query_scalar("SELECT count(*) FROM ticket_events WHERE ticket = ?")
        .bind(number)
        .fetch_one(change)
        .await
        .map_err(CatalogError::reading("a ticket's events"))?;
    if events < EVENTS_MAX {
        return Ok(());
    }
    let why = format!("so much was done with ticket {number} that nothing more can be noted");
    Err(CatalogError::Conflict(why))
}

/// Closes a ticket, as another one goes on with it.
async fn merge(
    change: &mut SqliteConnection,
    number: u32,
    into: u32,
    event: (Timestamp, &str),
) -> Result<(), CatalogError> {
    if number == into {
        let why = "a ticket can't go on with itself: name another one";
        return Err(CatalogError::Wrong(why.to_owned()));
    }
    // Whatever goes on does so itself: so there are no chains, and no rings.
    check_going_on(into, state(change, into).await?)?;
    check_events(change, into).await?;
    let went_on = "UPDATE tickets SET merged_into = ?2 WHERE number = ?1 OR merged_into = ?1";
    sqlx::query(went_on)
        .bind(number)
        .bind(into)
        .execute(&mut *change)
        .await
        .map_err(CatalogError::writing("a ticket"))?;
    enter(change, number, TicketState::Closed).await?;
    let text = number.to_string();
    note(change, into, event, TicketEventKind::TookIn, &text).await
}

async fn enter(
    change: &mut SqliteConnection,
    number: u32,
    state: TicketState,
) -> Result<(), CatalogError> {
    set(change, number, "state", Some(state.name())).await
}

async fn set(
    change: &mut SqliteConnection,
    number: u32,
    column: &'static str,
    value: Option<&str>,
) -> Result<(), CatalogError> {
    let mut sql =
        sqlx::QueryBuilder::<sqlx::Sqlite>::new(format!("UPDATE tickets SET {column} = "));
    sql.push_bind(value)
        .push(" WHERE number = ")
        .push_bind(number);
    sql.build()
        .execute(change)
        .await
        .map_err(CatalogError::writing("a ticket"))?;
    Ok(())
}

fn check_going_on(number: u32, state: TicketState) -> Result<(), CatalogError> {
    match state {
        TicketState::Closed => Err(not_in(number, state)),
        TicketState::Open | TicketState::Escalated => Ok(()),
    }
}

fn not_in(number: u32, state: TicketState) -> CatalogError {
    CatalogError::Conflict(format!("ticket {number} is {}", state.name()))
}

fn check_said(what: &str, text: &str) -> Result<(), CatalogError> {
    if text.trim().is_empty() {
        return Err(CatalogError::Wrong(format!("{what} is missing: write it")));
    }
    check_lines(what, text, COMMENT_CHARS_MAX)
}
