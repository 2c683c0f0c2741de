//! Prebuilt datagrams for measuring speed: built once, then sent over and over, each time as if they were new: with the next
//! sequence number, at a later time, and from other ports of the clients.

mod shape;
mod traffic;

pub use shape::LoadShape;
pub use traffic::Traffic;

use bytes::Bytes;
use flow::Timestamp;
use flow::clock::NANOS_PER_MILLI;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};
use crate::encode::{Message, Protocol, Stamp, Template, Value};
use shape::{Layout, fields};
use traffic::{CLIENT_PORTS, Talk};

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct LoadConfig {
    /// The kind of datagram.
    pub shape: LoadShape,
    /// What the flows in them are like.
    pub traffic: Traffic,
    /// Different datagrams to build before they come again.
    pub datagrams: usize,
    /// Different client addresses, at most 4096 of one exporter in an office.
    pub addresses: u32,
    /// Observation domain; v5's engine id. Exporters of an office have different clients in each.
    pub domain: u32,
    /// The exporter's time of day when the load begins.
    pub at: Timestamp,
    /// Same seed, same octets.
    pub seed: u64,
}

impl LoadConfig {
    /// One exporter of an office: 256 different datagrams, 750 clients.
    pub fn new(shape: LoadShape, at: Timestamp) -> Self {
        Self {
            shape,
            traffic: Traffic::Office,
            datagrams: 256,
            addresses: 750,
            domain: 0,
            at,
            seed: 1,
        }
    }
}

/// Milliseconds of uptime when the load begins.
const UPTIME_MS: u32 = 86_400_000;
/// How far a client's port moves each time that its flow is sent: with the range's length it has no common factor, so all
/// ports come before one comes again.
const PORT_STEP: u16 = 7919;
const TEMPLATE: u16 = 256;

/// A load that never ends: what one exporter sends.
#[derive(Clone, Debug)]
pub struct Load {
    shape: LoadShape,
    layout: Layout,
    begin: Timestamp,
    template: Option<Vec<u8>>,
    /// All datagrams, one behind the other, and the octets of each.
    pool: Vec<u8>,
    octets: usize,
    /// The uptime that each datagram says.
    uptimes_ms: Vec<u32>,
    next: usize,
    sequence: u32,
}

impl Load {
    /// Builds all datagrams.
    pub fn new(config: LoadConfig) -> Self {
        let mut rng = SmallRng::seed_from_u64(config.seed ^ (u64::from(config.domain) << 32));
        let shape = config.shape;
        let mut talk = Talk::new(config);
        let count = config.datagrams.max(1);
        let mut pool = Vec::new();
        for _ in 0..count {
            let records = (0..shape.records()).map(|_| talk.next(&mut rng)).collect();
            pool.extend(payload(&config, records));
        }
        Self {
            shape,
            layout: shape.layout(),
            begin: config.at,
            template: shape.protocol().map(|protocol| template(protocol, &config)),
            octets: pool.len() / count,
            pool,
            uptimes_ms: vec![UPTIME_MS; count],
            next: 0,
            sequence: 0,
        }
    }

    /// The datagram with the template, to be sent first and now and then; `None` for v5. It counts in the sequence of v9.
    pub fn template(&mut self, at: Timestamp) -> Option<Bytes> {
        let mut payload = self.template.clone()?;
        self.put_header(&mut payload, at);
        if self.shape.protocol() == Some(Protocol::V9) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        Some(payload.into())
    }

    /// The next datagram, as it is sent at this time.
    pub fn next_payload(&mut self, at: Timestamp) -> &[u8] {
        self.next_payloads(1, at)
    }

    /// The next datagrams, one behind the other, [`payload_octets`](Self::payload_octets) each: at least one, at most as
    /// many as asked for.
    pub fn next_payloads(&mut self, most: usize, at: Timestamp) -> &[u8] {
        let first = self.next;
        let end = (first + most.max(1)).min(self.uptimes_ms.len());
        self.next = end % self.uptimes_ms.len();
        let mut pool = std::mem::take(&mut self.pool);
        for place in first..end {
            let payload = &mut pool[place * self.octets..(place + 1) * self.octets];
            self.renew(payload, place, at);
        }
        self.pool = pool;
        &self.pool[first * self.octets..end * self.octets]
    }

    /// Octets of each datagram but the template's.
    pub fn payload_octets(&self) -> usize {
        self.octets
    }

    /// Flow records in each datagram but the template's.
    pub fn records_per_datagram(&self) -> usize {
        self.shape.records()
    }

    /// Makes a datagram what it would be if it were built now.
    fn renew(&mut self, payload: &mut [u8], place: usize, at: Timestamp) {
        self.put_header(payload, at);
        self.sequence = self.sequence.wrapping_add(self.shape.sequence_step());
        let uptime_ms = self.uptime_ms(at);
        let later_ms = uptime_ms.wrapping_sub(self.uptimes_ms[place]);
        self.uptimes_ms[place] = uptime_ms;
        let layout = self.layout;
        let records = payload[layout.records..].chunks_exact_mut(layout.record_octets);
        for record in records.take(self.shape.records()) {
            for stamp in layout.stamps {
                if layout.wide_stamps {
                    change::<8>(record, stamp, |octets| {
                        (u64::from_be_bytes(octets) + u64::from(later_ms)).to_be_bytes()
                    });
                } else {
                    change::<4>(record, stamp, |octets| {
                        u32::from_be_bytes(octets)
                            .wrapping_add(later_ms)
                            .to_be_bytes()
                    });
                }
            }
            for port in layout.ports {
                change::<2>(record, port, |octets| {
                    next_port(u16::from_be_bytes(octets)).to_be_bytes()
                });
            }
        }
    }

    fn put_header(&self, payload: &mut [u8], at: Timestamp) {
        let layout = self.layout;
        let seconds = unix_seconds(at);
        change::<4>(payload, layout.sequence, |_| self.sequence.to_be_bytes());
        change::<4>(payload, layout.seconds, |_| seconds.to_be_bytes());
        if let Some(uptime) = layout.uptime {
            change::<4>(payload, uptime, |_| self.uptime_ms(at).to_be_bytes());
        }
        if let Some(nanos) = layout.nanos {
            let beyond = at.nanos_since(Timestamp::from_seconds(at.seconds()));
            let beyond = u32::try_from(beyond).unwrap_or(0);
            change::<4>(payload, nanos, |_| beyond.to_be_bytes());
        }
    }

    fn uptime_ms(&self, at: Timestamp) -> u32 {
        let since = at.nanos_since(self.begin) / NANOS_PER_MILLI;
        UPTIME_MS.wrapping_add(u32::try_from(since).unwrap_or(0))
    }
}

/// Puts other octets in the place of some.
fn change<const N: usize>(octets: &mut [u8], at: usize, new: impl FnOnce([u8; N]) -> [u8; N]) {
    if let Some(place) = octets[at..].first_chunk_mut::<N>() {
        *place = new(*place);
    }
}

/// Servers keep theirs.
fn next_port(port: u16) -> u16 {
    if !CLIENT_PORTS.contains(&port) {
        return port;
    }
    let count = CLIENT_PORTS.end - CLIENT_PORTS.start;
    CLIENT_PORTS.start + (port - CLIENT_PORTS.start + PORT_STEP) % count
}

fn unix_seconds(at: Timestamp) -> u32 {
    u32::try_from(at.seconds()).unwrap_or(u32::MAX)
}

fn payload(config: &LoadConfig, records: Vec<FixedRecord>) -> Bytes {
    match config.shape.protocol() {
        None => fixed_payload(config, &records),
        Some(protocol) => template_data(protocol, config, &records),
    }
}

fn fixed_payload(config: &LoadConfig, records: &[FixedRecord]) -> Bytes {
    let header = FixedHeader {
        uptime_ms: UPTIME_MS,
        unix_seconds: unix_seconds(config.at),
        engine_id: u8::try_from(config.domain & 0xff).unwrap_or(0),
        ..FixedHeader::default()
    };
    fixed::datagram(FixedVersion::V5, header, records)
}

fn stamp(config: &LoadConfig) -> Stamp {
    Stamp {
        unix_seconds: unix_seconds(config.at),
        uptime_ms: UPTIME_MS,
        sequence: 0,
    }
}

fn template(protocol: Protocol, config: &LoadConfig) -> Vec<u8> {
    let mut message = Message::new(protocol, config.domain);
    message.template(&Template::data(TEMPLATE, fields(protocol)));
    message.finish(stamp(config)).to_vec()
}

fn template_data(protocol: Protocol, config: &LoadConfig, records: &[FixedRecord]) -> Bytes {
    let template = Template::data(TEMPLATE, fields(protocol));
    let mut message = Message::new(protocol, config.domain);
    for flow in records {
        message.record(&template, &values(protocol, config, flow));
    }
    message.finish(stamp(config))
}

fn values(protocol: Protocol, config: &LoadConfig, flow: &FixedRecord) -> [Value<'static>; 20] {
    let time = |uptime: u32| match protocol {
        Protocol::V9 => Value::from(uptime),
        Protocol::Ipfix => {
            let begin = config.at.nanos() / NANOS_PER_MILLI;
            let millis = begin - i64::from(UPTIME_MS - uptime);
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
