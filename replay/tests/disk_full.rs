//! Fault 45: the disk is full, fails, or no file can be opened. Every datagram offered is then written or counted, what is
//! written is read, and it works again by itself.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod power;
mod tape;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use flow::TapePosition;
use nix::libc::{EDQUOT, EIO, EMFILE, ENOSPC, EROFS};
use power::{Journal, refused};
use replay::disk::Change;
use replay::{Disk, Pins, TapeReader, TapeWriter};
use tape::{append, config, datagrams, numbers_on, read_all, second};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn watched(dir: &Path) -> (Arc<Journal>, TapeWriter) {
    let journal = Arc::new(Journal::default());
    let disk = Disk::watched(Arc::clone(&journal) as _);
    let writer = TapeWriter::open_on(disk, config(dir), second(0)).unwrap().0;
    (journal, writer)
}

/// Does everything that a tape does, with datagrams numbered from 0. Returns the numbers of those that were written.
fn work(writer: &mut TapeWriter) -> Vec<u64> {
    let mut written = Vec::new();
    let mut offer = |writer: &mut TapeWriter, numbers: std::ops::Range<u64>, octets| {
        // One at a time: then what was written of them is known.
        for number in numbers {
            let done = writer.append(&datagrams(number..number + 1, octets), second(1));
            assert_eq!(done.written + done.failed, 1);
            written.extend((done.written == 1).then_some(number));
        }
    };
    let mut pins = Pins::default();
    pins.pin("all", 1..=u32::MAX);
    writer
        .retain(second(0), TapePosition::START, &pins)
        .unwrap();
    offer(writer, 0..4, 900);
    let _ = writer.tail().sync();
    let _ = writer.seal(second(2));
    offer(writer, 4..8, 200);
    let _ = writer.tail().compress_next();
    offer(writer, 8..12, 60_000);
    let _ = writer.tail().sync();
    offer(writer, 12..15, 30);
    written
}

/// The numbers on tape. Each datagram has the number that its place among the written ones gives it.
fn read_back(dir: &Path, writer: &TapeWriter) -> Vec<u64> {
    let tail = Some(writer.tail());
    let mut reader = TapeReader::open(dir, TapePosition::START, tail).expecting(0);
    let read = read_all(&mut reader);
    let counts = reader.counts();
    assert_eq!((counts.damaged, counts.missing, counts.resyncs), (0, 0, 0));
    assert_eq!(reader.next_number().unwrap_or(0), writer.datagrams_total());
    read.iter()
        .map(|(_, datagram)| tape::number(datagram))
        .collect()
}

#[test]
fn case_45_any_change_may_be_refused_once_or_for_a_while() {
    let dir = folder();
    let (journal, mut writer) = watched(dir.path());
    let opening = journal.len();
    assert_eq!(work(&mut writer).len(), 15);
    let all = journal.len();
    assert!(all > opening + 30, "{all}");
    for errno in [ENOSPC, EDQUOT, EIO, EMFILE, EROFS] {
        for first in opening..all {
            for many in [1, 2, 7] {
                let dir = folder();
                let (journal, mut writer) = watched(dir.path());
                journal.refuse_some(first, many, move |change| match change {
                    // Half of it is written before the disk is full.
                    Change::Write(_, _, octets) => refused(errno, octets.len() / 2),
                    _ => refused(errno, 0),
                });
                let written = work(&mut writer);
                let what = format!("errno {errno}, {many} from {first} on");
                assert_eq!(read_back(dir.path(), &writer), written, "{what}");
                // It goes on without a start, and after one.
                journal.allow();
                append(&mut writer, &datagrams(100..103, 50));
                let expected = [written, vec![100, 101, 102]].concat();
                assert_eq!(read_back(dir.path(), &writer), expected, "{what}");
                drop(writer);
                let writer = TapeWriter::open(config(dir.path()), second(5)).unwrap().0;
                assert_eq!(read_back(dir.path(), &writer), expected, "{what}");
            }
        }
    }
}

#[test]
fn case_45_a_full_disk_costs_what_is_stored_then_the_oldest_then_the_newest() {
    let mount = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(mount.path(), "2m") else {
        return;
    };
    let dir = mount.path().join("tape");
    let mut writer = TapeWriter::open(config(&dir), second(0)).unwrap().0;
    let none = Pins::default();
    let mut next = 0;
    let mut offer = |writer: &mut TapeWriter, batches: u64| {
        let mut failed = 0;
        for _ in 0..batches {
            let done = writer.append(&datagrams(next..next + 10, 1000), second(1));
            next += 10;
            failed += done.failed;
        }
        failed
    };
    // Everything is stored as it comes: a full disk costs nothing.
    for _ in 0..40 {
        assert_eq!(offer(&mut writer, 10), 0);
        let end = writer.end();
        writer.retain(second(1), end, &none).unwrap();
    }
    let counts = writer.tail().counts();
    assert!(counts.made_room > 5, "{counts:?}");
    assert_eq!(counts.expired_unstored_datagrams, 0);
    // The store stands still, and the disk stays full: the oldest of the tape go, each counted, the newest are kept.
    let stored = writer.end();
    assert_eq!(offer(&mut writer, 400), 0);
    let expired = writer.tail().counts().expired_unstored_datagrams;
    let mut reader = TapeReader::open(&dir, stored, Some(writer.tail())).expecting(4000);
    let numbers: Vec<_> = read_all(&mut reader)
        .iter()
        .map(|(_, d)| tape::number(d))
        .collect();
    assert_eq!(
        numbers,
        (8000 - numbers.len() as u64..8000).collect::<Vec<_>>()
    );
    assert_eq!(
        (reader.counts().missing, expired),
        (4000 - numbers.len() as u64, expired)
    );
    assert!(expired <= reader.counts().missing && expired > 0);
    // Somebody else takes the rest, again and again: the newest are dropped, and the tape is not eaten up.
    let mut pins = Pins::default();
    pins.pin("what is left", 1..=u32::MAX);
    writer.retain(second(2), stored, &pins).unwrap();
    let hog = mount.path().join("hog");
    assert!(std::fs::write(&hog, vec![1; 2 << 20]).is_err());
    let total = writer.datagrams_total();
    let failed = offer(&mut writer, 30);
    assert!(failed > 0);
    assert_eq!(writer.tail().counts().failed_datagrams, failed);
    assert_eq!(writer.datagrams_total(), total + 300 - failed);
    // Room again: it goes on by itself.
    std::fs::remove_file(&hog).unwrap();
    assert_eq!(offer(&mut writer, 5), 0);
    assert_eq!(numbers_on(&dir).0.last(), Some(&(next - 1)));
}

#[test]
fn case_45_a_tape_is_not_eaten_up_where_removing_does_not_help() {
    let dir = folder();
    let (journal, mut writer) = watched(dir.path());
    for segment in 0..20 {
        append(
            &mut writer,
            &datagrams(segment * 60..segment * 60 + 60, 1000),
        );
        writer.seal(second(1)).unwrap();
    }
    journal.refuse(|_, change| match change {
        Change::Write(..) => refused(ENOSPC, 0),
        _ => None,
    });
    // Each segment has 63,184 octets: five of them are more than twice what a segment of 128 KiB takes.
    for _ in 0..10 {
        let done = writer.append(&datagrams(5000..5001, 1000), second(2));
        assert_eq!((done.written, done.failed), (0, 1));
    }
    assert_eq!(writer.tail().counts().made_room, 5);
    // What was freed must show after half a minute; if it does not, somebody else has it, and the next are tried.
    writer.append(&datagrams(5000..5001, 1000), second(40));
    assert_eq!(writer.tail().counts().made_room, 10);
    journal.allow();
    append(&mut writer, &datagrams(6000..6001, 1000));
    let read = numbers_on(dir.path()).0;
    assert_eq!(read, (600..1200).chain([6000]).collect::<Vec<_>>());
}

const DIR: &str = "FLOWREEL_TEST_FULL_TAPE";

/// The process that opens files until there are no more to be had; without the variable there is nothing to do.
#[test]
fn write_without_files() {
    use nix::sys::resource::{Resource, setrlimit};
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut writer = TapeWriter::open(config(dir), second(0)).unwrap().0;
    append(&mut writer, &datagrams(0..50, 1000));
    setrlimit(Resource::RLIMIT_NOFILE, 40, 40).unwrap();
    let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.len() > 5);
    // Five times what a segment holds, and all of it forced to disk.
    for batch in 0..60 {
        append(
            &mut writer,
            &datagrams(50 + batch * 10..60 + batch * 10, 1000),
        );
        writer.tail().sync().unwrap();
    }
    assert_eq!(writer.tail().size().0, 1);
    drop(files);
    append(&mut writer, &datagrams(650..700, 1000));
    assert_eq!(writer.tail().size().0, 2);
    assert_eq!(writer.tail().counts().failed_datagrams, 0);
}

#[test]
fn case_45_without_a_file_handle_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_without_files", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(numbers_on(dir.path()).0, (0..700).collect::<Vec<_>>());
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
