//! Whom mail goes to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::{Account, Catalog, CatalogError};

/// Whether somebody gets mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailWish {
    /// Where it would go; an admin says so.
    pub address: Option<String>,
    /// Whether they want any.
    pub is_wanted: bool,
}

impl Catalog {
    /// Who has an account of this name and an address, wants mail and is not disabled.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn mail_receiver(&self, name: &str) -> Result<Option<Account>, CatalogError> {
        let Some((account, _)) = self.account(name).await? else {
            return Ok(None);
        };
        let wish = self.mail_wish(account.number).await?;
        let gets_it = wish.is_wanted && wish.address.is_some() && !account.disabled;
        Ok(gets_it.then_some(account))
    }

    /// Whether an account gets mail.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such account; else the catalog can't be read.
    pub async fn mail_wish(&self, account: u32) -> Result<MailWish, CatalogError> {
        let found: Option<(Option<String>, bool)> =
            sqlx::query_as("SELECT email, mail FROM accounts WHERE number = ?")
                .bind(account)
                .fetch_optional(&self.pool)
                .await
                .map_err(CatalogError::reading("an account"))?;
        let (address, is_wanted) = found.ok_or_else(|| CatalogError::Unknown {
            what: "account",
            name: account.to_string(),
        })?;
        Ok(MailWish { address, is_wanted })
    }

    /// Says whether an account wants mail.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn want_mail(&self, account: u32, is_wanted: bool) -> Result<(), CatalogError> {
        sqlx::query("UPDATE accounts SET mail = ? WHERE number = ?")
            .bind(is_wanted)
            .bind(account)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("an account"))?;
        Ok(())
    }
}
