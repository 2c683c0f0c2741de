//! Who may sign on.

use flow::{Filter, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};
use utoipa::ToSchema;

use super::Role;
use crate::catalog::{Catalog, CatalogError};

/// Characters of an account's name, of what is shown for it, and of an e-mail address.
pub const PERSON_CHARS_MAX: usize = 100;
/// Accounts: a list that is read as a whole.
const ACCOUNTS_MAX: u32 = 10_000;
/// Names that the product uses for itself.
const RESERVED: [&str; 2] = ["operator", "flowreel"];

/// Somebody who may sign on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// No other ever gets it.
    pub number: u32,
    /// What is written to sign on: lower case, without spaces.
    pub name: String,
    /// As others see them.
    pub shown_name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// What they work as.
    pub role: Role,
    /// Whose flows they see, in the filter language; empty for all.
    pub scope: String,
    /// Whether they may not sign on now.
    pub disabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: String,
}

/// An account that is to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// As [`Account::name`].
    pub name: String,
    /// As [`Account::shown_name`].
    pub shown_name: String,
    /// As [`Account::email`].
    pub email: Option<String>,
    /// As [`Account::role`].
    pub role: Role,
    /// As [`Account::scope`].
    pub scope: String,
    /// The hash of the password, in PHC form.
    pub password: Option<String>,
    /// As [`Account::made_by`].
    pub made_by: String,
}

/// What is to be different; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccountChange {
    /// As others see them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_name: Option<String>,
    /// Where mail goes; empty for nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they work as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whose flows they see, in the filter language; empty for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whether they may not sign on. Whoever is disabled is signed out everywhere, and loses their tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

impl Catalog {
    /// Makes an account.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Taken`] if there is one of this name, [`CatalogError::Wrong`] if what it says cannot be; else the catalog
    /// can't be written.
    pub async fn add_account(
        &self,
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<Account, CatalogError> {
        let writing = || CatalogError::writing("an account");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let account = insert(&mut transaction, new, now).await?;
        transaction.commit().await.map_err(writing())?;
        Ok(account)
    }

    /// All accounts, by name.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn accounts(&self) -> Result<Vec<Account>, CatalogError> {
        let rows: Vec<AccountRow> = sqlx::query_as("SELECT * FROM accounts ORDER BY name")
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::reading("the accounts"))?;
        rows.into_iter().map(Account::try_from).collect()
    }

    /// The account of this name, and the hash of its password if it has one; `None` if there is no such account.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn account(
        &self,
        name: &str,
    ) -> Result<Option<(Account, Option<String>)>, CatalogError> {
        let row: Option<AccountRow> = sqlx::query_as("SELECT * FROM accounts WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("an account"))?;
        row.map(|mut row| {
            let password = row.password.take();
            Ok((row.try_into()?, password))
        })
        .transpose()
    }

    /// Changes an account, in one transaction. Whoever gets disabled loses sessions and tokens.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such account, [`CatalogError::Wrong`] if the change cannot be, as where no admin would
    /// be left; else the catalog can't be written. Nothing has changed.
    pub async fn change_account(
        &self,
        name: &str,
        change: &AccountChange,
    ) -> Result<Account, CatalogError> {
        let writing = || CatalogError::writing("an account");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let admins = admins(&mut transaction).await?;
        let row: Option<AccountRow> = sqlx::query_as("SELECT * FROM accounts WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(CatalogError::reading("an account"))?;
        let mut account = Account::try_from(row.ok_or_else(|| unknown(name))?)?;
        account.take(change);
        check(&account)?;
        update(&mut transaction, &account)
            .await
            .map_err(writing())?;
        if admins > 0 && self::admins(&mut transaction).await? == 0 {
            let why = "no admin would be left: make another one first";
            return Err(CatalogError::Wrong(why.to_owned()));
        }
        transaction.commit().await.map_err(writing())?;
        Ok(account)
    }

    /// Gives an account another password, as the hash of it, and ends all its sessions. Returns how many.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such account, [`CatalogError::Wrong`] if it signs on elsewhere; else the catalog can't
    /// be written. Nothing has changed.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<u64, CatalogError> {
        let writing = || CatalogError::writing("a password");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let is_elsewhere: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM identities JOIN accounts ON number = account WHERE name = ?)",
        )
        .bind(name)
        .fetch_one(&mut *transaction)
        .await
        .map_err(CatalogError::reading("an account"))?;
        if is_elsewhere {
            let why = "this account signs on by OpenID Connect, and has no password";
            return Err(CatalogError::Wrong(why.to_owned()));
        }
        let number: Option<u32> =
            sqlx::query_scalar("UPDATE accounts SET password = ? WHERE name = ? RETURNING number")
                .bind(password)
                .bind(name)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(writing())?;
        let number = number.ok_or_else(|| unknown(name))?;
        let ended = sqlx::query("DELETE FROM sessions WHERE account = ?")
            .bind(number)
            .execute(&mut *transaction)
            .await
            .map_err(writing())?;
        transaction.commit().await.map_err(writing())?;
        Ok(ended.rows_affected())
    }
}

impl Account {
    fn take(&mut self, change: &AccountChange) {
        if let Some(shown_name) = &change.shown_name {
            self.shown_name.clone_from(shown_name);
        }
        if let Some(email) = &change.email {
            self.email = Some(email.clone()).filter(|email| !email.is_empty());
        }
        if let Some(scope) = &change.scope {
            self.scope.clone_from(scope);
        }
        self.role = change.role.unwrap_or(self.role);
        self.disabled = change.disabled.unwrap_or(self.disabled);
    }
}

/// Inserts an account that was checked.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewAccount,
    now: Timestamp,
) -> Result<Account, CatalogError> {
    let mut account = Account {
        number: 0,
        name: new.name.clone(),
        shown_name: new.shown_name.clone(),
        email: new.email.clone(),
        role: new.role,
        scope: new.scope.clone(),
        disabled: false,
        made_at: now,
        made_by: new.made_by.clone(),
    };
    check(&account)?;
    if count(connection).await? >= ACCOUNTS_MAX {
        let why = format!("there are {ACCOUNTS_MAX} accounts, and no more are kept");
        return Err(CatalogError::Wrong(why));
    }
    let number = sqlx::query_scalar(
        "INSERT INTO accounts (name, shown_name, email, role, scope, password, made_at, made_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING number",
    )
    .bind(&account.name)
    .bind(&account.shown_name)
    .bind(&account.email)
    .bind(account.role.name())
    .bind(&account.scope)
    .bind(&new.password)
    .bind(now.nanos())
    .bind(&account.made_by)
    .fetch_optional(connection)
    .await
    .map_err(CatalogError::writing("an account"))?;
    account.number = number.ok_or_else(|| CatalogError::Taken {
        what: "account",
        name: account.name.clone(),
    })?;
    Ok(account)
}

/// How many accounts there are.
pub(super) async fn count(connection: &mut SqliteConnection) -> Result<u32, CatalogError> {
    sqlx::query_scalar("SELECT count(*) FROM accounts")
        .fetch_one(connection)
        .await
        .map_err(CatalogError::reading("the accounts"))
}

async fn admins(connection: &mut SqliteConnection) -> Result<u32, CatalogError> {
    sqlx::query_scalar("SELECT count(*) FROM accounts WHERE role = 'admin' AND disabled = 0")
        .fetch_one(connection)
        .await
        .map_err(CatalogError::reading("the accounts"))
}

async fn update(connection: &mut SqliteConnection, account: &Account) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts SET shown_name = ?, email = ?, role = ?, scope = ?, disabled = ? WHERE number = ?",
    )
    .bind(&account.shown_name)
    .bind(&account.email)
    .bind(account.role.name())
    .bind(&account.scope)
    .bind(account.disabled)
    .bind(account.number)
    .execute(&mut *connection)
    .await?;
    match account.disabled {
        true => sign_out(connection, account.number).await,
        false => Ok(()),
    }
}

/// Ends all sessions and tokens of an account.
pub(super) async fn sign_out(
    connection: &mut SqliteConnection,
    account: u32,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM sessions WHERE account = ?",
        "DELETE FROM tokens WHERE owner = ?",
    ] {
        let query = sqlx::query(statement).bind(account);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Makes an account what is said of it now, except for its name. Whoever says so may take the last admin away: the operator is left.
pub(super) async fn renew(
    connection: &mut SqliteConnection,
    account: Account,
    said: &NewAccount,
) -> Result<Account, CatalogError> {
    let account = Account {
        shown_name: said.shown_name.clone(),
        email: said.email.clone(),
        role: said.role,
        scope: said.scope.clone(),
        ..account
    };
    check(&account)?;
    update(connection, &account)
        .await
        .map_err(CatalogError::writing("an account"))?;
    Ok(account)
}

fn check(account: &Account) -> Result<(), CatalogError> {
    let Account { name, scope, .. } = account;
    let wrong = |why: String| Err(CatalogError::Wrong(why));
    check_shown("a name", name)?;
    check_shown("a shown name", &account.shown_name)?;
    if let Some(email) = &account.email {
        check_shown("an e-mail address", email)?;
        if email.contains(char::is_whitespace) || !email.contains('@') {
            return wrong("an e-mail address has an @ and no spaces".to_owned());
        }
    }
    if *name != name.to_lowercase() || name.contains(char::is_whitespace) {
        return wrong("a name is in lower case and has no spaces".to_owned());
    }
    if RESERVED.contains(&name.as_str()) {
        return wrong(format!("the name '{name}' is not for people"));
    }
    if account.role == Role::Admin && !scope.is_empty() {
        return wrong("an admin sees everything, and has no scope".to_owned());
    }
    check_scope(scope)
}

/// Whether it is a filter.
pub(super) fn check_scope(scope: &str) -> Result<(), CatalogError> {
    match Filter::parse(scope) {
        Ok(_) => Ok(()),
        Err(error) => Err(CatalogError::Wrong(format!("the scope: {error}"))),
    }
}

/// Whether it can be shown in a line.
pub(super) fn check_shown(what: &str, text: &str) -> Result<(), CatalogError> {
    let is_good = !text.trim().is_empty()
        && text.chars().count() <= PERSON_CHARS_MAX
        && text.chars().all(flow::text::is_shown);
    if is_good {
        return Ok(());
    }
    Err(CatalogError::Wrong(format!(
        "{what} has 1 to {PERSON_CHARS_MAX} characters that can be shown"
    )))
}

fn unknown(name: &str) -> CatalogError {
    CatalogError::Unknown {
        what: "account",
        name: name.to_owned(),
    }
}

/// A row of the table.
#[derive(FromRow)]
pub(super) struct AccountRow {
    number: u32,
    name: String,
    shown_name: String,
    email: Option<String>,
    role: String,
    scope: String,
    password: Option<String>,
    disabled: bool,
    made_at: i64,
    made_by: String,
}

impl TryFrom<AccountRow> for Account {
    type Error = CatalogError;
    fn try_from(row: AccountRow) -> Result<Self, CatalogError> {
        let role = Role::named(&row.role);
        Ok(Self {
            role: role
                .ok_or_else(|| CatalogError::damaged("account", &row.name, "an unknown role"))?,
            number: row.number,
            name: row.name,
            shown_name: row.shown_name,
            email: row.email,
            scope: row.scope,
            disabled: row.disabled,
            made_at: Timestamp::from_nanos(row.made_at),
            made_by: row.made_by,
        })
    }
}
