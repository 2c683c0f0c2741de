//! Datagrams go back on the wire: all of them, in their order, at their pace.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use flow::Datagram;
use replay::wire::{Pace, WireError, resolve, send};
use tape::datagrams;

fn receiver() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn receive(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut buffer = vec![0; 65_536];
    (0..count)
        .map(|_| {
            let (octets, from) = socket.recv_from(&mut buffer).unwrap();
            (from, buffer[..octets].to_vec())
        })
        .collect()
}

static NEVER: AtomicBool = AtomicBool::new(false);

#[test]
fn all_arrive_in_order_and_exporters_keep_apart() {
    let (socket, to) = receiver();
    let sent = datagrams(0..150, 60);
    let mut told = 0;
    let summary = send(sent.clone(), to, Pace::AsFastAsPossible, &NEVER, |_| {
        told += 1
    })
    .unwrap();
    assert_eq!(summary.progress.datagrams, 150);
    assert_eq!(summary.progress.octets, 150 * 60);
    assert_eq!((summary.progress.unsent, summary.progress.refused), (0, 0));
    assert!(!summary.stopped && told >= 1);
    let received = receive(&socket, 150);
    let payloads: Vec<_> = received
        .iter()
        .map(|(_, payload)| payload.clone())
        .collect();
    let expected: Vec<_> = sent
        .iter()
        .map(|datagram| datagram.payload.to_vec())
        .collect();
    assert_eq!(payloads, expected);
    // 150 sources, 128 sockets: no source has two ports.
    let ports: BTreeMap<_, _> = received
        .iter()
        .map(|(from, payload)| (payload[7] % 200, from))
        .collect();
    let distinct: std::collections::BTreeSet<_> = ports.values().collect();
    assert_eq!(distinct.len(), 128);
}

#[test]
fn a_recording_keeps_its_gaps() {
    let (socket, to) = receiver();
    let sent = datagrams(0..41, 10);
    let pace = Pace::AsRecorded { speed: 0.5 };
    let summary = send(sent, to, pace, &NEVER, |_| {}).unwrap();
    // Forty gaps of a millisecond at half the speed. Lateness depends on the machine; earliness must not happen.
    assert!(summary.progress.elapsed >= Duration::from_millis(80));
    assert_eq!(receive(&socket, 41).len(), 41);
    assert!(summary.lateness.percentile(50) <= summary.lateness.max());
}

#[test]
fn a_rate_is_not_exceeded() {
    let (_socket, to) = receiver();
    let pace = Pace::Rate {
        per_second: 10_000.0,
    };
    let summary = send(datagrams(0..1001, 10), to, pace, &NEVER, |_| {}).unwrap();
    assert!(summary.progress.elapsed >= Duration::from_millis(100));
    assert_eq!(summary.progress.datagrams, 1001);
}

#[test]
fn stops_when_asked_even_in_a_long_gap() {
    let (_socket, to) = receiver();
    let mut sent = datagrams(0..2, 10);
    sent[1].received_at = sent[0].received_at.offset(3_600_000_000_000);
    let stop = AtomicBool::new(false);
    let pace = Pace::AsRecorded { speed: 1.0 };
    let summary = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            send(sent, to, pace, &stop, |_| {
                stop.store(true, std::sync::atomic::Ordering::Relaxed)
            })
        });
        sending.join().unwrap().unwrap()
    });
    assert!(summary.stopped);
    assert_eq!(summary.progress.datagrams, 1);
}

#[test]
fn nobody_listening_is_counted_and_no_reason_to_stop() {
    let (socket, to) = receiver();
    drop(socket);
    let summary = send(
        vec![tape::datagram(0, 10); 100],
        to,
        Pace::AsFastAsPossible,
        &NEVER,
        |_| {},
    )
    .unwrap();
    assert_eq!(summary.progress.datagrams + summary.progress.unsent, 100);
    assert!(summary.progress.refused > 0, "{:?}", summary.progress);
}

#[test]
fn what_no_datagram_can_hold_is_given_up() {
    let (socket, to) = receiver();
    let mut sent = datagrams(0..3, 10);
    sent[1].payload = vec![0; 65_535].into();
    let sent: Vec<Datagram> = sent
        .into_iter()
        .map(|d| Datagram {
            source: "192.0.2.1:1".parse().unwrap(),
            ..d
        })
        .collect();
    let summary = send(sent, to, Pace::AsFastAsPossible, &NEVER, |_| {}).unwrap();
    assert_eq!(
        (summary.progress.datagrams, summary.progress.unsent),
        (2, 1)
    );
    assert_eq!(receive(&socket, 2).len(), 2);
}

#[test]
fn targets_and_paces_that_cannot_be_are_named() {
    assert_eq!(
        resolve("127.0.0.1:9").unwrap(),
        "127.0.0.1:9".parse().unwrap()
    );
    let said = resolve("127.0.0.1").unwrap_err().to_string();
    assert!(said.contains("'127.0.0.1': write HOST:PORT"), "{said}");
    let (_socket, to) = receiver();
    let none: Vec<Datagram> = Vec::new();
    let error = send(none, to, Pace::Rate { per_second: 0.0 }, &NEVER, |_| {}).unwrap_err();
    assert!(matches!(error, WireError::Pace(_)));
}
