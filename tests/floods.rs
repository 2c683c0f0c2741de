//! Floods from the network at the real binary: invented senders, templates without end, giant texts. Whoever exported
//! before loses nothing, and the server's memory stays below the sum of its bounds (`docs/limits.md`).
//!
//! Short by default. `FLOOD_SECONDS`, `FLOOD_RATE` (datagrams a second) and `FLOOD_SOURCES` make it long:
//! `FLOOD_SECONDS=60 FLOOD_RATE=50000 FLOOD_SOURCES=1000000 cargo test --release --test floods -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use flow::DropKind;
use flow::clock::Stopwatch;
use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};
use support::fleet::Sums;
use support::lab::Lab;
use support::place::Place;
use support::sql::ask;

/// Tables so small that the flood fills them, and the sum of all bounds is not far above what is used without.
const DECODE_OCTETS: u64 = 16 << 20;
const WAITING_OCTETS: u64 = 4 << 20;
const CONVERSATIONS: u64 = 1 << 16;

fn tables() -> String {
    format!(
        "[decode]\noctets_max = {DECODE_OCTETS}\nwaiting_octets_max = {WAITING_OCTETS}\n\
         [normalise]\nconversations_max = {CONVERSATIONS}\n"
    )
}

const MIB: u64 = 1 << 20;

/// Octets of all batches: one fills, one is inserted, and one's sums. A row has less than 300 octets, and a vector may be
/// twice as long as it must.
const BATCHES: u64 = 2 * 2 * 250_000 * 300 + 48 * MIB;

/// What the flood may add to the server's memory, octets: the bounds of all that grows with what arrives.
fn budget() -> u64 {
    // Active timeout and conversations of 1,024 domains.
    let watchers = 1024 * 28 * 1024;
    let normaliser = CONVERSATIONS * 64 + (1 << 16) * (40 + 48 + 24);
    // What is known is written down with every batch: as long as its checkpoint is on its way, three times, and as text.
    let states = 5 * (DECODE_OCTETS + WAITING_OCTETS) / 3;
    // Readings of the tape, datagrams between socket and tape, the page of exporters, threads' own.
    let small = 64 * MIB;
    DECODE_OCTETS + WAITING_OCTETS + watchers + normaliser + BATCHES + states + small
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} = '{text}' is no number"))
    })
}

/// How long, how fast, from how many senders.
struct Plan {
    seconds: u64,
    rate: u64,
    sources: u64,
}

impl Plan {
    fn new() -> Self {
        Self {
            seconds: setting("FLOOD_SECONDS", 3),
            rate: setting("FLOOD_RATE", 8_000),
            sources: setting("FLOOD_SOURCES", 100_000),
        }
    }
}

/// A thread that sends from addresses which are not its own: of 127.0.0.0/8 every one may be had.
struct Flood {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Flood {
    /// Sends what `next` makes of the number of each datagram: from whom, and what.
    fn start(
        to: SocketAddr,
        rate: u64,
        mut next: impl FnMut(u64) -> (Ipv4Addr, Vec<u8>) + Send + 'static,
    ) -> Self {
        let SocketAddr::V4(to) = to else {
            panic!("{to} is no IPv4 address");
        };
        let (sent, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, told) = (sent.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let watch = Stopwatch::start();
            while !told.load(Ordering::Relaxed) {
                let due = rate * u64::try_from(watch.elapsed().as_millis()).unwrap() / 1000;
                for number in count.load(Ordering::Relaxed)..due {
                    let (from, payload) = next(number);
                    send_as(&socket, from, to, &payload);
                    count.store(number + 1, Ordering::Relaxed);
                }
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        Self { sent, stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

/// Sends with another source address (`IP_PKTINFO`, ip(7)).
fn send_as(socket: &UdpSocket, from: Ipv4Addr, to: SocketAddrV4, payload: &[u8]) {
    let source = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(from.octets()),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let control = [ControlMessage::Ipv4PacketInfo(&source)];
    let to = SockaddrIn::from(to);
    let parts = [IoSlice::new(payload)];
    sendmsg(
        socket.as_raw_fd(),
        &parts,
        &control,
        MsgFlags::empty(),
        Some(&to),
    )
    .unwrap();
}

/// The n-th invented sender.
fn invented(number: u64) -> Ipv4Addr {
    Ipv4Addr::from(0x7f40_0000 + u32::try_from(number).unwrap())
}

fn now_s() -> u32 {
    u32::try_from(flow::clock::now().seconds()).unwrap()
}

/// A v5 packet of one record (a header of 24 octets, a record of 48).
fn v5() -> Vec<u8> {
    let mut packet = vec![0, 5, 0, 1];
    for number in [1_000_000, now_s(), 0, 0] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend([0; 4]);
    packet.extend([10, 250, 0, 1, 10, 250, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
    for number in [1_u32, 60, 998_000, 999_000] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend([0x9c, 0x40, 0, 80, 0, 2, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    packet
}

/// A v9 packet with one Set (RFC 3954 §5).
fn v9(sequence: u64, domain: u32, set: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 9, 0, 1];
    let sequence = u32::try_from(sequence).unwrap();
    for number in [1_000_000, now_s(), sequence, domain] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(set.to_be_bytes());
    packet.extend(u16::try_from(body.len() + 4).unwrap().to_be_bytes());
    packet.extend(body);
    packet
}

/// Templates of 40 fields that nobody knows: eight new ones in each packet.
fn templates(number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for nth in 0..8 {
        let id = 256 + (number * 8 + nth) % 65_280;
        body.extend(u16::try_from(id).unwrap().to_be_bytes());
        body.extend([0, 40]);
        for field in 0..40_u16 {
            body.extend((30_000 + field).to_be_bytes());
            body.extend([0, 4]);
        }
    }
    let domain = u32::try_from(number * 8 / 65_280).unwrap();
    v9(number, domain, 0, &body)
}

/// An IPFIX message with a template of one user name (IE 371) of variable length, and one of 60,000 octets.
fn giant(number: u64) -> Vec<u8> {
    let mut message = vec![0, 10, 0, 0];
    for part in [now_s(), u32::try_from(number).unwrap(), 7] {
        message.extend(part.to_be_bytes());
    }
    message.extend([0, 2, 0, 12, 1, 0, 0, 1, 1, 115, 255, 255]);
    message.extend([1, 0]);
    message.extend((60_000_u16 + 7).to_be_bytes());
    message.push(255);
    message.extend(60_000_u16.to_be_bytes());
    message.extend(std::iter::repeat_n(
        b'a' + u8::try_from(number % 26).unwrap(),
        60_000,
    ));
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    message[2..4].copy_from_slice(&length);
    message
}

/// Everything at once: of a hundred datagrams 90 from as many senders, 5 with templates, 4 with data that has none; and
/// of five hundred one with a giant text.
fn everything(sources: u64) -> impl FnMut(u64) -> (Ipv4Addr, Vec<u8>) + Send + 'static {
    move |number| match (number % 500, number % 100) {
        (499, _) => (Ipv4Addr::new(127, 0, 9, 2), giant(number / 500)),
        (_, 0..5) => {
            let nth = number / 100 * 5 + number % 100;
            (Ipv4Addr::new(127, 0, 9, 1), templates(nth))
        }
        (_, 5..9) => (invented(number % sources), v9(number, 1, 300, &[1; 400])),
        _ => (invented(number % sources), v5()),
    }
}

/// Resident octets of a process.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .unwrap();
    kib * 1024
}

/// Samples the server's memory for so long: the most in each half.
fn watch_memory(pid: u32, time: Duration) -> [u64; 2] {
    let watch = Stopwatch::start();
    let mut most = [0; 2];
    while watch.elapsed() < time {
        let half = usize::from(watch.elapsed() > time / 2);
        most[half] = resident(pid).max(most[half]);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    most
}

/// Waits until the tape is in the store, but for what waits for a template that never comes; a flood of a minute may take
/// several.
fn drained(lab: &Lab, plan: &Plan) -> flow::Accounting {
    let watch = Stopwatch::start();
    let patience = 5 * support::PATIENCE + Duration::from_secs(20 * plan.seconds);
    let (server, mut before) = (lab.server(), None);
    loop {
        let books = server.accounting();
        let left = books.datagrams.on_tape;
        let waiting = server.metric("flowreel_collector_waiting_datagrams");
        // The same twice: what waits is shown half a second late.
        let same = before.replace((books.datagrams.received, left))
            == Some((books.datagrams.received, left));
        if same && waiting == Some(left) {
            return books;
        }
        assert!(watch.elapsed() < patience, "still on tape: {books:?}");
        std::thread::park_timeout(Duration::from_millis(600));
    }
}

/// Each exporter that was there before: its rows in the store are what it sent.
fn nothing_of_the_good_is_lost(lab: &Lab) {
    let rows = ask(
        &lab.server().engine_socket(),
        "SELECT exporter, count(), sum(octets), sum(packets) FROM flowreel.flows GROUP BY exporter \
         HAVING startsWith(toString(exporter), '::ffff:127.0.7.') ORDER BY exporter",
    );
    let number = |text: &String| text.parse::<u64>().unwrap();
    let stored: Vec<(String, Sums)> = rows
        .iter()
        .map(|row| {
            let sums = Sums {
                records: number(&row[1]),
                octets: number(&row[2]),
                packets: number(&row[3]),
            };
            (row[0].clone(), sums)
        })
        .collect();
    let mut sent: Vec<(String, Sums)> = lab.fleet.with(|exporters| {
        let of_each = exporters.iter().map(|exporter| {
            let mut sums = Sums::default();
            exporter.sent.values().for_each(|sent| sums += sent.sums);
            (format!("::ffff:{}", exporter.address), sums)
        });
        of_each.collect()
    });
    sent.sort_by_key(|(address, _)| address.parse::<std::net::Ipv6Addr>().unwrap());
    assert_eq!(stored, sent);
}

/// Processor time of the server's threads by name, milliseconds.
fn threads_ms(pid: u32) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .flatten()
    {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else {
            continue;
        };
        let name = stat.split(['(', ')']).nth(1).unwrap_or("").to_owned();
        let rest = stat.rsplit(')').next().unwrap_or("");
        let times = rest.split_whitespace().skip(11).take(2);
        // Ticks of a hundredth of a second (proc(5)).
        let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
        all.push((name, ticks * 10));
    }
    all.sort();
    all
}

#[test]
fn a_flood_of_everything_costs_who_exported_before_nothing() {
    let plan = Plan::new();
    let lab = Lab::new(Place::folder(), 2, 42, &tables());
    lab.server().wait_until_ready();
    // A hundred datagrams a second of each of six exporters are 6,300 flows; of a long flood 20,000.
    lab.fleet.go_on(if plan.seconds > 10 { 300 } else { 100 });
    let pid = lab.server().pid();
    watch_memory(pid, Duration::from_secs(2));
    let before = resident(pid);
    let flood = Flood::start(lab.server().udp(), plan.rate, everything(plan.sources));
    let most = watch_memory(pid, Duration::from_secs(plan.seconds));
    let flooded = flood.end();
    lab.fleet.pause();
    let books = drained(&lab, &plan);
    let mib = |octets: u64| octets >> 20;
    eprintln!(
        "{flooded} flood datagrams in {} s from {} senders; resident before {} MiB, most {} and {} MiB, after {} MiB, \
         budget {} MiB; {books:?}; {:?}",
        plan.seconds,
        plan.sources,
        mib(before),
        mib(most[0]),
        mib(most[1]),
        mib(resident(pid)),
        mib(before + budget()),
        threads_ms(pid),
    );
    nothing_of_the_good_is_lost(&lab);
    assert!(books.datagrams.balances() && books.records.balances());
    assert_eq!(books.kernel_drops, 0);
    assert_eq!(books.datagrams.received, flooded + lab.fleet.datagrams());
    assert!(
        books.datagrams.dropped[&DropKind::NotAllowed] > 0,
        "newcomers"
    );
    assert!(most.into_iter().all(|most| most < before + budget()));
    assert!(resident(pid) < before + budget());
    if plan.seconds >= 30 {
        assert!(most[1] < most[0] + most[0] / 4, "it grows: {most:?}");
    }
}

#[test]
fn who_is_not_on_the_list_costs_nothing() {
    let plan = Plan::new();
    let config = format!("{}[listen]\nallow = ['127.0.7.0/24']\n", tables());
    let lab = Lab::new(Place::folder(), 2, 43, &config);
    lab.server().wait_until_ready();
    lab.fleet.go_on(if plan.seconds > 10 { 300 } else { 100 });
    let pid = lab.server().pid();
    watch_memory(pid, Duration::from_secs(2));
    let before = resident(pid);
    let flood = Flood::start(lab.server().udp(), plan.rate, everything(plan.sources));
    let most = watch_memory(pid, Duration::from_secs(plan.seconds));
    let flooded = flood.end();
    lab.fleet.pause();
    let books = drained(&lab, &plan);
    eprintln!(
        "{flooded} refused in {} s; resident before {} MiB, most {:?} MiB; {:?}",
        plan.seconds,
        before >> 20,
        most.map(|most| most >> 20),
        threads_ms(pid),
    );
    nothing_of_the_good_is_lost(&lab);
    assert_eq!(books.kernel_drops, 0);
    assert_eq!(books.datagrams.dropped[&DropKind::NotAllowed], flooded);
    assert_eq!(books.datagrams.received, flooded + lab.fleet.datagrams());
    // The six exporters are all that the server knows: their batches, their conversations, and the pages that giants touched
    // once.
    let of_theirs = BATCHES + CONVERSATIONS * 64 + 8 * MIB;
    assert!(most.into_iter().all(|most| most < before + of_theirs));
}
