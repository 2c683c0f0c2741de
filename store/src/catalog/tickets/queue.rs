//! Pages of tickets, one of them, and those like it.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::{QueryBuilder, Sqlite};

use super::{COLUMNS, Ticket, TicketEvent, TicketEventKind, TicketRow, TicketState, unknown};
use crate::catalog::{Catalog, CatalogError};
use flow::Timestamp;

/// The most tickets of a page.
pub const PAGE_MAX: u32 = 200;
/// How many tickets like another are looked for.
pub const SIMILAR_MAX: u32 = 20;
/// How far from another's a press is about the same.
const SIMILAR_WITHIN: Duration = Duration::from_secs(2 * 3600);

/// Which tickets. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketQuery {
    /// How far they are.
    pub state: Option<TicketState>,
    /// The address that they are about.
    pub host: Option<IpAddr>,
    /// Its site.
    pub site: Option<String>,
    /// A server that the host had used.
    pub server: Option<IpAddr>,
    /// Who pressed.
    pub reporter: Option<String>,
    /// Who works on it; `Some(None)` is nobody.
    pub assignee: Option<Option<String>>,
    /// Only those of a smaller number: the page after that one.
    pub before: Option<u32>,
    /// At most so many, and at most [`PAGE_MAX`].
    pub limit: u32,
}

impl TicketQuery {
    pub(super) fn sql(&self) -> QueryBuilder<Sqlite> {
        let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS} FROM tickets WHERE number < "));
        sql.push_bind(i64::from(self.before.unwrap_or(u32::MAX)));
        let texts = [
            (
                " AND state = ",
                self.state.map(|state| state.name().to_owned()),
            ),
            (" AND host = ", self.host.map(text_of)),
            (" AND site = ", self.site.clone()),
            (" AND reporter = ", self.reporter.clone()),
            (" AND assignee = ", self.assignee.clone().flatten()),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                sql.push(condition).push_bind(text);
            }
        }
        if self.assignee == Some(None) {
            sql.push(" AND assignee IS NULL");
        }
        if let Some(server) = self.server {
            sql.push(" AND number IN (SELECT ticket FROM ticket_servers WHERE server = ")
                .push_bind(text_of(server))
                .push(")");
        }
        sql.push(" ORDER BY number DESC LIMIT ")
            .push_bind(self.limit.min(PAGE_MAX));
        sql
    }
}

fn text_of(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// Tickets of about the same time that share a site, an application or a server with one, newest press first.
pub(super) const SIMILAR: &str = "SELECT number FROM tickets
    WHERE pressed_at BETWEEN ?2 AND ?3 AND number != ?1
    AND ((site != '' AND site = (SELECT site FROM tickets WHERE number = ?1))
      OR (application != '' AND application = (SELECT application FROM tickets WHERE number = ?1))
      OR EXISTS (SELECT 1 FROM ticket_servers AS mine JOIN ticket_servers AS theirs
                 ON theirs.server = mine.server AND theirs.ticket = tickets.number WHERE mine.ticket = ?1))
    ORDER BY pressed_at DESC LIMIT ?4";

impl Catalog {
    /// A page of tickets, newest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn tickets(&self, query: &TicketQuery) -> Result<Vec<Ticket>, CatalogError> {
        let mut sql = query.sql();
        let rows: Vec<TicketRow> = sql
            .build_query_as()
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::reading("the tickets"))?;
        rows.into_iter().map(Ticket::try_from).collect()
    }

    /// A ticket.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is none of this number; else as [`Catalog::tickets`].
    pub async fn ticket(&self, number: u32) -> Result<Ticket, CatalogError> {
        let mut sql = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM tickets"));
        let sql = sql.push(" WHERE number = ").push_bind(number);
        let row: Option<TicketRow> = sql
            .build_query_as()
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a ticket"))?;
        row.ok_or_else(|| unknown(number))?.try_into()
    }

    /// The servers that a ticket's host had used.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn ticket_servers(&self, number: u32) -> Result<Vec<IpAddr>, CatalogError> {
        let all: Vec<String> = sqlx::query_scalar(
            "SELECT server FROM ticket_servers WHERE ticket = ? ORDER BY server",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("a ticket's servers"))?;
        let address = |text: String| {
            let address = text.parse();
            address.map_err(|error| CatalogError::damaged("server of a ticket", &text, error))
        };
        all.into_iter().map(address).collect()
    }

    /// What became of a ticket, oldest first.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn ticket_events(&self, number: u32) -> Result<Vec<TicketEvent>, CatalogError> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT at, who, kind, text FROM ticket_events WHERE ticket = ? ORDER BY number",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("a ticket's events"))?;
        rows.into_iter().map(event).collect()
    }

    /// One event, by its own number.
    pub(in crate::catalog) async fn ticket_event(
        &self,
        number: i64,
    ) -> Result<TicketEvent, CatalogError> {
        let row: EventRow =
            sqlx::query_as("SELECT at, who, kind, text FROM ticket_events WHERE number = ?")
                .bind(number)
                .fetch_one(&self.pool)
                .await
                .map_err(CatalogError::reading("a ticket's event"))?;
        event(row)
    }

    /// The numbers of tickets that were pressed within two hours of this one and share a site, an application or a server with it;
    /// the newest [`SIMILAR_MAX`].
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn similar_tickets(&self, ticket: &Ticket) -> Result<Vec<u32>, CatalogError> {
        sqlx::query_scalar(SIMILAR)
            .bind(ticket.number)
            .bind((ticket.pressed_at - SIMILAR_WITHIN).nanos())
            .bind((ticket.pressed_at + SIMILAR_WITHIN).nanos())
            .bind(SIMILAR_MAX)
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::reading("the tickets"))
    }
}

/// When, who, what, and what there is to say of it.
type EventRow = (i64, String, String, String);

fn event((at, who, kind, text): EventRow) -> Result<TicketEvent, CatalogError> {
    let mut kinds = TicketEventKind::ALL.into_iter();
    let known = kinds.find(|known| known.name() == kind);
    let damaged = || CatalogError::damaged("ticket's event", &kind, "its kind is unknown");
    Ok(TicketEvent {
        at: Timestamp::from_nanos(at),
        who,
        kind: known.ok_or_else(damaged)?,
        text,
    })
}
