//! Small traffic by chance: few values of each kind, so that rows in a scope and rows outside it have much in common.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rows::Row;

pub(super) const CLIENTS: [&str; 5] = [
    "10.1.0.1",
    "10.1.0.2",
    "10.1.1.1",
    "10.3.0.1",
    "2001:db8::1",
];
const SERVERS: [&str; 3] = ["10.2.0.1", "10.2.1.1", "2001:db8::2"];
/// Nobody named the first.
pub(super) const NAMES_OF_SITES: [&str; 4] = ["", "berlin", "paris", "rome"];
pub(super) const NAMES_OF_APPLICATIONS: [&str; 4] = ["", "web", "mail", "orders"];
/// Addresses and names; nobody named the last.
pub(super) const EXPORTERS: [(&str, &str); 4] = [
    ("192.0.2.1", "core-1"),
    ("192.0.2.2", "core-2"),
    ("192.0.2.3", "edge"),
    ("192.0.2.77", ""),
];
pub(super) const INTERFACES: [u32; 3] = [1, 2, 3];
/// Client ports count from here: they tell rows apart.
pub(super) const FIRST_PORT: u16 = 40_000;
/// Seconds of event time; long-lived flows reach beyond.
pub(super) const SECONDS: u32 = 7200;

/// Some tens of records of two hours.
pub(super) fn traffic() -> impl Strategy<Value = Vec<Row>> {
    vec(row(), 50..90).prop_map(|mut rows| {
        for (number, row) in rows.iter_mut().enumerate() {
            let port = FIRST_PORT + u16::try_from(number).unwrap();
            match row.src_is_client {
                true => row.source_port = port,
                false => row.destination_port = port,
            }
        }
        rows
    })
}

fn row() -> impl Strategy<Value = Row> {
    let who = (
        select(CLIENTS.to_vec()),
        select(SERVERS.to_vec()),
        any::<bool>(),
    );
    let names = (
        select(NAMES_OF_APPLICATIONS.to_vec()),
        select(NAMES_OF_SITES.to_vec()),
        select(NAMES_OF_SITES.to_vec()),
    );
    let interface = || option::weighted(0.8, select(INTERFACES.to_vec()));
    let seen_at = (select(EXPORTERS.to_vec()), interface(), interface());
    let service = select(vec![(443, 6), (53, 17), (80, 6)]);
    // At once, short, and longer than the buckets of ten seconds or of a minute take.
    let life = select(vec![0.0, 0.5, 7.0, 90.0, 900.0, 4000.0]);
    let times = (0..SECONDS * 10, life, 0_u32..400);
    let counts = (
        (1_u64..100_000, 1_u64..100),
        option::of((1_u64..100_000, 1_u64..100)),
        option::of(select(vec![1_u32, 10])),
        prop::bool::weighted(0.6),
    );
    (who, names, seen_at, service, times, counts).prop_map(
        |((client, server, src_is_client), names, seen_at, service, times, counts)| {
            let start = f64::from(times.0) / 10.0;
            let end = start + times.1;
            let (source, destination) = match src_is_client {
                true => (client, server),
                false => (server, client),
            };
            Row {
                received: end + f64::from(times.2),
                start,
                end,
                source,
                source_port: service.0,
                destination,
                destination_port: service.0,
                protocol: service.1,
                octets: counts.0.0,
                packets: counts.0.1,
                reverse: counts.1,
                sampling: counts.2,
                application: names.0,
                sites: (names.1, names.2),
                exporter: seen_at.0.0,
                exporter_name: seen_at.0.1,
                interfaces: (seen_at.1, seen_at.2),
                src_is_client,
                accounting: counts.3,
                flags: (None, None),
            }
        },
    )
}
