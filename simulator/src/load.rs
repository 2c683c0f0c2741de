//! Prebuilt datagrams for measuring speed: built once, then sent over and over with fresh sequence numbers.

use std::net::Ipv4Addr;

use bytes::Bytes;
use flow::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};
use crate::encode::{Field, Message, PAYLOAD_MAX, Protocol, Stamp, Template, Value, element as ie};

/// The datagrams of a load. Full ones are what busy exporters send; single ones are the worst case per record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadShape {
    /// v5, 30 records in each datagram.
    V5Full,
    /// v5, one record in each datagram.
    V5Single,
    /// v9 with 20 fields, as many records as fit.
    V9Full,
    /// v9 with 20 fields, one record in each datagram.
    V9Single,
    /// IPFIX with 20 fields, as many records as fit.
    IpfixFull,
    /// IPFIX with 20 fields, one record in each datagram.
    IpfixSingle,
}

impl LoadShape {
    /// All shapes.
    pub const ALL: &'static [Self] = &[
        Self::V5Full,
        Self::V5Single,
        Self::V9Full,
        Self::V9Single,
        Self::IpfixFull,
        Self::IpfixSingle,
    ];

    /// A name for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V5Full => "v5 x 30",
            Self::V5Single => "v5 x 1",
            Self::V9Full => "v9 20 fields, full",
            Self::V9Single => "v9 20 fields, single",
            Self::IpfixFull => "ipfix 20 fields, full",
            Self::IpfixSingle => "ipfix 20 fields, single",
        }
    }

    const fn protocol(self) -> Option<Protocol> {
        match self {
            Self::V5Full | Self::V5Single => None,
            Self::V9Full | Self::V9Single => Some(Protocol::V9),
            Self::IpfixFull | Self::IpfixSingle => Some(Protocol::Ipfix),
        }
    }

    const fn is_single(self) -> bool {
        matches!(self, Self::V5Single | Self::V9Single | Self::IpfixSingle)
    }

    /// Flow records in each datagram.
    pub fn records(self) -> usize {
        match self.protocol() {
            _ if self.is_single() => 1,
            None => FixedVersion::V5.records_max(),
            Some(protocol) => {
                // Header, Set header, and up to three octets of padding.
                let room = PAYLOAD_MAX - protocol.header_length() - 4 - 3;
                room / fields(protocol)
                    .iter()
                    .map(|field| usize::from(field.length))
                    .sum::<usize>()
            }
        }
    }

    /// Where in the header the sequence number stands.
    const fn sequence_at(self) -> usize {
        match self.protocol() {
            None => 16,
            Some(Protocol::V9) => 12,
            Some(Protocol::Ipfix) => 8,
        }
    }
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct LoadConfig {
    /// The kind of datagram.
    pub shape: LoadShape,
    /// Different datagrams to build before they come again.
    pub datagrams: usize,
    /// Different client addresses, and a tenth as many servers.
    pub addresses: u32,
    /// Observation domain; v5's engine id.
    pub domain: u32,
    /// The exporter's time of day in all headers; flows end shortly before.
    pub at: Timestamp,
    /// Same seed, same octets.
    pub seed: u64,
}

impl LoadConfig {
    /// A thousand different datagrams of 60,000 clients.
    pub fn new(shape: LoadShape, at: Timestamp) -> Self {
        Self {
            shape,
            datagrams: 1000,
            addresses: 60_000,
            domain: 0,
            at,
            seed: 1,
        }
    }
}

/// A load that never ends.
#[derive(Clone, Debug)]
pub struct Load {
    shape: LoadShape,
    template: Option<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
    next: usize,
    sequence: u32,
}

impl Load {
    /// Builds all datagrams.
    pub fn new(config: LoadConfig) -> Self {
        let mut rng = SmallRng::seed_from_u64(config.seed);
        let shape = config.shape;
        let template = shape
            .protocol()
            .map(|protocol| template_payload(protocol, &config));
        let payload = |_| match shape.protocol() {
            None => fixed_payload(&config, &mut rng),
            Some(protocol) => template_data(protocol, &config, &mut rng),
        };
        Self {
            shape,
            template,
            payloads: (0..config.datagrams.max(1)).map(payload).collect(),
            next: 0,
            sequence: 0,
        }
    }

    /// The datagram with the template, to be sent first; `None` for v5. It counts in the sequence of v9.
    pub fn template(&mut self) -> Option<Bytes> {
        let mut payload = self.template.clone()?;
        put_sequence(&mut payload, self.shape, self.sequence);
        if self.shape.protocol() == Some(Protocol::V9) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        Some(payload.into())
    }

    /// The next datagram, with the sequence number that is due.
    pub fn next_payload(&mut self) -> &[u8] {
        let place = self.next;
        self.next = (self.next + 1) % self.payloads.len();
        let payload = &mut self.payloads[place];
        put_sequence(payload, self.shape, self.sequence);
        let step = match self.shape.protocol() {
            Some(Protocol::V9) => 1,
            _ => u32::try_from(self.shape.records()).unwrap_or(1),
        };
        self.sequence = self.sequence.wrapping_add(step);
        payload
    }

    /// Flow records in each datagram but the template's.
    pub fn records_per_datagram(&self) -> usize {
        self.shape.records()
    }
}

fn put_sequence(payload: &mut [u8], shape: LoadShape, sequence: u32) {
    let at = shape.sequence_at();
    payload[at..at + 4].copy_from_slice(&sequence.to_be_bytes());
}

const TEMPLATE: u16 = 256;

/// Twenty fields that routers send; 64 octets in v9, 72 in IPFIX.
fn fields(protocol: Protocol) -> [Field; 20] {
    let (start, end, length) = match protocol {
        Protocol::V9 => (ie::START_UPTIME, ie::END_UPTIME, 4),
        Protocol::Ipfix => (ie::START_MILLIS, ie::END_MILLIS, 8),
    };
    [
        (ie::SRC_V4, 4),
        (ie::DST_V4, 4),
        (ie::NEXT_HOP_V4, 4),
        (ie::IN_INTERFACE, 4),
        (ie::OUT_INTERFACE, 4),
        (ie::PACKETS, 8),
        (ie::OCTETS, 8),
        (start, length),
        (end, length),
        (ie::SRC_PORT, 2),
        (ie::DST_PORT, 2),
        (ie::TCP_FLAGS, 1),
        (ie::PROTOCOL, 1),
        (ie::TOS, 1),
        (ie::SRC_AS, 4),
        (ie::DST_AS, 4),
        (ie::SRC_MASK, 1),
        (ie::DST_MASK, 1),
        (ie::VLAN, 2),
        (ie::DIRECTION, 1),
    ]
    .map(|(id, length)| Field::iana(id, length))
}

/// Milliseconds of uptime in all headers.
const UPTIME_MS: u32 = 86_400_000;

/// One made-up flow.
fn record(config: &LoadConfig, rng: &mut SmallRng) -> FixedRecord {
    let client = rng.random_range(0..config.addresses.max(1));
    let server = rng.random_range(0..(config.addresses / 10).max(1));
    let packets = rng.random_range(1..200_u32);
    let last_ms = UPTIME_MS - rng.random_range(0..2000_u32);
    let ports = [80, 443, 443, 443, 53, 5432, 445, 8080];
    FixedRecord {
        src: Ipv4Addr::from_bits(0x0a00_0000 + client),
        dst: Ipv4Addr::from_bits(0xac10_0000 + server),
        next_hop: Ipv4Addr::new(10, 255, 0, 1),
        in_interface: rng.random_range(1..48),
        out_interface: rng.random_range(1..48),
        packets,
        octets: packets * rng.random_range(60..1500),
        first_ms: last_ms - rng.random_range(0..60_000),
        last_ms,
        src_port: rng.random_range(32_768..61_000),
        dst_port: ports[rng.random_range(0..ports.len())],
        tcp_flags: 0x1b,
        protocol: 6,
        tos: 0,
        src_as: 64_512,
        dst_as: 64_513,
        src_mask: 24,
        dst_mask: 24,
        ..FixedRecord::default()
    }
}

fn unix_seconds(config: &LoadConfig) -> u32 {
    u32::try_from(config.at.seconds()).unwrap_or(u32::MAX)
}

fn fixed_payload(config: &LoadConfig, rng: &mut SmallRng) -> Vec<u8> {
    let records: Vec<FixedRecord> = (0..config.shape.records())
        .map(|_| record(config, rng))
        .collect();
    let header = FixedHeader {
        uptime_ms: UPTIME_MS,
        unix_seconds: unix_seconds(config),
        engine_id: u8::try_from(config.domain & 0xff).unwrap_or(0),
        ..FixedHeader::default()
    };
    fixed::datagram(FixedVersion::V5, header, &records).to_vec()
}

fn stamp(config: &LoadConfig) -> Stamp {
    Stamp {
        unix_seconds: unix_seconds(config),
        uptime_ms: UPTIME_MS,
        sequence: 0,
    }
}

fn template_payload(protocol: Protocol, config: &LoadConfig) -> Vec<u8> {
    let mut message = Message::new(protocol, config.domain);
    message.template(&Template::data(TEMPLATE, fields(protocol)));
    message.finish(stamp(config)).to_vec()
}

fn template_data(protocol: Protocol, config: &LoadConfig, rng: &mut SmallRng) -> Vec<u8> {
    let template = Template::data(TEMPLATE, fields(protocol));
    let mut message = Message::new(protocol, config.domain);
    for _ in 0..config.shape.records() {
        let flow = record(config, rng);
        message.record(&template, &values(protocol, config, &flow));
    }
    message.finish(stamp(config)).to_vec()
}

fn values(protocol: Protocol, config: &LoadConfig, flow: &FixedRecord) -> [Value<'static>; 20] {
    let time = |uptime: u32| match protocol {
        Protocol::V9 => Value::from(uptime),
        Protocol::Ipfix => {
            let millis = i64::from(unix_seconds(config)) * 1000 - i64::from(UPTIME_MS - uptime);
            Value::Unsigned(millis.unsigned_abs())
        }
    };
    [
        flow.src.into(),
        flow.dst.into(),
        flow.next_hop.into(),
        flow.in_interface.into(),
        flow.out_interface.into(),
        flow.packets.into(),
        flow.octets.into(),
        time(flow.first_ms),
        time(flow.last_ms),
        flow.src_port.into(),
        flow.dst_port.into(),
        flow.tcp_flags.into(),
        flow.protocol.into(),
        flow.tos.into(),
        flow.src_as.into(),
        flow.dst_as.into(),
        flow.src_mask.into(),
        flow.dst_mask.into(),
        110_u8.into(),
        0_u8.into(),
    ]
}
