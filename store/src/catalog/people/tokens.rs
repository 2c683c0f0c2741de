//! Programs that ask on somebody's behalf.

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::accounts::{check_scope, check_shown};
use super::{Account, Digest, Role};
use crate::catalog::{Catalog, CatalogError};

/// Tokens of one account, those that have expired not counted.
const TOKENS_MAX: u32 = 50;

/// What a program shows instead of a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// No other ever gets it.
    pub number: u32,
    /// What it is for; unique among those of its owner.
    pub name: String,
    /// What it may do: what this role may, and its owner.
    pub role: Role,
    /// Whose flows it sees, in the filter language, of those that its owner sees; empty for all of them.
    pub scope: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was last used, to a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Of the token itself.
    pub digest: Digest,
    /// The account's number.
    pub owner: u32,
    /// As [`Token::name`].
    pub name: String,
    /// As [`Token::role`].
    pub role: Role,
    /// As [`Token::scope`].
    pub scope: String,
    /// As [`Token::expires_at`].
    pub expires_at: Timestamp,
}

impl Catalog {
    /// Makes a token. Those of its owner that have expired go.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Taken`] if the owner has one of this name, [`CatalogError::Wrong`] if what it says cannot be; else the
    /// catalog can't be written.
    pub async fn add_token(&self, new: &NewToken, now: Timestamp) -> Result<Token, CatalogError> {
        let writing = || CatalogError::writing("a token");
        check_shown("a token's name", &new.name)?;
        check_scope(&new.scope)?;
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        sqlx::query("DELETE FROM tokens WHERE owner = ? AND expires_at <= ?")
            .bind(new.owner)
            .bind(now.nanos())
            .execute(&mut *transaction)
            .await
            .map_err(writing())?;
        let count: u32 = sqlx::query_scalar("SELECT count(*) FROM tokens WHERE owner = ?")
            .bind(new.owner)
            .fetch_one(&mut *transaction)
            .await
            .map_err(writing())?;
        if count >= TOKENS_MAX {
            let why = format!("there are {count} tokens, and no more are kept: revoke some");
            return Err(CatalogError::Wrong(why));
        }
        let row: Option<TokenRow> = sqlx::query_as(
            "INSERT INTO tokens (digest, name, owner, role, scope, made_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, name) DO NOTHING RETURNING *",
        )
        .bind(&new.digest[..])
        .bind(&new.name)
        .bind(new.owner)
        .bind(new.role.name())
        .bind(&new.scope)
        .bind(now.nanos())
        .bind(new.expires_at.nanos())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(writing())?;
        let row = row.ok_or_else(|| CatalogError::Taken {
            what: "token",
            name: new.name.clone(),
        })?;
        transaction.commit().await.map_err(writing())?;
        row.try_into()
    }

    /// The token of this secret and whose it is, unless they are disabled or it has ended.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn token(
        &self,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<(Token, Account)>, CatalogError> {
        let row: Option<TokenRow> =
            sqlx::query_as("SELECT * FROM tokens WHERE digest = ? AND expires_at > ?")
                .bind(&digest[..])
                .bind(now.nanos())
                .fetch_optional(&self.pool)
                .await
                .map_err(CatalogError::reading("a token"))?;
        let Some(row) = row else { return Ok(None) };
        let owner = self.enabled(row.owner).await?;
        owner.map(|owner| Ok((row.try_into()?, owner))).transpose()
    }

    /// Notes that it was used.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn see_token(&self, number: u32, now: Timestamp) -> Result<(), CatalogError> {
        sqlx::query("UPDATE tokens SET used_at = ? WHERE number = ?")
            .bind(now.nanos())
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a token"))?;
        Ok(())
    }

    /// The tokens of an account, by name.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn tokens(&self, owner: u32) -> Result<Vec<Token>, CatalogError> {
        let rows: Vec<TokenRow> =
            sqlx::query_as("SELECT * FROM tokens WHERE owner = ? ORDER BY name")
                .bind(owner)
                .fetch_all(&self.pool)
                .await
                .map_err(CatalogError::reading("the tokens"))?;
        rows.into_iter().map(Token::try_from).collect()
    }

    /// Ends a token of an account; `false` if it has none of this number.
    ///
    /// # Errors
    ///
    /// The catalog can't be written.
    pub async fn revoke_token(&self, owner: u32, number: u32) -> Result<bool, CatalogError> {
        let gone = sqlx::query("DELETE FROM tokens WHERE owner = ? AND number = ?")
            .bind(owner)
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a token"))?;
        Ok(gone.rows_affected() > 0)
    }
}

#[derive(FromRow)]
struct TokenRow {
    number: u32,
    name: String,
    owner: u32,
    role: String,
    scope: String,
    made_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
}

impl TryFrom<TokenRow> for Token {
    type Error = CatalogError;
    fn try_from(row: TokenRow) -> Result<Self, CatalogError> {
        let role = Role::named(&row.role);
        Ok(Self {
            role: role
                .ok_or_else(|| CatalogError::damaged("token", &row.name, "an unknown role"))?,
            number: row.number,
            name: row.name,
            scope: row.scope,
            made_at: Timestamp::from_nanos(row.made_at),
            expires_at: Timestamp::from_nanos(row.expires_at),
            used_at: row.used_at.map(Timestamp::from_nanos),
        })
    }
}
