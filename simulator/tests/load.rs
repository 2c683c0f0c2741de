//! Loads, as an independent decoder hears them.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod oracle;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};
use oracle::Oracle;
use simulator::load::{Load, LoadConfig, LoadShape};

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
        let mut load = Load::new(LoadConfig::new(*shape, AT));
        let mut oracle = Oracle::default();
        if let Some(template) = load.template() {
            oracle.listen(&datagram(&template));
        }
        for _ in 0..50 {
            let payload = datagram(load.next_payload());
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
            (load.records_per_datagram(), load.next_payload().len()),
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
        load.template();
        for wanted in expected {
            let payload = load.next_payload();
            assert_eq!(payload[at..at + 4], u32::to_be_bytes(wanted), "{shape:?}");
        }
    }
}
