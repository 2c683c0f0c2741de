//! A recording's rows: a slice of the live tables, or a database of their own beside these.
//!
//! A database of its own has the same tables, so every question is asked of it in the same way; nothing in it expires, and it
//! goes as a whole. Rows leave as Parquet and come back from it octet for octet.
//!
//! | file | holds |
//! |---|---|
//! | `leaving` | rows laid out in the order of arrival, as Parquet, and their digest |
//! | `disguise` | the same under other addresses |
//! | `shelving` | tables that nobody asks |

mod disguise;
mod leaving;
mod shelving;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use flow::{Filter, TapePosition, Timestamp};
use serde::Deserialize;

use crate::attempt::insert_block;
use crate::config::Retention;
use crate::error::StoreError;
use crate::predicate::{self, Rows as Asked, predicate};
use crate::question::{Scope, Window};
use crate::rollup::Wanted;
use crate::schema::Names;
use crate::select::{arrived, conditions};
use crate::sql::{Sql, literal};
use crate::store::Store;

pub use disguise::OtherAddresses;
use leaving::columns_of;
pub use leaving::{PARQUET_ROWS_MAX, Rows};

/// Which rows a recording has: those that arrived in a window and match a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Time of arrival.
    pub arrived: Window,
    /// Which of them.
    pub filter: Filter,
}

impl Slice {
    /// Which rows these are, but for their time: what came by the wire, if the filter says no feed. A capture that is imported later has
    /// times of its own, which may lie in the recording's.
    pub fn rows(&self) -> Filter {
        match predicate::names_a_feed(self.filter.expr()) {
            true => self.filter.clone(),
            false => Filter::parse("feed 0")
                .unwrap_or_default()
                .and(self.filter.clone()),
        }
    }
}

/// What a slice holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clickhouse::Row)]
pub struct Held {
    /// Rows.
    pub flows: u64,
    /// Datagrams with a row in it.
    pub datagrams: u64,
    /// Exporters that these are of.
    pub exporters: u64,
    /// When the first of them was stored, seconds since 1970; 0 if there is none.
    pub stored_since: u32,
}

/// Recordings don't expire. An end all the same, as tables have one: 50 years from now is before ClickHouse's `DateTime` ends.
const FOR_EVER_DAYS: u32 = 50 * 365;

/// Octets of a Parquet file that are sent at a time.
const SEND_OCTETS: usize = 1 << 20;

/// What a statement may do that copies rows: take its time, and not refuse a block that looks like an earlier one.
const COPY_SETTINGS: &str = "max_execution_time = 0, insert_deduplicate = 0, async_insert = 0, max_partitions_per_insert_block = 0, \
     distributed_foreground_insert = 1";

/// What reading a foreign file may take: a few octets of it may stand for billions of rows, of all days there are.
const READ_SETTINGS: &str = "max_execution_time = 120, insert_deduplicate = 0, async_insert = 0, max_partitions_per_insert_block = 500, \
     max_insert_threads = 1, max_threads = 1, distributed_foreground_insert = 1, input_format_parquet_allow_missing_columns = 1";

impl Store {
    /// The store of a recording's own rows. Nothing is made or asked yet. `place` tells apart those who keep recordings in one store,
    /// each with numbers of its own: letters and digits.
    #[must_use]
    pub fn recording(&self, place: &str, number: u32) -> Self {
        self.in_database(format!("{}{number}", self.own_prefix(place)))
    }

    /// Another database of the same store, in which nothing expires.
    fn in_database(&self, name: String) -> Self {
        let mut config = (*self.config).clone();
        config.database = name;
        config.retention = Retention {
            flows_days: FOR_EVER_DAYS,
            rollup_10s_days: FOR_EVER_DAYS,
            rollup_1m_days: FOR_EVER_DAYS,
            rollup_1h_days: FOR_EVER_DAYS,
        };
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// The numbers of this place's recordings that have a database, whole or not.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn recordings(&self, place: &str) -> Result<BTreeSet<u32>, StoreError> {
        let sql = Sql::text("SELECT name FROM system.databases WHERE startsWith(name, ?)");
        self.numbers(sql, place).await
    }

    /// The numbers of this place's recordings whose databases a statement names; it takes what all their names begin with.
    async fn numbers(&self, sql: Sql, place: &str) -> Result<BTreeSet<u32>, StoreError> {
        let prefix = self.own_prefix(place);
        let names: Vec<String> = self.read(sql.bind(prefix.as_str())).await?;
        let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        Ok(numbers.filter_map(|number| number.parse().ok()).collect())
    }

    /// Removes the database of a [recording](Self::recording)'s own rows, whether there is one or not.
    ///
    /// # Errors
    ///
    /// The store's trouble: do it again.
    pub async fn remove_recording(&self, place: &str, number: u32) -> Result<(), StoreError> {
        let recording = self.recording(place, number);
        if self.is_cramped() && recording.exists().await? {
            recording.attach().await?;
        }
        let names = Names::of(&recording.config);
        let sql = Sql::text(names.filled("DROP DATABASE IF EXISTS {database}{on_cluster} SYNC"));
        sql.query(&self.client).execute().await?;
        self.disk.force().await
    }

    /// What a slice of this store's rows holds.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn held(&self, slice: Option<&Slice>) -> Result<Held, StoreError> {
        // Grouped, as groups go on disk where there are too many: a set of them all would have to fit into memory.
        let sql = Sql::text(format!(
            "SELECT toUInt64(sum(rows)) AS flows, count() AS datagrams, uniqExact(of_exporter, of_domain) AS exporters,\n\
             toUInt32(toUnixTimestamp(min(since))) AS stored_since\nFROM (\n\
             SELECT count() AS rows, any(exporter) AS of_exporter, any(domain) AS of_domain, min(stored_at) AS since\nFROM {}.flows\nWHERE ",
            self.database()
        ));
        let sql = sql.join(matching(slice)?);
        let sql = sql.then("\nGROUP BY collector, tape_segment, tape_offset\n)");
        let held: Vec<Held> = self.read(sql).await?;
        Ok(held.first().copied().unwrap_or_default())
    }

    /// The event times of those of a slice's rows that an asker may see, from the first to behind the last; `None` if there are none.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn event_time(
        &self,
        slice: Option<&Slice>,
        scope: &Scope,
    ) -> Result<Option<Window>, StoreError> {
        let sql = Sql::text(format!(
            "SELECT count() AS flows, toUnixTimestamp64Nano(min(begins_at)) AS first, toUnixTimestamp64Nano(max(ends_at)) AS last\nFROM {}.flows\nWHERE ",
            self.database()
        ));
        let all = Filter::any();
        // Every condition can be said of records.
        let seen = conditions(scope.added_to(&all), Asked::Flows).unwrap_or_default();
        let sql = sql.join(matching(slice)?).join(seen);
        let times: Vec<(u64, i64, i64)> = self.ask(sql).await?;
        let times = times.first().filter(|(flows, ..)| *flows > 0);
        Ok(times.map(|(_, first, last)| Window {
            from: Timestamp::from_nanos(*first),
            to: Timestamp::from_nanos(last.saturating_add(1)),
        }))
    }

    /// How many rows did not arrive in a window.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn outside(&self, window: Window) -> Result<u64, StoreError> {
        let sql = Sql::text(format!(
            "SELECT count() FROM {}.flows WHERE NOT (",
            self.database()
        ));
        let rows: Vec<u64> = self.read(sql.join(arrived(window)).then(")")).await?;
        Ok(rows.into_iter().sum())
    }

    /// Octets on disk of all tables of this store's database.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn octets_on_disk(&self) -> Result<u64, StoreError> {
        let sql = Sql::text(
            "SELECT toUInt64(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = ?",
        );
        let octets: Vec<u64> = self.read(sql.bind(self.database())).await?;
        Ok(octets.into_iter().sum())
    }

    /// Where the datagrams of a slice's rows are on a collector's tape, ascending.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn places(
        &self,
        slice: &Slice,
        collector: &str,
    ) -> Result<BTreeSet<TapePosition>, StoreError> {
        let sql = Sql::text(format!(
            "SELECT DISTINCT tape_segment, tape_offset\nFROM {}.flows\nWHERE ",
            self.database()
        ));
        let sql = sql.join(matching(Some(slice))?).then(" AND collector = ?");
        let places: Vec<(u32, u32)> = self.read(sql.bind(collector)).await?;
        let places = places.into_iter();
        Ok(places
            .map(|(segment, offset)| TapePosition { segment, offset })
            .collect())
    }

    /// Copies a slice of another store on the same engine into this one, which is empty, and derives what questions need.
    ///
    /// # Errors
    ///
    /// The store's trouble. [Remove](Self::remove_recording) what is there, and do it again.
    pub async fn copy_from(&self, other: &Self, slice: &Slice) -> Result<(), StoreError> {
        let names = other.columns().await?.join("`, `");
        let sql = Sql::text(format!(
            "INSERT INTO {}.flows (`{names}`)\nSELECT `{names}`\nFROM {}.flows\nWHERE ",
            self.database(),
            other.database()
        ));
        let sql = sql.join(matching(Some(slice))?);
        let sql = sql.then(format!("\nSETTINGS {COPY_SETTINGS}"));
        sql.query(&self.client).execute().await?;
        self.derive().await
    }

    /// Makes sums and extents of all rows of `flows`, of which there are none yet, and forces all to disk.
    ///
    /// # Errors
    ///
    /// As [`Store::copy_from`].
    pub async fn derive(&self) -> Result<(), StoreError> {
        self.make(Sql::text("1"), Wanted::All).await?;
        self.disk.force().await
    }

    /// Reads the rows of a Parquet file that [`Rows::write_parquet`] wrote, here or elsewhere, into `flows`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if it is something else; else the store's trouble. [Remove](Self::remove_recording) the recording.
    pub async fn read_parquet(&self, file: &mut (dyn Read + Send)) -> Result<(), StoreError> {
        let names = self.columns().await?.join("`, `");
        let statement = format!(
            "INSERT INTO {}.flows (`{names}`) SETTINGS {READ_SETTINGS} FORMAT Parquet",
            self.database()
        );
        let mut failed = None;
        let octets = std::iter::from_fn(|| match chunk(file) {
            Ok(octets) => octets,
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let ((), outcome) = insert_block(&self.client, statement, octets, None, || ()).await;
        match failed {
            Some(error) => Err(StoreError::File(error)),
            None => outcome,
        }
    }

    /// The names of the columns of `flows` that are kept; the others are computed.
    async fn columns(&self) -> Result<Vec<String>, StoreError> {
        let columns = columns_of(self).await?.into_iter();
        Ok(columns.map(|column| column.name).collect())
    }

    fn own_prefix(&self, place: &str) -> String {
        format!("{}_recording_{place}_", self.config.database)
    }
}

/// A condition for the rows of a slice, or all.
fn matching(slice: Option<&Slice>) -> Result<Sql, StoreError> {
    let Some(slice) = slice else {
        return Ok(Sql::text("1"));
    };
    let rows = slice.rows();
    let filter = predicate(rows.expr(), Asked::Flows).ok_or_else(|| {
        StoreError::Question(format!(
            "records can't be asked for {}",
            literal(rows.text())
        ))
    })?;
    Ok(arrived(slice.arrived)
        .then(" AND ")
        .join(filter.parenthesised()))
}

/// The next octets of a file; `None` at its end.
fn chunk(file: &mut (dyn Read + Send)) -> std::io::Result<Option<Bytes>> {
    let mut octets = Vec::with_capacity(SEND_OCTETS);
    std::io::Read::take(file, SEND_OCTETS as u64).read_to_end(&mut octets)?;
    Ok(Some(octets)
        .filter(|octets| !octets.is_empty())
        .map(Bytes::from))
}
