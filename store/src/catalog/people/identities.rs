//! Who signs on elsewhere, and as what they come here.

use flow::Timestamp;
use sqlx::SqliteConnection;

use super::accounts::{self, AccountRow};
use super::{Account, NewAccount};
use crate::catalog::{Catalog, CatalogError};

/// Characters of what a provider calls somebody (OpenID Connect Core 1.0, 2).
const SUBJECT_CHARS_MAX: usize = 255;

/// Somebody, as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider's name for itself: an address.
    pub issuer: String,
    /// What it calls them, and nobody else ever.
    pub subject: String,
}

impl Catalog {
    /// The account of somebody who signs on elsewhere: made if this is the first time, else as the provider says now: shown name,
    /// mail, role and scope. Its name stays. Whoever is disabled is returned, too, and has not changed.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Taken`] if somebody else has an account of this name: that is never given away. [`CatalogError::Wrong`] if
    /// what it says cannot be; else the catalog can't be written. Nothing has changed.
    pub async fn take_in(
        &self,
        identity: &Identity,
        said: &NewAccount,
        now: Timestamp,
    ) -> Result<Account, CatalogError> {
        if identity.subject.chars().count() > SUBJECT_CHARS_MAX {
            let why = format!("a subject has up to {SUBJECT_CHARS_MAX} characters");
            return Err(CatalogError::Wrong(why));
        }
        let writing = || CatalogError::writing("an account");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let account = match known(&mut transaction, identity).await? {
            None => make(&mut transaction, identity, said, now).await?,
            Some(account) if account.disabled => return Ok(account),
            Some(account) => accounts::renew(&mut transaction, account, said).await?,
        };
        transaction.commit().await.map_err(writing())?;
        Ok(account)
    }

    /// Ends all sessions and tokens of somebody whom their provider lets in no more. Returns the account, if there is one.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; nothing has changed.
    pub async fn shut_out(&self, identity: &Identity) -> Result<Option<Account>, CatalogError> {
        let writing = || CatalogError::writing("an account");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let account = known(&mut transaction, identity).await?;
        if let Some(account) = &account {
            accounts::sign_out(&mut transaction, account.number)
                .await
                .map_err(writing())?;
        }
        transaction.commit().await.map_err(writing())?;
        Ok(account)
    }
}

async fn known(
    connection: &mut SqliteConnection,
    identity: &Identity,
) -> Result<Option<Account>, CatalogError> {
    let row: Option<AccountRow> = sqlx::query_as(
        "SELECT accounts.* FROM accounts JOIN identities ON identities.account = accounts.number
         WHERE issuer = ? AND subject = ?",
    )
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .fetch_optional(connection)
    .await
    .map_err(CatalogError::reading("an account"))?;
    row.map(Account::try_from).transpose()
}

async fn make(
    connection: &mut SqliteConnection,
    identity: &Identity,
    said: &NewAccount,
    now: Timestamp,
) -> Result<Account, CatalogError> {
    let account = accounts::insert(connection, said, now).await?;
    sqlx::query("INSERT INTO identities (issuer, subject, account) VALUES (?, ?, ?)")
        .bind(&identity.issuer)
        .bind(&identity.subject)
        .bind(account.number)
        .execute(connection)
        .await
        .map_err(CatalogError::writing("an account"))?;
    Ok(account)
}
