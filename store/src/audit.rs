//! Whether the store has a batch exactly once, in `flows` and in what is made of it.
//!
//! An insert that is repeated is recognised by its token. The table that knows the token may lose it in a power cut, or
//! know it and have lost the rows: ClickHouse notes a token before it puts the rows in their place, table by table. So
//! after whatever may have taken either, the tables themselves are asked.

use std::time::Duration;

use flow::clock::NANOS_PER_SECOND;
use flow::{FlowBatch, Timestamp};

use crate::block::life;
use crate::error::StoreError;
use crate::plan::{ARRIVAL, Tier, Whole as _};
use crate::question::Window;
use crate::select::arrived;
use crate::select::living;
use crate::sql::Sql;
use crate::store::Store;

/// How much of a batch's event time, and of its time of arrival, is compared in the rollups, up to its newest: an insert is
/// in a rollup as a whole or not at all, and a look at all that an old record overlaps would read a day.
const LOOK_BACK: Duration = Duration::from_secs(600);

impl Store {
    /// Whether each row of a batch is in `flows` once, and what rollups have of its time is what `flows` has. All but
    /// `refused` rows, which the store would not take.
    ///
    /// Nobody may insert meanwhile. Reads the names of the batch's rows and a few columns of ten minutes of flows.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn agrees(
        &self,
        collector: &str,
        batch: &FlowBatch,
        refused: u64,
    ) -> Result<bool, StoreError> {
        Ok(self.has_each_once(collector, batch, refused).await?
            && self.rollups_agree(batch).await?)
    }

    /// Rows of a batch that are in `flows` more than once: it was inserted again when the store had forgotten its token.
    ///
    /// Others may insert meanwhile.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn rows_twice(&self, collector: &str, batch: &FlowBatch) -> Result<u64, StoreError> {
        let times = self.times(collector, batch).await?;
        Ok(times.values().filter(|times| **times > 1).count() as u64)
    }

    async fn has_each_once(
        &self,
        collector: &str,
        batch: &FlowBatch,
        refused: u64,
    ) -> Result<bool, StoreError> {
        let times = self.times(collector, batch).await?;
        let missing = times.values().filter(|times| **times == 0).count() as u64;
        Ok(missing <= refused && times.values().all(|times| *times <= 1))
    }

    async fn rollups_agree(&self, batch: &FlowBatch) -> Result<bool, StoreError> {
        let begun = (0..batch.rows()).map(|row| life(batch, row).0);
        let (Some(first), Some(last)) = (begun.clone().min(), begun.max()) else {
            return Ok(true);
        };
        let arrivals = batch.origin.received_at.iter().copied();
        let (Some(first_at), Some(last_at)) = (arrivals.clone().min(), arrivals.max()) else {
            return Ok(true);
        };
        let begun = recent(first, last);
        let mut checks = Vec::new();
        for (table, condition) in [("traffic", " AND accounting = 1"), ("interfaces", "")] {
            for (tier, name, width) in [(Tier::TenSeconds, "10s", 10_u64), (Tier::Minute, "1m", 60)]
            {
                let window = whole(begun, Duration::from_secs(width));
                let rolled = self.begun_in(&format!("{table}_{name}"), window);
                checks.push(equal(rolled, self.flows_begun_in(window, tier, condition)));
            }
            let window = whole(begun, Duration::from_secs(3600));
            let [minutes, hours] = ["1m", "1h"].map(|name| format!("{table}_{name}"));
            checks.push(equal(
                self.begun_in(&minutes, window),
                self.begun_in(&hours, window),
            ));
        }
        checks.extend(self.by_arrival(recent(first_at, last_at)));
        // A scalar subquery may be NULL, for the type at least.
        let sql = Sql::text("SELECT toUInt8(ifNull(")
            .join(Sql::list(checks, "\n AND "))
            .then(", 0))");
        let agree: Vec<u8> = self.read(sql).await?;
        Ok(agree == [1])
    }

    /// What is kept by time of arrival against `flows`.
    fn by_arrival(&self, window: Window) -> [Sql; 2] {
        let database = &self.config.database;
        let slots = whole(window, ARRIVAL);
        let extents = Sql::text(format!("SELECT sum(flows) FROM {database}.extents WHERE "))
            .then("arrival >= toDateTime(?, 'UTC')")
            .bind(slots.from.seconds())
            .then(" AND arrival < toDateTime(?, 'UTC')")
            .bind(slots.to.seconds());
        let flows = |window| {
            Sql::text(format!("SELECT count() FROM {database}.flows WHERE ")).join(arrived(window))
        };
        let long = Sql::text(format!("SELECT count() FROM {database}.long_flows WHERE "));
        let is_long = format!(" AND {LIFE} > ?");
        [
            equal(extents, flows(slots)),
            equal(
                long.join(arrived(window)),
                flows(window)
                    .then(is_long)
                    .bind(Tier::TenSeconds.life_ns_max()),
            ),
        ]
    }

    /// Flows that began in buckets of a rollup, by the rollup.
    fn begun_in(&self, table: &str, window: Window) -> Sql {
        Sql::text(format!(
            "SELECT sum(begun) FROM {}.{table} WHERE ",
            self.config.database
        ))
        .then("bucket >= toDateTime64(?, 0, 'UTC')")
        .bind(window.from.seconds())
        .then(" AND bucket < toDateTime64(?, 0, 'UTC')")
        .bind(window.to.seconds())
    }

    /// The same, by `flows`.
    fn flows_begun_in(&self, window: Window, tier: Tier, condition: &str) -> Sql {
        let database = &self.config.database;
        Sql::text(format!("SELECT count() FROM {database}.flows WHERE "))
            .join(living(database, window, "flows"))
            .then(" AND begins_at >= fromUnixTimestamp64Nano(?, 'UTC')")
            .instant(window.from)
            .then(format!(" AND {LIFE} <= ?{condition}"))
            .bind(tier.life_ns_max())
    }
}

/// How long a flow lives, nanoseconds, as the views say it.
const LIFE: &str = "toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at)";

fn equal(one: Sql, other: Sql) -> Sql {
    one.parenthesised().then(" = ").join(other.parenthesised())
}

/// From the first to behind the last, but no more than the look back.
fn recent(first_ns: i64, last_ns: i64) -> Window {
    let back = i64::try_from(LOOK_BACK.as_secs()).unwrap_or(0) * NANOS_PER_SECOND;
    let from = first_ns.max(last_ns.saturating_sub(back));
    Window {
        from: Timestamp::from_nanos(from),
        to: Timestamp::from_nanos(last_ns.saturating_add(1)),
    }
}

/// The whole buckets that a window touches.
fn whole(window: Window, width: Duration) -> Window {
    Window {
        from: window.from.floor_or_stay(width),
        to: window.to.ceil_or_stay(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_buckets_around_the_newest_ten_minutes_are_compared() {
        let second = NANOS_PER_SECOND;
        // 2023-11-14T22:13:20Z, and an hour before it.
        let last = 1_700_000_000 * second;
        let window = recent(last - 3600 * second, last);
        assert_eq!(window.from, Timestamp::from_seconds(1_699_999_400));
        let minutes = whole(window, Duration::from_secs(60));
        assert_eq!(minutes.from, Timestamp::from_seconds(1_699_999_380));
        assert_eq!(minutes.to, Timestamp::from_seconds(1_700_000_040));
    }
}
