//! How fast datagrams are decoded, beside `netflow_parser` on the same octets.
//!
//! `cargo run --release -p collector --example decode_speed`, with `-- --alone` without the other.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench for people"
)]

use std::hint::black_box;
use std::net::SocketAddr;

use bytes::Bytes;
use collector::decode::{DecodeConfig, Decoder};
use collector::fields::FieldTable;
use flow::clock::Stopwatch;
use flow::{Datagram, Feed, FlowBatch, TapePosition, Timestamp};
use netflow_parser::NetflowParser;

/// Twenty fields that switches send, 59 octets a record.
const FIELDS: &[(u16, u16)] = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 4),
    (14, 4),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (6, 1),
    (4, 1),
    (5, 1),
    (61, 1),
    (16, 4),
    (17, 4),
    (9, 1),
    (13, 1),
    (136, 1),
];
const UPTIME_MS: u32 = 10_000_000;
const EXPORT_S: u32 = 1_700_000_000;
/// Rows after which a batch is handed on: as the product does, and so few that they stay in the processor's own cache.
const BATCH_ROWS: [usize; 2] = [100_000, 4_000];

fn main() {
    let v9_records = 1_400 / record_length();
    // Ours alone, for a profile.
    let alone = std::env::args().any(|argument| argument == "--alone");
    for (name, head, datagrams, per_datagram) in [
        ("v5, 30 records", None, many(v5_packet), 30),
        (
            "v9, 20 fields",
            Some(v9_packet(0, true)),
            many(|n| v9_packet(n, false)),
            v9_records,
        ),
        (
            "IPFIX, 20 fields",
            Some(ipfix_packet(0, true)),
            many(|n| ipfix_packet(n, false)),
            v9_records,
        ),
    ] {
        let [mine, near] = BATCH_ROWS.map(|batch_rows| {
            let mut ours = Ours::new(head.clone(), batch_rows);
            rate(per_datagram, &datagrams, 300, |payload| {
                ours.decode(payload)
            })
        });
        print!(
            "{name:>18}: {:>6.2} M records/s, {:>6.2} in small batches",
            mine / 1e6,
            near / 1e6
        );
        if !alone {
            let theirs = rate(per_datagram, &datagrams, 20, decode_theirs(head));
            print!(
                ", netflow_parser {:>6.2} M records/s, {:.1} times",
                theirs / 1e6,
                mine / theirs
            );
        }
        println!();
    }
}

fn many(packet: impl Fn(u32) -> Vec<u8>) -> Vec<Bytes> {
    (1..=500)
        .map(|sequence| Bytes::from(packet(sequence)))
        .collect()
}

/// Records per second in the best of `rounds` over all datagrams, of which the first warms up. The best, as others may use
/// the machine.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(
    per_datagram: usize,
    datagrams: &[Bytes],
    rounds: usize,
    mut decode: impl FnMut(&Bytes) -> usize,
) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let watch = Stopwatch::start();
        let records: usize = datagrams.iter().map(&mut decode).sum();
        best = best.min(watch.elapsed().as_secs_f64());
        assert_eq!(records, datagrams.len() * per_datagram);
    }
    (datagrams.len() * per_datagram) as f64 / best
}

/// Our decoder, and a batch that is handed on when it is full.
struct Ours {
    decoder: Decoder,
    batch: FlowBatch,
    batch_rows: usize,
    offset: u32,
    source: SocketAddr,
}

impl Ours {
    fn new(head: Option<Vec<u8>>, batch_rows: usize) -> Self {
        let mut ours = Self {
            decoder: Decoder::new(DecodeConfig::default(), FieldTable::builtin()),
            batch: FlowBatch::default(),
            batch_rows,
            offset: 0,
            source: "192.0.2.1:50000".parse().unwrap(),
        };
        if let Some(head) = head {
            ours.decode(&Bytes::from(head));
        }
        ours
    }

    fn decode(&mut self, payload: &Bytes) -> usize {
        let datagram = Datagram {
            received_at: Timestamp::from_seconds(i64::from(EXPORT_S)),
            source: self.source,
            local_port: 2055,
            feed: Feed::WIRE,
            payload: payload.clone(),
        };
        self.offset = self.offset.wrapping_add(1);
        if self.batch.rows() > self.batch_rows {
            black_box(&self.batch);
            self.batch.clear();
        }
        let before = self.batch.rows();
        let at = TapePosition {
            segment: 1,
            offset: self.offset,
        };
        self.decoder.decode(&datagram, at, &mut self.batch);
        self.batch.rows() - before
    }
}

fn decode_theirs(head: Option<Vec<u8>>) -> impl FnMut(&Bytes) -> usize {
    let mut parser = NetflowParser::default();
    if let Some(head) = head {
        drop(parser.parse_bytes(&head));
    }
    move |payload| {
        let result = black_box(parser.parse_bytes(payload));
        result.packets.iter().map(count).sum()
    }
}

fn count(packet: &netflow_parser::NetflowPacket) -> usize {
    use netflow_parser::NetflowPacket::{IPFix, V5, V7, V9};
    use netflow_parser::variable_versions::{ipfix, v9};
    match packet {
        V5(packet) => packet.flowsets.len(),
        V7(packet) => packet.flowsets.len(),
        V9(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                v9::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        IPFix(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                ipfix::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        _ => 0,
    }
}

fn record_length() -> usize {
    FIELDS.iter().map(|(_, length)| usize::from(*length)).sum()
}

fn be16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_be_bytes()
}

fn v5_packet(sequence: u32) -> Vec<u8> {
    let mut packet = vec![0, 5, 0, 30];
    for number in [UPTIME_MS, EXPORT_S, 0, sequence.wrapping_mul(30)] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend([0, 0, 0, 0]);
    for record in 0..30_u8 {
        packet.extend([10, 0, 0, record, 10, 0, 1, 1, 0, 0, 0, 0, 0, 3, 0, 4]);
        for number in [10, 1_000 + sequence, UPTIME_MS - 2_000, UPTIME_MS - 1_000] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend([
            0x9c, record, 0x00, 0x50, 0, 0x1b, 6, 0, 0xfd, 0xe8, 0xfd, 0xe9, 24, 16, 0, 0,
        ]);
    }
    packet
}

fn template_set(id: u16) -> Vec<u8> {
    let mut set = id.to_be_bytes().to_vec();
    set.extend(be16(8 + FIELDS.len() * 4));
    set.extend(256_u16.to_be_bytes());
    set.extend(be16(FIELDS.len()));
    for (field, length) in FIELDS {
        set.extend(field.to_be_bytes());
        set.extend(length.to_be_bytes());
    }
    set
}

fn data_set(sequence: u32) -> Vec<u8> {
    let records = 1_400 / record_length();
    let mut set = 256_u16.to_be_bytes().to_vec();
    set.extend(be16(4 + records * record_length()));
    for record in 0..records {
        for (field, length) in FIELDS {
            let value = match field {
                1 => 1_000 + sequence,
                2 => 10,
                21 => UPTIME_MS - 1_000,
                22 => UPTIME_MS - 2_000,
                4 => 6,
                7 => 40_000 + u32::try_from(record).unwrap(),
                11 => 443,
                _ => u32::try_from(record).unwrap(),
            };
            set.extend(&value.to_be_bytes()[4 - usize::from(*length)..]);
        }
    }
    set
}

fn v9_packet(sequence: u32, with_template: bool) -> Vec<u8> {
    let body = if with_template {
        template_set(0)
    } else {
        data_set(sequence)
    };
    let count = if with_template {
        1
    } else {
        1_400 / record_length()
    };
    let mut packet = vec![0, 9];
    packet.extend(be16(count));
    for number in [UPTIME_MS, EXPORT_S, sequence, 1] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(body);
    packet
}

fn ipfix_packet(sequence: u32, with_template: bool) -> Vec<u8> {
    let body = if with_template {
        template_set(2)
    } else {
        data_set(sequence)
    };
    let records = u32::try_from(1_400 / record_length()).unwrap();
    let mut packet = vec![0, 10];
    packet.extend(be16(16 + body.len()));
    for number in [EXPORT_S, sequence.saturating_sub(1) * records, 1] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(body);
    packet
}
