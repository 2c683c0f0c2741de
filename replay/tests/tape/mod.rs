//! What the tape's tests share: small tapes, and datagrams that can be told apart.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use bytes::Bytes;
use flow::{Datagram, Feed, TapePosition, Timestamp};
use replay::{TapeConfig, TapeReader, TapeWriter};

pub(crate) fn config(dir: &Path) -> TapeConfig {
    TapeConfig {
        dir: dir.to_owned(),
        segment_octets: 128 << 10,
        max_octets: 1 << 30,
        min_free_octets: 0,
        ..TapeConfig::default()
    }
}

pub(crate) fn open(dir: &Path) -> TapeWriter {
    TapeWriter::open(config(dir), second(0)).unwrap().0
}

/// Seconds into the test.
pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + second)
}

/// Datagram `number` of an exporter: its number is in the payload, which has `octets` octets that do not compress well.
pub(crate) fn datagram(number: u64, octets: usize) -> Datagram {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    });
    let payload: Vec<u8> = number
        .to_be_bytes()
        .into_iter()
        .chain(noise)
        .take(octets)
        .collect();
    Datagram {
        received_at: second(0).offset(i64::try_from(number).unwrap() * 1_000_000),
        source: format!("192.0.2.{}:2055", number % 200).parse().unwrap(),
        local_port: 4739,
        feed: Feed::WIRE,
        payload: Bytes::from(payload),
    }
}

pub(crate) fn datagrams(numbers: std::ops::Range<u64>, octets: usize) -> Vec<Datagram> {
    numbers.map(|number| datagram(number, octets)).collect()
}

/// The number that [`datagram`] has put into the payload.
pub(crate) fn number(datagram: &Datagram) -> u64 {
    u64::from_be_bytes(datagram.payload[..8].try_into().unwrap())
}

pub(crate) fn append(writer: &mut TapeWriter, datagrams: &[Datagram]) {
    let done = writer.append(datagrams, second(0));
    assert_eq!((done.written, done.failed), (datagrams.len() as u64, 0));
}

pub(crate) fn read_all(reader: &mut TapeReader) -> Vec<(TapePosition, Datagram)> {
    let mut all = Vec::new();
    loop {
        let some = reader.read(100, 1 << 20).unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// The numbers of the datagrams on a tape, from its start.
pub(crate) fn numbers_on(dir: &Path) -> (Vec<u64>, TapeReader) {
    let mut reader = TapeReader::open(dir, TapePosition::START, None).expecting(0);
    let numbers = read_all(&mut reader)
        .iter()
        .map(|(_, d)| number(d))
        .collect();
    (numbers, reader)
}

/// Files of a tape with this ending, in their order.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    found
}
