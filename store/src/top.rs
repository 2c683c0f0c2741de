//! The largest groups.

use serde::Deserialize;

use crate::error::StoreError;
use crate::grouping::Grouping;
use crate::plan::Horizon;
use crate::question::{Quantity, Top, TopRow};
use crate::select::{Clients, Selection};
use crate::sql::Sql;

/// The most groups that can be asked for.
const LIMIT_MAX: u32 = 10_000;

/// A row as ClickHouse sends it.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Answered {
    name: String,
    parts: String,
    octets: u64,
    packets: u64,
    flows: u64,
    clients: u64,
}

impl From<Answered> for TopRow {
    fn from(row: Answered) -> Self {
        Self {
            name: row.name,
            // An empty text is no array.
            parts: serde_json::from_str(&row.parts).unwrap_or_default(),
            octets: row.octets,
            packets: row.packets,
            flows: row.flows,
            clients: row.clients,
        }
    }
}

/// The statement. Clients are counted, or 0: a set of them for each group is dear.
///
/// # Errors
///
/// [`StoreError::Question`] if the limit or the window is impossible.
pub(crate) fn statement(
    question: &Top,
    counts_clients: bool,
    (database, horizon): (&str, Horizon),
) -> Result<Sql, StoreError> {
    if !(1..=LIMIT_MAX).contains(&question.limit) {
        let message = format!("limit must be from 1 to {LIMIT_MAX}");
        return Err(StoreError::Question(message));
    }
    question.subject.window.check()?;
    let limit = question.limit.into();
    Ok(largest(
        question,
        limit,
        counts_clients,
        (database, horizon),
    ))
}

/// The statement for any number of groups.
pub(crate) fn largest(
    question: &Top,
    limit: u64,
    counts_clients: bool,
    (database, horizon): (&str, Horizon),
) -> Sql {
    let grouping = Grouping::by(question.dimension);
    let clients = match (counts_clients, grouping.of_one_client) {
        (false, _) => Clients::No,
        (true, true) => Clients::Key,
        (true, false) => Clients::Set,
    };
    let selection = Selection {
        database,
        subject: &question.subject,
        grouping: &grouping,
        grid: None,
        clients,
        horizon,
    };
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    let keys = keys.join(", ");
    let by = order(question.by);
    let selects = selection.selects();
    let (sums, group_by) = match selects.len() {
        1 => (ONE_PIECE, String::new()),
        _ => (PIECES, format!("\nGROUP BY {keys}")),
    };
    let counted = match (selects.len(), clients) {
        (_, Clients::No) => "toUInt64(0)",
        (1, Clients::Key) => "client_set",
        (1, Clients::Set) => "ifNull(finalizeAggregation(client_set), 0)",
        _ => "ifNull(uniqCombined64Merge(client_set), 0)",
    };
    // Names are made of the groups that are left. Groups that are level stay in the order of their keys.
    Sql::text(format!(
        "SELECT {} AS name, {} AS parts, octets, packets, flows, clients\n",
        grouping.name, grouping.parts
    ))
    .then(format!(
        "FROM (\nSELECT {keys}, {sums}, {counted} AS clients\nFROM (\n"
    ))
    .join(Sql::list(selects, "\nUNION ALL\n"))
    .then(format!(
        "\n){group_by}\nORDER BY {by} DESC, {keys}\nLIMIT ?\n)"
    ))
    .bind(limit)
    .then(format!("\nORDER BY {by} DESC, {keys}"))
}

const ONE_PIECE: &str = "octet_sum AS octets, packet_sum AS packets, flow_sum AS flows";
const PIECES: &str = "sum(octet_sum) AS octets, sum(packet_sum) AS packets, sum(flow_sum) AS flows";

fn order(by: Quantity) -> &'static str {
    match by {
        Quantity::Octets => "octets",
        Quantity::Packets => "packets",
        Quantity::Flows => "flows",
        Quantity::Clients => "clients",
    }
}

#[cfg(test)]
impl Answered {
    /// A group with nothing but octets.
    pub(crate) fn of(name: &str, octets: u64) -> Self {
        Self {
            name: name.to_owned(),
            parts: String::new(),
            octets,
            packets: 0,
            flows: 0,
            clients: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::{Dimension, Scope, Subject, Window};
    use flow::{Filter, Timestamp};

    const HOUR_S: i64 = 3600 * 500_000;

    fn sql(dimension: Dimension, length_s: i64, filter: &str) -> String {
        sql_of(dimension, length_s, filter, true)
    }

    fn sql_of(dimension: Dimension, length_s: i64, filter: &str, counts_clients: bool) -> String {
        let now = Timestamp::from_seconds(HOUR_S + 7200);
        let only = Filter::parse("site berlin").unwrap();
        let question = Top {
            subject: Subject {
                window: Window {
                    from: Timestamp::from_seconds(HOUR_S),
                    to: Timestamp::from_seconds(HOUR_S + length_s),
                },
                filter: Filter::parse(filter).unwrap(),
                known_at: None,
                arrived: None,
                scope: Scope {
                    only: (length_s == 3601).then_some(only),
                },
            },
            dimension: dimension.into(),
            by: Quantity::Octets,
            limit: 10,
        };
        let kept = crate::config::Retention::default();
        let horizon = Horizon {
            now,
            kept,
            stored_since: None,
        };
        statement(&question, counts_clients, ("flowreel", horizon))
            .unwrap()
            .to_string()
    }

    macro_rules! snapshot {
        ($($name:ident: $dimension:ident, $length_s:literal, $filter:literal;)+) => {
            $(#[test]
            fn $name() {
                insta::assert_snapshot!(sql(Dimension::$dimension, $length_s, $filter));
            })+
        };
    }

    #[test]
    fn who_wants_names_only_counts_no_clients() {
        for (dimension, counting) in [
            (Dimension::Applications, "uniqCombined64"),
            (Dimension::Clients, "client_addr IS NOT NULL"),
        ] {
            let counted = sql_of(dimension, 3601, "", true);
            let names = sql_of(dimension, 3601, "", false);
            assert!(counted.contains(counting) && !names.contains(counting));
            assert!(names.contains("toUInt64(0) AS clients") && !names.contains("client_set"));
        }
    }

    snapshot! {
        applications_of_an_hour: Applications, 3600, "";
        applications_of_an_hour_and_a_second_in_scope: Applications, 3601, "app web";
        applications_at_an_exporter: Applications, 3600, "exporter core-1";
        clients: Clients, 3600, "";
        servers: Servers, 3600, "port 443";
        conversations: Conversations, 3600, "";
        exporters: Exporters, 3600, "exporter core-1 or feed 0";
        interfaces: Interfaces, 3600, "";
        sites: Sites, 3600, "";
        protocols: Protocols, 3600, "";
        ports: Ports, 3600, "";
        directions: Directions, 3600, "";
    }
}
