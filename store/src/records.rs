//! Flow records as they are.

use std::net::Ipv6Addr;

use flow::{FlowBatch, FlowRecord};
use serde::Deserialize;

use crate::block::code_type;
use crate::error::StoreError;
use crate::plan::{Piece, Tier};
use crate::predicate::Rows;
use crate::question::Flows;
use crate::select::{alive, conditions};
use crate::sql::Sql;

/// The most records that can be asked for.
const LIMIT_MAX: u32 = 100_000;

macro_rules! stored {
    ($($name:ident: $type:ty,)+) => {
        /// A row as ClickHouse sends it: every column of the vocabulary, by its name.
        #[derive(Debug, Deserialize, clickhouse::Row)]
        pub(crate) struct Stored {
            received_at: i64,
            tape_segment: u32,
            tape_offset: u32,
            record_offset: u16,
            feed: u32,
            exporter: Ipv6Addr,
            domain: u32,
            version: u8,
            template: u16,
            src_is_client: u8,
            accounting: u8,
            application: String,
            client_site: String,
            server_site: String,
            exporter_name: String,
            in_interface_name: String,
            out_interface_name: String,
            exporter_application: String,
            in_vrf_name: String,
            measures: Vec<(String, u64)>,
            extras: Vec<(String, String)>,
            $($name: Option<$type>,)+
        }

        const COLUMNS: &[&str] = &[$(stringify!($name)),+];

        impl Stored {
            fn put_columns(&self, batch: &mut FlowBatch) {
                $(if let Some(value) = self.$name {
                    batch.columns.$name.set(0, value);
                })+
            }
        }
    };
}
flow::for_each_column!(stored);

/// What each row has.
const ORIGIN: &[&str] = &[
    "received_at",
    "tape_segment",
    "tape_offset",
    "record_offset",
    "feed",
    "exporter",
    "domain",
    "version",
    "template",
    "src_is_client",
    "accounting",
    "application",
    "client_site",
    "server_site",
    "exporter_name",
    "in_interface_name",
    "out_interface_name",
    "exporter_application",
    "in_vrf_name",
    "measures",
    "extras",
];

impl From<Stored> for FlowRecord {
    /// By way of a batch of one row, so that there is one place that knows how a row reads.
    fn from(row: Stored) -> Self {
        let mut batch = FlowBatch::default();
        let origin = &mut batch.origin;
        origin.received_at.push(row.received_at);
        origin.tape_segment.push(row.tape_segment);
        origin.tape_offset.push(row.tape_offset);
        origin.record_offset.push(row.record_offset);
        origin.feed.push(row.feed);
        origin.exporter.push(row.exporter);
        origin.domain.push(row.domain);
        origin.version.push(row.version);
        origin.template.push(row.template);
        row.put_columns(&mut batch);
        let added = &mut batch.enrichment;
        added.src_is_client.push(row.src_is_client);
        added.accounting.push(row.accounting);
        for (column, text) in [
            (&mut added.application, &row.application),
            (&mut added.client_site, &row.client_site),
            (&mut added.server_site, &row.server_site),
            (&mut added.exporter_name, &row.exporter_name),
            (&mut added.in_interface_name, &row.in_interface_name),
            (&mut added.out_interface_name, &row.out_interface_name),
            (&mut added.exporter_application, &row.exporter_application),
            (&mut added.in_vrf_name, &row.in_vrf_name),
        ] {
            if !text.is_empty() {
                column.set_text(0, text);
            }
        }
        let mut record = batch.record(0);
        record.measures = row.measures.into_iter().collect();
        record.extras = row.extras.into_iter().collect();
        record
    }
}

/// The statement: one record more than asked for, which tells whether there are more.
///
/// # Errors
///
/// [`StoreError::Question`] if the limit or the window is impossible.
pub(crate) fn statement(question: &Flows, database: &str) -> Result<Sql, StoreError> {
    if !(1..=LIMIT_MAX).contains(&question.limit) {
        let message = format!("limit must be from 1 to {LIMIT_MAX}");
        return Err(StoreError::Question(message));
    }
    let subject = &question.subject;
    subject.window.check()?;
    let piece = Piece {
        tier: Tier::Flows,
        window: subject.window,
    };
    // Inside, the columns by their own names, for filter and order; outside, codes as numbers.
    let names = ORIGIN.iter().chain(COLUMNS).map(|name| format!("`{name}`"));
    let names: Vec<String> = names.collect();
    let numbers = ORIGIN
        .iter()
        .chain(COLUMNS)
        .map(|name| match code_type(name) {
            Some(_) => format!("CAST(`{name}`, 'Nullable(UInt8)') AS `{name}`"),
            None => format!("`{name}`"),
        });
    let numbers: Vec<String> = numbers.collect();
    let mut sql = Sql::text(format!("SELECT {}\n", numbers.join(", ")))
        .then(format!(
            "FROM (\nSELECT {}\nFROM {database}.flows\nWHERE ",
            names.join(", ")
        ))
        .join(alive(database, subject, &piece, "flows"));
    if let Some(conditions) = conditions(subject.filters(), Rows::Flows) {
        sql = sql.join(conditions);
    }
    Ok(sql
        .then(format!(
            "\nORDER BY {NEWEST_FIRST}\nLIMIT ?\n)\nORDER BY {NEWEST_FIRST_OUTSIDE}"
        ))
        .bind(u64::from(question.limit) + 1))
}

/// Begins with the sort key, read backwards: the newest are found without reading the rest.
const NEWEST_FIRST: &str = "toStartOfInterval(received_at, INTERVAL 5 MINUTE) DESC, received_at DESC, \
     tape_segment DESC, tape_offset DESC, record_offset DESC";
const NEWEST_FIRST_OUTSIDE: &str =
    "received_at DESC, tape_segment DESC, tape_offset DESC, record_offset DESC";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::{Scope, Subject, Window};
    use flow::{Filter, Timestamp};

    fn question(limit: u32) -> Flows {
        let at = Timestamp::from_seconds;
        let subject = Subject {
            window: Window {
                from: at(3600),
                to: at(7200),
            },
            filter: Filter::parse("port 80 or app web").unwrap(),
            known_at: Some(at(9000)),
            arrived: None,
            scope: Scope {
                only: Some(Filter::parse("site berlin").unwrap()),
            },
        };
        Flows { subject, limit }
    }

    #[test]
    fn the_newest_records() {
        insta::assert_snapshot!(statement(&question(100), "flowreel").unwrap().to_string());
    }

    #[test]
    fn too_many_are_refused() {
        assert!(statement(&question(100_001), "flowreel").is_err());
    }
}
