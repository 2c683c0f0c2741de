//! Batches by hand, and questions about them.

use std::net::IpAddr;

use flow::address::widen;
use flow::{Filter, FlowBatch, Timestamp};
use store::Store;
use store::question::{
    Dimension, Dimensions, Quantity, Scope, Series, Subject, Top, TopRow, Window,
};

/// 2026-03-01T10:00:00Z, a whole hour. Times in tests are seconds from here.
pub(crate) const T0_S: i64 = 1_772_359_200;

/// An instant, `seconds` from [`T0_S`].
pub(crate) fn at(seconds: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds of a test")]
    Timestamp::from_millis(T0_S * 1000 + (seconds * 1000.0) as i64)
}

/// A record: what most tests care for. Times in seconds from [`T0_S`].
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) received: f64,
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) source: &'static str,
    pub(crate) source_port: u16,
    pub(crate) destination: &'static str,
    pub(crate) destination_port: u16,
    pub(crate) protocol: u8,
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    pub(crate) reverse: Option<(u64, u64)>,
    /// TCP's control bits, and those of the reverse direction.
    pub(crate) flags: (Option<u16>, Option<u16>),
    pub(crate) sampling: Option<u32>,
    pub(crate) application: &'static str,
    pub(crate) sites: (&'static str, &'static str),
    pub(crate) exporter: &'static str,
    pub(crate) exporter_name: &'static str,
    pub(crate) interfaces: (Option<u32>, Option<u32>),
    pub(crate) src_is_client: bool,
    pub(crate) accounting: bool,
}

impl Default for Row {
    /// 1,000 octets and 10 packets in the second that follows [`T0_S`].
    fn default() -> Self {
        Self {
            received: 2.0,
            start: 0.0,
            end: 1.0,
            source: "10.1.0.1",
            source_port: 50_000,
            destination: "10.2.0.1",
            destination_port: 443,
            protocol: 6,
            octets: 1000,
            packets: 10,
            reverse: None,
            flags: (None, None),
            sampling: None,
            application: "web",
            sites: ("berlin", "paris"),
            exporter: "192.0.2.1",
            exporter_name: "core-1",
            interfaces: (Some(1), Some(2)),
            src_is_client: true,
            accounting: true,
        }
    }
}

fn address(text: &str) -> std::net::Ipv6Addr {
    widen(text.parse::<IpAddr>().unwrap())
}

/// The rows as the normaliser would hand them over.
pub(crate) fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::default();
    for (number, row) in rows.iter().enumerate() {
        put_origin(&mut batch, number, row);
        put_columns(&mut batch, number, row);
        let added = &mut batch.enrichment;
        added.src_is_client.push(u8::from(row.src_is_client));
        added.accounting.push(u8::from(row.accounting));
        for (column, text) in [
            (&mut added.application, row.application),
            (&mut added.client_site, row.sites.0),
            (&mut added.server_site, row.sites.1),
            (&mut added.exporter_name, row.exporter_name),
        ] {
            if !text.is_empty() {
                column.set_text(number, text);
            }
        }
    }
    batch.pad();
    batch
}

fn put_origin(batch: &mut FlowBatch, number: usize, row: &Row) {
    let origin = &mut batch.origin;
    origin.received_at.push(at(row.received).nanos());
    origin.tape_segment.push(1);
    origin
        .tape_offset
        .push(u32::try_from(number * 100).unwrap());
    origin.record_offset.push(24);
    origin.feed.push(0);
    origin.exporter.push(address(row.exporter));
    origin.domain.push(0);
    origin.version.push(9);
    origin.template.push(256);
}

fn put_columns(batch: &mut FlowBatch, number: usize, row: &Row) {
    let columns = &mut batch.columns;
    columns.start.set(number, at(row.start).nanos());
    columns.end.set(number, at(row.end).nanos());
    columns.src_addr.set(number, address(row.source));
    columns.dst_addr.set(number, address(row.destination));
    columns.src_port.set(number, row.source_port);
    columns.dst_port.set(number, row.destination_port);
    columns.protocol.set(number, row.protocol);
    columns.octets.set(number, row.octets);
    columns.packets.set(number, row.packets);
    if let Some((octets, packets)) = row.reverse {
        columns.reverse_octets.set(number, octets);
        columns.reverse_packets.set(number, packets);
    }
    if let Some(bits) = row.flags.0 {
        columns.tcp_flags.set(number, bits);
    }
    if let Some(bits) = row.flags.1 {
        columns.reverse_tcp_flags.set(number, bits);
    }
    if let Some(interval) = row.sampling {
        columns.sampling_interval.set(number, interval);
    }
    if let Some(index) = row.interfaces.0 {
        columns.in_interface.set(number, index);
    }
    if let Some(index) = row.interfaces.1 {
        columns.out_interface.set(number, index);
    }
}

/// Inserts rows under a token of their own.
pub(crate) async fn insert(store: &Store, token: &str, rows: &[Row]) {
    let stored_at = flow::clock::now();
    let refused = store
        .writer("here")
        .insert(&batch(rows), token, stored_at)
        .await
        .unwrap();
    assert_eq!(refused.rows, 0);
}

/// Everything in a window, in seconds from [`T0_S`].
pub(crate) fn subject(from: f64, to: f64, filter: &str) -> Subject {
    Subject {
        window: Window {
            from: at(from),
            to: at(to),
        },
        filter: Filter::parse(filter).unwrap(),
        known_at: None,
        arrived: None,
        scope: Scope::default(),
    }
}

/// The groups by octets, as (name, octets, packets, flows, clients).
pub(crate) async fn top(
    store: &Store,
    dimension: impl Into<Dimensions>,
    subject: Subject,
) -> Vec<(String, u64, u64, u64, u64)> {
    let question = Top {
        subject,
        dimension: dimension.into(),
        by: Quantity::Octets,
        limit: 100,
    };
    store
        .top(&question)
        .await
        .unwrap()
        .into_iter()
        .map(plain)
        .collect()
}

fn plain(row: TopRow) -> (String, u64, u64, u64, u64) {
    (row.name, row.octets, row.packets, row.flows, row.clients)
}

/// An expected group.
pub(crate) fn group(
    name: &str,
    octets: u64,
    packets: u64,
    flows: u64,
    clients: u64,
) -> (String, u64, u64, u64, u64) {
    (name.to_owned(), octets, packets, flows, clients)
}

/// One line of everything, or lines of a dimension.
pub(crate) fn series(
    dimension: Option<Dimension>,
    by: Quantity,
    subject: Subject,
    step_s: u64,
) -> Series {
    Series {
        subject,
        dimension: dimension.map(Into::into),
        by,
        limit: 2,
        step: Some(std::time::Duration::from_secs(step_s)),
        previous: false,
    }
}
