//! From a ticket to its recording, and back.

use super::{COLUMNS, Ticket, TicketRow};
use crate::catalog::{Catalog, CatalogError};

impl Catalog {
    /// The name of a ticket's recording, if that can be asked.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn recording_of_ticket(&self, number: u32) -> Result<Option<String>, CatalogError> {
        sqlx::query_scalar(
            "SELECT name FROM recordings WHERE state IN ('referenced', 'own')
             AND number = (SELECT recording FROM tickets WHERE number = ?)",
        )
        .bind(number)
        .fetch_optional(&self.pool)
        .await
        .map_err(CatalogError::reading("a ticket's recording"))
    }

    /// The ticket that a recording was made for; `None` if somebody cut it.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn ticket_of_recording(
        &self,
        recording: u32,
    ) -> Result<Option<Ticket>, CatalogError> {
        let sql = format!("SELECT {COLUMNS} FROM tickets WHERE recording = ?");
        let row: Option<TicketRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(recording)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a ticket"))?;
        row.map(Ticket::try_from).transpose()
    }
}
