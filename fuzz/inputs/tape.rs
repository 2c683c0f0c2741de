//! Files of any octets as a tape: the reader, the index, recovery and a writer that goes on. Whatever they hold, positions grow,
//! the counts add up, and what is appended afterwards is read.
//!
//! The first octet says what to make of the rest. Checksums can be made right, as no chance finds them: then what stands
//! behind them is tested.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use flow::{Datagram, Feed, TapePosition, Timestamp};
use replay::{Pins, TapeConfig, TapeReader, TapeWriter, seek_time, stretches_between};

use crate::folder::folder;

/// Bits of the first octet.
const RIGHT_CHECKSUMS: u8 = 1;
const COMPRESSED: u8 = 2;
const WITH_INDEX: u8 = 4;
const TWO_SEGMENTS: u8 = 8;
const DAMAGED_BLOCKS: u8 = 16;

/// As `docs/tape.md` says.
const HEADER: usize = 64;
const FRAME: usize = 52;
const ENTRY: usize = 40;
const BLOCK: usize = 4096;

/// Lays the files out and does to them what the product does.
pub(crate) fn run(input: &[u8]) {
    let [flags, rest @ ..] = input else {
        return;
    };
    let folder = folder();
    let dir = folder.path();
    let (index, rest) = match flags & WITH_INDEX {
        0 => (&[][..], rest),
        _ => rest.split_at(rest.len() / 4),
    };
    let middle = match flags & TWO_SEGMENTS {
        0 => rest.len(),
        _ => rest.len() / 2,
    };
    let (first, second) = rest.split_at(middle);
    for (number, octets) in [(1_u32, first), (2, second)] {
        if number == 1 || !octets.is_empty() {
            lay_out(dir, number, octets, index, *flags);
        }
    }
    let before = look(dir);
    go_on(dir, before);
}

fn lay_out(dir: &Path, number: u32, octets: &[u8], index: &[u8], flags: u8) {
    let (mut segment, mut index) = (octets.to_vec(), index.to_vec());
    if flags & RIGHT_CHECKSUMS > 0 {
        right_segment(&mut segment, number);
        right_index(&mut index, &segment);
    }
    let name = |kind: &str| dir.join(format!("{number:010}.{kind}"));
    let written = match flags & COMPRESSED {
        0 => fs::write(name("tape"), &segment),
        _ => {
            let mut file = compress(&segment);
            if flags & DAMAGED_BLOCKS > 0 {
                damage(&mut file, octets);
            }
            fs::write(name("tape.zst"), file)
        }
    };
    written.expect("a file in the folder");
    if flags & WITH_INDEX > 0 {
        fs::write(name("index"), index).expect("a file in the folder");
    }
}

/// Gives a segment the magic, format, number and checksums that it would have.
fn right_segment(segment: &mut [u8], number: u32) {
    if segment.len() < HEADER {
        return;
    }
    segment[..8].copy_from_slice(b"FLOWTAPE");
    segment[8..12].copy_from_slice(&[1, 0, 64, 0]);
    segment[12..16].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32c::crc32c(&segment[..60]);
    segment[60..64].copy_from_slice(&checksum.to_le_bytes());
    let marker: [u8; 4] = [segment[32], segment[33], segment[34], segment[35]];
    let mut at = HEADER;
    while at + FRAME <= segment.len() {
        let octets = FRAME + usize::from(u16::from_le_bytes([segment[at + 8], segment[at + 9]]));
        let end = (at + octets).min(segment.len());
        segment[at..at + 4].copy_from_slice(&marker);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&marker), &segment[at + 8..end]);
        segment[at + 4..at + 8].copy_from_slice(&checksum.to_le_bytes());
        at += octets;
    }
}

fn right_index(index: &mut [u8], segment: &[u8]) {
    let (Some(own), Some(header)) = (index.get_mut(..HEADER), segment.get(..HEADER)) else {
        return;
    };
    own.copy_from_slice(header);
    for entry in index[HEADER..].chunks_exact_mut(ENTRY) {
        let checksum = crc32c::crc32c(&entry[..36]);
        entry[36..].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Blocks and a table behind them, as the format says, but smaller.
fn compress(segment: &[u8]) -> Vec<u8> {
    let (mut file, mut table) = (Vec::new(), Vec::new());
    for block in segment.chunks(BLOCK) {
        let compressed = zstd::bulk::compress(block, 1).expect("a block");
        table.extend((compressed.len() as u32).to_le_bytes());
        table.extend((block.len() as u32).to_le_bytes());
        file.extend(compressed);
    }
    file.extend(0x184d_2a5e_u32.to_le_bytes());
    file.extend((table.len() as u32 + 9).to_le_bytes());
    let blocks = table.len() as u32 / 8;
    file.extend(table);
    file.extend(blocks.to_le_bytes());
    file.push(0);
    file.extend(0x8f92_eab1_u32.to_le_bytes());
    file
}

/// Changes some octets of a file, from its end on, as the input says.
fn damage(file: &mut [u8], by: &[u8]) {
    let length = file.len();
    for two in by.chunks_exact(2).take(4) {
        let from_end = usize::from(two[0]) % length.max(1);
        if let Some(octet) = file.get_mut(length - 1 - from_end) {
            *octet ^= two[1];
        }
    }
}

/// Reads everything, in every way; returns how many datagrams there are.
fn look(dir: &Path) -> usize {
    let mut reader = TapeReader::open(dir, TapePosition::START, None).expecting(0);
    let mut last = None;
    let mut found = Vec::new();
    while let Ok(some) = reader.read(7, 1 << 20) {
        if some.is_empty() {
            break;
        }
        for (position, _) in &some {
            assert!(last < Some(*position), "{position} after {last:?}");
            last = Some(*position);
        }
        found.extend(some);
    }
    assert_eq!(reader.counts().datagrams, found.len() as u64);
    for (position, datagram) in found.iter().take(3).chain(found.last()) {
        let got = TapeReader::get(dir, *position).expect("what was read can be got");
        assert_eq!(got, *datagram);
    }
    let all = (Timestamp::from_nanos(i64::MIN), Timestamp::MAX);
    let _ = stretches_between(dir, all.0, all.1);
    let _ = seek_time(dir, Timestamp::from_seconds(1_700_000_000));
    found.len()
}

/// Opens it to write: what could be read can still be read, and what is appended follows.
fn go_on(dir: &Path, before: usize) {
    let now = Timestamp::from_seconds(1_700_000_000);
    let config = TapeConfig {
        dir: dir.to_owned(),
        segment_octets: 128 << 10,
        max_octets: 1 << 30,
        min_free_octets: 0,
        ..TapeConfig::default()
    };
    // A newer format is refused.
    let Ok((mut writer, _)) = TapeWriter::open(config, now) else {
        return;
    };
    let end = writer.end();
    let datagram = Datagram {
        received_at: now,
        source: ([10, 0, 0, 1], 2055).into(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::from_static(b"appended"),
    };
    let done = writer.append(std::slice::from_ref(&datagram), now);
    assert_eq!((done.written, done.failed), (1, 0));
    let mut reader = TapeReader::open(dir, end, Some(writer.tail()));
    let read = reader.read(9, 1 << 20).expect("what was just written");
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].1, datagram);
    drop(reader);
    while let Ok(Some(_)) = writer.tail().compress_next() {}
    assert_eq!(look(dir), before + 1);
    let _ = writer.retain(Timestamp::MAX, end, &Pins::default());
}
