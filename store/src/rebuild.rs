//! A stretch of the past made anew: its rows go out of `flows`, and what is derived from rows is made again.
//!
//! The order is the caller's: [`Store::erase`], inserts, [`Store::rebuild`], and meanwhile no other insert. Whatever
//! breaks in between, all of it is done again from the start. ClickHouse has no transactions, so questions that are
//! asked meanwhile find the stretch missing, or its rollups wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use clickhouse::{RowOwned, RowRead};
use flow::clock::{self, NANOS_PER_SECOND};
use flow::{TapePosition, Timestamp};

use crate::attempt::insert_block;
use crate::error::StoreError;
use crate::observed::{self, Observations, Observed};
use crate::plan::{ARRIVAL, HOUR_S, Horizon, Tier, Whole};
use crate::question::Window;
use crate::rollup::{SumBlock, Wanted, parts};
use crate::schema::Names;
use crate::select::{arrived, living};
use crate::sql::{Sql, literal};
use crate::store::Store;

/// A stretch: rows of one collector whose datagram lies in [from, to) on its tape and arrived in
/// [received_from, received_to).
///
/// The tape's order names the rows. The time of arrival, which every row of the stretch must be in, tells where in the
/// store they are, and bounds what of the tables that are ordered by arrival is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The collector, by the name that is in its rows.
    pub collector: String,
    /// The first datagram.
    pub from: TapePosition,
    /// The first datagram after it.
    pub to: TapePosition,
    /// No row arrived before this.
    pub received_from: Timestamp,
    /// All rows arrived before this.
    pub received_to: Timestamp,
}

/// Rollups whose rows are deleted, by hours of their buckets.
const ROLLUPS: [&str; 6] = [
    "traffic_10s",
    "traffic_1m",
    "traffic_1h",
    "interfaces_10s",
    "interfaces_1m",
    "interfaces_1h",
];

const HOUR: Duration = Duration::from_secs(3600);
/// Hours that one statement deletes. Each statement waits until every part that it touches is written again.
const HOURS_AT_ONCE: usize = 64;

/// A deletion returns when it is done, on every replica.
const DELETE_SETTINGS: &str =
    "\nSETTINGS lightweight_deletes_sync = 2, mutations_sync = 2, max_execution_time = 0";

/// On a server the shards have the rows when the insert is acknowledged.
const INSERT_SETTINGS: &str = "async_insert = 0, max_partitions_per_insert_block = 0, parallel_view_processing = 0, \
     distributed_foreground_insert = 1, max_execution_time = 0";

/// Rows that are read with one statement: each takes some 150 octets of an answer, and longer names more.
const ROWS_READ_MAX: u64 = 400_000;

/// Rows that are summed up at a time: an hour of a large network is hundreds of millions.
const ROWS_AT_ONCE: usize = 100_000;

impl Store {
    /// How many rows of the stretch the store has.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn rows_of(&self, stretch: &Stretch) -> Result<u64, StoreError> {
        let sql = Sql::text(format!(
            "SELECT count() FROM {}.flows\nWHERE ",
            self.database()
        ));
        let counted: Vec<u64> = self.read(sql.join(rows(stretch))).await?;
        Ok(counted.into_iter().sum())
    }

    /// Hours of event time that rows of the stretch are in, in the rollups: each by its start, seconds since 1970.
    ///
    /// To be asked before [`Store::erase`] and again when the new rows are there: both together are what
    /// [`Store::rebuild`] needs. What was asked before must outlive a crash, as it can't be asked twice.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn hours_of(&self, stretch: &Stretch) -> Result<BTreeSet<i64>, StoreError> {
        let hour_ns = HOUR_S * NANOS_PER_SECOND;
        let sql = Sql::text(format!(
            "WITH toUnixTimestamp64Nano(begins_at) AS first, toUnixTimestamp64Nano(ends_at) AS last\n\
             SELECT DISTINCT toInt64(arrayJoin([intDiv(first, {hour_ns}), intDiv(last, {hour_ns})]) * {HOUR_S}) AS hour\n\
             FROM {}.flows\nWHERE last - first <= ? AND ",
            self.database()
        ))
        .bind(Tier::Hour.life_ns_max());
        let hours: Vec<i64> = self.read(sql.join(rows(stretch))).await?;
        Ok(hours.into_iter().collect())
    }

    /// Whether these hours and this stretch could be made anew: whether `flows` still has all rows of them. Changes nothing.
    /// To be asked before anything is noted or promised; [`Store::erase`] and [`Store::rebuild`] ask again.
    ///
    /// Also whether no other collector writes: all rows of an hour are counted anew, so what another one inserts meanwhile
    /// would count twice.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] if some of it was stored so long ago that its records may be gone, and
    /// [`StoreError::NotAlone`]: tell the asker. Else the store's trouble.
    pub async fn check_rebuild(
        &self,
        stretch: &Stretch,
        hours: &BTreeSet<i64>,
    ) -> Result<(), StoreError> {
        self.check_alone(&stretch.collector).await?;
        let horizon = Horizon {
            now: clock::now(),
            kept: self.config.retention,
            stored_since: None,
        };
        let kept_since = horizon.kept_since(Tier::Flows);
        let database = self.database();
        let arrived = arrived(Window {
            from: stretch.received_from,
            to: stretch.received_to,
        });
        let long_flows = Sql::text(format!("{database}.long_flows\nWHERE ")).join(arrived);
        let hours: Vec<i64> = hours.iter().copied().collect();
        let rollups = hours.chunks(HOURS_AT_ONCE).map(|some| {
            Sql::text(format!("{database}.interfaces_1h\nWHERE ")).join(in_hours(some))
        });
        for source in std::iter::once(long_flows).chain(rollups) {
            let oldest = Sql::text(OLDEST).join(source);
            let oldest: Vec<u32> = self.read(oldest).await?;
            let oldest =
                Timestamp::from_seconds(oldest.first().copied().unwrap_or(u32::MAX).into());
            if oldest < kept_since {
                let message = format!(
                    "this stretch cannot be made anew: its hours also count flows that were stored at {oldest}, longer ago \
                     than flow records are kept (flows_days = {})",
                    self.config.retention.flows_days
                );
                return Err(StoreError::Question(message));
            }
        }
        Ok(())
    }

    /// Deletes the rows of the stretch from `flows`. The rest is wrong until [`Store::rebuild`].
    ///
    /// New rows must then be inserted under tokens that no earlier insert had. Doing it again deletes those, too.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] if what is derived from these rows could not be made again, as other rows that it is made
    /// of are beyond their retention, or [`StoreError::NotAlone`]: nothing was deleted, tell the asker. Else the store's trouble; do it again.
    pub async fn erase(&self, stretch: &Stretch) -> Result<(), StoreError> {
        let hours = self.hours_of(stretch).await?;
        self.check_rebuild(stretch, &hours).await?;
        self.delete("flows", rows(stretch)).await
    }

    /// Makes the rollups of these hours, and what is kept by the stretch's time of arrival, anew from `flows`: for all
    /// collectors and feeds, as all rows of a bucket are one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] if `flows` no longer has all rows of these hours, and [`StoreError::NotAlone`]: nothing was
    /// changed, tell the asker. Else the store's trouble; do it again.
    pub async fn rebuild(
        &self,
        hours: &BTreeSet<i64>,
        stretch: &Stretch,
    ) -> Result<(), StoreError> {
        self.check_rebuild(stretch, hours).await?;
        // First, as the rollups find their rows by the extents.
        self.rebuild_by_arrival(stretch).await?;
        let hours: Vec<i64> = hours.iter().copied().collect();
        for some in hours.chunks(HOURS_AT_ONCE) {
            for table in ROLLUPS {
                self.delete(table, in_hours(some)).await?;
            }
            for hour in some {
                self.make(self.rows_in_hour(*hour), Wanted::Hour(*hour))
                    .await?;
            }
        }
        self.disk.force().await
    }

    async fn rebuild_by_arrival(&self, stretch: &Stretch) -> Result<(), StoreError> {
        let whole = Window {
            from: stretch.received_from.floor_or_stay(ARRIVAL),
            to: stretch.received_to.ceil_or_stay(ARRIVAL),
        };
        let extents = Sql::with("arrival >= toDateTime(?, 'UTC')", whole.from.seconds())
            .then(" AND arrival < toDateTime(?, 'UTC')")
            .bind(whole.to.seconds());
        self.delete("extents", extents).await?;
        self.delete("long_flows", arrived(whole)).await?;
        self.make(arrived(whole), Wanted::Arrival).await
    }

    /// Records of which some part is in the rollups' buckets of an hour.
    fn rows_in_hour(&self, hour: i64) -> Sql {
        let from = Timestamp::from_seconds(hour);
        let window = Window {
            from,
            to: from + HOUR,
        };
        // Longer lives are in no rollup, so nothing that began or ends further away is.
        living(self.database(), window, "flows")
            .then("\n    AND begins_at >= fromUnixTimestamp64Nano(?, 'UTC')")
            .instant(window.from.offset(-Tier::Hour.life_ns_max()))
            .then(" AND ends_at < fromUnixTimestamp64Nano(?, 'UTC')")
            .instant(window.to.offset(Tier::Hour.life_ns_max()))
    }

    /// Derives from these records what is `wanted`, and inserts it.
    pub(crate) async fn make(&self, records: Sql, wanted: Wanted) -> Result<(), StoreError> {
        let records = records.parenthesised();
        let made_at = clock::now().nanos();
        let parts = self.parts_of(records.clone(), ROWS_READ_MAX).await?;
        for (number, part) in parts.into_iter().enumerate() {
            let of_part = records.clone().then(" AND ").join(arrived(part));
            let token = format!("anew {made_at} {wanted:?} {number}");
            self.make_part(of_part, wanted, &token).await?;
        }
        Ok(())
    }

    async fn make_part(&self, records: Sql, wanted: Wanted, token: &str) -> Result<(), StoreError> {
        let sql = observed::statement(self.database(), records);
        let mut rows = sql.query(&self.client).fetch::<Observed>()?;
        let mut observations = Observations::default();
        let (mut more, mut chunk) = (true, 0_u64);
        while more {
            match rows.next().await? {
                Some(row) => observations.push(&row),
                None => more = false,
            }
            if observations.rows() >= ROWS_AT_ONCE || !more {
                for part in parts(&observations.rollups().only(wanted)) {
                    let token = format!("{token}.{chunk}/{}", part.name);
                    self.put(part, &token).await?;
                }
                chunk += 1;
                observations.clear();
            }
        }
        Ok(())
    }

    /// What was deleted is inserted again octet for octet: under a new token it is not taken for a repetition.
    async fn put(&self, part: SumBlock, token: &str) -> Result<(), StoreError> {
        let statement = format!(
            "INSERT INTO {}.{} (`{}`) SETTINGS insert_deduplication_token = {token}, {INSERT_SETTINGS} FORMAT Native",
            self.database(),
            part.table,
            part.block.names.join("`, `"),
            token = literal(token),
        );
        let octets = part.block.octets.into_iter();
        let ((), outcome) = insert_block(&self.client, statement, octets, None, || ()).await;
        outcome
    }

    async fn delete(&self, table: &str, rows: Sql) -> Result<(), StoreError> {
        let target = Names::of(&self.config).target(table);
        let sql = Sql::text(format!("DELETE FROM {target}\nWHERE ")).join(rows);
        let sql = sql.then(DELETE_SETTINGS);
        Ok(sql.query(&self.client).execute().await?)
    }

    /// Reads without the limits of a question: what is done here is not to end half done.
    pub(crate) async fn read<T: RowOwned + RowRead>(&self, sql: Sql) -> Result<Vec<T>, StoreError> {
        let sql = sql.then("\nSETTINGS max_execution_time = 0");
        Ok(sql.query(&self.client).fetch_all().await?)
    }

    pub(crate) fn database(&self) -> &str {
        &self.config.database
    }
}

/// When the first of some rows was stored, seconds since 1970; the largest number if there is none.
const OLDEST: &str = "SELECT if(count() = 0, toUInt32(4294967295), toUInt32(toUnixTimestamp(min(stored_at))))\nFROM ";

/// The rows of a stretch. Their times of arrival are what partitions and the sort key are asked for.
pub(crate) fn rows(stretch: &Stretch) -> Sql {
    let position = |sql: Sql, sign: &str, at: TapePosition| {
        sql.then(format!(" AND (tape_segment, tape_offset) {sign} (?, ?)"))
            .bind(u64::from(at.segment))
            .bind(u64::from(at.offset))
    };
    let sql = arrived(Window {
        from: stretch.received_from,
        to: stretch.received_to,
    });
    let sql = sql
        .then(" AND collector = ?")
        .bind(stretch.collector.as_str());
    position(position(sql, ">=", stretch.from), "<", stretch.to)
}

/// Buckets of these hours, which ascend. Hours side by side are one range of the sort key.
fn in_hours(hours: &[i64]) -> Sql {
    let runs = hours.chunk_by(|hour, next| hour + HOUR_S == *next);
    let runs = runs.filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let sql = Sql::with("(bucket >= toDateTime64(?, 0, 'UTC')", *first);
        Some(
            sql.then(" AND bucket < toDateTime64(?, 0, 'UTC'))")
                .bind(last + HOUR_S),
        )
    });
    Sql::list(runs, " OR ").parenthesised()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Engine};

    fn store() -> Store {
        let config = Config {
            engine: Engine::Clickhouse,
            url: Some("http://db:8123".to_owned()),
            cluster: Some("two_shards".to_owned()),
            ..Config::default()
        };
        Store::new(config, None).unwrap()
    }

    #[test]
    fn the_records_of_an_hour() {
        let records = store().rows_in_hour(1_800_000_000);
        let sql = observed::statement("flowreel", records);
        insta::assert_snapshot!(sql.to_string());
    }

    #[test]
    fn deletions_reach_the_tables_of_every_shard() {
        let names = Names::of(&store().config);
        assert_eq!(
            names.target("flows"),
            "flowreel.flows_local ON CLUSTER two_shards"
        );
    }

    #[test]
    fn hours_side_by_side_are_one_range() {
        let hours = in_hours(&[3600, 7200, 18_000]).to_string();
        assert_eq!(hours.matches("bucket >=").count(), 2);
        assert!(
            hours.ends_with("-- 3600\n-- 10800\n-- 18000\n-- 21600\n"),
            "{hours}"
        );
    }
}
