//! Absolute times: what a record says is when the packet passed, by that exporter's clock.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod oracle;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use flow::{Datagram, Timestamp};
use oracle::{Heard, Oracle};
use simulator::enterprise::{Config, ConversationTruth, Direction, Enterprise};

const START: Timestamp = Timestamp::from_seconds(1_760_000_000);

fn word(datagram: &Datagram, at: usize) -> i64 {
    let octets: [u8; 4] = datagram.payload[at..at + 4].try_into().unwrap();
    u32::from_be_bytes(octets).into()
}

/// When the first packet to the server passed the given exporter.
fn first_passed(one: &ConversationTruth, exporter: IpAddr) -> Option<i64> {
    let place = one
        .exporters
        .iter()
        .position(|address| *address == exporter)?;
    let to_server = one.passed[place]
        .iter()
        .filter(|(way, _)| *way == Direction::ToServer);
    to_server.map(|(_, train)| train.at).min()
}

/// Compares each conversation's first record with its truth; returns how many were compared.
///
/// `offset_ms` and `skew_ppm` are the exporter's, `unix` turns header and stamp into nanoseconds of its time of day.
fn compare(
    host: u8,
    clock: (i64, i64),
    tolerance: i64,
    unix: impl Fn(&Datagram, &Heard) -> i64,
) -> usize {
    let exporter = IpAddr::from([10, 250, 0, host]);
    let mut enterprise = Enterprise::new(Config {
        users: 80,
        keep_conversations: true,
        ..Config::new(3, START)
    });
    let mut datagrams = Vec::new();
    enterprise.advance(START + Duration::from_secs(120), &mut |one| {
        datagrams.push(one)
    });
    enterprise.finish(&mut |one| datagrams.push(one));
    let mut oracle = Oracle::default();
    let mut said: HashMap<_, i64> = HashMap::new();
    for datagram in datagrams.iter().filter(|one| one.source.ip() == exporter) {
        let before = oracle.heard.get(&exporter).map_or(0, Vec::len);
        oracle.listen(datagram);
        for heard in &oracle.heard[&exporter][before..] {
            let key = (heard.src, heard.dst, heard.src_port, heard.dst_port);
            said.entry(key).or_insert_with(|| unix(datagram, heard));
        }
    }
    let mut compared = 0;
    for one in enterprise
        .conversations()
        .iter()
        .filter(|one| one.protocol == 6)
    {
        let ports = (one.client_port.into(), one.server_port.into());
        let key = (Some(one.client), Some(one.server), ports.0, ports.1);
        if let (Some(truth), Some(said)) = (first_passed(one, exporter), said.get(&key)) {
            let drift = (truth - START.nanos()) / 1_000_000 * clock.1;
            let expected = truth + clock.0 * 1_000_000 + drift;
            assert!(
                (expected - said).abs() <= tolerance,
                "{one:?}: {said} is not {expected}"
            );
            compared += 1;
        }
    }
    compared
}

#[test]
fn nanoseconds() {
    let compared = compare(10, (2, 0), 1, |_, heard| {
        // NTP's epoch is 1900.
        i64::try_from(heard.first - 2_208_988_800_000_000_000).unwrap()
    });
    assert!(compared > 5, "{compared}");
}

/// RFC 7011 §4.1 has the export time at octet 4; the element counts back from it.
#[test]
fn microseconds_before_the_export() {
    let compared = compare(8, (-9, 7), 1_000, |datagram, heard| {
        word(datagram, 4) * 1_000_000_000 - i64::try_from(heard.first).unwrap() * 1000
    });
    assert!(compared > 20, "{compared}");
}

#[test]
fn milliseconds() {
    let compared = compare(7, (12, 5), 1_000_000, |_, heard| {
        i64::try_from(heard.first).unwrap() * 1_000_000
    });
    assert!(compared > 20, "{compared}");
}

/// v5 says seconds and nanoseconds, so its stamps are exact to the millisecond.
#[test]
fn uptime_of_v5() {
    let compared = compare(2, (-2_300, -25), 1_000_000, |datagram, heard| {
        let header = word(datagram, 8) * 1_000_000_000 + word(datagram, 12);
        header - (word(datagram, 4) - i64::try_from(heard.first).unwrap()) * 1_000_000
    });
    assert!(compared > 50, "{compared}");
}

/// v9 says whole seconds: the header's error is up to one.
#[test]
fn uptime_of_v9() {
    let compared = compare(5, (4, 0), 1_001_000_000, |datagram, heard| {
        let header = word(datagram, 8) * 1_000_000_000;
        header - (word(datagram, 4) - i64::try_from(heard.first).unwrap()) * 1_000_000
    });
    assert!(compared > 50, "{compared}");
}
