//! Story and picture of a ticket, which come after the press.

use flow::Timestamp;

use super::unknown;
use crate::catalog::{Catalog, CatalogError};

/// Octets of a picture.
const PICTURE_OCTETS_MAX: usize = 200_000;

/// The oldest whose story is still to be made.
pub(super) const NEXT: &str =
    "SELECT number FROM tickets WHERE story IS NULL AND number > ? ORDER BY number LIMIT 1";

impl Catalog {
    /// The oldest ticket after this number whose story is still to be made.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn next_unmade_ticket(&self, after: u32) -> Result<Option<u32>, CatalogError> {
        sqlx::query_scalar(NEXT)
            .bind(after)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("the tickets"))
    }

    /// Notes story (JSON) and picture (SVG) of a ticket. A picture that is too long is left out.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; the ticket waits for its story then.
    pub async fn made_ticket(
        &self,
        number: u32,
        story: &str,
        picture: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), CatalogError> {
        let picture = picture.filter(|picture| picture.len() <= PICTURE_OCTETS_MAX);
        sqlx::query("UPDATE tickets SET story = ?, picture = ?, made_at = ? WHERE number = ?")
            .bind(story)
            .bind(picture)
            .bind(at.nanos())
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a ticket's story"))?;
        Ok(())
    }

    /// The story of a ticket (JSON), once it is made.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such ticket; else the catalog can't be read.
    pub async fn ticket_story(&self, number: u32) -> Result<Option<String>, CatalogError> {
        self.made(number, "SELECT story FROM tickets WHERE number = ?")
            .await
    }

    /// The picture of a ticket (SVG), if there is one.
    ///
    /// # Errors
    ///
    /// As [`Catalog::ticket_story`].
    pub async fn ticket_picture(&self, number: u32) -> Result<Option<Vec<u8>>, CatalogError> {
        self.made(number, "SELECT picture FROM tickets WHERE number = ?")
            .await
    }

    async fn made<T>(&self, number: u32, sql: &'static str) -> Result<Option<T>, CatalogError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
    {
        let found: Option<Option<T>> = sqlx::query_scalar(sql)
            .bind(number)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a ticket"))?;
        found.ok_or_else(|| unknown(number))
    }
}
