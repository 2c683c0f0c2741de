//! How the first account is made: by whoever can read what the start of the program prints.

use flow::Timestamp;

use super::{Account, Digest, NewAccount, accounts};
use crate::catalog::{Catalog, CatalogError};

impl Catalog {
    /// Remembers the secret that makes the first account, in place of an earlier one. `false` if there are accounts: then there is no
    /// such secret any more.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; nothing has changed.
    pub async fn renew_welcome(
        &self,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool, CatalogError> {
        let writing = || CatalogError::writing("the welcome");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let is_first = accounts::count(&mut transaction).await? == 0;
        sqlx::query("DELETE FROM welcome")
            .execute(&mut *transaction)
            .await
            .map_err(writing())?;
        if is_first {
            sqlx::query("INSERT INTO welcome VALUES (1, ?, ?)")
                .bind(&digest[..])
                .bind(now.nanos())
                .execute(&mut *transaction)
                .await
                .map_err(writing())?;
        }
        transaction.commit().await.map_err(writing())?;
        Ok(is_first)
    }

    /// Whether this secret would make the first account now.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn is_welcome(&self, digest: &Digest) -> Result<bool, CatalogError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM welcome WHERE digest = ?)
             AND NOT EXISTS (SELECT 1 FROM accounts)",
        )
        .bind(&digest[..])
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::reading("the welcome"))
    }

    /// Makes the first account and forgets the secret; `None` if the secret is not the one, or there is an account already.
    ///
    /// # Errors
    ///
    /// As [`Catalog::add_account`]; the secret can be used again then.
    pub async fn use_welcome(
        &self,
        digest: &Digest,
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<Option<Account>, CatalogError> {
        let writing = || CatalogError::writing("the first account");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let used = sqlx::query("DELETE FROM welcome WHERE digest = ?")
            .bind(&digest[..])
            .execute(&mut *transaction)
            .await
            .map_err(writing())?;
        if used.rows_affected() == 0 || accounts::count(&mut transaction).await? > 0 {
            return Ok(None);
        }
        let account = accounts::insert(&mut transaction, new, now).await?;
        transaction.commit().await.map_err(writing())?;
        Ok(Some(account))
    }
}
