//! A time is found on the tape by its index, and without it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::path::Path;

use flow::{Datagram, Feed, TapePosition, Timestamp};
use replay::{TapeReader, seek_time, stretches_between};
use tape::{datagram, files, open, second};

/// A hundred seconds of wire, ten datagrams each; in second 40 somebody imports a capture of 2001.
fn record(dir: &Path) -> replay::TapeWriter {
    let mut writer = open(dir);
    for at in 0..100 {
        let mut batch: Vec<Datagram> = (0..10)
            .map(|tenth| Datagram {
                received_at: second(at).offset(tenth * 100_000_000),
                ..datagram(u64::try_from(at * 10 + tenth).unwrap(), 400)
            })
            .collect();
        if at == 40 {
            batch.push(Datagram {
                received_at: Timestamp::from_seconds(1_000_000_000),
                feed: Feed(1),
                ..datagram(7, 400)
            });
        }
        writer.append(&batch, second(at));
    }
    writer
}

fn first_at(dir: &Path, at: Option<TapePosition>) -> Timestamp {
    TapeReader::get(dir, at.unwrap()).unwrap().received_at
}

#[test]
fn a_second_is_found_to_the_second() {
    let dir = tempfile::tempdir().unwrap();
    let writer = record(dir.path());
    assert!(writer.end().segment > 3);
    for at in [0, 1, 57, 98, 99] {
        let found = seek_time(dir.path(), second(at)).unwrap();
        assert_eq!(first_at(dir.path(), found), second(at), "second {at}");
    }
    let before = seek_time(dir.path(), Timestamp::EPOCH).unwrap();
    assert_eq!(first_at(dir.path(), before), second(0));
    assert_eq!(seek_time(dir.path(), second(100)).unwrap(), None);
}

#[test]
fn a_window_gives_its_stretches_and_an_import_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let _writer = record(dir.path());
    let found = stretches_between(dir.path(), second(57), second(59)).unwrap();
    // Second 40 holds the import of 2001 and ends before 57: it does not reach into the window.
    let (oldest, newest) = (found[0].oldest, found[found.len() - 1].newest);
    assert_eq!(
        (oldest, newest),
        (second(57), second(58).offset(900_000_000))
    );
    assert_eq!(found.iter().map(|s| s.datagrams).sum::<u32>(), 20);
    // Two seconds, one of them on both sides of a segment's end.
    assert!((2..=3).contains(&found.len()), "{found:?}");

    let of_2001 = Timestamp::from_seconds(999_999_999);
    let found = stretches_between(dir.path(), of_2001, of_2001.offset(2_000_000_000)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].datagrams, 11);
    let mut reader = TapeReader::open(dir.path(), found[0].begin, None);
    let read = reader.read(11, usize::MAX).unwrap();
    assert_eq!(reader.position(), found[0].end);
    assert_eq!(read[10].1.feed, Feed(1));
}

#[test]
fn without_an_index_the_tape_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    drop(record(dir.path()));
    let by_index = stretches_between(dir.path(), second(0), second(100)).unwrap();
    assert_eq!(by_index.iter().map(|s| s.datagrams).sum::<u32>(), 1001);
    for path in files(dir.path(), ".index") {
        let octets = std::fs::read(&path).unwrap();
        // Half an entry is left of the second one.
        std::fs::write(&path, &octets[..64 + 40 + 20]).unwrap();
    }
    let by_search = stretches_between(dir.path(), second(0), second(100)).unwrap();
    assert_eq!(by_search.iter().map(|s| s.datagrams).sum::<u32>(), 1001);
    assert!(
        by_search
            .windows(2)
            .all(|pair| pair[0].end <= pair[1].begin)
    );

    // A restart makes the last segment's index anew.
    let last = files(dir.path(), ".index").pop().unwrap();
    let _writer = open(dir.path());
    let again = stretches_between(dir.path(), second(0), second(100)).unwrap();
    assert_eq!(again.iter().map(|s| s.datagrams).sum::<u32>(), 1001);
    assert!(std::fs::metadata(last).unwrap().len() >= 64 + 40);
}
