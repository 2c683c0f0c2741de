//! Rows of a recording on their way to others: Parquet files, and a digest by which two installations compare them.

use std::io::Write;

use flow::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::disguise::Disguise;
use super::{Slice, matching};
use crate::error::StoreError;
use crate::question::Window;
use crate::select::arrived;
use crate::sql::{Sql, literal};
use crate::store::Store;

/// Rows of a Parquet file: what a reader, here or elsewhere, holds in memory at a time.
pub const PARQUET_ROWS_MAX: u64 = 250_000;

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

/// Rows are put in order on disk where a second has more of them than memory should hold.
const LEAVE_SETTINGS: &str = "max_execution_time = 0, prefer_column_name_to_alias = 1, max_threads = 1, max_block_size = 8192, \
     max_bytes_before_external_sort = 67108864";

/// Rows that leave.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The store that has them.
    pub store: &'a Store,
    /// Which of its rows; all if `None`.
    pub slice: Option<&'a Slice>,
    /// Under which addresses; their own if `None`.
    pub disguise: Option<&'a Disguise>,
}

/// A column of `flows` that is kept.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(super) struct Column {
    pub(super) name: String,
    kind: String,
}

impl Rows<'_> {
    /// Windows of arrival, in order and without gaps between their rows, each with few enough rows for a Parquet file, if they
    /// did not all come within a second.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn parts(&self) -> Result<Vec<Window>, StoreError> {
        let sql = Sql::text(format!(
            "SELECT toInt64(toUnixTimestamp64Second(received_at)) AS second, count() AS flows\nFROM {}.flows\nWHERE ",
            self.store.database()
        ));
        let sql = sql.join(matching(self.slice)?);
        let sql = sql.then("\nGROUP BY second ORDER BY second");
        let seconds: Vec<(i64, u64)> = self.store.read(sql).await?;
        Ok(parted(&seconds, PARQUET_ROWS_MAX))
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
        let columns = columns_of(self.store).await?;
        let texts = columns.iter().map(|column| {
            let text = column.as_text(&self.value(column));
            format!("{text} AS `{}`", column.name)
        });
        let texts: Vec<String> = texts.collect();
        let sql = self.in_order(&texts.join(", "), part)?.then(format!(
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
        let names = columns_of(self.store).await?.into_iter();
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
        let columns = columns_of(self.store).await?;
        let value = |name: &String| {
            let column = columns.iter().find(|column| column.name == *name);
            let column = column.ok_or_else(|| {
                let name = literal(name);
                StoreError::Question(format!(
                    "flows have no column {name}: it is of a newer Flowreel"
                ))
            })?;
            Ok(format!("{} AS `{}`", self.value(column), column.name))
        };
        let values = names.iter().map(value);
        let values: Vec<String> = values.collect::<Result<_, StoreError>>()?;
        let values = values.join(", ");
        let mut sha = Sha256::new();
        for part in self.parts().await? {
            let sql = self
                .in_order(&values, part)?
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

    fn value(&self, column: &Column) -> String {
        match self.disguise {
            Some(disguise) => disguise.value(&column.name, &column.kind),
            None => format!("`{}`", column.name),
        }
    }

    fn in_order(&self, columns: &str, part: Window) -> Result<Sql, StoreError> {
        let sql = Sql::text(format!(
            "SELECT {columns}\nFROM {}.flows\nWHERE ",
            self.store.database()
        ));
        let sql = sql.join(matching(self.slice)?);
        let sql = sql.then(" AND ").join(arrived(part));
        Ok(sql.then(format!("\nORDER BY {IN_ORDER}")))
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

/// Runs of seconds that have at most so many rows, or are one second.
fn parted(seconds: &[(i64, u64)], rows_max: u64) -> Vec<Window> {
    let mut parts: Vec<(i64, i64, u64)> = Vec::new();
    for (second, rows) in seconds {
        match parts.last_mut() {
            Some((_, to, so_far)) if *so_far + rows <= rows_max => {
                (*to, *so_far) = (second + 1, *so_far + rows);
            }
            _ => parts.push((*second, second + 1, *rows)),
        }
    }
    let at = Timestamp::from_seconds;
    let windows = parts.into_iter();
    windows
        .map(|(from, to, _)| Window {
            from: at(from),
            to: at(to),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_seconds_with_few_rows() {
        let parts = parted(&[(10, 4), (11, 5), (15, 2), (16, 30), (17, 1)], 10);
        let seconds: Vec<_> = parts
            .iter()
            .map(|part| (part.from.seconds(), part.to.seconds()))
            .collect();
        assert_eq!(seconds, [(10, 12), (15, 16), (16, 17), (17, 18)]);
        assert!(parted(&[], 10).is_empty());
    }
}
