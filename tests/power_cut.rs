//! Fault 47 with the real binary: the power goes, the tape loses its end, and the store has rows of it. The books balance,
//! nothing is stored twice, and no place is given to two datagrams.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use flow::DropKind;
use support::Server;

/// Octets of a segment's header, of a frame around its payload (`docs/tape.md`), and of a v5 datagram with one record.
const HEADER: u64 = 64;
const FRAME: u64 = 52 + PAYLOAD;
const PAYLOAD: u64 = 72;

/// NetFlow v5 (Cisco, "NetFlow Export Datagram Format"): header of 24 octets, one record of 48. A packet of 100 octets from a port
/// that tells the datagrams apart.
fn datagram(number: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend([0, 5, 0, 1]);
    octets.extend(100_000_u32.to_be_bytes());
    octets.extend(1_700_000_000_u32.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend(number.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
    octets.extend(1_u32.to_be_bytes());
    octets.extend(100_u32.to_be_bytes());
    octets.extend(90_000_u32.to_be_bytes());
    octets.extend(95_000_u32.to_be_bytes());
    octets.extend(u16::try_from(1000 + number).unwrap().to_be_bytes());
    octets.extend([0x15, 0x38, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    octets
}

fn send(server: &Server, numbers: std::ops::Range<u32>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in numbers {
        let octets = datagram(number);
        assert_eq!(octets.len() as u64, PAYLOAD);
        socket.send_to(&octets, server.udp()).unwrap();
    }
}

/// The segment that holds datagrams, and how many.
fn last_segment(data: &Path) -> (PathBuf, u64) {
    let entries = fs::read_dir(data.join("tape")).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let tapes = paths.filter(|path| path.extension().is_some_and(|kind| kind == "tape"));
    let with_datagrams = tapes.map(|path| (path.metadata().unwrap().len(), path));
    let (octets, path) = with_datagrams
        .filter(|(octets, _)| *octets > HEADER)
        .max_by_key(|(_, path)| path.clone())
        .unwrap();
    (path, (octets - HEADER) / FRAME)
}

/// Leaves `kept` datagrams of the 100 on tape: what came behind them had not come to the disk.
fn cut(data: &Path, kept: u64) {
    let (path, datagrams) = last_segment(data);
    assert_eq!(datagrams, 100);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(HEADER + kept * FRAME).unwrap();
}

/// The ports of all flows in the store.
fn stored(server: &Server) -> Vec<u64> {
    let ever = ["--from", "1970-01-01", "--to", "2200-01-01"];
    let question = ["flows", "--limit", "1000", "--format", "jsonl"];
    let flows = support::printed(&server.cli(&[&question[..], &ever].concat()));
    let flows = flows.lines();
    let flows = flows.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut ports: Vec<_> = flows
        .map(|flow| flow["src_port"].as_u64().unwrap())
        .collect();
    ports.sort_unstable();
    ports
}

#[test]
fn case_47_a_tape_that_lost_what_is_stored_goes_on_behind_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    send(&server, 0..100);
    assert_eq!(server.wait_for_datagrams(100).datagrams.stored, 100);
    server.stop();
    cut(data.path(), 60);

    let server = Server::start(data.path(), &[]);
    let books = server.accounting().datagrams;
    assert_eq!((books.received, books.stored, books.on_tape), (100, 100, 0));
    send(&server, 100..130);
    let books = server.wait_for_datagrams(130).datagrams;
    assert!(books.balances(), "{books:?}");
    assert_eq!((books.received, books.stored), (130, 130));
    // They were lost to the tape, and to nobody else.
    assert_eq!(books.dropped[&DropKind::TapeLost], 0);
    let counted = server.metric("flowreel_replay_lost_datagrams_total");
    assert_eq!(counted, Some(40));
    assert_eq!(stored(&server), (1000..1130).collect::<Vec<_>>());
}

/// The power goes between the insert and the checkpoint behind it: what the tape does not have any more may be in the store, so it
/// is counted as lost, and is there once at most.
#[test]
fn case_47_a_tape_that_lost_what_was_being_stored_counts_it_as_lost() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    send(&server, 0..100);
    server.wait_for_datagrams(100);
    // The acknowledgement is shown a moment before it is on disk.
    server.kill();
    cut(data.path(), 60);

    let server = Server::start(data.path(), &[]);
    send(&server, 100..130);
    let books = server.wait_for_datagrams(130).datagrams;
    assert!(books.balances(), "{books:?}");
    assert_eq!(books.received, 130);
    assert_eq!(books.stored + books.dropped[&DropKind::TapeLost], 130);
    assert_eq!(stored(&server), (1000..1130).collect::<Vec<_>>());
}

/// The power takes the segment that was being written, and both checkpoints: the store has rows of places that the tape does
/// not know any more. They are given to nobody else, or what is received next would be taken for stored.
#[test]
fn case_47_a_tape_that_lost_a_segment_and_its_checkpoint_gives_no_place_twice() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    send(&server, 0..50);
    server.wait_for_datagrams(50);
    server.stop();
    let server = Server::start(data.path(), &[]);
    send(&server, 50..100);
    server.wait_for_datagrams(100);
    server.stop();
    let (path, datagrams) = last_segment(data.path());
    assert_eq!(datagrams, 50);
    for path in [path.with_extension("index"), path] {
        fs::remove_file(path).unwrap();
    }
    fs::remove_dir_all(data.path().join("checkpoint")).unwrap();

    let server = Server::start(data.path(), &[]);
    send(&server, 100..130);
    let books = support::eventually("everything is stored or counted", || {
        let books = server.accounting().datagrams;
        (books.received >= 80 && books.on_tape == 0).then_some(books)
    });
    assert!(books.balances(), "{books:?}");
    support::eventually("what came last is stored", || {
        (stored(&server) == (1000..1130).collect::<Vec<_>>()).then_some(())
    });
}
