//! Prints what normalising costs: nanoseconds a row, with few rules and with ten thousand.
//!
//! `cargo run --release -p collector --example normalise_speed`

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use collector::normalise::{NormaliseConfig, Normaliser};
use flow::FlowBatch;
use flow::application::ApplicationRule;
use flow::batch::Described;
use flow::clock::{Stopwatch, Timestamp};
use flow::datagram::{Datagram, Feed, TapePosition};
use flow::site::{Rules, Site};

const BATCH_ROWS: u32 = 100_000;
const ROUNDS: u32 = 20;

/// A small linear congruential generator (the constants of Knuth's MMIX): the same rows every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = u32::try_from(self.0 >> 32).unwrap_or(0);
        u32::try_from((u64::from(high) * u64::from(sides)) >> 32).unwrap_or(0)
    }
}

fn address(bits: u32) -> Ipv6Addr {
    Ipv4Addr::from_bits(bits).to_ipv6_mapped()
}

/// An enterprise of 20,000 clients and 500 servers with 16 services each; one row in `fresh` is of a new conversation.
fn batch(round: u32, conversations: u32, fresh: u32) -> FlowBatch {
    let mut dice = Dice(u64::from(round));
    let mut batch = FlowBatch::default();
    for row in 0..BATCH_ROWS {
        let datagram = Datagram {
            received_at: Timestamp::from_seconds(1_772_361_720 + i64::from(round)),
            source: ([192, 0, 2, 1], 2055).into(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::new(),
        };
        let described = Described {
            version: 9,
            domain: 0,
            template: 256,
        };
        let at = batch.push_row(&datagram, TapePosition::START, described, 0);
        let mut ends = Dice(u64::from(dice.throw(conversations)) << 20 | 0x9e37);
        ends.throw(2);
        let new = fresh > 0 && row % fresh == 0;
        let client = address(0x0a04_0000 + ends.throw(20_000));
        let server = address(0x0a01_0000 + ends.throw(500));
        let service = [
            443, 443, 443, 80, 53, 445, 5432, 3306, 9999, 7001, 8443, 636, 389, 88, 22, 7777,
        ];
        let service = service[ends.throw(16) as usize];
        let port = 32_768
            + u16::try_from(if new {
                dice.throw(28_000)
            } else {
                ends.throw(28_000)
            })
            .unwrap_or(0);
        let (src, dst, src_port, dst_port) = if dice.throw(2) == 0 {
            (client, server, port, service)
        } else {
            (server, client, service, port)
        };
        let columns = &mut batch.columns;
        columns.src_addr.set(at, src);
        columns.dst_addr.set(at, dst);
        columns.src_port.set(at, src_port);
        columns.dst_port.set(at, dst_port);
        columns.protocol.set(at, 6);
        columns.tcp_flags.set(at, 0x1b);
        columns.octets.set(at, 15_000);
        columns.packets.set(at, 20);
        columns.direction.set(at, 0);
    }
    batch
}

fn rules(applications: u32) -> Rules {
    let rule = |n: u32| ApplicationRule {
        name: format!("app-{n}"),
        servers: [format!("10.1.{}.{}/32", n / 256 % 256, n % 256).parse()]
            .into_iter()
            .flatten()
            .collect(),
        ports: [(7000 + n % 1000).to_string().parse()]
            .into_iter()
            .flatten()
            .collect(),
        clients: Vec::new(),
    };
    let site = |n: u32| Site {
        name: format!("site-{n}"),
        subnets: [format!("10.4.{n}.0/24").parse()]
            .into_iter()
            .flatten()
            .collect(),
    };
    Rules {
        applications: (0..applications).map(rule).collect(),
        sites: (0..200).map(site).collect(),
        exporters: Vec::new(),
    }
}

/// Nanoseconds that this thread has run ([proc_pid_schedstat], Linux): other programs that run meanwhile do not count.
///
/// [proc_pid_schedstat]: https://docs.kernel.org/scheduler/sched-stats.html
fn ran() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Nanoseconds a row in the best round: what it costs when nothing else wants the caches.
fn cost(rules: &Rules, conversations: u32, fresh: u32) -> f64 {
    let mut normaliser = Normaliser::new(NormaliseConfig::default(), rules);
    let round = |round| {
        let mut batch = batch(round, conversations, fresh);
        let (watch, before) = (Stopwatch::start(), ran());
        normaliser.normalise(&mut batch, 0);
        let nanos = match (before, ran()) {
            (Some(before), Some(after)) => Duration::from_nanos(after - before),
            _ => watch.elapsed(),
        };
        nanos.as_secs_f64() * 1e9 / f64::from(BATCH_ROWS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (title, applications, conversations, fresh) in [
        ("10 rules, 10,000 conversations", 10, 10_000, 0),
        ("10,000 rules, 10,000 conversations", 10_000, 10_000, 0),
        ("10,000 rules, 500,000 conversations", 10_000, 500_000, 0),
        (
            "10,000 rules, every 4th row a new conversation",
            10_000,
            100_000,
            4,
        ),
        (
            "10,000 rules, every row a new conversation",
            10_000,
            100_000,
            1,
        ),
    ] {
        let nanos = cost(&rules(applications), conversations, fresh);
        writeln!(out, "{nanos:6.0} ns/row  {title}")?;
    }
    Ok(())
}
