//! Killed writers, flipped bits and lost files: everything that is whole is read, what is not is counted.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::fs;
use std::path::Path;

use flow::TapePosition;
use proptest::prelude::*;
use replay::{TapeReader, TapeWriter};
use tape::{append, config, datagrams, files, numbers_on, open, read_all, second};

/// Octets of a segment's header and of a frame around its payload, as `docs/tape.md` says.
const HEADER: usize = 64;
const FRAME: usize = 52;

fn flip(path: &Path, at: usize, bit: u8) {
    let mut octets = fs::read(path).unwrap();
    octets[at] ^= 1 << bit;
    fs::write(path, octets).unwrap();
}

#[test]
fn a_tape_cut_at_any_octet_of_its_last_frame_keeps_all_others() {
    let template = tempfile::tempdir().unwrap();
    append(&mut open(template.path()), &datagrams(0..5, 40));
    let segment = files(template.path(), ".tape").remove(0);
    let whole = fs::read(&segment).unwrap();
    assert_eq!(whole.len(), HEADER + 5 * (FRAME + 40));
    let last = whole.len() - FRAME - 40;
    for kept in last..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(segment.file_name().unwrap());
        fs::write(&path, &whole[..kept]).unwrap();
        let (numbers, reader) = numbers_on(dir.path());
        assert_eq!(numbers, [0, 1, 2, 3], "cut at {kept}");
        assert_eq!(
            reader.counts().resyncs,
            0,
            "a frame in the making is no damage"
        );

        let (mut writer, recovery) = TapeWriter::open(config(dir.path()), second(1)).unwrap();
        assert_eq!(recovery.cut_octets, (kept - last) as u64);
        assert_eq!(recovery.datagrams_total, 4);
        append(&mut writer, &datagrams(4..6, 40));
        let (numbers, reader) = numbers_on(dir.path());
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
        assert_eq!((reader.counts().damaged, reader.counts().resyncs), (0, 0));
    }
}

#[test]
fn a_power_cut_that_left_zeros_is_cut_too() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), &datagrams(0..5, 40));
    let path = files(dir.path(), ".tape").remove(0);
    let octets = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(octets + 70_000).unwrap();
    let (_, recovery) = TapeWriter::open(config(dir.path()), second(1)).unwrap();
    assert_eq!((recovery.cut_octets, recovery.datagrams_total), (70_000, 5));
    assert_eq!(fs::metadata(&path).unwrap().len(), octets);
}

#[test]
fn a_damaged_frame_costs_itself_and_is_counted_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..10, 40));
    let path = files(dir.path(), ".tape").remove(0);
    // Frames 3 and 4 lie side by side: one search, two datagrams lost.
    for frame in [3, 4, 7] {
        flip(&path, HEADER + frame * (FRAME + 40) + 20, 3);
    }
    for tail in [None, Some(writer.tail())] {
        let mut reader = TapeReader::open(dir.path(), TapePosition::START, tail).expecting(0);
        let numbers: Vec<_> = read_all(&mut reader)
            .iter()
            .map(|(_, d)| tape::number(d))
            .collect();
        assert_eq!(numbers, [0, 1, 2, 5, 6, 8, 9]);
        let counts = reader.counts();
        assert_eq!((counts.damaged, counts.missing, counts.resyncs), (3, 0, 2));
        assert_eq!(counts.damaged_octets, 3 * (FRAME + 40) as u64);
    }
}

#[test]
fn a_reading_ends_where_something_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), &datagrams(0..6, 40));
    let path = files(dir.path(), ".tape").remove(0);
    flip(&path, HEADER + 3 * (FRAME + 40) + FRAME, 1);
    let mut reader = TapeReader::open(dir.path(), TapePosition::START, None).expecting(0);
    assert_eq!(reader.read(100, usize::MAX).unwrap().len(), 3);
    // What is missing counts as not read yet: a place before it is one to begin at.
    assert_eq!(
        (reader.next_number(), reader.counts().damaged),
        (Some(3), 0)
    );
    let between = reader.position();
    assert_eq!(reader.read(100, usize::MAX).unwrap().len(), 2);
    assert_eq!(
        (reader.next_number(), reader.counts().damaged),
        (Some(6), 1)
    );
    assert!(reader.read(100, usize::MAX).unwrap().is_empty());
    let mut again = TapeReader::open(dir.path(), between, None).expecting(3);
    assert_eq!(again.read(100, usize::MAX).unwrap().len(), 2);
    assert_eq!((again.next_number(), again.counts().damaged), (Some(6), 1));
}

#[test]
fn the_end_of_a_sealed_segment_may_be_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..10, 40));
    writer.seal(second(1)).unwrap();
    append(&mut writer, &datagrams(10..12, 40));
    let path = files(dir.path(), ".tape").remove(0);
    flip(&path, HEADER + 9 * (FRAME + 40) + 60, 0);
    let (numbers, reader) = numbers_on(dir.path());
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
    assert_eq!((reader.counts().damaged, reader.counts().missing), (1, 0));
}

#[test]
fn a_damaged_header_costs_nothing() {
    for lose_the_index in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path());
        append(&mut writer, &datagrams(0..10, 40));
        writer.seal(second(1)).unwrap();
        append(&mut writer, &datagrams(10..20, 40));
        drop(writer);
        for path in files(dir.path(), ".tape") {
            flip(&path, 33, 5);
        }
        if lose_the_index {
            files(dir.path(), ".index")
                .iter()
                .for_each(|path| fs::remove_file(path).unwrap());
        }
        let (numbers, reader) = numbers_on(dir.path());
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        assert_eq!((reader.counts().damaged, reader.counts().missing), (0, 0));
        let (writer, recovery) = TapeWriter::open(config(dir.path()), second(2)).unwrap();
        assert_eq!(recovery.damaged_headers, if lose_the_index { 2 } else { 0 });
        assert_eq!(writer.datagrams_total(), 20);
    }
}

#[test]
fn a_damaged_block_costs_its_datagrams_and_is_counted_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = config(dir.path());
    settings.segment_octets = 5 << 20;
    let mut writer = TapeWriter::open(settings, second(0)).unwrap().0;
    append(&mut writer, &datagrams(0..6000, 948));
    // Noise stays as it is; only payloads that shrink are worth a compressed file.
    let plain: Vec<_> = datagrams(6000..12_000, 8)
        .into_iter()
        .map(|mut d| {
            let mut payload = d.payload.to_vec();
            payload.resize(948, 7);
            d.payload = payload.into();
            d
        })
        .collect();
    append(&mut writer, &plain);
    while writer.tail().compress_next().unwrap().is_some() {}
    drop(writer);
    let path = files(dir.path(), ".zst").pop().unwrap();
    let before = numbers_on(dir.path()).0.len();
    assert_eq!(before, 12_000);
    let middle = fs::metadata(&path).unwrap().len() / 2;
    flip(&path, usize::try_from(middle).unwrap(), 2);
    let (numbers, reader) = numbers_on(dir.path());
    let lost = 12_000 - numbers.len() as u64;
    // A block of 1 MiB holds 1048 whole frames of 1000 octets and parts of two.
    assert!((1048..=1050).contains(&lost), "{lost}");
    assert_eq!(reader.counts().damaged, lost);
    assert_eq!(reader.counts().resyncs, 1);

    // Without its table a compressed segment is walked block by block.
    let octets = fs::read(&path).unwrap();
    fs::write(&path, &octets[..octets.len() - 9]).unwrap();
    assert!(numbers_on(dir.path()).0.len() < 12_000);
    flip(&path, usize::try_from(middle).unwrap(), 2);
    assert_eq!(numbers_on(dir.path()).0.len(), 12_000);
}

#[test]
fn a_missing_segment_is_passed_over_and_counted_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    for segment in 0..4 {
        append(&mut writer, &datagrams(segment * 10..segment * 10 + 10, 40));
        writer.seal(second(1)).unwrap();
    }
    let mut reader =
        TapeReader::open(dir.path(), TapePosition::START, Some(writer.tail())).expecting(0);
    assert_eq!(reader.read(5, usize::MAX).unwrap().len(), 5);
    for number in ["2", "3"] {
        fs::remove_file(dir.path().join(format!("000000000{number}.tape"))).unwrap();
    }
    let numbers: Vec<_> = read_all(&mut reader)
        .iter()
        .map(|(_, d)| tape::number(d))
        .collect();
    assert_eq!(numbers, (5..10).chain(30..40).collect::<Vec<_>>());
    assert_eq!((reader.counts().missing, reader.counts().damaged), (20, 0));
    assert_eq!(reader.next_number(), Some(40));

    // A reader that comes back after a restart, into a segment that is gone.
    let gone = TapePosition {
        segment: 2,
        offset: 100,
    };
    let mut reader = TapeReader::open(dir.path(), gone, None).expecting(13);
    assert_eq!(read_all(&mut reader).len(), 10);
    assert_eq!((reader.counts().missing, reader.counts().damaged), (17, 0));
}

#[test]
fn an_interrupted_compression_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), &datagrams(0..10, 40));
    let raw = files(dir.path(), ".tape").remove(0);
    let unfinished = raw.with_extension("tape.zst.tmp");
    fs::write(&unfinished, b"half").unwrap();
    // Killed between the two last steps: both forms are there.
    let compressed = zstd::bulk::compress(&fs::read(&raw).unwrap(), 1).unwrap();
    fs::write(raw.with_extension("tape.zst"), compressed).unwrap();
    let (writer, recovery) = TapeWriter::open(config(dir.path()), second(1)).unwrap();
    assert_eq!(recovery.datagrams_total, 10);
    drop(writer);
    assert!(!unfinished.exists() && !raw.exists());
    assert_eq!(numbers_on(dir.path()).0.len(), 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However many bits flip, every datagram that no flip touched is read, and the rest is counted.
    #[test]
    fn flipped_bits(flips in proptest::collection::vec((HEADER..HEADER + 60 * (FRAME + 30), 0..8_u8), 1..12)) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = open(dir.path());
        append(&mut writer, &datagrams(0..60, 30));
        let path = files(dir.path(), ".tape").remove(0);
        let before = fs::read(&path).unwrap();
        for (at, bit) in flips {
            flip(&path, at, bit);
        }
        let after = fs::read(&path).unwrap();
        let whole: Vec<u64> = (0..60)
            .filter(|frame| {
                let from = HEADER + usize::try_from(*frame).unwrap() * (FRAME + 30);
                before[from..from + FRAME + 30] == after[from..from + FRAME + 30]
            })
            .collect();
        let mut reader =
            TapeReader::open(dir.path(), TapePosition::START, Some(writer.tail())).expecting(0);
        let read: Vec<_> = read_all(&mut reader).iter().map(|(_, d)| tape::number(d)).collect();
        prop_assert_eq!(&read, &whole);
        // What is lost at the very end is counted with the next whole datagram.
        append(&mut writer, &datagrams(60..61, 30));
        prop_assert_eq!(read_all(&mut reader).len(), 1);
        prop_assert_eq!(reader.counts().damaged, 60 - whole.len() as u64);
    }

    /// Bytes that were never a tape give neither a panic nor a datagram.
    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..3000), compressed: bool) {
        let dir = tempfile::tempdir().unwrap();
        let name = if compressed { "0000000001.tape.zst" } else { "0000000001.tape" };
        fs::write(dir.path().join(name), &octets).unwrap();
        prop_assert!(numbers_on(dir.path()).0.is_empty());
        let (mut writer, recovery) = TapeWriter::open(config(dir.path()), second(0)).unwrap();
        prop_assert_eq!(recovery.datagrams_total, 0);
        append(&mut writer, &datagrams(0..1, 10));
        prop_assert_eq!(numbers_on(dir.path()).0.len(), 1);
    }
}
