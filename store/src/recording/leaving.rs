//! Rows of a recording on their way to others: Parquet files, and a digest by which two installations compare them.

use std::io::Write;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::disguise::Disguise;
use super::{COPY_SETTINGS, OtherAddresses, Slice, matching};
use crate::error::StoreError;
use crate::question::Window;
use crate::select::arrived;
use crate::sql::{Sql, literal};
use crate::store::Store;

/// Rows of a Parquet file: what a reader, here or elsewhere, holds in memory at a time.
pub const PARQUET_ROWS_MAX: u64 = 200_000;

/// What is not the rows' own: where and when they were stored.
const OF_A_PLACE: [&str; 5] = [
    "stored_at",
    "collector",
    "tape_segment",
    "tape_offset",
    "feed",
];

/// As they arrived; the order of the tape where the clock did not move.
const IN_ORDER: &str = "received_at, collector, tape_segment, tape_offset, record_offset";

/// What a statement may do that reads what was laid out: it is in order.
const LEAVE_SETTINGS: &str =
    "max_execution_time = 0, max_result_rows = 0, prefer_column_name_to_alias = 1, max_threads = 1";

/// Rows that leave, laid out in the order in which they arrived: in the table itself what arrived together lies apart.
#[derive(Clone, Debug)]
pub struct Rows {
    store: Store,
}

/// A column of `flows` that is kept.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(super) struct Column {
    pub(super) name: String,
    kind: String,
}

impl Store {
    /// Lays out the rows of a slice, under other addresses if `others` says what they become. There is one layout for each who keeps
    /// recordings; [clear it](Self::clear_layout) when the rows have left, or could not.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] for other addresses on a cluster, whose servers would each need the tables; else the store's trouble.
    pub async fn lay_out(
        &self,
        place: &str,
        slice: Option<&Slice>,
        others: Option<&dyn OtherAddresses>,
    ) -> Result<Rows, StoreError> {
        if others.is_some() && self.config.cluster.is_some() {
            let message = "a store on a cluster cannot write rows under other addresses";
            return Err(StoreError::Question(message.to_owned()));
        }
        self.clear_layout(place).await?;
        let rows = Rows {
            store: self.in_database(layout(place)),
        };
        let database = rows.store.database();
        self.run(format!("CREATE DATABASE {database}")).await?;
        let disguise = match others {
            Some(others) => {
                let database = database.to_owned();
                let disguise = Disguise { database };
                self.disguise(&disguise, slice, others).await?;
                Some(disguise)
            }
            None => None,
        };
        let live = self.database();
        let table = format!(
            "CREATE TABLE {database}.flows AS {live}.flows ENGINE = MergeTree ORDER BY ({IN_ORDER}) SETTINGS allow_nullable_key = 1"
        );
        self.run(table).await?;
        let columns = columns_of(self).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let values = columns.iter().map(|column| match &disguise {
            Some(disguise) => disguise.value(&column.name, &column.kind),
            None => format!("`{}`", column.name),
        });
        let values: Vec<String> = values.collect();
        let sql = Sql::text(format!(
            "INSERT INTO {database}.flows (`{}`)\nSELECT {}\nFROM {live}.flows\nWHERE ",
            names.join("`, `"),
            values.join(", ")
        ));
        let sql = sql.join(matching(slice)?);
        let sql = sql.then(format!("\nSETTINGS {COPY_SETTINGS}"));
        sql.query(&self.client).execute().await?;
        Ok(rows)
    }

    /// Drops what was laid out, if anything is.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn clear_layout(&self, place: &str) -> Result<(), StoreError> {
        self.run(format!("DROP DATABASE IF EXISTS {} SYNC", layout(place)))
            .await
    }
}

/// One for each who keeps recordings, whatever store they are in.
fn layout(place: &str) -> String {
    format!("flowreel_leaving_{place}")
}

impl Rows {
    /// Windows of arrival, in order and without gaps between their rows, each with few enough rows for a Parquet file, if they
    /// did not all come within a second.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn parts(&self) -> Result<Vec<Window>, StoreError> {
        self.store.parts_of(Sql::text("1"), PARQUET_ROWS_MAX).await
    }

    /// Writes the rows that arrived in `part` as Parquet, in order. Addresses are text, as people write them.
    ///
    /// # Errors
    ///
    /// The store's trouble, or what `out` says: what was written is of no use.
    pub async fn write_parquet(
        &self,
        part: Window,
        out: &mut (dyn Write + Send),
    ) -> Result<(), StoreError> {
        let columns = columns_of(&self.store).await?;
        let texts = columns.iter().map(|column| {
            let text = column.as_text(&format!("`{}`", column.name));
            format!("{text} AS `{}`", column.name)
        });
        let texts: Vec<String> = texts.collect();
        let sql = self.in_order(&texts.join(", "), part).then(format!(
            "\nSETTINGS {LEAVE_SETTINGS}, output_format_parquet_compression_method = 'zstd', output_format_parquet_parallel_encoding = 0"
        ));
        self.stream(sql, "Parquet", |octets| {
            out.write_all(octets).map_err(StoreError::File)
        })
        .await
    }

    /// The columns that a digest is made over today, in order: all but those that say where and when rows were stored.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn digest_columns(&self) -> Result<Vec<String>, StoreError> {
        let names = columns_of(&self.store).await?.into_iter();
        let names = names.map(|column| column.name);
        Ok(names
            .filter(|name| !OF_A_PLACE.contains(&name.as_str()))
            .collect())
    }

    /// SHA-256, as hex digits, over these columns of all rows: in order, as tab-separated text. The same datagrams, decoded under the
    /// same rules, have the same.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] if there is no such column: a later version knows more of them. Else the store's trouble.
    pub async fn digest(&self, names: &[String]) -> Result<String, StoreError> {
        let columns = columns_of(&self.store).await?;
        let value = |name: &String| {
            let column = columns.iter().find(|column| column.name == *name);
            let column = column.ok_or_else(|| {
                let name = literal(name);
                StoreError::Question(format!(
                    "flows have no column {name}: it is of a newer Flowreel"
                ))
            })?;
            Ok(format!("`{}`", column.name))
        };
        let values = names.iter().map(value);
        let values: Vec<String> = values.collect::<Result<_, StoreError>>()?;
        let values = values.join(", ");
        let mut sha = Sha256::new();
        for part in self.parts().await? {
            let sql = self
                .in_order(&values, part)
                .then(format!("\nSETTINGS {LEAVE_SETTINGS}"));
            self.stream(sql, "TabSeparated", |octets| {
                sha.update(octets);
                Ok(())
            })
            .await?;
        }
        let digest = sha.finalize();
        Ok(digest.iter().map(|octet| format!("{octet:02x}")).collect())
    }

    fn in_order(&self, columns: &str, part: Window) -> Sql {
        let sql = Sql::text(format!(
            "SELECT {columns}\nFROM {}.flows\nWHERE ",
            self.store.database()
        ));
        let sql = sql.join(arrived(part));
        sql.then(format!("\nORDER BY {IN_ORDER}"))
    }

    async fn stream(
        &self,
        sql: Sql,
        format: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut octets = sql.query(&self.store.client).fetch_bytes(format)?;
        while let Some(some) = octets.next().await? {
            take(&some)?;
        }
        Ok(())
    }
}

impl Column {
    /// Addresses as text: IPv4 is kept as IPv6 that holds it.
    fn as_text(&self, value: &str) -> String {
        const WRITTEN: &str = "replaceOne(toString({}), '::ffff:', '')";
        match self.kind.as_str() {
            "IPv6" | "Nullable(IPv6)" => WRITTEN.replace("{}", value),
            "Map(String, IPv6)" => format!(
                "mapApply((key, address) -> (key, {}), {value})",
                WRITTEN.replace("{}", "address")
            ),
            _ => value.to_owned(),
        }
    }
}

/// The columns of `flows` that are kept; the others are computed.
pub(super) async fn columns_of(store: &Store) -> Result<Vec<Column>, StoreError> {
    let sql = Sql::text(
        "SELECT name, type AS kind FROM system.columns\n\
         WHERE database = ? AND table = 'flows' AND default_kind != 'ALIAS' ORDER BY position",
    );
    store.read(sql.bind(store.database())).await
}
