//! Rules in the catalog: read whole, and changed whole in one transaction.

use std::net::IpAddr;

use flow::application::ApplicationRule;
use flow::site::{ExporterName, Rules, Site};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::edit::{self, check_rules};
use super::{Catalog, CatalogError};

impl Catalog {
    /// The rules, in their order.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn rules(&self) -> Result<Rules, CatalogError> {
        // A transaction, as three tables of one moment are wanted.
        let mut snapshot = self
            .pool
            .begin()
            .await
            .map_err(CatalogError::reading("the rules"))?;
        read_rules(&mut snapshot).await
    }

    /// How often the rules have changed. Who holds them in memory reads them again if this is another number.
    ///
    /// # Errors
    ///
    /// As [`Catalog::setting`].
    pub async fn rules_version(&self) -> Result<u64, CatalogError> {
        Ok(self.setting("rules_version").await?.unwrap_or(0))
    }

    /// Changes the rules by `edit`, all or nothing: nobody sees half of it, and of two that edit at once the second sees
    /// what the first did.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Rules`] if what comes out contradicts itself; else the catalog can't be read or written. Nothing
    /// has changed then.
    pub async fn edit_rules<R>(
        &self,
        edit: impl FnOnce(&mut Rules) -> R + Send,
    ) -> Result<R, CatalogError> {
        let writing = || CatalogError::writing("the rules");
        let mut transaction = self.begin_writing().await.map_err(writing())?;
        let before = read_rules(&mut transaction).await?;
        let mut after = before.clone();
        let result = edit(&mut after);
        if after != before {
            check_rules(&after)?;
            write_rules(&mut transaction, &after).await?;
            transaction.commit().await.map_err(writing())?;
        }
        Ok(result)
    }

    /// Replaces all rules.
    ///
    /// # Errors
    ///
    /// As [`Catalog::edit_rules`].
    pub async fn set_rules(&self, rules: Rules) -> Result<(), CatalogError> {
        self.edit_rules(|old| *old = rules).await
    }

    /// Replaces the rules of this application by one, in their place; a new one comes last.
    ///
    /// # Errors
    ///
    /// As [`Catalog::edit_rules`].
    pub async fn put_application(&self, rule: ApplicationRule) -> Result<(), CatalogError> {
        self.edit_rules(|rules| edit::put_application(rules, rule))
            .await
    }

    /// Moves the rules of an application so that `place` others are tried before them; to the end if there are fewer.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such application; else as [`Catalog::edit_rules`].
    pub async fn move_application(&self, name: &str, place: usize) -> Result<(), CatalogError> {
        let is_there = self
            .edit_rules(|rules| edit::move_application(rules, name, place))
            .await?;
        known(is_there, "application", name)
    }

    /// Removes the rules of an application.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such application; else as [`Catalog::edit_rules`].
    pub async fn delete_application(&self, name: &str) -> Result<(), CatalogError> {
        let was_there = self
            .edit_rules(|rules| edit::delete_application(rules, name))
            .await?;
        known(was_there, "application", name)
    }

    /// Replaces the site of this name, or adds it.
    ///
    /// # Errors
    ///
    /// As [`Catalog::edit_rules`].
    pub async fn put_site(&self, site: Site) -> Result<(), CatalogError> {
        self.edit_rules(|rules| edit::put_site(rules, site)).await
    }

    /// Removes a site.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is no such site; else as [`Catalog::edit_rules`].
    pub async fn delete_site(&self, name: &str) -> Result<(), CatalogError> {
        let was_there = self
            .edit_rules(|rules| edit::delete_site(rules, name))
            .await?;
        known(was_there, "site", name)
    }

    /// Replaces what the exporter of this address and its interfaces are called, or adds it.
    ///
    /// # Errors
    ///
    /// As [`Catalog::edit_rules`].
    pub async fn put_exporter_name(&self, exporter: ExporterName) -> Result<(), CatalogError> {
        self.edit_rules(|rules| edit::put_exporter(rules, exporter))
            .await
    }

    /// Removes what an exporter and its interfaces are called.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if it has no name here; else as [`Catalog::edit_rules`].
    pub async fn delete_exporter_name(&self, address: IpAddr) -> Result<(), CatalogError> {
        let was_there = self
            .edit_rules(|rules| edit::delete_exporter(rules, address))
            .await?;
        known(was_there, "exporter", &address.to_string())
    }
}

fn known(is_there: bool, what: &'static str, name: &str) -> Result<(), CatalogError> {
    if is_there {
        Ok(())
    } else {
        Err(CatalogError::Unknown {
            what,
            name: name.to_owned(),
        })
    }
}

async fn read_rules(connection: &mut SqliteConnection) -> Result<Rules, CatalogError> {
    Ok(Rules {
        applications: read_applications(connection).await?,
        sites: read_sites(connection).await?,
        exporters: read_exporters(connection).await?,
    })
}

async fn read_applications(
    connection: &mut SqliteConnection,
) -> Result<Vec<ApplicationRule>, CatalogError> {
    const WHAT: &str = "application";
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("SELECT name, servers, ports, clients FROM applications ORDER BY position")
            .fetch_all(connection)
            .await
            .map_err(CatalogError::reading("the applications"))?;
    rows.into_iter()
        .map(|(name, servers, ports, clients)| {
            Ok(ApplicationRule {
                servers: list(WHAT, &name, &servers)?,
                ports: list(WHAT, &name, &ports)?,
                clients: list(WHAT, &name, &clients)?,
                name,
            })
        })
        .collect()
}

async fn read_sites(connection: &mut SqliteConnection) -> Result<Vec<Site>, CatalogError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, subnets FROM sites ORDER BY position")
            .fetch_all(connection)
            .await
            .map_err(CatalogError::reading("the sites"))?;
    rows.into_iter()
        .map(|(name, subnets)| {
            Ok(Site {
                subnets: list("site", &name, &subnets)?,
                name,
            })
        })
        .collect()
}

async fn read_exporters(
    connection: &mut SqliteConnection,
) -> Result<Vec<ExporterName>, CatalogError> {
    const WHAT: &str = "exporter";
    let rows: Vec<(String, String, Option<u32>, String)> = sqlx::query_as(
        "SELECT address, name, sampling_interval, interfaces FROM exporters ORDER BY position",
    )
    .fetch_all(connection)
    .await
    .map_err(CatalogError::reading("the exporters"))?;
    rows.into_iter()
        .map(|(address, name, sampling_interval, interfaces)| {
            Ok(ExporterName {
                address: address
                    .parse()
                    .map_err(|error| CatalogError::damaged(WHAT, &address, error))?,
                name,
                sampling_interval,
                interfaces: list(WHAT, &address, &interfaces)?,
            })
        })
        .collect()
}

async fn write_rules(connection: &mut SqliteConnection, rules: &Rules) -> Result<(), CatalogError> {
    let written = write_tables(connection, rules).await;
    written.map_err(CatalogError::writing("the rules"))
}

async fn write_tables(connection: &mut SqliteConnection, rules: &Rules) -> sqlx::Result<()> {
    for table in [
        "DELETE FROM applications",
        "DELETE FROM sites",
        "DELETE FROM exporters",
    ] {
        sqlx::query(table).execute(&mut *connection).await?;
    }
    for (position, rule) in (0_i64..).zip(&rules.applications) {
        sqlx::query(
            "INSERT INTO applications (position, name, servers, ports, clients) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(position)
        .bind(&rule.name)
        .bind(json(&rule.servers)?)
        .bind(json(&rule.ports)?)
        .bind(json(&rule.clients)?)
        .execute(&mut *connection)
        .await?;
    }
    for (position, site) in (0_i64..).zip(&rules.sites) {
        sqlx::query("INSERT INTO sites (position, name, subnets) VALUES (?, ?, ?)")
            .bind(position)
            .bind(&site.name)
            .bind(json(&site.subnets)?)
            .execute(&mut *connection)
            .await?;
    }
    for (position, exporter) in (0_i64..).zip(&rules.exporters) {
        sqlx::query(
            "INSERT INTO exporters (position, address, name, sampling_interval, interfaces) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(position)
        .bind(exporter.address.to_canonical().to_string())
        .bind(&exporter.name)
        .bind(exporter.sampling_interval)
        .bind(json(&exporter.interfaces)?)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query(
        "UPDATE settings SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'rules_version'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn list<T: DeserializeOwned>(
    what: &'static str,
    name: &str,
    json: &str,
) -> Result<Vec<T>, CatalogError> {
    serde_json::from_str(json).map_err(|error| CatalogError::damaged(what, name, error))
}

fn json<T: Serialize>(list: &[T]) -> sqlx::Result<String> {
    serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
