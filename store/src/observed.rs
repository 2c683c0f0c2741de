//! Stored records as a batch again, as far as rollups need them: for making an hour anew, and for summing up a batch of which
//! some may be stored from an earlier attempt.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use flow::FlowBatch;
use serde::Deserialize;

use crate::error::StoreError;
use crate::rebuild::rows;
use crate::rollup::Rollups;
use crate::sql::Sql;
use crate::stored::{Name, around, name_of};

/// A record as ClickHouse sends it. Counters are those that answers add up.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Observed {
    tape_segment: u32,
    tape_offset: u32,
    record_offset: u16,
    received_at: i64,
    stored_at: u32,
    feed: u32,
    exporter: Ipv6Addr,
    begins_at: i64,
    ends_at: i64,
    client_addr: Option<Ipv6Addr>,
    in_interface: Option<u32>,
    out_interface: Option<u32>,
    accounting: u8,
    application: String,
    client_site: String,
    server_site: String,
    exporter_name: String,
    in_interface_name: String,
    out_interface_name: String,
    total_octets: u64,
    total_packets: u64,
}

/// The statement that reads `records`: a condition on rows of `flows`.
pub(crate) fn statement(database: &str, records: Sql) -> Sql {
    let columns = "tape_segment, tape_offset, record_offset, received_at, stored_at, feed, exporter, begins_at, ends_at, client_addr, in_interface, out_interface, \
         accounting, application, client_site, server_site, exporter_name, in_interface_name, out_interface_name, \
         total_octets, total_packets";
    Sql::text(format!("SELECT {columns}\nFROM {database}.flows\nWHERE "))
        .join(records)
        .then("\nSETTINGS max_execution_time = 0")
}

/// What the store has of these rows of a batch, in their order. A row that it has not is left out, one that it has twice
/// comes once.
///
/// # Errors
///
/// The store's trouble.
pub(crate) async fn of_rows(
    client: &clickhouse::Client,
    (database, collector): (&str, &str),
    batch: &FlowBatch,
    wanted: &[usize],
) -> Result<Observations, StoreError> {
    let mut found: Vec<Option<Observed>> = Vec::new();
    found.resize_with(wanted.len(), || None);
    let mut observations = Observations::default();
    let Some(stretch) = around(collector, batch) else {
        return Ok(observations);
    };
    let names = wanted.iter().map(|row| name_of(batch, *row));
    let places: HashMap<Name, usize> = names.zip(0..).collect();
    let mut rows = statement(database, rows(&stretch))
        .query(client)
        .fetch::<Observed>()?;
    while let Some(row) = rows.next().await? {
        let name = Name::new(row.tape_segment, row.tape_offset, row.record_offset);
        if let Some(place) = places.get(&name) {
            found[*place] = Some(row);
        }
    }
    for row in found.iter().flatten() {
        observations.push(row);
    }
    Ok(observations)
}

/// Records, and when each was stored.
#[derive(Debug, Default)]
pub(crate) struct Observations {
    batch: FlowBatch,
    stored_at: Vec<u32>,
}

impl Observations {
    /// Adds a record.
    pub(crate) fn push(&mut self, seen: &Observed) {
        let row = self.stored_at.len();
        self.stored_at.push(seen.stored_at);
        let origin = &mut self.batch.origin;
        origin.received_at.push(seen.received_at);
        origin.feed.push(seen.feed);
        origin.exporter.push(seen.exporter);
        let columns = &mut self.batch.columns;
        columns.start.set(row, seen.begins_at);
        columns.end.set(row, seen.ends_at);
        columns.octets.set(row, seen.total_octets);
        columns.packets.set(row, seen.total_packets);
        if let Some(client) = seen.client_addr {
            columns.src_addr.set(row, client);
        }
        if let Some(interface) = seen.in_interface {
            columns.in_interface.set(row, interface);
        }
        if let Some(interface) = seen.out_interface {
            columns.out_interface.set(row, interface);
        }
        let added = &mut self.batch.enrichment;
        added.accounting.push(seen.accounting);
        for (column, text) in [
            (&mut added.application, &seen.application),
            (&mut added.client_site, &seen.client_site),
            (&mut added.server_site, &seen.server_site),
            (&mut added.exporter_name, &seen.exporter_name),
            (&mut added.in_interface_name, &seen.in_interface_name),
            (&mut added.out_interface_name, &seen.out_interface_name),
        ] {
            if !text.is_empty() {
                column.set_text(row, text);
            }
        }
    }

    /// How many there are.
    pub(crate) fn rows(&self) -> usize {
        self.stored_at.len()
    }

    /// What is derived from them.
    pub(crate) fn rollups(&self) -> Rollups<'_> {
        Rollups::of(&self.batch, self.stored_at.iter().copied().enumerate())
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
