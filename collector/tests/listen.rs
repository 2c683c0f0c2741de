//! Real sockets on the loopback: batches, stamps, both families, refusals, a full queue, sizes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use collector::listen::stats::SocketCounts;
use collector::listen::{
    ListenConfig, ListenError, ListenStats, ListenThreads, Listener, QueueReceiver, queue,
};
use flow::clock::{NANOS_PER_SECOND, now};
use flow::{Datagram, Feed};

/// How long a datagram on the loopback may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    addresses: Vec<SocketAddr>,
    stats: Arc<ListenStats>,
    queue: QueueReceiver,
    stop: Arc<AtomicBool>,
    threads: ListenThreads,
}

impl Running {
    fn start(config: ListenConfig, batches: usize) -> Self {
        let mut listener = Listener::new(config);
        listener.bind().unwrap();
        let (sender, queue) = queue(batches, usize::MAX);
        let stop = Arc::default();
        Self {
            addresses: listener.addresses(),
            stats: listener.stats(),
            threads: listener.run(&sender, &stop).unwrap(),
            queue,
            stop,
        }
    }

    /// Waits for `count` datagrams; also those whose batch came with more.
    fn receive(&self, count: usize) -> Vec<Datagram> {
        let mut datagrams = Vec::new();
        while datagrams.len() < count {
            datagrams.extend(
                self.queue
                    .recv_timeout(PATIENCE)
                    .expect("datagrams in time"),
            );
        }
        datagrams
    }

    /// Waits until the counters say so.
    fn wait_for(&self, reached: impl Fn(&SocketCounts) -> bool) -> SocketCounts {
        let started = flow::clock::Stopwatch::start();
        loop {
            let counts = self.stats.total();
            if reached(&counts) {
                return counts;
            }
            assert!(started.elapsed() < PATIENCE, "{counts:?}");
            std::thread::yield_now();
        }
    }

    fn stop(self) -> SocketCounts {
        self.stop.store(true, Ordering::Relaxed);
        assert_eq!(self.threads.join(), 0);
        self.stats.total()
    }
}

fn config(addresses: &[&str]) -> ListenConfig {
    ListenConfig {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        receive_buffer_octets: 4 * 1024 * 1024,
        ..ListenConfig::default()
    }
}

fn sender_to(address: SocketAddr) -> UdpSocket {
    let loopback = if address.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(loopback).unwrap();
    socket.connect(address).unwrap();
    socket
}

#[test]
fn datagrams_come_with_their_source_port_and_the_kernels_stamp() {
    let running = Running::start(config(&["127.0.0.1:0"]), 64);
    let sender = sender_to(running.addresses[0]);
    let before = now();
    for number in 0..200_u32 {
        sender.send(&number.to_be_bytes()).unwrap();
    }
    let datagrams = running.receive(200);
    assert_eq!(datagrams.len(), 200);
    for (number, datagram) in (0..200_u32).zip(&datagrams) {
        assert_eq!(datagram.payload, number.to_be_bytes()[..]);
        assert_eq!(datagram.source, sender.local_addr().unwrap());
        assert_eq!(datagram.local_port, running.addresses[0].port());
        assert_eq!(datagram.feed, Feed::WIRE);
    }
    assert!(datagrams.is_sorted_by_key(|datagram| datagram.received_at));
    let first = datagrams[0].received_at.nanos_since(before);
    assert!(
        (-1_000_000..NANOS_PER_SECOND).contains(&first),
        "{first} ns"
    );
    let counts = running.stop();
    assert_eq!(
        (counts.received_datagrams, counts.received_octets),
        (200, 800)
    );
    assert!((4..=200).contains(&counts.batches), "{}", counts.batches);
    assert_eq!(
        (counts.not_allowed, counts.queue_full, counts.truncated),
        (0, 0, 0)
    );
}

#[test]
fn the_stamp_tells_when_a_datagram_arrived_and_not_when_it_was_read() {
    let started = flow::clock::Stopwatch::start();
    loop {
        let mut listener = Listener::new(config(&["127.0.0.1:0"]));
        listener.bind().unwrap();
        if !listener.stats().snapshot()[0].kernel_stamps {
            return println!("skipped: this kernel gives no stamps");
        }
        sender_to(listener.addresses()[0]).send(b"early").unwrap();
        let sent = now();
        let (queue, received) = queue(1, usize::MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = listener.run(&queue, &stop).unwrap();
        let datagram = received.recv_timeout(PATIENCE).unwrap().remove(0);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(threads.join(), 0);
        if datagram.received_at <= sent {
            return;
        }
        // The kernel begins to stamp a moment after the first socket on the machine has asked for it.
        assert!(
            started.elapsed() < PATIENCE,
            "stamped when read, every time"
        );
    }
}

#[test]
fn sizes_from_nothing_to_the_largest() {
    let running = Running::start(config(&["127.0.0.1:0"]), 64);
    let sender = sender_to(running.addresses[0]);
    let sizes = [0, 1, 1_472, 1_473, 9_000, 65_507, 3];
    for size in sizes {
        let octet = u8::try_from(size % 251).unwrap();
        sender.send(&vec![octet; size]).unwrap();
    }
    let datagrams = running.receive(sizes.len());
    for (size, datagram) in sizes.into_iter().zip(&datagrams) {
        assert_eq!(datagram.payload.len(), size);
        assert!(
            datagram
                .payload
                .iter()
                .all(|octet| usize::from(*octet) == size % 251)
        );
    }
    assert_eq!(running.stop().truncated, 0);
}

#[test]
fn one_port_in_both_families() {
    let mut probe = Listener::new(config(&["0.0.0.0:0"]));
    probe.bind().unwrap();
    let port = probe.addresses()[0].port();
    drop(probe);
    let running = Running::start(
        config(&[&format!("0.0.0.0:{port}"), &format!("[::]:{port}")]),
        64,
    );
    let v4 = sender_to(SocketAddr::new([127, 0, 0, 1].into(), port));
    v4.send(b"four").unwrap();
    assert_eq!(running.receive(1)[0].source, v4.local_addr().unwrap());
    if running.addresses.len() < 2 || UdpSocket::bind("[::1]:0").is_err() {
        return println!("skipped: no IPv6 here");
    }
    let v6 = sender_to(SocketAddr::new("::1".parse().unwrap(), port));
    v6.send(b"six").unwrap();
    let datagrams = running.receive(1);
    assert_eq!(datagrams[0].source, v6.local_addr().unwrap());
    assert_eq!(datagrams[0].local_port, port);
    let sockets = running.stats.snapshot();
    let each: Vec<_> = sockets
        .iter()
        .map(|socket| socket.counts.received_datagrams)
        .collect();
    assert_eq!(each, [1, 1]);
    running.stop();
}

#[test]
fn who_is_not_on_the_list_is_counted_and_not_heard() {
    let running = Running::start(
        ListenConfig {
            allow: vec!["127.0.0.2/32".parse().unwrap()],
            ..config(&["127.0.0.1:0"])
        },
        64,
    );
    let stranger = sender_to(running.addresses[0]);
    let friend = UdpSocket::bind("127.0.0.2:0").unwrap();
    for _ in 0..5 {
        stranger.send(b"spoofed").unwrap();
    }
    friend.send_to(b"known", running.addresses[0]).unwrap();
    let datagrams = running.receive(1);
    assert_eq!(datagrams.len(), 1);
    assert_eq!(datagrams[0].payload, "known");
    let refused = running.stats.snapshot()[0].refused.clone();
    assert_eq!(refused[0].address, IpAddr::from([127, 0, 0, 1]));
    assert_eq!(refused[0].datagrams, 5);
    let counts = running.stop();
    assert_eq!((counts.received_datagrams, counts.not_allowed), (6, 5));
}

#[test]
fn a_full_queue_is_waited_for_once_and_then_counted() {
    let running = Running::start(config(&["127.0.0.1:0"]), 1);
    let sender = sender_to(running.addresses[0]);
    // Nobody reads: one batch waits, all later ones are dropped, the first of them after two seconds. Each is awaited, so that
    // each is a batch of its own.
    for number in 1..=10_u8 {
        sender.send(&[number]).unwrap();
        running.wait_for(|counts| {
            counts.received_datagrams == u64::from(number)
                && counts.queue_full == u64::from(number) - 1
        });
    }
    assert_eq!(running.receive(1)[0].payload, [1_u8][..]);
    sender.send(b"again").unwrap();
    assert_eq!(running.receive(1)[0].payload, "again");
    let counts = running.stop();
    assert_eq!((counts.received_datagrams, counts.queue_full), (11, 9));
}

#[test]
fn the_kernels_drops_are_counted() {
    let mut listener = Listener::new(ListenConfig {
        receive_buffer_octets: 4096,
        ..config(&["127.0.0.1:0"])
    });
    listener.bind().unwrap();
    let (address, stats) = (listener.addresses()[0], listener.stats());
    let granted = stats.snapshot()[0].receive_buffer_octets_got;
    assert!(granted < 256 * 1024, "{granted}");
    // Nobody takes anything out of the receive buffer yet: it overflows.
    let sender = sender_to(address);
    for _ in 0..400 {
        sender.send(&[0; 1400]).unwrap();
    }
    let (queue, received) = queue(64, usize::MAX);
    let stop = Arc::new(AtomicBool::new(false));
    let threads = listener.run(&queue, &stop).unwrap();
    let first = received.recv_timeout(PATIENCE).unwrap();
    assert!(!first.is_empty());
    // The count comes with the next datagram after the drops. The buffer is empty now or soon.
    let started = flow::clock::Stopwatch::start();
    while stats.total().kernel_drops == 0 {
        assert!(started.elapsed() < PATIENCE, "{:?}", stats.total());
        sender.send(b"after").unwrap();
        while received.try_recv().is_ok() {}
        std::thread::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(threads.join(), 0);
    let counts = stats.total();
    let small = counts.received_octets / 1400;
    assert!(counts.kernel_drops >= 400 - small - 1, "{counts:?}");
}

#[test]
fn what_the_kernel_has_taken_before_the_stop_is_received() {
    let mut listener = Listener::new(config(&["127.0.0.1:0"]));
    listener.bind().unwrap();
    let stats = listener.stats();
    let sender = sender_to(listener.addresses()[0]);
    for number in 0..100_u8 {
        sender.send(&[number; 20]).unwrap();
    }
    let (queue, received) = queue(64, usize::MAX);
    // Stopped before it began: all of them are in the socket.
    let stop = Arc::new(AtomicBool::new(true));
    assert_eq!(listener.run(&queue, &stop).unwrap().join(), 0);
    let batches = std::iter::from_fn(|| received.try_recv().ok());
    let first: Vec<u8> = batches.flatten().map(|it| it.payload[0]).collect();
    assert_eq!(first, (0..100).collect::<Vec<u8>>());
    assert_eq!(stats.total().received_datagrams, 100);
}

#[test]
fn the_buffer_that_was_got_is_reported_in_the_units_of_the_question() {
    let mut listener = Listener::new(config(&["127.0.0.1:0"]));
    listener.bind().unwrap();
    let socket = listener.stats().snapshot()[0].clone();
    assert_eq!(socket.receive_buffer_octets_asked, 4 * 1024 * 1024);
    let limit: u64 = std::fs::read_to_string("/proc/sys/net/core/rmem_max")
        .unwrap_or_default()
        .trim()
        .parse()
        .unwrap_or(u64::MAX);
    let got = socket.receive_buffer_octets_got;
    // With the capability all of it, without what the system allows.
    assert!(
        got == 4 * 1024 * 1024 || got == limit,
        "{got}, limit {limit}"
    );
}

#[test]
fn threads_may_share_an_address() {
    let running = Running::start(
        ListenConfig {
            threads_per_address: 3,
            ..config(&["127.0.0.1:0"])
        },
        256,
    );
    assert_eq!(running.addresses.len(), 3);
    assert!(
        running
            .addresses
            .iter()
            .all(|address| *address == running.addresses[0])
    );
    for _ in 0..50 {
        sender_to(running.addresses[0]).send(b"x").unwrap();
    }
    assert_eq!(running.receive(50).len(), 50);
    let taken = running.stats.snapshot();
    let busy = taken
        .iter()
        .filter(|socket| socket.counts.received_datagrams > 0)
        .count();
    assert!(busy > 1, "50 exporters all fell to one thread");
    running.stop();
}

#[test]
fn an_address_that_cannot_be_had_says_which_option_changes_it() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bind = |address: &str| Listener::new(config(&[address])).bind().unwrap_err();
    let error = bind(&address);
    assert!(matches!(error, ListenError::PortInUse { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "UDP {address} is in use by another program: stop it (`ss -lunp` names it) or choose another address (--listen, listen.addresses)"
        )
    );
    assert!(matches!(bind("192.0.2.77:0"), ListenError::NotLocal { .. }));
}

#[test]
fn threads_end_when_told_and_when_nobody_reads() {
    let running = Running::start(config(&["127.0.0.1:0", "127.0.0.1:0"]), 4);
    let watch = flow::clock::Stopwatch::start();
    running.stop();
    assert!(watch.elapsed() < Duration::from_secs(5));

    let running = Running::start(config(&["127.0.0.1:0"]), 4);
    let sender = sender_to(running.addresses[0]);
    drop(running.queue);
    sender.send(b"to nobody").unwrap();
    assert_eq!(running.threads.join(), 0);
    let counts = running.stats.total();
    assert_eq!((counts.received_datagrams, counts.queue_full), (1, 1));
}
