//! A stretch of tape becomes a tape of its own.

use flow::{Datagram, TapePosition};
use replay::reel::{PartKind, Reel, Staged, cut_tape, read_tape, write};
use replay::{TapeReader, TapeWriter};

use crate::files::described;
use crate::tape::{append, config, datagrams, files, number, numbers_on, open, read_all, second};

/// A tape of 400 datagrams over several segments, some of them compressed and the last one being written.
fn recorded(dir: &std::path::Path) -> (TapeWriter, Vec<(TapePosition, Datagram)>) {
    let mut writer = open(dir);
    let mut sent = datagrams(0..400, 900);
    sent[20].source = "[2001:db8::7]:9995".parse().unwrap();
    sent[21].feed = flow::Feed(3);
    append(&mut writer, &sent);
    writer.tail().compress_next().unwrap();
    let mut reader = TapeReader::open(dir, TapePosition::START, Some(writer.tail()));
    let on_tape = read_all(&mut reader);
    assert_eq!(on_tape.len(), 400);
    assert!(on_tape[399].0.segment >= 3);
    (writer, on_tape)
}

#[test]
fn what_is_kept_is_on_the_new_tape_as_it_was() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_writer, on_tape) = recorded(from.path());
    let mut seen = Vec::new();
    // Every second one of those from 10 on, up to 350 which is not in it.
    let counted = cut_tape(
        from.path(),
        to.path(),
        on_tape[10].0..on_tape[350].0,
        |position, datagram| {
            seen.push((position, datagram.clone()));
            number(datagram).is_multiple_of(2).then(|| datagram.clone())
        },
        second(1000),
    )
    .unwrap();
    assert_eq!(seen, on_tape[10..350]);
    let kept: Vec<Datagram> = on_tape[10..350]
        .iter()
        .step_by(2)
        .map(|(_, datagram)| datagram.clone())
        .collect();
    assert_eq!(
        (counted.datagrams, counted.octets, counted.segments),
        (170, 170 * 900, 1)
    );
    assert_eq!((counted.read.damaged, counted.read.missing), (0, 0));
    let mut read = read_tape(to.path());
    let all: Vec<Datagram> = read.by_ref().map(Result::unwrap).collect();
    assert_eq!(all, kept);
    assert_eq!(read.counts().missing, 0);
    // Nothing but compressed segments.
    let left: Vec<_> = std::fs::read_dir(to.path()).unwrap().collect();
    assert_eq!((left.len(), files(to.path(), ".tape.zst").len()), (1, 1));
}

#[test]
fn what_keep_makes_of_a_datagram_is_what_is_written() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_writer, on_tape) = recorded(from.path());
    let replace = |_, datagram: &Datagram| {
        let mut other = datagram.clone();
        other.source = "198.51.100.1:2055".parse().unwrap();
        Some(other)
    };
    let stretch = on_tape[20].0..on_tape[22].0;
    cut_tape(from.path(), to.path(), stretch, replace, second(0)).unwrap();
    let read: Vec<Datagram> = read_tape(to.path()).map(Result::unwrap).collect();
    let sources: Vec<String> = read.iter().map(|d| d.source.to_string()).collect();
    assert_eq!(sources, ["198.51.100.1:2055"; 2]);
    assert_eq!(read[1].feed, flow::Feed(3));
    assert_eq!(read[1].payload, on_tape[21].1.payload);
}

#[test]
fn nothing_kept_is_a_tape_without_segments() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (writer, on_tape) = recorded(from.path());
    let all = TapePosition::START..writer.end();
    let counted = cut_tape(from.path(), to.path(), all, |_, _| None, second(0)).unwrap();
    assert_eq!((counted.datagrams, counted.segments), (0, 0));
    assert_eq!(counted.read.datagrams, on_tape.len() as u64);
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
    assert!(read_tape(to.path()).next().is_none());
}

#[test]
fn a_tape_that_is_there_is_not_written_into() {
    let from = tempfile::tempdir().unwrap();
    let (writer, _) = recorded(from.path());
    let all = TapePosition::START..writer.end();
    let refused = cut_tape(
        from.path(),
        from.path(),
        all,
        |_, d| Some(d.clone()),
        second(0),
    );
    let said = refused.unwrap_err().to_string();
    assert!(said.starts_with("cannot make a tape in "), "{said}");
    assert_eq!(numbers_on(from.path()).0, (0..400).collect::<Vec<_>>());
}

#[test]
fn damage_in_the_stretch_is_counted_and_passed_over() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (writer, on_tape) = recorded(from.path());
    let end = writer.end();
    drop(writer);
    let last = files(from.path(), ".tape").pop().unwrap();
    let mut octets = std::fs::read(&last).unwrap();
    // In the middle of the last segment's second frame.
    octets[64 + 952 + 500] ^= 1;
    std::fs::write(&last, octets).unwrap();
    let all = on_tape[0].0..end;
    let counted = cut_tape(
        from.path(),
        to.path(),
        all,
        |_, d| Some(d.clone()),
        second(0),
    )
    .unwrap();
    assert_eq!((counted.datagrams, counted.read.damaged), (399, 1));
}

/// The whole way: tape, cut, packed, unpacked by a tape's reader.
#[test]
fn a_recording_carries_a_tape() {
    let folder = tempfile::tempdir().unwrap();
    let [from, cut, unpacked] = ["from", "cut", "unpacked"].map(|name| folder.path().join(name));
    let (writer, on_tape) = recorded(&from);
    let all = TapePosition::START..writer.end();
    let counted = cut_tape(&from, &cut, all, |_, d| Some(d.clone()), second(0)).unwrap();
    let staged: Vec<Staged> = files(&cut, ".tape.zst")
        .into_iter()
        .map(|path| Staged {
            kind: PartKind::Tape,
            path,
        })
        .collect();
    let mut described = described();
    described.counts.datagrams = counted.datagrams;
    described.counts.flows = 0;
    let path = folder.path().join("x.reel");
    write(&path, described, &staged).unwrap();
    let reel = Reel::open(&path).unwrap();
    std::fs::create_dir(&unpacked).unwrap();
    for index in reel.parts(PartKind::Tape) {
        let name = PartKind::Tape.name(index + 1);
        let file = unpacked.join(name.strip_prefix("tape/").unwrap());
        reel.extract(index, &mut std::fs::File::create(file).unwrap())
            .unwrap();
    }
    let read: Vec<Datagram> = read_tape(&unpacked).map(Result::unwrap).collect();
    let sent: Vec<Datagram> = on_tape.into_iter().map(|(_, datagram)| datagram).collect();
    assert_eq!(read, sent);
    // A tape like any other: it can be written on.
    let mut writer = TapeWriter::open(config(&unpacked), second(9)).unwrap().0;
    append(&mut writer, &datagrams(400..401, 100));
    assert_eq!(writer.datagrams_total(), 401);
}
