//! Case 41: what else comes to the port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use collector::decode::Problem;
use flow::{Datagram, DropKind, FlowBatch};
use simulator::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};
use tracing::span;

use crate::support::{decoder, position};
use crate::suspect::{tried, tried_all};
use crate::wire::{EXPORT_S, FIELDS, datagram, from, ipfix, record, set, template};

fn protocols(tried: &crate::suspect::Tried) -> Vec<String> {
    tried.told().into_iter().map(|told| told.protocol).collect()
}

#[test]
fn case_41_other_traffic_on_the_port_is_told_apart() {
    let mut sflow = vec![0, 0, 0, 5];
    sflow.resize(100, 0);
    let mut v8 = vec![0, 8];
    v8.resize(100, 0);
    let tried = tried(vec![
        vec![],
        vec![0],
        b"GET / HTTP/1.1".to_vec(),
        // A handshake of TLS, a question for a name.
        vec![0x16, 3, 1, 2, 0],
        vec![0x12, 0x34, 1, 0, 0, 1, 0, 0],
        vec![0, 11, 0, 1],
        sflow,
        v8,
    ]);
    assert!(tried.rows.is_empty());
    assert_eq!(tried.dropped(DropKind::NotFlowExport), 6);
    assert_eq!(tried.dropped(DropKind::Unsupported), 2);
    assert_eq!(protocols(&tried), ["NetFlow v8", "sFlow v5"]);
}

#[test]
fn case_41_v1_and_v7_are_decoded() {
    let header = FixedHeader {
        uptime_ms: 1_000_000,
        unix_seconds: EXPORT_S,
        ..FixedHeader::default()
    };
    for version in [FixedVersion::V1, FixedVersion::V7] {
        let records: Vec<_> = (1..=3)
            .map(|n| FixedRecord {
                octets: 1_000 * n,
                packets: n,
                ..FixedRecord::default()
            })
            .collect();
        let packet = fixed::datagram(version, header, &records);
        let tried = tried(vec![packet.to_vec()]);
        assert_eq!(tried.octets(), [1_000, 2_000, 3_000], "{version:?}");
    }
}

#[test]
fn case_41_messages_of_a_stream_in_one_datagram_give_the_first() {
    // What a tunnel makes of IPFIX over TCP: two messages after each other.
    let sets = [set(2, &template(256, FIELDS)), set(256, &record(1, 100))];
    let both = [ipfix(0, 1, &sets), ipfix(1, 1, &sets[1..])].concat();
    let tried = tried(vec![both]);
    assert_eq!(
        (tried.octets(), tried.problems()),
        (vec![100], vec![("length_long", 1)])
    );
}

#[test]
fn case_41_a_header_that_is_cut_is_malformed() {
    for version in [1, 5, 7, 9, 10] {
        for octets in 4..16 {
            let mut packet = vec![0, version, 0, 1];
            packet.resize(octets, 0);
            let tried = tried(vec![packet]);
            assert_eq!(tried.dropped(DropKind::Malformed), 1, "{version}: {octets}");
            assert_eq!(tried.met(Problem::HeaderShort), 1);
        }
    }
}

#[test]
fn case_41_the_largest_datagram_of_anything_is_classified() {
    for first in 0..=11_u8 {
        for fill in [0, 1, 0xff] {
            let mut packet = vec![fill; 65_507];
            packet[..4].copy_from_slice(&[0, first, 0xff, 0xe3]);
            // Rows or not: that it balances and spoils nothing is asserted where it is tried.
            let tried = tried(vec![packet]);
            assert_eq!(tried.decoder.books().seen, 2);
        }
    }
    let mut larger = Datagram {
        payload: Bytes::from(vec![0; 65_536]),
        ..datagram(vec![])
    };
    assert_eq!(
        tried_all(std::slice::from_ref(&larger)).dropped(DropKind::NotFlowExport),
        1
    );
    larger.payload = Bytes::from([vec![0, 5], vec![0; 65_534]].concat());
    assert_eq!(tried_all(&[larger]).dropped(DropKind::NotFlowExport), 1);
}

/// Octets without a pattern, the same each time (Marsaglia's xorshift).
fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..octets)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

#[test]
fn case_41_random_octets_under_every_header_are_accounted() {
    let packets = (0..3_000_usize).map(|number| {
        let mut packet = noise(number as u64, number % 300);
        // Every other one looks like what it is not.
        if number % 2 == 0 && packet.len() >= 4 {
            packet[0] = 0;
            packet[1] = [1, 5, 7, 8, 9, 10][number / 2 % 6];
            let length = u16::try_from(packet.len()).unwrap();
            if packet[1] == 10 && number % 3 > 0 {
                packet[2..4].copy_from_slice(&length.to_be_bytes());
            }
        }
        packet
    });
    let tried = tried(packets.collect());
    assert_eq!(tried.decoder.books().seen, 6_000);
    assert!(tried.dropped(DropKind::NotFlowExport) >= 1_500 - 8);
}

/// Counts what is logged.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU64>);

impl tracing::Subscriber for Counting {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn case_41_a_flood_of_nonsense_writes_no_log() {
    let lines = Counting::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let (mut decoder, mut batch) = (decoder(), FlowBatch::default());
        for number in 0..5_000_usize {
            let source = format!("192.0.2.{}:1", 1 + number % 8);
            let mut packet = noise(number as u64, 60);
            packet[..2].copy_from_slice(&[0, [5, 9, 10, 77][number % 4]]);
            decoder.decode(&from(&source, packet), position(number), &mut batch);
        }
        assert!(decoder.problems().iter().count() > 3);
    });
    // Counters tell it, for each exporter; at most a line a minute each would be allowed.
    assert!(lines.0.load(Ordering::Relaxed) <= 8);
}
