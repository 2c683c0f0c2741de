//! The database as files, made and read back by ClickHouse itself. For the embedded engine, which keeps them in a folder
//! beside its tables.

use crate::config::Engine;
use crate::error::StoreError;
use crate::schema::VERSION;
use crate::sql::literal;
use crate::store::Store;

impl Store {
    /// Writes the database to `backups/{name}` in the engine's folder, where there must be no such name yet.
    ///
    /// Each table as it is at some moment of this call, not all at the same: rollups may count rows that `flows` in the
    /// backup does not have, or the other way round. Whoever restores it compares with the tape.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] with a server elsewhere, which has backups of its own. Else the store's trouble;
    /// what was written is to be removed.
    pub async fn back_up(&self, name: &str) -> Result<(), StoreError> {
        let what = format!("BACKUP DATABASE {} TO", self.config.database);
        self.with_file(&what, name).await
    }

    /// Makes what is in `backups/{name}` of the engine's folder. There must be none of its names.
    ///
    /// # Errors
    ///
    /// As [`Store::back_up`].
    pub async fn bring_back(&self, name: &str) -> Result<(), StoreError> {
        self.with_file("RESTORE ALL FROM", name).await
    }

    async fn with_file(&self, what: &str, name: &str) -> Result<(), StoreError> {
        if self.config.engine != Engine::Embedded {
            let message = "a ClickHouse server is backed up by its own means";
            return Err(StoreError::Configuration(message.to_owned()));
        }
        let statement = format!("{what} File({})", literal(name));
        let query = self.client.query_raw(&statement);
        Ok(query
            .with_setting("max_execution_time", "0")
            .execute()
            .await?)
    }
}

/// The last version of the schema that this program knows: a backup with a newer one is not for it.
pub const SCHEMA_VERSION: u32 = VERSION;
