//! Cases 44, 45, 47, 49 and 50 of the field's faults: the store is away, slow or full; the disk is full; the store forgets
//! what it has; the tape is damaged; a capture of long ago is played.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::plant::{ImportState, ImportStatus};
use flow::{DropKind, TapePosition, clock};
use nix::sys::signal::Signal;
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use store::question::TopRow;
use support::injury::{last_segment, pass};
use support::lab::Lab;
use support::place::Place;
use support::sql::{ask, number, try_ask};
use support::{Server, eventually, signal};

/// Every time that any exporter may have sent.
const ALWAYS: &str = "from=1970-01-01&to=2200-01-01";

#[test]
fn case_44_while_the_store_is_away_the_tape_grows_and_then_drains_in_order() {
    let mut lab = Lab::simple(44);
    lab.server().wait_until_ready();
    lab.fleet.burst(4);
    lab.check("the beginning");
    lab.signal_engine(Signal::SIGSTOP);
    // The first is a batch by itself, for which the engine does not answer; the next one grows with the others.
    for _ in 0..6 {
        lab.fleet.burst(20);
        pass(Duration::from_millis(350));
    }
    let books = lab.wait_until_received();
    assert_eq!(books.datagrams.received, lab.fleet.datagrams());
    assert!(books.datagrams.on_tape >= 3 * 6 * 20, "{books:?}");
    assert!(books.datagrams.balances() && books.datagrams.dropped_total() == 0);
    assert_eq!(
        lab.server().metric("flowreel_on_tape_datagrams"),
        Some(books.datagrams.on_tape)
    );
    let data = lab.data();
    lab.ledger.read_tape(&data, &lab.fleet);
    let tape = lab.ledger.positions_from(TapePosition::START);
    lab.signal_engine(Signal::SIGCONT);
    // Whenever one looks, what is stored is the beginning of the tape.
    eventually("all is stored", || {
        let look = "SELECT DISTINCT tape_segment, tape_offset FROM flowreel.flows";
        let rows = try_ask(&lab.server().engine_socket(), look).ok()?;
        let place = |row: &Vec<String>| TapePosition {
            segment: row[0].parse().unwrap(),
            offset: row[1].parse().unwrap(),
        };
        let stored: BTreeSet<TapePosition> = rows.iter().map(place).collect();
        assert!(
            stored.iter().eq(tape.iter().take(stored.len())),
            "not in order"
        );
        (stored.len() == tape.len()).then_some(())
    });
    lab.check("the store was away");
}

#[test]
fn case_44_too_many_parts_are_waited_for() {
    let mut lab = Lab::simple(440);
    lab.server().wait_until_ready();
    lab.fleet.burst(2);
    lab.check("the beginning");
    let socket = lab.server().engine_socket();
    let set = |value: &str| {
        let statement = format!("ALTER TABLE flowreel.flows {value}");
        eventually("the table is altered", || {
            raw(&socket, &statement)
                .contains("HTTP/1.1 200")
                .then_some(())
        });
    };
    set(
        "MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1, max_delay_to_insert = 1",
    );
    for _ in 0..3 {
        lab.fleet.burst(5);
        pass(Duration::from_millis(350));
    }
    let error = eventually("the store refuses", || {
        let ready = support::http::exchange(lab.server().running.http, "GET", "/readyz", &[], b"");
        (ready.status == 503).then_some(ready.text)
    });
    assert!(error.contains("252"), "{error}");
    let books = lab.wait_until_received();
    assert!(
        books.datagrams.on_tape > 0 && books.datagrams.dropped_total() == 0,
        "{books:?}"
    );
    set("RESET SETTING parts_to_delay_insert, parts_to_throw_insert, max_delay_to_insert");
    lab.check("too many parts");
}

/// The whole answer to a statement.
fn raw(socket: &Path, statement: &str) -> String {
    use std::io::{Read as _, Write as _};
    let Ok(mut engine) = std::os::unix::net::UnixStream::connect(socket) else {
        return String::new();
    };
    let length = statement.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{statement}"
    );
    let mut answer = String::new();
    let _ = engine.write_all(request.as_bytes());
    let _ = engine.read_to_string(&mut answer);
    answer
}

#[test]
fn case_45_a_full_disk_drops_by_name_and_works_again_without_a_restart() {
    let Some(place) = Place::disk(256) else {
        return;
    };
    let config = "[tape]\nsegment_octets = 1048576\nmin_free_octets = 1048576\n";
    let mut lab = Lab::new(place, 1, 45, config);
    lab.server().wait_until_ready();
    lab.fleet.burst(10);
    lab.check("the beginning");
    lab.place.fill();
    // More than the tape has room for, whatever it gives up of the past.
    let data = lab.data();
    eventually("datagrams are dropped by name", || {
        lab.fleet.burst(30);
        let books = lab.wait_until_received();
        lab.ledger.read_tape(&data, &lab.fleet);
        (books.datagrams.dropped[&DropKind::TapeFailed] > 0).then_some(())
    });
    // Whenever the tape has given up something of the past it has room for a moment.
    eventually("it says that it is not ready", || {
        lab.fleet.burst(30);
        lab.wait_until_received();
        lab.ledger.read_tape(&data, &lab.fleet);
        let http = lab.server().running.http;
        let ready = support::http::exchange(http, "GET", "/readyz", &[], b"");
        (ready.status == 503).then_some(())
    });
    lab.fleet.burst(5);
    let books = lab.wait_until_received();
    assert_eq!(books.datagrams.received, lab.fleet.datagrams());
    assert!(books.datagrams.balances(), "{books:?}");
    lab.place.free();
    lab.fleet.burst(10);
    lab.check("the disk was full");
    // What was dropped is known after a crash too.
    let dropped = lab.books().datagrams.dropped;
    lab.kill();
    lab.start();
    lab.check("a crash behind it");
    assert_eq!(lab.books().datagrams.dropped, dropped);
}

/// A trial whose last batch is in the store, while its checkpoint says that it was about to be inserted: what a crash
/// right after the store's acknowledgement leaves. The server is down.
fn crashed_before_the_checkpoint(seed: u64) -> (Lab, BTreeMap<String, PathBuf>) {
    let mut lab = Lab::simple(seed);
    lab.server().wait_until_ready();
    lab.fleet.burst(5);
    lab.check("the beginning");
    let socket = lab.server().engine_socket();
    assert!(raw(&socket, "SYSTEM STOP MERGES").contains("HTTP/1.1 200"));
    let tables = ask(
        &socket,
        "SELECT data_paths[1], name FROM system.tables WHERE database = 'flowreel' AND engine LIKE '%MergeTree'",
    );
    let tables = tables
        .into_iter()
        .map(|row| (row[1].clone(), PathBuf::from(&row[0])))
        .collect();
    let folder = lab.data().join("checkpoint");
    let kept = lab.data().with_file_name("kept");
    for _ in 0..10 {
        lab.signal_engine(Signal::SIGSTOP);
        lab.fleet.burst(3);
        lab.wait_until_received();
        eventually("the intent is on disk", || intent(&folder));
        let _ = std::fs::remove_dir_all(&kept);
        copy(&folder, &kept);
        lab.signal_engine(Signal::SIGCONT);
        lab.check("the batch is stored");
        if position(&folder) == intent(&kept) {
            lab.stop();
            std::fs::remove_dir_all(&folder).unwrap();
            copy(&kept, &folder);
            return (lab, tables);
        }
    }
    panic!("the burst was more than one batch, ten times");
}

fn checkpoint(folder: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(folder.join("checkpoint.json")).ok()?).ok()
}

fn intent(folder: &Path) -> Option<serde_json::Value> {
    Some(checkpoint(folder)?["intent"].clone()).filter(|intent| !intent.is_null())
}

fn position(folder: &Path) -> Option<serde_json::Value> {
    Some(checkpoint(folder)?["position"].clone())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn case_47_a_batch_that_is_stored_is_not_stored_again() {
    let (mut lab, _) = crashed_before_the_checkpoint(470);
    lab.start();
    lab.check("a crash before the checkpoint");
}

#[test]
fn case_47_a_store_that_forgot_its_tokens_has_no_row_twice() {
    let (mut lab, tables) = crashed_before_the_checkpoint(471);
    forget_tokens(tables.values());
    lab.start();
    lab.check("a crash that took the tokens");
}

#[test]
fn case_47_a_rollup_that_forgot_its_tokens_counts_nothing_twice() {
    let (mut lab, tables) = crashed_before_the_checkpoint(472);
    // In a power cut each table loses its own.
    let rollups = tables.iter().filter(|(name, _)| *name != "flows");
    forget_tokens(rollups.map(|(_, folder)| folder));
    lab.start();
    lab.check("a crash that took the rollups' tokens");
}

#[test]
fn case_47_a_store_that_knows_a_token_and_lost_the_rows_gets_them_again() {
    let (mut lab, tables) = crashed_before_the_checkpoint(473);
    // `day_first_last_level`: the part of the last insert has the highest block.
    let parts = std::fs::read_dir(&tables["flows"]).unwrap().flatten();
    let block = |part: &std::fs::DirEntry| -> Option<u64> {
        let name = part.file_name().into_string().ok()?;
        let mut words = name.split('_');
        words.next()?.parse::<u32>().ok()?;
        words.next()?.parse().ok()
    };
    let last = parts
        .filter_map(|part| Some((block(&part)?, part.path())))
        .max();
    std::fs::remove_dir_all(last.unwrap().1).unwrap();
    lab.start();
    lab.check("a crash that took the rows");
}

/// Removes what tables know of the inserts that they have seen.
fn forget_tokens<'a>(tables: impl Iterator<Item = &'a PathBuf>) {
    for table in tables {
        let log = table.join("deduplication_logs");
        if log.is_dir() {
            std::fs::remove_dir_all(&log).unwrap();
        }
    }
}

#[test]
fn case_49_a_tape_damaged_in_the_middle_is_read_on_behind_the_damage() {
    let mut lab = Lab::simple(49);
    lab.server().wait_until_ready();
    lab.fleet.burst(5);
    lab.check("the beginning");
    lab.signal_engine(Signal::SIGSTOP);
    lab.fleet.burst(40);
    lab.wait_until_received();
    let data = lab.data();
    lab.ledger.read_tape(&data, &lab.fleet);
    lab.kill();
    let (segment, path) = last_segment(&data);
    let tape = lab
        .ledger
        .positions_from(TapePosition { segment, offset: 0 });
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    // In the payload of one frame, over the edge of two others, and the length of a fourth.
    let places = [(60, 60, 1), (70, 20, 900), (90, 8, 2)];
    let mut destroyed = BTreeSet::new();
    for (number, offset, length) in places {
        let from = u64::from(tape[number].offset) + offset;
        file.write_all_at(&vec![0xa5; length], from).unwrap();
        let to = from + length as u64;
        let hit = tape.windows(2).filter(|frames| {
            u64::from(frames[0].offset) < to && u64::from(frames[1].offset) > from
        });
        destroyed.extend(hit.map(|frames| frames[0]));
    }
    let count = destroyed.len() as u64;
    lab.ledger.note_destroyed(destroyed);
    lab.start();
    lab.fleet.burst(2);
    lab.check("damage in the middle of the tape");
    let books = lab.books();
    assert_eq!(
        books.datagrams.dropped[&DropKind::TapeDamaged],
        count,
        "{books:?}"
    );
    assert_eq!(books.datagrams.received, lab.fleet.datagrams());
}

/// 2001-09-09 01:46:40 UTC.
const LONG_AGO: u32 = 1_000_000_000;

/// A capture file with one v5 datagram of long ago, from the address of an exporter that sends now: pcap with packets of
/// raw IP (link type 101), RFC 791 and RFC 768 by hand.
fn capture_of_long_ago(exporter: Ipv4Addr) -> Vec<u8> {
    let record = FixedRecord {
        src: Ipv4Addr::new(10, 50, 0, 1),
        dst: Ipv4Addr::new(10, 50, 0, 2),
        src_port: 40_000,
        dst_port: 443,
        protocol: 6,
        octets: 7000,
        packets: 7,
        first_ms: 1000,
        last_ms: 2000,
        ..FixedRecord::default()
    };
    let header = FixedHeader {
        uptime_ms: 3000,
        unix_seconds: LONG_AGO,
        sequence: 77,
        ..FixedHeader::default()
    };
    let payload = datagram(FixedVersion::V5, header, &[record; 3]);
    let udp_length = u16::try_from(8 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_length).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(exporter.octets());
    packet.extend([10, 0, 0, 9]);
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    for word in [40_001, 2055, udp_length, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(&payload);
    let length = u32::try_from(packet.len()).unwrap();
    let mut file = Vec::new();
    for word in [
        0xa1b2_c3d4_u32,
        0x0004_0002,
        0,
        0,
        65_535,
        101,
        LONG_AGO,
        0,
        length,
        length,
    ] {
        file.extend(word.to_le_bytes());
    }
    file.extend(packet);
    file
}

#[test]
fn case_50_a_capture_of_long_ago_stays_apart_and_is_kept_from_today_on() {
    let lab = Lab::simple(50);
    lab.server().wait_until_ready();
    lab.fleet.burst(10);
    let live = lab.books().records.stored;
    let started = clock::now().seconds();
    let feed = import(
        lab.server(),
        &capture_of_long_ago(Ipv4Addr::new(127, 0, 7, 1)),
    );
    lab.fleet.burst(10);
    let books = lab.books();
    assert_eq!(books.records.dropped.values().sum::<u64>(), 0);
    let flows = |question: &str| -> u64 {
        let rows: Vec<TopRow> = lab
            .server()
            .get(&format!("/api/v1/top/exporters?{question}&limit=1000"));
        rows.iter().map(|row| row.flows).sum()
    };
    let all = books.records.stored;
    assert!(all > live + 3);
    // Live: what happened in the last hour, whoever asks how; and the wire alone.
    assert_eq!(flows("last=1h"), all - 3);
    assert_eq!(flows(&format!("{ALWAYS}&filter=feed%200")), all - 3);
    assert_eq!(flows(&format!("{ALWAYS}&filter=feed%20{feed}")), 3);
    assert_eq!(flows(&format!("last=1h&filter=feed%20{feed}")), 0);
    assert_eq!(flows("from=2001-09-09&to=2001-09-10"), 3);
    // What is known of the exporter on the wire is not touched: no number of it is missing or doubted.
    let exporters: Vec<serde_json::Value> = lab.server().get("/api/v1/exporters");
    let wire =
        |exporter: &&serde_json::Value| exporter["feed"] == 0 && exporter["address"] == "127.0.7.1";
    let exporter = exporters.iter().find(wire).unwrap();
    assert_eq!(exporter["sequence_lost"], 0, "{exporter}");
    // Kept from the time of storing on: the engine's own removal of what is too old leaves all of it.
    let socket = lab.server().engine_socket();
    for (table, column) in [
        ("flows", "count()"),
        ("traffic_10s", "sum(begun)"),
        ("traffic_1m", "sum(begun)"),
        ("traffic_1h", "sum(begun)"),
    ] {
        raw(&socket, &format!("OPTIMIZE TABLE flowreel.{table} FINAL"));
        let left = format!(
            "SELECT {column}, toUnixTimestamp(min(stored_at)) FROM flowreel.{table} WHERE feed = {feed}"
        );
        let row = &ask(&socket, &left)[0];
        assert_eq!(row[0], "3", "{table}");
        assert!(
            row[1].parse::<i64>().unwrap() >= started,
            "{table}: {row:?}"
        );
    }
    assert_eq!(number(&socket, "SELECT count() FROM flowreel.flows"), all);
}

fn import(server: &Server, file: &[u8]) -> u32 {
    let status: ImportStatus = ureq::post(format!("{}/api/v1/imports?name=old.pcap", server.url()))
        .send(file)
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
    eventually("the capture is in", || {
        let now: ImportStatus = server.get(&format!("/api/v1/imports/{}", status.feed));
        assert_ne!(now.state, ImportState::Failed, "{now:?}");
        (now.state == ImportState::Done).then_some(status.feed)
    })
}

#[test]
fn case_44_a_slow_store_is_late_and_loses_nothing() {
    let mut lab = Lab::simple(441);
    lab.server().wait_until_ready();
    lab.fleet.go_on(100);
    for _ in 0..5 {
        let engine = lab.server().engine();
        signal(engine, Signal::SIGSTOP);
        pass(Duration::from_millis(500));
        signal(engine, Signal::SIGCONT);
        pass(Duration::from_millis(50));
    }
    lab.check("a slow store");
    assert_eq!(lab.books().datagrams.received, lab.fleet.datagrams());
}
