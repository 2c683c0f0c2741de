//! Loads, as an independent decoder hears them.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod oracle;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};
use oracle::Oracle;
use simulator::load::{Load, LoadConfig, LoadShape, Traffic};

const AT: Timestamp = Timestamp::from_seconds(1_760_000_000);

fn datagram(payload: &[u8]) -> Datagram {
    Datagram {
        received_at: AT,
        source: SocketAddr::from(([10, 0, 0, 1], 5000)),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::copy_from_slice(payload),
    }
}

#[test]
fn every_shape_is_decoded_in_full() {
    for shape in LoadShape::ALL {
        let mut load = Load::new(LoadConfig {
            traffic: Traffic::Random,
            addresses: 60_000,
            ..LoadConfig::new(*shape, AT)
        });
        let mut oracle = Oracle::default();
        if let Some(template) = load.template(AT) {
            oracle.listen(&datagram(&template));
        }
        for _ in 0..50 {
            let payload = datagram(load.next_payload(AT));
            assert!(payload.payload.len() <= 1472, "{shape:?}");
            oracle.listen(&payload);
        }
        assert_eq!((oracle.errors, oracle.without_template), (0, 0));
        let heard = &oracle.heard[&IpAddr::from([10, 0, 0, 1])];
        assert_eq!(heard.len(), 50 * load.records_per_datagram(), "{shape:?}");
        assert!(
            heard
                .iter()
                .all(|one| one.octets >= one.packets * 60 && one.packets > 0)
        );
        let sources: HashSet<_> = heard.iter().map(|one| one.src).collect();
        assert!(sources.len() > heard.len() * 9 / 10, "{shape:?}");
    }
}

/// 24 + 30 × 48; 20 + 4 + 22 × 64, no padding needed; 16 + 4 + 20 × 72.
#[test]
fn full_datagrams_are_full() {
    for (shape, records, octets) in [
        (LoadShape::V5Full, 30, 1464),
        (LoadShape::V9Full, 22, 1432),
        (LoadShape::IpfixFull, 20, 1460),
    ] {
        let mut load = Load::new(LoadConfig::new(shape, AT));
        assert_eq!(
            (load.records_per_datagram(), load.next_payload(AT).len()),
            (records, octets)
        );
    }
}

/// v5 and IPFIX count records; v9 counts datagrams, the template's too.
#[test]
fn sequence_numbers_go_on_when_the_datagrams_come_again() {
    for (shape, at, expected) in [
        (LoadShape::V5Full, 16, [0, 30, 60]),
        (LoadShape::V9Full, 12, [1, 2, 3]),
        (LoadShape::IpfixSingle, 8, [0, 1, 2]),
    ] {
        let config = LoadConfig {
            datagrams: 2,
            ..LoadConfig::new(shape, AT)
        };
        let mut load = Load::new(config);
        load.template(AT);
        for wanted in expected {
            let payload = load.next_payload(AT);
            assert_eq!(payload[at..at + 4], u32::to_be_bytes(wanted), "{shape:?}");
        }
    }
}

fn hear(load: &mut Load, oracle: &mut Oracle, datagrams: usize, at: Timestamp) {
    for _ in 0..datagrams {
        oracle.listen(&datagram(load.next_payload(at)));
    }
}

/// The second time round a minute later: the same conversations, from other ports, a minute later.
#[test]
fn what_comes_again_is_new() {
    for (shape, minute) in [
        (LoadShape::V5Full, 60_000),
        (LoadShape::V9Single, 60_000),
        (LoadShape::IpfixFull, 60_000),
    ] {
        let config = LoadConfig {
            datagrams: 7,
            ..LoadConfig::new(shape, AT)
        };
        let mut load = Load::new(config);
        let mut oracle = Oracle::default();
        if let Some(template) = load.template(AT) {
            oracle.listen(&datagram(&template));
        }
        hear(&mut load, &mut oracle, 7, AT);
        hear(&mut load, &mut oracle, 7, AT + Duration::from_secs(60));
        let heard = &oracle.heard[&IpAddr::from([10, 0, 0, 1])];
        let (first, second) = heard.split_at(heard.len() / 2);
        assert_eq!(first.len(), 7 * shape.records());
        for (one, again) in first.iter().zip(second) {
            assert_eq!(
                (one.src, one.dst, one.octets),
                (again.src, again.dst, again.octets)
            );
            assert_eq!(again.first - one.first, minute, "{shape:?}");
            let ports = [
                (one.src_port, again.src_port),
                (one.dst_port, again.dst_port),
            ];
            let moved = ports.iter().filter(|(one, again)| one != again).count();
            assert_eq!(moved, 1, "{shape:?}: the client's port");
        }
    }
}

/// 48 access ports and two uplinks; every request answered; the busiest client well above the mean.
#[test]
fn an_office_is_like_one() {
    let mut load = Load::new(LoadConfig::new(LoadShape::V5Full, AT));
    let mut oracle = Oracle::default();
    hear(&mut load, &mut oracle, 256, AT);
    let heard = &oracle.heard[&IpAddr::from([10, 0, 0, 1])];
    let interfaces: HashSet<_> = heard.iter().map(|one| one.in_interface).collect();
    assert_eq!(interfaces, (1..=50).collect());
    let mut of_client = HashMap::new();
    for pair in heard.chunks_exact(2) {
        let (request, answer) = (&pair[0], &pair[1]);
        assert_eq!(
            (request.src, request.src_port),
            (answer.dst, answer.dst_port)
        );
        assert_eq!(request.in_interface, answer.out_interface);
        *of_client.entry(request.src).or_insert(0) += 1;
    }
    let busiest = of_client.values().max().unwrap();
    assert!(
        of_client.len() > 600 && *busiest > 5 * 3840 / 750,
        "{busiest}"
    );
}
