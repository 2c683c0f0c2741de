//! What the rollups get of a batch: sums by bucket of event time and group, made here in one pass, so that the engine has
//! some hundred rows to store instead of reading every flow four times over.
//!
//! The rule by which a flow is cut is in `schema/README.md`; `select` has it as SQL, for windows that begin within a bucket.
//!
//! | file | holds |
//! |---|---|
//! | `cells` | octets, packets, flows and clients of one family, by bucket and group |
//! | `blocks` | what was made as blocks of the engine |

mod blocks;
mod cells;

use std::net::Ipv6Addr;

use flow::batch::CounterKind;
use flow::column::Symbol;
use flow::{FlowBatch, Timestamp};

use crate::block::{life, side};
use crate::plan::{ARRIVAL, HOUR_S, Tier};
pub(crate) use blocks::{SumBlock, parts};
use cells::Family;
pub(crate) use cells::{Life, Numbers};

const DAY_S: i64 = 86_400;

/// A row of the rollups of traffic without its bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Traffic {
    feed: u32,
    day: u16,
    application: Symbol,
    client_site: Symbol,
    server_site: Symbol,
}

/// A row of the rollups of interfaces without its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Interfaces {
    feed: u32,
    day: u16,
    exporter: u128,
    exporter_name: Symbol,
    in_interface: Option<u32>,
    in_interface_name: Symbol,
    out_interface: Option<u32>,
    out_interface_name: Symbol,
}

/// A part of what is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    All,
    /// Buckets of the hour that begins at this second.
    Hour(i64),
    /// What goes by the time of arrival: `extents` and `long_flows`.
    Arrival,
}

/// Which event times came in five minutes of arrival.
#[derive(Clone, Copy, Debug)]
struct Extent {
    arrival_s: i64,
    flows: u64,
    first: i64,
    last: i64,
    stored_at: u32,
}

/// Everything that is derived from some rows of a batch.
#[derive(Debug)]
pub(crate) struct Rollups<'b> {
    batch: &'b FlowBatch,
    traffic: Family<Traffic>,
    interfaces: Family<Interfaces>,
    /// As numbers: the hash of an IPv4 address's octets at the end of sixteen leaves out the last of them.
    clients: Numbers<u128>,
    /// Starts of `extents`, in seconds.
    arrivals: Numbers<i64>,
    extents: Vec<Extent>,
    /// Rows that live too long for the buckets of ten seconds, with when they were stored.
    long: Vec<(u32, u32)>,
}

impl<'b> Rollups<'b> {
    /// Of these rows, each with when it was or is stored, seconds since 1970.
    pub(crate) fn of(batch: &'b FlowBatch, rows: impl Iterator<Item = (usize, u32)>) -> Self {
        let mut made = Self {
            batch,
            traffic: Family::default(),
            interfaces: Family::default(),
            clients: Numbers::default(),
            arrivals: Numbers::default(),
            extents: Vec::new(),
            long: Vec::new(),
        };
        for (row, stored_at) in rows {
            made.add(row, stored_at);
        }
        made.traffic.sum_up();
        made.interfaces.sum_up();
        made
    }

    fn add(&mut self, row: usize, stored_at: u32) {
        let batch = self.batch;
        let life = lived(batch, row, stored_at);
        self.extend(row, &life);
        if life.last - life.first > Tier::TenSeconds.life_ns_max()
            && let Ok(row) = u32::try_from(row)
        {
            self.long.push((row, stored_at));
        }
        let columns = &batch.columns;
        let client = side(
            &batch.enrichment,
            row,
            [&columns.src_addr, &columns.dst_addr],
        );
        let client = client.map(|client| self.clients.of(client.to_bits()));
        if batch.enrichment.accounting.get(row) != Some(&0) {
            self.traffic.add(traffic(batch, row), &life, client);
        }
        self.interfaces.add(interfaces(batch, row), &life, client);
    }

    fn extend(&mut self, row: usize, life: &Life) {
        let arrival_s = received_at(self.batch, row).floor(ARRIVAL).seconds();
        let place = self.arrivals.of(arrival_s) as usize;
        if place == self.extents.len() {
            self.extents.push(Extent {
                arrival_s,
                flows: 0,
                first: life.first,
                last: life.last,
                stored_at: life.stored_at,
            });
        }
        let extent = &mut self.extents[place];
        extent.flows += 1;
        extent.first = extent.first.min(life.first);
        extent.last = extent.last.max(life.last);
        extent.stored_at = extent.stored_at.max(life.stored_at);
    }

    /// Keeps what is to be made anew.
    pub(crate) fn only(mut self, wanted: Wanted) -> Self {
        if wanted == Wanted::All {
            return self;
        }
        let within = |bucket_s: i64| match wanted {
            Wanted::All => true,
            Wanted::Hour(hour_s) => (hour_s..hour_s + HOUR_S).contains(&bucket_s),
            Wanted::Arrival => false,
        };
        self.traffic.retain(within);
        self.interfaces.retain(within);
        if wanted != Wanted::Arrival {
            self.extents.clear();
            self.long.clear();
        }
        self
    }
}

fn received_at(batch: &FlowBatch, row: usize) -> Timestamp {
    Timestamp::from_nanos(batch.origin.received_at.get(row).copied().unwrap_or(0))
}

/// A day as the engine's `Date`: days since 1970.
fn days(seconds: i64) -> u16 {
    u16::try_from(seconds.div_euclid(DAY_S).max(0)).unwrap_or(u16::MAX)
}

/// The day of arrival.
fn day(batch: &FlowBatch, row: usize) -> u16 {
    days(received_at(batch, row).seconds())
}

/// What answers add up, as the computed columns `total_octets` and `total_packets` of `flows`: both directions of the record,
/// times the sampling interval where one is known; nothing of counters that cannot be true.
pub(crate) fn lived(batch: &FlowBatch, row: usize, stored_at: u32) -> Life {
    let columns = &batch.columns;
    let (first, last) = life(batch, row);
    let factor = match columns.counter_kind.get(row) {
        Some(kind) if kind == CounterKind::Implausible as u8 => 0,
        _ => u64::from(columns.sampling_interval.get(row).unwrap_or(1).max(1)),
    };
    let total = |forward: Option<u64>, reverse: Option<u64>| {
        let both = forward.unwrap_or(0).wrapping_add(reverse.unwrap_or(0));
        both.wrapping_mul(factor)
    };
    Life {
        first,
        last,
        octets: total(columns.octets.get(row), columns.reverse_octets.get(row)),
        packets: total(columns.packets.get(row), columns.reverse_packets.get(row)),
        stored_at,
    }
}

fn traffic(batch: &FlowBatch, row: usize) -> Traffic {
    let added = &batch.enrichment;
    let symbol = |column: &flow::column::TextColumn| column.rows().get(row).copied();
    Traffic {
        feed: batch.origin.feed.get(row).copied().unwrap_or(0),
        day: day(batch, row),
        application: symbol(&added.application).unwrap_or_default(),
        client_site: symbol(&added.client_site).unwrap_or_default(),
        server_site: symbol(&added.server_site).unwrap_or_default(),
    }
}

fn interfaces(batch: &FlowBatch, row: usize) -> Interfaces {
    let (added, columns) = (&batch.enrichment, &batch.columns);
    let symbol = |column: &flow::column::TextColumn| column.rows().get(row).copied();
    let exporter = batch.origin.exporter.get(row).copied();
    Interfaces {
        feed: batch.origin.feed.get(row).copied().unwrap_or(0),
        day: day(batch, row),
        exporter: exporter.unwrap_or(Ipv6Addr::UNSPECIFIED).to_bits(),
        exporter_name: symbol(&added.exporter_name).unwrap_or_default(),
        in_interface: columns.in_interface.get(row),
        in_interface_name: symbol(&added.in_interface_name).unwrap_or_default(),
        out_interface: columns.out_interface.get(row),
        out_interface_name: symbol(&added.out_interface_name).unwrap_or_default(),
    }
}
