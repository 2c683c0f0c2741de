//! Who talks to whom in a load, and how long: as behind a switch of an office, or by chance.

use std::net::Ipv4Addr;

use rand::Rng;
use rand::rngs::SmallRng;

use super::{LoadConfig, UPTIME_MS};
use crate::encode::fixed::FixedRecord;

/// What the flows of a load are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Clients behind the 48 ports of a switch, 300 servers behind its uplinks and a few thousand on the Internet; some much
    /// busier than others. Both directions of a conversation, as switches report them; most flows short and small, a few
    /// long and large.
    Office,
    /// Any client to any server over any interface: nearly every record is of a conversation of its own, which is the worst
    /// case for whoever groups them.
    Random,
}

/// Ports that clients take: Linux's own range, `net.ipv4.ip_local_port_range`.
pub(super) const CLIENT_PORTS: std::ops::Range<u16> = 32_768..61_000;
/// Ports of the switch, and its two uplinks behind them.
const ACCESS_PORTS: u16 = 48;
const UPLINKS: [u16; 2] = [49, 50];
/// Servers of the enterprise, and those of others.
const SERVERS: usize = 300;
const FAR_SERVERS: usize = 3000;
/// One conversation in this many goes to the Internet.
const FAR_EVERY: u32 = 5;
/// How much busier the first is than the second: the exponent of Zipf's law, for people and for servers.
const CLIENT_SKEW: f64 = 0.7;
const SERVER_SKEW: f64 = 1.1;
/// How long an exporter waits before it reports an ended flow, and how long it lets one run: Cisco's usual timers.
const INACTIVE_MS: u32 = 15_000;
const ACTIVE_MS: u32 = 60_000;
/// What servers serve: port, protocol; each server one of them.
const SERVICES: [(u16, u8); 10] = [
    (443, TCP),
    (443, TCP),
    (443, TCP),
    (443, UDP),
    (53, UDP),
    (445, TCP),
    (1433, TCP),
    (5432, TCP),
    (8080, TCP),
    (636, TCP),
];
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Makes records, one after the other.
pub(super) struct Talk {
    config: LoadConfig,
    clients: Popularity,
    servers: Popularity,
    far_servers: Popularity,
    /// The answer to the record before.
    answer: Option<FixedRecord>,
}

impl Talk {
    pub(super) fn new(config: LoadConfig) -> Self {
        let clients = usize::try_from(config.addresses.max(1)).unwrap_or(1);
        Self {
            config,
            clients: Popularity::new(clients, CLIENT_SKEW),
            servers: Popularity::new(SERVERS, SERVER_SKEW),
            far_servers: Popularity::new(FAR_SERVERS, SERVER_SKEW),
            answer: None,
        }
    }

    pub(super) fn next(&mut self, rng: &mut SmallRng) -> FixedRecord {
        if self.config.traffic == Traffic::Random {
            return random(&self.config, rng);
        }
        if let Some(answer) = self.answer.take() {
            return answer;
        }
        let (request, answer) = self.conversation(rng);
        self.answer = Some(answer);
        request
    }

    /// A request and its answer.
    fn conversation(&self, rng: &mut SmallRng) -> (FixedRecord, FixedRecord) {
        let client = self.clients.pick(rng);
        let far = rng.random_ratio(1, FAR_EVERY);
        let (server, server_as, mask) = if far {
            let number = self.far_servers.pick(rng);
            let as_number = 1000 + u16::try_from(number % 400).unwrap_or(0);
            (0xc633_0000 + number, as_number, 16)
        } else {
            (0xac10_0000 + self.servers.pick(rng), 64_512, 24)
        };
        let services = u32::try_from(SERVICES.len()).unwrap_or(1);
        let (port, protocol) = SERVICES[usize::try_from(server % services).unwrap_or(0)];
        let access = 1 + u16::try_from(client % u32::from(ACCESS_PORTS)).unwrap_or(0);
        let length = Length::by_chance((port, protocol), rng);
        let last_ms = UPTIME_MS - rng.random_range(0..INACTIVE_MS);
        let request = FixedRecord {
            src: Ipv4Addr::from_bits(0x0a00_0000 + (self.config.domain << 12) + client),
            dst: Ipv4Addr::from_bits(server),
            next_hop: Ipv4Addr::new(10, 255, 0, 1),
            in_interface: access,
            out_interface: UPLINKS[usize::from(access % 2)],
            packets: length.packets,
            octets: length.packets * length.request_octets,
            first_ms: last_ms - length.ms,
            last_ms,
            src_port: rng.random_range(CLIENT_PORTS),
            dst_port: port,
            tcp_flags: if protocol == TCP { length.flags() } else { 0 },
            protocol,
            src_as: 64_513,
            dst_as: server_as,
            src_mask: 20,
            dst_mask: mask,
            ..FixedRecord::default()
        };
        let packets = length.packets + length.packets / 2;
        let answer = FixedRecord {
            src: request.dst,
            dst: request.src,
            next_hop: Ipv4Addr::UNSPECIFIED,
            in_interface: request.out_interface,
            out_interface: request.in_interface,
            packets,
            octets: packets * length.answer_octets,
            src_port: request.dst_port,
            dst_port: request.src_port,
            src_as: request.dst_as,
            dst_as: request.src_as,
            src_mask: request.dst_mask,
            dst_mask: request.src_mask,
            ..request
        };
        (request, answer)
    }
}

/// How long a conversation is, each way.
struct Length {
    packets: u32,
    request_octets: u32,
    answer_octets: u32,
    ms: u32,
}

impl Length {
    /// Half of all flows have fewer than ten packets; each doubling of the length is half as frequent.
    fn by_chance((port, protocol): (u16, u8), rng: &mut SmallRng) -> Self {
        if (port, protocol) == (53, UDP) {
            return Self {
                packets: 1,
                request_octets: rng.random_range(58..84),
                answer_octets: rng.random_range(90..300),
                ms: 0,
            };
        }
        let doublings = rng.random::<u16>().leading_zeros().min(12);
        let packets = rng.random_range(4..10) << doublings;
        Self {
            packets,
            request_octets: rng.random_range(60..220),
            answer_octets: rng.random_range(200..1420),
            ms: (packets * rng.random_range(2..60)).min(ACTIVE_MS),
        }
    }

    /// A flow that runs longer than the exporter lets it is reported without an end.
    fn flags(&self) -> u8 {
        if self.ms < ACTIVE_MS { 0x1b } else { 0x18 }
    }
}

/// Some are busier than others: the k-th is picked as often as `1 / k^skew` says.
struct Popularity {
    sums: Vec<f64>,
}

impl Popularity {
    fn new(count: usize, skew: f64) -> Self {
        let mut sum = 0.0;
        let mut rank = 0.0_f64;
        let sums = std::iter::repeat_with(|| {
            rank += 1.0;
            sum += rank.powf(-skew);
            sum
        });
        Self {
            sums: sums.take(count).collect(),
        }
    }

    fn pick(&self, rng: &mut SmallRng) -> u32 {
        let all = self.sums.last().copied().unwrap_or(1.0);
        let chance = rng.random_range(0.0..all);
        let place = self.sums.partition_point(|sum| *sum <= chance);
        u32::try_from(place).unwrap_or(0)
    }
}

/// One flow without any order.
fn random(config: &LoadConfig, rng: &mut SmallRng) -> FixedRecord {
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
        src_port: rng.random_range(CLIENT_PORTS),
        dst_port: ports[rng.random_range(0..ports.len())],
        tcp_flags: 0x1b,
        protocol: TCP,
        src_as: 64_512,
        dst_as: 64_513,
        src_mask: 24,
        dst_mask: 24,
        ..FixedRecord::default()
    }
}
