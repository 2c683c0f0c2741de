//! A mirrored interface: the loopback, listened to beside the socket that the datagrams are for.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use collector::capture::{CaptureError, Mirror, MirrorConfig, Selection};
use collector::listen::{AllowList, QueueReceiver, queue};
use flow::Datagram;
use flow::clock::{NANOS_PER_SECOND, now};

const PATIENCE: Duration = Duration::from_secs(20);
/// The bit of `CAP_NET_RAW` in `CapEff` (capabilities(7)).
const CAP_NET_RAW: u32 = 13;

/// Whether this process may listen to interfaces.
fn may_capture() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let may = bits.is_some_and(|bits| bits >> CAP_NET_RAW & 1 == 1);
    if !may {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI may listen to interfaces"
        );
        println!("skipped: takes the capability CAP_NET_RAW");
    }
    may
}

fn config(interface: &str, port: u16) -> MirrorConfig {
    MirrorConfig {
        ports: vec![port],
        promiscuous: false,
        ..MirrorConfig::new(interface)
    }
}

fn receive(queue: &QueueReceiver, count: usize) -> Vec<Datagram> {
    let mut datagrams = Vec::new();
    while datagrams.len() < count {
        datagrams.extend(queue.recv_timeout(PATIENCE).expect("datagrams in time"));
    }
    datagrams
}

#[test]
fn datagrams_to_somebody_else_are_heard() {
    if !may_capture() {
        return;
    }
    for interface in ["lo", "any"] {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = collector.local_addr().unwrap();
        let mirror =
            Mirror::open(&config(interface, address.port()), Selection::default()).unwrap();
        let stats = mirror.stats();
        let (sender, queue) = queue(64, usize::MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = mirror.run(sender, Arc::clone(&stop)).unwrap();

        let before = now();
        for payload in [&b"one"[..], b"", &[7; 65_507]] {
            exporter.send_to(payload, address).unwrap();
        }
        exporter
            .send_to(b"to another port", exporter.local_addr().unwrap())
            .unwrap();
        exporter.send_to(b"last", address).unwrap();
        let datagrams = receive(&queue, 4);
        let lengths: Vec<_> = datagrams
            .iter()
            .map(|datagram| datagram.payload.len())
            .collect();
        assert_eq!(lengths, [3, 0, 65_507, 4], "{interface}");
        for datagram in &datagrams {
            assert_eq!(datagram.source, exporter.local_addr().unwrap());
            assert_eq!(datagram.local_port, address.port());
            let age = datagram.received_at.nanos_since(before);
            assert!(
                (-NANOS_PER_SECOND..20 * NANOS_PER_SECOND).contains(&age),
                "{age} ns"
            );
        }
        stop.store(true, Ordering::Relaxed);
        assert!(thread.join());
        let stats = stats.lock().unwrap().clone();
        assert_eq!(stats.frames.datagrams, 4, "{interface}: {stats:?}");
        assert_eq!((stats.queue_full, stats.receive_errors), (0, 0));
    }
}

#[test]
fn strangers_and_a_full_queue_are_counted() {
    if !may_capture() {
        return;
    }
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap();
    let selection = Selection {
        allow: Some(AllowList::new(vec!["127.0.0.2/32".parse().unwrap()])),
        ..Selection::default()
    };
    let mirror = Mirror::open(&config("lo", address.port()), selection).unwrap();
    let stats = mirror.stats();
    let (sender, queue) = queue(1, usize::MAX);
    let stop = Arc::new(AtomicBool::new(false));
    let thread = mirror.run(sender, Arc::clone(&stop)).unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let friend = UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.send_to(b"spoofed", address).unwrap();
    let started = flow::clock::Stopwatch::start();
    let reached = |datagrams| {
        while stats.lock().unwrap().frames.datagrams < datagrams {
            assert!(started.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    };
    for number in 1..=3_u8 {
        friend.send_to(&[number], address).unwrap();
        reached(u64::from(number));
    }
    assert_eq!(receive(&queue, 1)[0].payload, [1_u8][..]);
    stop.store(true, Ordering::Relaxed);
    assert!(thread.join());
    let stats = stats.lock().unwrap().clone();
    assert_eq!((stats.frames.not_allowed, stats.queue_full), (1, 2));
}

#[test]
fn what_cannot_be_listened_to_says_why() {
    let absent = Mirror::open(&config("no-such-if", 2055), Selection::default()).unwrap_err();
    assert!(matches!(absent, CaptureError::Interface { .. }));
    assert!(
        absent
            .to_string()
            .starts_with("interface no-such-if: cannot be listened to")
    );
    if !may_capture() {
        return;
    }
    let wrong = MirrorConfig {
        filter: Some("udp prot 2055".to_owned()),
        ..config("lo", 2055)
    };
    let error = Mirror::open(&wrong, Selection::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "interface lo: filter 'udp prot 2055' is not understood"
    );
}
