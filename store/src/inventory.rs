//! What the store holds.

use std::time::Duration;

use flow::{Filter, TapePosition, Timestamp};
use serde::Deserialize;

use crate::predicate::Rows;
use crate::question::{Inventory, Scope, Window};
use crate::select::conditions;
use crate::sql::Sql;

/// The answer as ClickHouse sends it.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Answered {
    flows: u64,
    octets_on_disk: u64,
    first: i64,
    last: i64,
}

impl From<Answered> for Inventory {
    fn from(row: Answered) -> Self {
        let at = |nanos: i64| Some(Timestamp::from_nanos(nanos)).filter(|_| row.flows > 0);
        Self {
            flows: row.flows,
            octets_on_disk: Some(row.octets_on_disk),
            first: at(row.first),
            last: at(row.last),
        }
    }
}

/// The statement. In a cluster it counts the parts of every replica.
pub(crate) fn statement(database: &str, cluster: Option<&str>) -> Sql {
    let (parts, table) = match cluster {
        Some(name) => (
            format!("clusterAllReplicas({name}, system.parts)"),
            "flows_local",
        ),
        None => ("system.parts".to_owned(), "flows"),
    };
    Sql::text(format!(
        "SELECT assumeNotNull((SELECT count() FROM {database}.flows)) AS flows,\n\
         assumeNotNull((SELECT sum(bytes_on_disk) FROM {parts} \
         WHERE active AND database = '{database}' AND table = '{table}')) AS octets_on_disk,\n\
         toUnixTimestamp64Nano(min(begins_at)) AS first,\n\
         toUnixTimestamp64Nano(max(ends_at)) AS last\n\
         FROM {database}.extents"
    ))
}

/// The statement for what a scope shows of it: rows of several mix on disk, so there are no octets of theirs.
pub(crate) fn within(database: &str, scope: &Scope) -> Sql {
    let all = Filter::any();
    // Every condition can be said of records.
    let conditions = conditions(scope.added_to(&all), Rows::Flows).unwrap_or_default();
    Sql::text(format!(
        "SELECT count() AS flows, toUInt64(0) AS octets_on_disk,\n\
         toUnixTimestamp64Nano(min(begins_at)) AS first,\n\
         toUnixTimestamp64Nano(max(ends_at)) AS last\n\
         FROM {database}.flows\nWHERE 1"
    ))
    .join(conditions)
}

/// The place of a row on its collector's tape.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Placed {
    segment: u32,
    offset: u32,
}

impl From<Placed> for TapePosition {
    fn from(Placed { segment, offset }: Placed) -> Self {
        Self { segment, offset }
    }
}

/// The largest position of a collector. No row is sorted by it, so all are read, but only their segments, which are as
/// good as constant; offsets only where the last segment is.
pub(crate) fn last_position(database: &str, collector: &str) -> Sql {
    Sql::text(format!(
        "SELECT tape_segment AS segment, max(tape_offset) AS offset\n\
         FROM {database}.flows\n\
         PREWHERE tape_segment = (SELECT max(tape_segment) FROM {database}.flows WHERE collector = ?)\n\
         WHERE collector = ?\nGROUP BY segment"
    ))
    .bind(collector)
    .bind(collector)
}

/// When the first of what a window holds was stored, in seconds since 1970; the largest number if it holds nothing.
///
/// Asked of the table that is kept longest and has all rows. What was merged there has the later of its times.
pub(crate) fn stored_since(database: &str, window: Window) -> Sql {
    let hour = Duration::from_secs(3600);
    Sql::text(format!(
        "SELECT if(count() = 0, toUInt32(4294967295), toUInt32(toUnixTimestamp(min(stored_at))))\n\
         FROM {database}.interfaces_1h\n\
         WHERE bucket >= toDateTime64(?, 0, 'UTC') AND bucket < toDateTime64(?, 0, 'UTC')"
    ))
    .bind(window.from.floor(hour).seconds())
    .bind(window.to.seconds().saturating_add(1))
}
