//! The files are those that `docs/tape.md` describes: read here by that page alone.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::fs;
use std::net::IpAddr;

use tape::{append, datagrams, files, open};

/// A datagram as that page puts it: number, received_at, exporter, exporter's port, local port, payload.
type Read = (u64, i64, IpAddr, u16, u16, Vec<u8>);

fn number(octets: &[u8], at: usize, width: usize) -> u64 {
    let field = octets[at..at + width].iter().rev();
    field.fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// CRC-32C bit by bit, from its definition (polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4).
fn crc32c(octets: impl Iterator<Item = u8>) -> u64 {
    let mut crc = u32::MAX;
    for octet in octets {
        crc ^= u32::from(octet);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    u64::from(!crc)
}

fn read_segment(segment: &[u8]) -> Vec<Read> {
    assert_eq!(&segment[..12], b"FLOWTAPE\x01\0\x40\0");
    assert_eq!(
        number(segment, 60, 4),
        crc32c(segment[..60].iter().copied())
    );
    let (before, marker) = (number(segment, 24, 8), &segment[32..36]);
    let (mut found, mut at) = (Vec::new(), 64);
    while at < segment.len() {
        let frame = &segment[at..];
        let end = 52 + usize::try_from(number(frame, 8, 2)).unwrap();
        assert_eq!(&frame[..4], marker);
        let checked = marker.iter().chain(&frame[8..end]).copied();
        assert_eq!(number(frame, 4, 4), crc32c(checked));
        let address: IpAddr = match frame[10] {
            4 => <[u8; 4]>::try_from(&frame[36..40]).unwrap().into(),
            _ => <[u8; 16]>::try_from(&frame[36..52]).unwrap().into(),
        };
        found.push((
            before + number(frame, 12, 4),
            i64::from_le_bytes(frame[16..24].try_into().unwrap()),
            address,
            u16::try_from(number(frame, 32, 2)).unwrap(),
            u16::try_from(number(frame, 34, 2)).unwrap(),
            frame[52..end].to_vec(),
        ));
        at += end;
    }
    found
}

#[test]
fn another_program_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut sent = datagrams(0..400, 700);
    sent[7].source = "[2001:db8::7]:9995".parse().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &sent);
    writer.tail().compress_next().unwrap();
    drop(writer);
    let expected: Vec<Read> = (0..)
        .zip(&sent)
        .map(|(number, d)| {
            let (address, port) = (d.source.ip(), d.source.port());
            let payload = d.payload.to_vec();
            (
                number,
                d.received_at.nanos(),
                address,
                port,
                d.local_port,
                payload,
            )
        })
        .collect();
    let mut read = Vec::new();
    for path in files(dir.path(), ".tape.zst") {
        read.extend(read_segment(
            &zstd::stream::decode_all(fs::File::open(path).unwrap()).unwrap(),
        ));
    }
    assert!(!read.is_empty());
    for path in files(dir.path(), ".tape") {
        read.extend(read_segment(&fs::read(path).unwrap()));
    }
    assert_eq!(read, expected);
}

#[test]
fn the_index_follows_the_page_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    append(&mut writer, &datagrams(0..20, 48));
    drop(writer);
    let segment = fs::read(&files(dir.path(), ".tape")[0]).unwrap();
    let index = fs::read(&files(dir.path(), ".index")[0]).unwrap();
    assert_eq!(index.len(), 64 + 40);
    assert_eq!(index[..64], segment[..64]);
    let entry = &index[64..];
    let fields = [0, 4, 8, 12].map(|at| number(entry, at, 4));
    assert_eq!(fields, [64, 64 + 20 * 100, 0, 20]);
    let times = read_segment(&segment)
        .iter()
        .map(|read| read.1)
        .collect::<Vec<_>>();
    assert_eq!(entry[16..24], times[0].to_le_bytes());
    assert_eq!(entry[24..32], times[19].to_le_bytes());
    assert_eq!(number(entry, 36, 4), crc32c(entry[..36].iter().copied()));
}
