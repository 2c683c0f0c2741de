//! What became of connections, how much went, and how long flows lived, by group: the numbers of a ticket's comparison.
//!
//! A connection is TCP, and told by control bits ([RFC 9293 §3.1](https://www.rfc-editor.org/rfc/rfc9293#section-3.1)), which
//! exporters OR over a record:
//!
//! - *opened*: a record of the client with SYN that begins in the window;
//! - *refused*: one of these to whose 5-tuple the server sent RST and no SYN of its own;
//! - *unanswered*: one of these without an ACK of the client, of whose 5-tuple there is no record of the server at all, until
//!   five seconds after the window.
//!
//! Records of both directions are the client's and the server's at once. What samples packets, or sends no control bits, tells
//! nothing of connections: where all records of TCP are such, there are no counts.

use std::time::Duration;

use serde::Deserialize;

use crate::error::StoreError;
use crate::grouping::Grouping;
use crate::plan::{Piece, Tier};
use crate::predicate::Rows;
use crate::profile::{HAS_A_LIFE, LIFE_TENTHS};
use crate::question::{Dimension, Subject, Window};
use crate::select::{RECORD_WORDS, alive, conditions, counted, sum_between};
use crate::sql::Sql;
use crate::store::Store;

#[cfg(test)]
mod tests;

/// The most groups that can be asked for.
const LIMIT_MAX: u32 = 10_000;
/// How long a server may take to answer a SYN, and its record to arrive after the client's.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What outcomes are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Everything together: one group, `total`.
    Nothing,
    /// The client's address.
    Clients,
    /// The client's site.
    ClientSites,
    /// The application.
    Applications,
}

/// The question.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// When and which.
    pub subject: Subject,
    /// Grouped by.
    pub by: By,
    /// How many groups, those with most octets first, 1 to 10,000.
    pub limit: u32,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The group's name.
    pub name: String,
    /// Distinct client addresses.
    pub clients: u64,
    /// Octets within the window, both directions, times the sampling interval where one is known.
    pub octets: u64,
    /// What became of connections; `None` where records of TCP are such that nobody can tell.
    pub connections: Option<Connections>,
    /// Flow records that ended in the window and have the exporter's own stamps for both their ends.
    pub ended_flows: u64,
    /// Median life of these, milliseconds, to a tenth. `None` if there are none.
    pub duration_ms_median: Option<f64>,
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections that clients tried to open.
    pub opened: u64,
    /// Those of them that a server refused.
    pub refused: u64,
    /// Those of them that nobody answered.
    pub unanswered: u64,
}

/// A group as ClickHouse sends it.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Answered {
    name: String,
    records: u64,
    clients: u64,
    octets: u64,
    of_tcp: u64,
    telling: u64,
    opened: u64,
    refused: u64,
    unanswered: u64,
    ended_flows: u64,
    duration_ms_median: f64,
}

impl From<Answered> for Outcome {
    fn from(row: Answered) -> Self {
        let can_tell = row.of_tcp == 0 || row.telling > 0;
        Self {
            name: row.name,
            clients: row.clients,
            octets: row.octets,
            connections: can_tell.then_some(Connections {
                opened: row.opened,
                refused: row.refused,
                unanswered: row.unanswered,
            }),
            ended_flows: row.ended_flows,
            duration_ms_median: (row.ended_flows > 0).then_some(row.duration_ms_median),
        }
    }
}

impl Store {
    /// What became of connections and flows, by group, most octets first. A group without a record is not there.
    ///
    /// Always asked of the records: where they are gone, there is nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] for the asker; else the store's trouble.
    pub async fn outcomes(&self, question: &Outcomes) -> Result<Vec<Outcome>, StoreError> {
        if !(1..=LIMIT_MAX).contains(&question.limit) {
            let message = format!("limit must be from 1 to {LIMIT_MAX}");
            return Err(StoreError::Question(message));
        }
        question.subject.window.check()?;
        let rows: Vec<Answered> = self.ask(statement(question, self.database())).await?;
        let there = rows.into_iter().filter(|row| row.records > 0);
        Ok(there.map(Into::into).collect())
    }
}

impl Store {
    /// Whether anything is left of what arrived in a window, whatever it was: to the next five minutes.
    ///
    /// # Errors
    ///
    /// The store's trouble.
    pub async fn has_arrivals(&self, window: Window) -> Result<bool, StoreError> {
        let sql = arrivals(window, self.database());
        Ok(!self.ask::<u32>(sql).await?.is_empty())
    }
}

fn arrivals(Window { from, to }: Window, database: &str) -> Sql {
    Sql::text(format!(
        "SELECT toUInt32(arrival) FROM {database}.extents\n\
         WHERE arrival + toIntervalMinute(5) > toDateTime64(?, 0, 'UTC') AND arrival < toDateTime64(?, 0, 'UTC')\nLIMIT 1"
    ))
    .bind(from.seconds())
    .bind(to.seconds())
}

impl By {
    fn grouping(self) -> Grouping {
        match self {
            Self::Nothing => Grouping::total(),
            Self::Clients => Grouping::by(Dimension::Clients),
            Self::ClientSites => Grouping::by_client_site(),
            Self::Applications => Grouping::by(Dimension::Applications),
        }
    }
}

/// Counts of both halves, by column: what one half does not have is 0 there.
const SUMS: [&str; 10] = [
    "records",
    "clients",
    "octets",
    "of_tcp",
    "telling",
    "opened",
    "refused",
    "unanswered",
    "ended_flows",
    "tenths",
];

fn statement(question: &Outcomes, database: &str) -> Sql {
    let grouping = question.by.grouping();
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    let behind = |word: &str| match keys.is_empty() {
        true => String::new(),
        false => format!("{word} {}", keys.join(", ")),
    };
    let sums = SUMS.map(|sum| format!("sum(half.{sum}) AS {sum}"));
    let halves = [
        flows(&question.subject, &grouping, database),
        connections(&question.subject, &grouping, database),
    ];
    // The WITH of the first SELECT of a UNION would reach into the others.
    let fenced = halves.map(|half| Sql::text("SELECT * FROM (\n").join(half).then("\n)"));
    Sql::text(format!(
        "SELECT {} AS name, records, clients, octets, of_tcp, telling, opened, refused, unanswered, ended_flows, \
         tenths / 10 AS duration_ms_median\nFROM (\nSELECT {}{}\nFROM (\n",
        grouping.name,
        keys.iter().map(|key| format!("{key}, ")).collect::<String>(),
        sums.join(", "),
    ))
    .join(Sql::list(fenced, "\nUNION ALL\n"))
    .then(format!(
        "\n) AS half{}\nORDER BY octets DESC{}\nLIMIT ?\n)\nORDER BY octets DESC, name",
        behind("\nGROUP BY"),
        behind(","),
    ))
    .bind(u64::from(question.limit))
}

/// What both halves read: records that were alive in a window, and were known.
fn records(subject: &Subject, window: Window, database: &str) -> Sql {
    let piece = Piece {
        tier: Tier::Flows,
        window,
    };
    Sql::text(format!("\nFROM {database}.flows\nWHERE "))
        .join(alive(database, subject, &piece, "flows"))
        .join(counted(subject.filters()))
        // Every condition can be said of records.
        .join(conditions(subject.filters(), Rows::Flows).unwrap_or_default())
}

/// How much went, and how long flows lived.
fn flows(subject: &Subject, grouping: &Grouping, database: &str) -> Sql {
    let Window { from, to } = subject.window;
    let columns: String = columns(grouping.columns());
    let mut sql = Sql::with(format!("{RECORD_WORDS}    toInt64(?) AS low,\n"), from.nanos())
        .then("    toInt64(?) AS high,\n")
        .bind(to.nanos())
        .then(format!("    last < high AND {HAS_A_LIFE} AS ended\n"))
        .then(format!(
            "SELECT {columns}count() AS records, ifNull(uniqCombined64(client_addr), 0) AS clients, {} AS octets,\n    \
             countIf(protocol = 6) AS of_tcp, countIf({TELLS}) AS telling,\n    \
             toUInt64(0) AS opened, toUInt64(0) AS refused, toUInt64(0) AS unanswered,\n    \
             countIf(ended) AS ended_flows, quantileExactWeightedIf(0.5)({LIFE_TENTHS}, 1, ended) AS tenths",
            sum_between("total_octets")
        ))
        .join(records(subject, subject.window, database));
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    if !keys.is_empty() {
        sql = sql.then(format!("\nGROUP BY {}", keys.join(", ")));
    }
    sql
}

/// A record that tells of connections.
const TELLS: &str = "protocol = 6 AND tcp_flags IS NOT NULL AND ifNull(sampling_interval, 1) <= 1";

/// What a record says of either end. Of a record of one direction the other end's bits are NULL.
const ENDS: &str = "WITH
    if(src_is_client = 1, tcp_flags, reverse_tcp_flags) AS client_bits,
    if(src_is_client = 1, reverse_tcp_flags, tcp_flags) AS server_bits,
    src_is_client = 0 OR ifNull(reverse_packets, 0) > 0 AS is_of_server,
";

/// What became of connections, by their 5-tuples. Either direction may be counted at another exporter, whose clock is another: so
/// nothing is made of which came first, and of two in a row under one 5-tuple none is unanswered if one was answered.
fn connections(subject: &Subject, grouping: &Grouping, database: &str) -> Sql {
    let Window { from, to } = subject.window;
    let point = if counted(subject.filters()).is_empty() {
        ", exporter"
    } else {
        ""
    };
    let its = grouping
        .keys
        .iter()
        .map(|key| format!("anyIf({}, opens) AS its_{}", key.of, key.name));
    let mut sql = Sql::with(
        format!(
            "{ENDS}    ifNull(bitAnd(client_bits, 2) = 2, 0) \
             AND begins_at >= fromUnixTimestamp64Nano(?, 'UTC')"
        ),
        from.nanos(),
    )
    .then(" AND begins_at < fromUnixTimestamp64Nano(?, 'UTC') AS opens,\n")
    .instant(to)
    .then("    opens AND bitAnd(client_bits, 16) = 0");
    if let Some(known_at) = subject.known_at {
        sql = sql
            .then(" AND received_at <= fromUnixTimestamp64Nano(?, 'UTC')")
            .instant(known_at - ANSWER_WAIT);
    }
    let outer: String = columns(
        grouping
            .keys
            .iter()
            .map(|key| format!("its_{0} AS {0}", key.name)),
    );
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    let until = Window {
        from,
        to: to + ANSWER_WAIT,
    };
    sql = sql.then(format!(
        " AS is_bare\nSELECT {}countIf(opens) AS tried,\n    \
         countIf(bitAnd(server_bits, 2) = 2) AS accepted, countIf(bitAnd(server_bits, 6) = 4) AS reset,\n    \
         countIf(is_of_server) AS heard, countIf(is_bare) AS bare",
        columns(its)
    ))
    .join(records(subject, until, database))
    .then(format!(
        "\n    AND {TELLS}\nGROUP BY client_addr, client_port, server_addr, server_port{point}\nHAVING tried > 0"
    ));
    let group_by = match keys.is_empty() {
        true => String::new(),
        false => format!("\nGROUP BY {}", keys.join(", ")),
    };
    Sql::text(format!(
        "SELECT {outer}toUInt64(0) AS records, toUInt64(0) AS clients, toUInt64(0) AS octets, toUInt64(0) AS of_tcp, \
         toUInt64(0) AS telling,\n    sum(tried) AS opened, sum(least(reset, toUInt64(tried - least(accepted, tried)))) AS refused,\n    \
         sum(if(heard = 0, bare, 0)) AS unanswered, toUInt64(0) AS ended_flows, toInt64(0) AS tenths\n\
         FROM (\n"
    ))
    .join(sql)
    .then(format!("\n){group_by}"))
}

/// Columns in front of others.
fn columns(all: impl Iterator<Item = String>) -> String {
    all.map(|column| column + ", ").collect()
}
