//! A recording's tables that nobody asks: on disk, and not in the embedded engine's memory.
//!
//! Each table costs the engine memory whether somebody asks it or not; the thirteen of a recording some 7 MiB. A table that is detached
//! costs none, its rows stay where they are, and `DROP DATABASE` takes them along.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Engine;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::Store;

impl Store {
    /// Whether tables that nobody asks are better put away: a server elsewhere has memory of its own, and other users.
    pub fn is_cramped(&self) -> bool {
        self.config.engine == Engine::Embedded
    }

    /// Whether somebody else has a clone of this store of a [recording](Self::recording).
    pub fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.config) > 1
    }

    /// Takes all tables of this store's database out of the engine's memory, and nothing off the disk.
    ///
    /// # Errors
    ///
    /// The store's trouble: some tables may be away and some not. Do it again, or [bring them back](Self::bring_out).
    pub async fn put_away(&self) -> Result<(), StoreError> {
        let sql = Sql::text("SELECT name FROM system.tables WHERE database = ?");
        self.each(sql, |table| {
            format!("DETACH TABLE {table} PERMANENTLY SYNC")
        })
        .await
    }

    /// Brings back what was [put away](Self::put_away), and to today's schema. Whether there are such tables at all.
    ///
    /// # Errors
    ///
    /// As [`Store::put_away`].
    pub async fn bring_out(&self) -> Result<bool, StoreError> {
        let sql = Sql::text("SELECT count() FROM system.databases WHERE name = ?");
        let found: Vec<u64> = self.read(sql.bind(self.database())).await?;
        if found != [1] {
            return Ok(false);
        }
        let sql = Sql::text("SELECT table FROM system.detached_tables WHERE database = ?");
        self.each(sql, |table| format!("ATTACH TABLE {table}"))
            .await?;
        self.prepare().await?;
        Ok(true)
    }

    /// The numbers of this place's recordings with tables that are not [put away](Self::put_away).
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn recordings_at_hand(&self, place: &str) -> Result<BTreeSet<u32>, StoreError> {
        let sql =
            Sql::text("SELECT DISTINCT database FROM system.tables WHERE startsWith(database, ?)");
        self.numbers(sql, place).await
    }

    async fn each(&self, names: Sql, statement: impl Fn(&str) -> String) -> Result<(), StoreError> {
        let names: Vec<String> = self.read(names.bind(self.database())).await?;
        for name in names {
            let table = format!("{}.`{name}`", self.database());
            self.run(statement(&table)).await?;
        }
        Ok(())
    }
}
