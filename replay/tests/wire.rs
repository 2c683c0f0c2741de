//! Datagrams go back on the wire: all of them, in their order, at their pace.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use flow::Datagram;
use replay::wire::{Looped, NotKept, Pace, Sources, WireError, resolve, send};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tape::{datagrams, second};

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
const OWN: Sources = Sources::Own;

#[test]
fn all_arrive_in_order_and_exporters_keep_apart() {
    let (socket, to) = receiver();
    let sent = datagrams(0..150, 60);
    let mut told = 0;
    let summary = send(
        sent.clone(),
        to,
        Pace::AsFastAsPossible,
        OWN,
        &NEVER,
        |_| told += 1,
    )
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
    let distinct: BTreeSet<_> = ports.values().collect();
    assert_eq!(distinct.len(), 128);
}

#[test]
fn a_recording_keeps_its_gaps() {
    let (socket, to) = receiver();
    let sent = datagrams(0..41, 10);
    let pace = Pace::AsRecorded { speed: 0.5 };
    let summary = send(sent, to, pace, OWN, &NEVER, |_| {}).unwrap();
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
    let summary = send(datagrams(0..1001, 10), to, pace, OWN, &NEVER, |_| {}).unwrap();
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
            send(sent, to, pace, OWN, &stop, |_| {
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
        OWN,
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
    let summary = send(sent, to, Pace::AsFastAsPossible, OWN, &NEVER, |_| {}).unwrap();
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
    let error = send(
        none,
        to,
        Pace::Rate { per_second: 0.0 },
        OWN,
        &NEVER,
        |_| {},
    )
    .unwrap_err();
    assert!(matches!(error, WireError::Pace(_)));
}

/// The capabilities that let a process send from any address.
const ANY_ADDRESS: CapabilitySet = CapabilitySet::NET_ADMIN.union(CapabilitySet::NET_RAW);

/// Whether a test that needs them can run; in CI it must.
fn may_send_from_any_address() -> bool {
    let may = capabilities(None).unwrap().effective;
    if may.intersects(ANY_ADDRESS) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "CI has the capabilities");
    println!("skipped: it takes CAP_NET_RAW or CAP_NET_ADMIN");
    false
}

/// One datagram from each source, in turns; the payload is the source's place in the list.
fn from_sources(sources: &[SocketAddr], turns: usize) -> Vec<Datagram> {
    let sources = sources.iter().enumerate();
    let datagrams = sources.map(|(number, source)| Datagram {
        source: *source,
        ..tape::datagram(u64::try_from(number).unwrap(), 8)
    });
    let datagrams: Vec<_> = datagrams.collect();
    std::iter::repeat_n(datagrams, turns).flatten().collect()
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn sources_are_kept_where_it_is_permitted() {
    if !may_send_from_any_address() {
        return;
    }
    let (socket, to) = receiver();
    let sources = addresses(&[
        "10.1.2.3:5000",
        "[::ffff:203.0.113.9]:2055",
        "10.1.2.3:5001",
    ]);
    let sent = from_sources(&sources, 2);
    let summary = send(
        sent,
        to,
        Pace::AsFastAsPossible,
        Sources::Kept,
        &NEVER,
        |_| {},
    )
    .unwrap();
    assert_eq!((summary.sources_kept, summary.sources_own), (3, 0));
    assert_eq!(summary.not_kept, None);
    let expected = addresses(&["10.1.2.3:5000", "203.0.113.9:2055", "10.1.2.3:5001"]).repeat(2);
    let received: Vec<_> = receive(&socket, 6)
        .into_iter()
        .map(|(from, _)| from)
        .collect();
    assert_eq!(received, expected);
}

#[test]
fn sources_of_ipv6_are_kept_as_well() {
    if !may_send_from_any_address() {
        return;
    }
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    let to = socket.local_addr().unwrap();
    let sources = addresses(&["[2001:db8::7]:5000", "10.1.2.3:5000"]);
    let sent = from_sources(&sources, 1);
    let pace = Pace::AsFastAsPossible;
    let summary = send(sent, to, pace, Sources::Kept, &NEVER, |_| {}).unwrap();
    let received = receive(&socket, 2);
    assert_eq!(received[0].0, sources[0]);
    assert_eq!(received[1].0.ip(), to.ip());
    assert_eq!((summary.sources_kept, summary.sources_own), (1, 1));
    assert_eq!(
        summary.not_kept.unwrap().to_string(),
        "source 10.1.2.3:5000 is not kept: the target's address is of the other IP version"
    );
}

#[test]
fn more_sources_than_sockets_are_all_kept() {
    if !may_send_from_any_address() {
        return;
    }
    let (socket, to) = receiver();
    let sources: Vec<SocketAddr> = (0..700_u16)
        .map(|number| {
            format!(
                "10.9.{}.{}:{}",
                number / 250,
                number % 250 + 1,
                5000 + number
            )
        })
        .map(|text| text.parse().unwrap())
        .collect();
    let sent = from_sources(&sources, 3);
    let summary = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            // The kernel keeps some 270 for a receiver that is late.
            let pace = Pace::Rate { per_second: 2000.0 };
            send(sent, to, pace, Sources::Kept, &NEVER, |_| {}).unwrap()
        });
        for (from, payload) in receive(&socket, 2100) {
            let number = u64::from_be_bytes(payload[..8].try_into().unwrap());
            assert_eq!(from, sources[usize::try_from(number).unwrap()]);
        }
        sending.join().unwrap()
    });
    assert_eq!((summary.sources_kept, summary.sources_own), (700, 0));
}

#[test]
fn what_cannot_be_kept_is_sent_and_counted() {
    if !may_send_from_any_address() {
        return;
    }
    let (socket, to) = receiver();
    // Nobody's address, the target's own, which is taken, and one that can be kept.
    let mut sources = addresses(&["0.0.0.0:5", "239.1.2.3:5", "255.255.255.255:5"]);
    sources.extend([to, "10.1.2.3:5000".parse().unwrap()]);
    let sent = from_sources(&sources, 2);
    let pace = Pace::AsFastAsPossible;
    let summary = send(sent, to, pace, Sources::Kept, &NEVER, |_| {}).unwrap();
    let received = receive(&socket, 10);
    assert_eq!((summary.sources_kept, summary.sources_own), (1, 4));
    let nobody = NotKept::Nobody(sources[0]);
    assert_eq!(summary.not_kept, Some(nobody));
    for (at, (from, _)) in received.iter().enumerate() {
        match at % 5 {
            4 => assert_eq!(*from, sources[4]),
            _ => assert!(from.ip().is_loopback() && *from != to, "{from}"),
        }
    }
}

#[test]
fn without_permission_all_is_sent_and_said_once() {
    // Capabilities belong to a thread: this one gives them up.
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(ANY_ADDRESS);
    sets.permitted.remove(ANY_ADDRESS);
    set_capabilities(None, sets).unwrap();
    let (socket, to) = receiver();
    // The last is an address of this machine, as all of 127.0.0.0/8, and takes no capability.
    let sources = addresses(&["10.1.2.3:5000", "10.1.2.4:5000", "127.53.0.7:5000"]);
    let sent = from_sources(&sources, 2);
    let pace = Pace::AsFastAsPossible;
    let summary = send(sent, to, pace, Sources::Kept, &NEVER, |_| {}).unwrap();
    assert_eq!(summary.progress.datagrams, 6);
    assert_eq!((summary.sources_kept, summary.sources_own), (1, 2));
    assert_eq!(summary.not_kept, Some(NotKept::Permission));
    let received = receive(&socket, 6);
    assert!(received.iter().all(|(from, _)| from.ip().is_loopback()));
    let exporters: BTreeSet<_> = received.iter().map(|(from, _)| *from).collect();
    assert_eq!(exporters.len(), 3);
    assert!(exporters.contains(&sources[2]));
}

#[test]
fn a_loop_goes_on_at_the_pace_of_its_recording() {
    let (socket, to) = receiver();
    // Eleven datagrams a millisecond apart, three times: 32 gaps.
    let open = || Ok::<_, std::io::Error>(datagrams(0..11, 8).into_iter().map(Ok));
    let looped = Looped::new(open, Some(3)).map_while(Result::ok);
    let mut dues = Vec::new();
    let looped = looped.map(|(number, datagram)| {
        dues.push((number, datagram.received_at.nanos_since(second(0))));
        datagram
    });
    let pace = Pace::AsRecorded { speed: 1.0 };
    let summary = send(looped, to, pace, OWN, &NEVER, |_| {}).unwrap();
    assert!(summary.progress.elapsed >= Duration::from_millis(32));
    assert_eq!(receive(&socket, 33).len(), 33);
    let expected: Vec<_> = (0..33).map(|n| (n / 11, n * 1_000_000)).collect();
    let dues: Vec<_> = dues
        .into_iter()
        .map(|(number, nanos)| (i64::try_from(number).unwrap(), nanos))
        .collect();
    assert_eq!(dues, expected);
}
