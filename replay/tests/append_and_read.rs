//! What is appended is read: the same, in its order, at once, across segments, compression and restarts.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use flow::{Datagram, Feed, TapePosition, Timestamp};
use proptest::prelude::*;
use replay::{TapeError, TapeReader, TapeWriter, Upkeep};
use tape::{append, config, datagram, datagrams, number, open, read_all, second};

#[test]
fn a_datagram_is_readable_when_append_returns_and_its_position_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let mut reader = TapeReader::open(dir.path(), TapePosition::START, Some(writer.tail()));
    assert!(reader.read(10, 1000).unwrap().is_empty());
    for number in 0..50 {
        append(&mut writer, &[datagram(number, 100)]);
        let read = reader.read(10, 1000).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].1, datagram(number, 100));
        assert_eq!(reader.position(), writer.end());
        assert_eq!(TapeReader::get(dir.path(), read[0].0).unwrap(), read[0].1);
        assert_eq!(reader.next_number(), Some(number + 1));
    }
    let nowhere = TapePosition {
        segment: 1,
        offset: 65,
    };
    let error = TapeReader::get(dir.path(), nowhere).unwrap_err();
    assert!(matches!(error, TapeError::NoDatagram(at) if at == nowhere));
}

#[test]
fn limits_of_a_read_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..20, 100));
    let mut reader = TapeReader::open(dir.path(), TapePosition::START, None);
    assert_eq!(reader.read(3, usize::MAX).unwrap().len(), 3);
    assert_eq!(reader.read(100, 150).unwrap().len(), 2);
    assert_eq!(reader.read(100, 1).unwrap().len(), 1);
    assert_eq!(reader.read(100, usize::MAX).unwrap().len(), 14);
}

#[test]
fn positions_grow_and_each_is_a_place_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..600, 1000));
    writer.tail().compress_next().unwrap();
    let all = read_all(&mut TapeReader::open(dir.path(), TapePosition::START, None));
    assert_eq!(all.len(), 600);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(all.last().unwrap().0.segment >= 5);
    for (index, (position, _)) in all.iter().enumerate().step_by(37) {
        let mut reader = TapeReader::open(dir.path(), *position, None);
        assert_eq!(read_all(&mut reader), all[index..]);
        assert_eq!(reader.counts().resyncs, 0);
    }
}

#[test]
fn totals_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    for round in 0..4_u64 {
        let (mut writer, recovery) =
            TapeWriter::open(config(dir.path()), second(i64::try_from(round).unwrap())).unwrap();
        assert_eq!(recovery.datagrams_total, round * 100);
        assert_eq!((recovery.cut_octets, recovery.damaged_places), (0, 0));
        assert_eq!(writer.datagrams_total(), round * 100);
        append(&mut writer, &datagrams(round * 100..round * 100 + 100, 500));
        ends.push(writer.end());
    }
    assert!(ends.is_sorted());
    let (numbers, reader) = tape::numbers_on(dir.path());
    assert_eq!(numbers, (0..400).collect::<Vec<_>>());
    assert_eq!(reader.next_number(), Some(400));
}

#[test]
fn restarts_without_a_datagram_leave_nothing_and_reuse_no_position() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = TapePosition::START;
    for _ in 0..5 {
        let writer = open(dir.path());
        assert!(writer.end() > last);
        last = writer.end();
    }
    assert_eq!(tape::files(dir.path(), ".tape").len(), 1);
    assert_eq!(tape::files(dir.path(), ".index").len(), 1);
}

#[test]
fn a_tape_that_was_lost_begins_behind_what_is_remembered_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let remembered = TapePosition {
        segment: 41,
        offset: 7,
    };
    let lost = writer.begin_after(remembered, 1000, second(0)).unwrap();
    assert_eq!(lost, 1000);
    assert!(writer.end() > remembered);
    append(&mut writer, &[datagram(0, 10)]);
    let end = writer.end();
    let behind = TapePosition {
        segment: 3,
        offset: 0,
    };
    assert_eq!(writer.begin_after(behind, 900, second(0)).unwrap(), 0);
    assert_eq!(writer.end(), end);
    // Whoever had read 700 of them counts 300 as lost, and none as expired or damaged.
    let mut reader =
        TapeReader::open(dir.path(), TapePosition::START, Some(writer.tail())).expecting(700);
    assert_eq!(read_all(&mut reader).len(), 1);
    let counts = reader.counts();
    assert_eq!((counts.lost, counts.missing, counts.damaged), (300, 0, 0));
    assert_eq!(reader.next_number(), Some(1001));
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_the_tape() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = TapeWriter::open(config(dir.path()), second(0)).unwrap_err();
    let said = error.to_string();
    let holder = format!("is in use by process {}", std::process::id());
    assert!(said.contains(&holder), "{said}");
    drop(first);
    assert!(TapeWriter::open(config(dir.path()), second(0)).is_ok());
}

#[test]
fn a_newer_format_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), &[datagram(0, 10)]);
    let path = tape::files(dir.path(), ".tape").remove(0);
    let mut octets = std::fs::read(&path).unwrap();
    octets[8] = 9;
    let checksum = crc32c::crc32c(&octets[..60]);
    octets[60..64].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, octets).unwrap();
    let error = TapeWriter::open(config(dir.path()), second(0)).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("tape format 9, this program knows formats up to 1"),
        "{said}"
    );
}

#[test]
fn a_reader_follows_across_segments_while_they_are_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let tail = writer.tail();
    let (done, finished) = mpsc::sync_channel(1);
    let follower = std::thread::spawn({
        let (dir, tail) = (dir.path().to_owned(), tail.clone());
        move || {
            let mut reader =
                TapeReader::open(&dir, TapePosition::START, Some(tail.clone())).expecting(0);
            let mut numbers = Vec::new();
            while numbers.len() < 3000 {
                tail.wait_past(reader.position(), Duration::from_secs(20));
                let read = reader.read(64, 1 << 20).unwrap();
                assert!(!read.is_empty() || !tail.is_closed());
                numbers.extend(read.iter().map(|(_, d)| number(d)));
            }
            done.send((numbers, reader.counts())).unwrap();
        }
    });
    for batch in 0..300 {
        append(&mut writer, &datagrams(batch * 10..batch * 10 + 10, 900));
        if batch % 7 == 0 {
            tail.compress_next().unwrap();
            tail.sync().unwrap();
        }
    }
    let (numbers, counts) = finished.recv_timeout(Duration::from_secs(60)).unwrap();
    follower.join().unwrap();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
    assert_eq!((counts.damaged, counts.missing, counts.resyncs), (0, 0, 0));
    assert!(tail.counts().segments_compressed > 5);
}

#[test]
fn a_reader_keeps_its_place_when_the_segment_under_it_is_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..300, 1000));
    for tail in [None, Some(writer.tail())] {
        let mut reader = TapeReader::open(dir.path(), TapePosition::START, tail);
        let before = reader.read(40, usize::MAX).unwrap();
        let compressed = writer.tail().compress_next().unwrap();
        assert!(compressed.is_some());
        let after = read_all(&mut reader);
        let numbers: Vec<_> = before
            .iter()
            .chain(&after)
            .map(|(_, d)| number(d))
            .collect();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        // And a new reader finds the same datagram at the same place.
        for (position, datagram) in before.iter().step_by(9) {
            assert_eq!(TapeReader::get(dir.path(), *position).unwrap(), *datagram);
        }
    }
}

#[test]
fn a_compressed_segment_is_plain_zstandard() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = config(dir.path());
    settings.segment_octets = 3 << 20;
    let mut writer = TapeWriter::open(settings, second(0)).unwrap().0;
    let text = Datagram {
        payload: Bytes::from(vec![b'x'; 1400]),
        ..datagram(0, 8)
    };
    append(&mut writer, &vec![text; 3000]);
    let raw = std::fs::read(&tape::files(dir.path(), "01.tape")[0]).unwrap();
    assert_eq!(writer.tail().compress_next().unwrap(), Some(1));
    assert_eq!(writer.tail().compress_next().unwrap(), None);
    assert!(tape::files(dir.path(), "01.tape").is_empty());
    let path = tape::files(dir.path(), "01.tape.zst").remove(0);
    let file = std::fs::File::open(&path).unwrap();
    let mut restored = Vec::new();
    std::io::copy(&mut zstd::Decoder::new(file).unwrap(), &mut restored).unwrap();
    assert_eq!(restored, raw);
    let counts = writer.tail().counts();
    assert_eq!(counts.compressed_from_octets, raw.len() as u64);
    assert_eq!(counts.compressed_to_octets, path.metadata().unwrap().len());
    // Frames that cross from one block of 1 MiB to the next are read as well.
    let all = read_all(&mut TapeReader::open(dir.path(), TapePosition::START, None));
    assert_eq!(all.len(), 3000);
}

#[test]
fn upkeep_brings_the_tape_to_disk_and_wakes_nobody_in_vain() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let tail = writer.tail();
    let upkeep = Upkeep::start(&tail).unwrap();
    append(&mut writer, &datagrams(0..10, 100));
    let end = writer.end();
    assert_eq!(tail.wait_past(end, Duration::from_millis(1)), end);
    drop(writer);
    assert!(tail.is_closed());
    tail.wait_past(end, Duration::from_secs(60));
    upkeep.stop();
    assert_eq!(tail.synced(), end);
    assert!(tail.counts().fsyncs >= 1);
    assert_eq!(tail.counts().fsync_failures, 0);
}

fn any_datagram() -> impl Strategy<Value = Datagram> {
    let payload = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 60_000..=65_535_usize).prop_map(|(octet, n)| vec![octet; n]),
    ];
    (
        any::<i64>(),
        any::<std::net::IpAddr>(),
        any::<u16>(),
        any::<u16>(),
        any::<u32>(),
        payload,
    )
        .prop_map(
            |(nanos, address, port, local_port, feed, payload)| Datagram {
                received_at: Timestamp::from_nanos(nanos),
                source: (address, port).into(),
                local_port,
                feed: Feed(feed),
                payload: Bytes::from(payload),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_datagrams_come_back(batches in proptest::collection::vec(
        proptest::collection::vec(any_datagram(), 0..12), 1..8), compress: bool) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path());
        for batch in &batches {
            append(&mut writer, batch);
        }
        while compress && writer.tail().compress_next().unwrap().is_some() {}
        let mut reader = TapeReader::open(dir.path(), TapePosition::START, Some(writer.tail()));
        let read: Vec<_> = read_all(&mut reader).into_iter().map(|(_, d)| d).collect();
        prop_assert_eq!(&read, &batches.concat());
        drop(writer);
        let mut reader = TapeReader::open(dir.path(), TapePosition::START, None);
        let again: Vec<_> = read_all(&mut reader).into_iter().map(|(_, d)| d).collect();
        prop_assert_eq!(again, read);
    }
}

#[test]
fn only_the_compressing_thread_steps_back() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let _upkeep = replay::Upkeep::start(&writer.tail()).unwrap();
    let nice = |thread: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let stats =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
        // The name stands in brackets; niceness is the 17th field behind it (proc_pid_stat(5)).
        let named = format!("({thread})");
        stats.filter(|stat| stat.contains(&named)).find_map(|stat| {
            let (_, fields) = stat.rsplit_once(") ")?;
            fields.split(' ').nth(16)?.parse::<i32>().ok()
        })
    };
    let watch = flow::clock::Stopwatch::start();
    while nice("tape-compress") != Some(19) {
        assert!(watch.elapsed() < std::time::Duration::from_secs(20));
        std::thread::yield_now();
    }
    assert_eq!(
        nice("tape-sync").unwrap_or(0),
        nice("only_the_compre").unwrap_or(0)
    );
}

#[test]
fn behind_the_last_number_nothing_is_begun_and_nothing_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!replay::is_written(dir.path()).unwrap());
    let mut writer = open(dir.path());
    assert!(replay::is_written(&config(dir.path()).dir).unwrap());
    let last = TapePosition {
        segment: u32::MAX - 1,
        offset: 0,
    };
    writer.begin_after(last, 0, second(0)).unwrap();
    append(&mut writer, &datagrams(0..10, 48));
    let refused = writer.seal(second(1)).unwrap_err();
    assert!(
        matches!(refused, TapeError::NoNumberLeft { .. }),
        "{refused}"
    );
    // It goes on in the segment that it has.
    append(&mut writer, &datagrams(10..20, 48));
    drop(writer);
    assert!(!replay::is_written(&config(dir.path()).dir).unwrap());
    let again = TapeWriter::open(config(dir.path()), second(2)).unwrap_err();
    assert!(matches!(again, TapeError::NoNumberLeft { .. }), "{again}");
    assert_eq!(tape::numbers_on(dir.path()).0, Vec::from_iter(0..20));
}
