//! A full tape, an old tape, a full disk: the oldest goes first, pinned never, and every datagram is accounted for.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flow::{DropKind, TapePosition};
use replay::{Expired, Pins, TapeConfig, TapeReader, TapeWriter};
use tape::{append, config, datagrams, files, number, numbers_on, open, read_all, second};

/// Ten sealed segments of ten datagrams each, sealed a second apart, and an empty live one.
fn ten_segments(writer: &mut TapeWriter) {
    for segment in 0..10_u64 {
        append(writer, &datagrams(segment * 10..segment * 10 + 10, 48));
        writer
            .seal(second(i64::try_from(segment).unwrap() + 1))
            .unwrap();
    }
}

fn writer(dir: &Path, change: impl Fn(&mut TapeConfig)) -> TapeWriter {
    let mut settings = config(dir);
    change(&mut settings);
    TapeWriter::open(settings, second(0)).unwrap().0
}

fn at(segment: u32, offset: u32) -> TapePosition {
    TapePosition { segment, offset }
}

#[test]
fn a_full_tape_loses_its_oldest_segments_but_no_pinned_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), |settings| settings.max_octets = 256 << 10);
    let mut pins = Pins::default();
    pins.pin("outage of tuesday", 2..=3);
    pins.pin("same", 3..=3);
    for round in 0..10 {
        append(&mut writer, &datagrams(round * 60..round * 60 + 60, 1000));
        writer.seal(second(1)).unwrap();
    }
    // Each segment is 64 + 60 * 1052 = 63,184 octets; with the live one's header four fit into 262,144.
    let expired = writer
        .retain(second(1), at(4, 64 + 10 * 1052), &pins)
        .unwrap();
    assert_eq!(expired.segments, 6);
    assert_eq!(expired.octets, 6 * 63_184);
    // Stored: segment 1, and 10 datagrams of segment 4. Not stored: 50 of segment 4, and 5 to 8.
    assert_eq!((expired.stored, expired.not_stored), (70, 290));
    let kept: Vec<_> = numbers_on(dir.path())
        .0
        .chunks(60)
        .map(|c| c[0] / 60 + 1)
        .collect();
    assert_eq!(kept, [2, 3, 9, 10]);
    assert_eq!(writer.tail().size(), (5, 4 * 63_184 + 64));

    pins.unpin("outage of tuesday");
    assert!(!pins.hold(2) && pins.hold(3));
    assert_eq!(
        writer.retain(second(1), at(9, 0), &pins).unwrap(),
        Expired::default()
    );
    assert_eq!(files(dir.path(), ".index").len(), 5);
}

#[test]
fn an_old_segment_goes_by_the_time_of_its_sealing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), |settings| settings.max_age_hours = Some(1));
    ten_segments(&mut writer);
    let hour = Duration::from_secs(3600);
    let stored = writer.end();
    let none = Pins::default();
    // Segment 1 was sealed at second 1: an hour later it may stay, a moment after that it goes.
    assert_eq!(
        writer
            .retain(second(1) + hour, stored, &none)
            .unwrap()
            .segments,
        0
    );
    let later = second(3).offset(1) + hour;
    let expired = writer.retain(later, stored, &none).unwrap();
    assert_eq!(
        (expired.segments, expired.stored, expired.not_stored),
        (3, 30, 0)
    );
    let expired = writer.retain(second(99) + hour, stored, &none).unwrap();
    assert_eq!(expired.segments, 7, "the live one stays");
    assert_eq!(writer.tail().size().0, 1);
    append(&mut writer, &datagrams(0..1, 10));
    assert_eq!(writer.datagrams_total(), 101);
}

#[test]
fn a_quiet_tape_grows_old_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), |settings| settings.max_age_hours = Some(1));
    append(&mut writer, &datagrams(0..1, 48));
    let none = Pins::default();
    let stored = writer.end();
    let hour = Duration::from_secs(3600);
    for (hours, removed) in [(1, 0), (2, 0), (3, 1), (4, 0)] {
        let now = second(1) + hour * hours;
        let expired = writer.retain(now, stored, &none).unwrap();
        assert_eq!(expired.segments, removed, "after {hours} hours");
    }
}

#[test]
fn a_reader_in_a_segment_that_goes_knows_what_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), |settings| settings.max_age_hours = Some(1));
    ten_segments(&mut writer);
    let tail = writer.tail();
    let mut reader = TapeReader::open(dir.path(), TapePosition::START, Some(tail)).expecting(0);
    let first = reader.read(14, usize::MAX).unwrap();
    let old = second(3).offset(1) + Duration::from_secs(3600);
    let expired = writer
        .retain(old, reader.position(), &Pins::default())
        .unwrap();
    assert_eq!((expired.stored, expired.not_stored), (14, 16));
    let rest = read_all(&mut reader);
    let numbers: Vec<_> = first.iter().chain(&rest).map(|(_, d)| number(d)).collect();
    let counts = reader.counts();
    // What was in its memory it may still have given; the rest is missing, none of it damaged, none counted twice.
    assert_eq!(numbers.len() as u64 + counts.missing, 100);
    assert_eq!((counts.damaged, counts.resyncs), (0, 0));
    assert_eq!(reader.next_number(), Some(100));
    assert!(numbers.ends_with(&(30..100).collect::<Vec<_>>()));
}

#[test]
fn space_that_is_left_to_others_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    ten_segments(&mut open(dir.path()));
    let mut writer = writer(dir.path(), |settings| settings.min_free_octets = u64::MAX);
    let mut pins = Pins::default();
    pins.pin("recording", 5..=5);
    let done = writer.append(&datagrams(100..103, 48), second(20));
    assert_eq!((done.written, done.failed), (0, 3));
    assert_eq!(
        done.dropped(),
        [(DropKind::TapeFailed, 3), (DropKind::TapeExpired, 100)]
    );
    assert_eq!(writer.tail().counts().failed_datagrams, 3);
    assert_eq!(writer.tail().counts().made_room, 10);
    assert_eq!(writer.datagrams_total(), 100);
}

#[test]
fn a_small_disk_that_fills_up_and_is_freed() {
    let mount = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(mount.path(), "1m") else {
        return;
    };
    let dir = mount.path().join("tape");
    let mut writer = writer(&dir, |_| {});
    let mut pins = Pins::default();
    pins.pin("recording", 1..=2);
    writer
        .retain(second(0), TapePosition::START, &pins)
        .unwrap();
    // 3 MiB into 1 MiB: the oldest unpinned make room, nothing new is lost.
    for number in 0..300 {
        let done = writer.append(&datagrams(number * 10..number * 10 + 10, 1000), second(1));
        assert_eq!((done.written, done.failed), (10, 0));
    }
    let counts = writer.tail().counts();
    assert!(counts.made_room > 10, "{counts:?}");
    assert_eq!(counts.expired_stored_datagrams, 0);
    let (numbers, reader) = numbers_on(&dir);
    assert_eq!(
        numbers.len() as u64 + counts.expired_unstored_datagrams,
        3000
    );
    assert_eq!(reader.counts().missing, counts.expired_unstored_datagrams);
    assert_eq!(reader.counts().damaged, 0);
    assert_eq!((numbers[0], numbers.last()), (0, Some(&2999)));

    // Everything pinned and somebody else takes the rest: datagrams are dropped, and nothing else happens.
    pins.pin("all", 1..=u32::MAX);
    writer
        .retain(second(2), TapePosition::START, &pins)
        .unwrap();
    let hog = mount.path().join("hog");
    let filled = std::fs::write(&hog, vec![1; 1 << 20]);
    assert!(filled.is_err());
    let before = writer.datagrams_total();
    let mut failed = 0;
    for number in 300..340 {
        let done = writer.append(&datagrams(number * 10..number * 10 + 10, 1000), second(3));
        assert_eq!(done.written + done.failed, 10);
        assert_eq!(done.expired, 0);
        failed += done.failed;
    }
    assert!(failed > 0);
    assert_eq!(writer.datagrams_total(), before + 400 - failed);

    // Space again: it goes on by itself, in the same tape.
    std::fs::remove_file(&hog).unwrap();
    pins.unpin("all");
    writer
        .retain(second(4), TapePosition::START, &pins)
        .unwrap();
    append(&mut writer, &datagrams(5000..5010, 1000));
    let (numbers, reader) = numbers_on(&dir);
    assert_eq!(numbers.last(), Some(&5009));
    assert_eq!((reader.counts().damaged, reader.counts().resyncs), (0, 0));

    // A start on a full disk works as well.
    drop(writer);
    let _ = std::fs::write(&hog, vec![1; 1 << 20]);
    let (mut writer, recovery) = TapeWriter::open(config(&dir), second(5)).unwrap();
    assert_eq!(recovery.cut_octets, 0);
    assert_eq!(
        writer
            .append(&datagrams(6000..6010, 1000), second(5))
            .written,
        10
    );
}

/// A file system of its own; unmounted when dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn tmpfs(path: &'a Path, size: &str) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(path)),
            other => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "cannot mount a tmpfs: {other:?}"
                );
                println!("skipped: mounting a tmpfs takes root rights");
                None
            }
        }
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}
