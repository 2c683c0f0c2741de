//! The heart of most questions: traffic within a window, cut to it, from whichever tables answer.
//!
//! Each piece of the window is one SELECT with the same columns: the group's keys, a point of the grid if there is one,
//! and what was asked for. The rule by which a flow is cut is in `schema/README.md`.

use std::time::Duration;

use flow::{Filter, Timestamp};

use crate::grouping::Grouping;
use crate::plan::{Horizon, Piece, Tier, pieces};
use crate::predicate::{Rows, elsewhere, predicate};
use crate::question::{Subject, Window};
use crate::sql::Sql;

/// The points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Start of the first point.
    pub(crate) origin: Timestamp,
    /// Whole seconds.
    pub(crate) step: Duration,
}

impl Grid {
    /// Whether every bucket of a tier lies within one point.
    fn fits(&self, tier: Tier) -> bool {
        let width = tier.width_s();
        let origin = u64::try_from(self.origin.nanos()).unwrap_or(1);
        self.step.as_secs().is_multiple_of(width)
            && origin.is_multiple_of(width.saturating_mul(1_000_000_000))
    }
}

/// Whether and how clients are counted. A set of them for each group is dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Not at all: no column.
    No,
    /// `client_set` is a set.
    Set,
    /// `client_set` is 1, or 0 if the client is unknown: it is one of the keys.
    Key,
}

/// Traffic, grouped.
#[derive(Clone, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) database: &'a str,
    pub(crate) subject: &'a Subject,
    pub(crate) grouping: &'a Grouping,
    pub(crate) grid: Option<Grid>,
    pub(crate) clients: Clients,
    pub(crate) horizon: Horizon,
}

impl Selection<'_> {
    /// One SELECT for each piece of the window, to be joined by UNION ALL. Columns: the keys, `point` if there is a grid,
    /// `octet_sum`, `packet_sum`, `flow_sum`, and if clients are counted `client_set`.
    pub(crate) fn selects(&self) -> Vec<Sql> {
        let all = self.pieces();
        let mut selects = Vec::new();
        for (number, piece) in all.iter().enumerate() {
            let first = number == 0;
            match piece.tier {
                Tier::Flows => selects.push(self.of_records(piece, first, "flows")),
                _ => {
                    selects.push(self.of_rollup(piece, first));
                    selects.push(self.of_records(piece, first, "long_flows"));
                }
            }
        }
        // The WITH of the first SELECT of a UNION would reach into the others.
        let fenced = |select: Sql| Sql::text("SELECT * FROM (\n").join(select).then("\n)");
        selects.into_iter().map(fenced).collect()
    }

    /// Where the answer comes from: the family of rollups that can say what is asked, else the records.
    pub(crate) fn source(&self) -> Rows {
        let wanted = match self.grouping.rollup {
            Some(Rows::Traffic) if self.counted().is_empty() => Rows::Interfaces,
            Some(rows) => rows,
            None => return Rows::Flows,
        };
        let has_keys = self.grouping.keys.is_empty() || self.grouping.rollup == Some(wanted);
        let subject = self.subject;
        let says = self.conditions(wanted).is_some();
        if has_keys && says && subject.known_at.is_none() && subject.arrived.is_none() {
            wanted
        } else {
            Rows::Flows
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        let rollup = self.source() != Rows::Flows;
        let usable = |tier: Tier| rollup && self.grid.is_none_or(|grid| grid.fits(tier));
        pieces(self.subject.window, &self.horizon, usable)
    }

    /// Which records count, behind an AND; nothing if every one does, and not only one of each conversation.
    pub(crate) fn counted(&self) -> Sql {
        match self.grouping.counts_all() {
            true => Sql::default(),
            false => counted(self.subject.filters()),
        }
    }

    /// Filter and, last, scope; `None` if `rows` lack a column.
    fn conditions(&self, rows: Rows) -> Option<Sql> {
        conditions(self.subject.filters(), rows)
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.grouping.columns().collect();
        if self.grid.is_some() {
            keys.push("point".to_owned());
        }
        keys
    }

    fn group_by(&self) -> String {
        let mut names: Vec<&str> = self.grouping.keys.iter().map(|key| key.name).collect();
        if self.grid.is_some() {
            names.push("point");
        }
        match names.is_empty() {
            true => String::new(),
            false => format!("\nGROUP BY {}", names.join(", ")),
        }
    }

    /// A piece from records, or from those of the long-lived ones that the piece's rollup lacks.
    fn of_records(&self, piece: &Piece, first: bool, table: &str) -> Sql {
        let (from, to) = (piece.window.from, piece.window.to);
        let mut sql = Sql::with(
            format!(
                "{RECORD_WORDS}{}    toInt64(?) AS piece_from,\n",
                self.sent_words()
            ),
            from.nanos(),
        )
        .then("    toInt64(?) AS piece_to,\n")
        .bind(to.nanos());
        let flows = match (first, self.grid) {
            (true, _) => "count()",
            (false, None) => "countIf(first >= low)",
            // A point that an earlier piece has begun to answer has counted those that were alive before this one.
            (false, Some(_)) => "countIf(first >= low OR low = point_from)",
        };
        sql = sql.join(self.bounds());
        let [octets, packets] = self.grouping.totals().map(sum_between);
        let sums = [&octets, &packets, flows, "uniqCombined64State(client_addr)"];
        sql = sql.then("SELECT ").then(self.select(self.keys(), sums));
        sql = sql.then(format!("\nFROM {}.{table}", self.database));
        if self.grid.is_some() {
            sql = sql.then(
                "\nARRAY JOIN range(\
                 intDiv(greatest(first, piece_from) - origin, step), \
                 intDiv(least(last, piece_to - 1) - origin, step) + 1) AS point",
            );
        }
        let rows = self.record_rows(piece, table);
        sql.join(rows).then(self.group_by())
    }

    fn sent_words(&self) -> &'static str {
        match self.grouping.of_one_direction {
            true => SENT_WORDS,
            false => "",
        }
    }

    /// `low` and `high`: what part of the flow's life counts.
    fn bounds(&self) -> Sql {
        match self.grid {
            None => Sql::text("    piece_from AS low,\n    piece_to AS high\n"),
            Some(grid) => Sql::with("    toInt64(?) AS origin,\n", grid.origin.nanos())
                .then("    toInt64(?) AS step,\n")
                .bind(i64::try_from(grid.step.as_nanos()).unwrap_or(i64::MAX))
                .then(
                    "    origin + point * step AS point_from,\n\
                     \x20   greatest(point_from, piece_from) AS low,\n\
                     \x20   least(point_from + step, piece_to) AS high\n",
                ),
        }
    }

    fn record_rows(&self, piece: &Piece, table: &str) -> Sql {
        let mut sql = Sql::text("\nWHERE ").join(alive(self.database, self.subject, piece, table));
        if table == "long_flows" {
            sql = sql
                .then(" AND last - first > ?")
                .bind(piece.tier.life_ns_max());
        }
        sql = sql.join(self.counted());
        // Records of the piece's own family: what can be asked of the rollup can be asked of them.
        match self.conditions(Rows::Flows) {
            Some(conditions) => sql.join(conditions),
            None => sql,
        }
    }

    /// A piece from a rollup.
    fn of_rollup(&self, piece: &Piece, first: bool) -> Sql {
        let rows = self.source();
        let family = match rows {
            Rows::Interfaces => "interfaces",
            _ => "traffic",
        };
        let mut sql = Sql::text("WITH\n    toInt64(bucket) AS second,\n");
        if let Some(grid) = self.grid {
            sql = sql
                .then("    intDiv(second - toInt64(?), toInt64(?)) AS point,\n")
                .bind(grid.origin.seconds())
                .bind(grid.step.as_secs())
                .then("    toInt64(?) + point * toInt64(?) AS point_from,\n")
                .bind(grid.origin.seconds())
                .bind(grid.step.as_secs());
        }
        // Alive at the start of what is asked for, or begun since.
        sql = match (first, self.grid) {
            (true, None) => opening("second = toInt64(?)", sql, piece),
            (true, Some(_)) => opening("(second = point_from OR second = toInt64(?))", sql, piece),
            (false, None) => sql.then("    0 AS opens\n"),
            (false, Some(_)) => sql.then("    second = point_from AS opens\n"),
        };
        let table = format!("{}.{family}_{}", self.database, piece.tier.suffix());
        let name = table.rsplit('.').next().unwrap_or_default().to_owned();
        let mut columns: Vec<&str> = self.grouping.made_of.clone();
        if self.grid.is_some() && !columns.is_empty() {
            columns.push("point");
        }
        let keys = match columns.is_empty() {
            true => self.keys(),
            false => columns.iter().map(|&column| column.to_owned()).collect(),
        };
        let source = format!("\nFROM {table}\nWHERE bucket >= toDateTime64(?, 0, 'UTC')");
        let sums = [
            &format!("sum({name}.octets)"),
            &format!("sum({name}.packets)"),
            &format!("sum(if(opens, {name}.flows, {name}.begun))"),
            "uniqCombined64MergeState(clients)",
        ];
        let sql = sql
            .then("SELECT ")
            .then(self.select(keys, sums))
            .then(source)
            .bind(piece.window.from.seconds())
            .then(" AND bucket < toDateTime64(?, 0, 'UTC')")
            .bind(piece.window.to.seconds());
        let sql = match self.conditions(rows) {
            Some(conditions) => sql.join(conditions),
            None => sql,
        };
        if columns.is_empty() {
            return sql.then(self.group_by());
        }
        let again = [
            "sum(part.octet_sum)",
            "sum(part.packet_sum)",
            "sum(part.flow_sum)",
            "uniqCombined64MergeState(part.client_set)",
        ];
        Sql::text("SELECT ")
            .then(self.select(self.keys(), again))
            .then("\nFROM (\n")
            .join(sql)
            .then(format!("\nGROUP BY {}\n) AS part", columns.join(", ")))
            .then(self.group_by())
    }

    fn select(&self, keys: Vec<String>, sums: [&str; 4]) -> String {
        let [octets, packets, flows, clients] = sums;
        let mut columns = keys;
        columns.push(format!("{octets} AS octet_sum"));
        columns.push(format!("{packets} AS packet_sum"));
        columns.push(format!("{flows} AS flow_sum"));
        match self.clients {
            Clients::No => {}
            Clients::Set => columns.push(format!("{clients} AS client_set")),
            Clients::Key => {
                columns.push("toUInt64(any(client_addr IS NOT NULL)) AS client_set".to_owned())
            }
        }
        columns.join(",\n    ")
    }
}

fn opening(condition: &str, sql: Sql, piece: &Piece) -> Sql {
    sql.then(format!("    {condition} AS opens\n"))
        .bind(piece.window.from.seconds())
}

/// Words of the rule in `schema/README.md`, as in the views: what part of a flow's life lies before `low` and `high`, and whether
/// all of it does. Named once, and no functions: the engine takes longer to plan a question than a part of its rows to read.
pub(crate) const RECORD_WORDS: &str = "WITH
    toUnixTimestamp64Nano(begins_at) AS first,
    toUnixTimestamp64Nano(ends_at) AS last,
    greatest(last - first, 1) AS life,
    high >= last AND high > first AS all_before_high,
    low >= last AND low > first AS all_before_low,
    (least(greatest(high, first), last) - first) / life AS before_high,
    (least(greatest(low, first), last) - first) / life AS before_low,
";

/// As `total_octets` and `total_packets` are computed, of one direction.
const SENT_WORDS: &str =
    "    if(ifNull(counter_kind = 'implausible', 0), 0, greatest(ifNull(sampling_interval, 1), 1)) AS times,
    ifNull(if(from_client = src_is_client, octets, reverse_octets), 0) * times AS sent_octets,
    ifNull(if(from_client = src_is_client, packets, reverse_packets), 0) * times AS sent_packets,
";

/// The sum of what lies from `low` to `high` of this column.
pub(crate) fn sum_between(total: &str) -> String {
    let before = |edge: &str| {
        format!("if(all_before_{edge}, {total}, toUInt64(floor({total} * before_{edge})))")
    };
    format!("toUInt64(sum({} - {}))", before("high"), before("low"))
}

/// Which of the records that match all of these count, behind an AND; nothing if every one does.
///
/// Of each conversation one does: its exporter keeps the account. But what matches only as it was seen at a place that a filter or a
/// scope names counts there, whoever keeps the account: that record may not match, and nobody would see the conversation. So by
/// `exporter a or site b` counts all that was seen at a, and of what is at b besides one record each: none is hidden, and none that
/// was seen at a and elsewhere counts twice. Of several exporters that are named each counts what it saw.
pub(crate) fn counted<'a>(filters: impl Iterator<Item = &'a Filter>) -> Sql {
    let mut others = Vec::new();
    for filter in filters {
        match elsewhere(filter.expr()) {
            None => return Sql::default(),
            Some(expr) if expr == *filter.expr() => {}
            // Every condition can be said of records.
            Some(expr) => others.extend(predicate(&expr, Rows::Flows).map(Sql::parenthesised)),
        }
    }
    match others.is_empty() {
        true => Sql::text(" AND accounting = 1"),
        false => Sql::text(" AND (accounting = 1 OR NOT ifNull(")
            .join(Sql::list(others, " AND "))
            .then(", 0))"),
    }
}

/// Filters, each behind an AND; `None` if `rows` lack a column that one of them needs.
pub(crate) fn conditions<'a>(filters: impl Iterator<Item = &'a Filter>, rows: Rows) -> Option<Sql> {
    let mut sql = Sql::default();
    for filter in filters {
        sql = sql
            .then("\n    AND ")
            .join(predicate(filter.expr(), rows)?.parenthesised());
    }
    Some(sql)
}

/// Records that were alive in a piece of the window, and were known.
pub(crate) fn alive(database: &str, subject: &Subject, piece: &Piece, table: &str) -> Sql {
    let mut sql = living(database, piece.window, table);
    if let Some(window) = subject.arrived {
        sql = sql.then("\n    AND ").join(arrived(window));
    }
    match subject.known_at {
        Some(at) => sql
            .then("\n    AND received_at <= fromUnixTimestamp64Nano(?, 'UTC')")
            .instant(at),
        None => sql,
    }
}

/// Records that arrived in a window.
pub(crate) fn arrived(window: Window) -> Sql {
    Sql::text("received_at >= fromUnixTimestamp64Nano(?, 'UTC')")
        .instant(window.from)
        .then(" AND received_at < fromUnixTimestamp64Nano(?, 'UTC')")
        .instant(window.to)
}

/// Records that were alive in a window.
pub(crate) fn living(database: &str, Window { from, to }: Window, table: &str) -> Sql {
    let mut sql = Sql::text("begins_at < fromUnixTimestamp64Nano(?, 'UTC')")
        .instant(to)
        .then(" AND ends_at >= fromUnixTimestamp64Nano(?, 'UTC')")
        .instant(from);
    if table == "flows" {
        // The five minutes of arrival in which such records came: a range of the sort key. In the unit of `received_at`: of a
        // part that is all within the last second before a border in whole seconds, the engine takes it to lie beyond it
        // (it looks for `received_at <= border - 1 s`).
        sql = sql
            .then(format!(
                "\n    AND received_at >= ((SELECT (toDateTime64(min(arrival), 9, 'UTC'), \
                 toDateTime64(max(arrival) + toIntervalMinute(5), 9, 'UTC')) FROM {database}.extents \
                 WHERE begins_at < fromUnixTimestamp64Nano(?, 'UTC') \
                 AND ends_at >= fromUnixTimestamp64Nano(?, 'UTC')) AS arrivals).1 \
                 AND received_at < arrivals.2"
            ))
            .instant(to)
            .instant(from);
    }
    sql
}
