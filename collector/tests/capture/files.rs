//! File formats, damage, and what cannot be opened.

use std::fs;

use collector::capture::{CaptureError, CaptureFile, Selection};
use flow::Timestamp;

use super::pcap::*;

#[test]
fn case_49_nanoseconds_and_the_other_byte_order_are_read() {
    let nanos = Pcap::new(0xa1b2_3c4d, RAW).frame((1_700_000_000, 123_456_789), &udp_v4(b"x"), 29);
    let expected = Timestamp::from_seconds(1_700_000_000).offset(123_456_789);
    assert_eq!(nanos.all().0[0].received_at, expected);

    let mut swapped = Pcap::micros(RAW).frame((1_700_000_000, 123_456), &udp_v4(b"x"), 29);
    for at in (0..4).chain(8..24).step_by(4).chain([24, 28, 32, 36]) {
        swapped.octets[at..at + 4].reverse();
    }
    swapped.octets[4..6].reverse();
    swapped.octets[6..8].reverse();
    let (datagrams, _) = swapped.all();
    assert_eq!(
        datagrams[0].received_at,
        Timestamp::from_nanos(1_700_000_000_123_456_000)
    );
}

/// A pcapng block: type, length, body padded to 32 bits, length again
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html> §3.1).
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

/// A section header and an interface of raw IP that counts in 10^-`resolution` seconds.
fn section(resolution: u8) -> Vec<u8> {
    let header = [
        &0x1a2b_3c4d_u32.to_le_bytes()[..],
        &[1, 0, 0, 0],
        &[0xff; 8],
    ];
    let interface = [
        &101_u16.to_le_bytes()[..],
        &[0, 0],
        &65_535_u32.to_le_bytes(),
        &[9, 0, 1, 0, resolution, 0, 0, 0],
        &[0, 0, 0, 0],
    ];
    [
        block(0x0a0d_0d0a, &header.concat()),
        block(1, &interface.concat()),
    ]
    .concat()
}

fn enhanced_packet(at: u64, packet: &[u8]) -> Vec<u8> {
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let high = u32::try_from(at >> 32).unwrap().to_le_bytes();
    let low = u32::try_from(at & 0xffff_ffff).unwrap().to_le_bytes();
    block(
        6,
        &[&[0; 4], &high, &low, &length, &length, packet].concat(),
    )
}

#[test]
fn case_49_pcapng_counts_time_as_its_interface_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hand-built.pcapng");
    for (resolution, at) in [(9, 1_700_000_000_123_456_789), (6, 1_700_000_000_123_456)] {
        let octets = [section(resolution), enhanced_packet(at, &udp_v4(b"one"))].concat();
        fs::write(&path, &octets).unwrap();
        let (datagrams, counts) = read(&path, Selection::default());
        let nanos = if resolution == 9 {
            123_456_789
        } else {
            123_456_000
        };
        let expected = Timestamp::from_seconds(1_700_000_000).offset(nanos);
        assert_eq!(datagrams[0].received_at, expected);
        assert_eq!(counts.damaged_tails, 0);

        let torn = [&octets[..], &enhanced_packet(at, &udp_v4(b"two"))[..30]].concat();
        fs::write(&path, torn).unwrap();
        let (datagrams, counts) = read(&path, Selection::default());
        assert_eq!((datagrams.len(), counts.damaged_tails), (1, 1));
    }
}

#[test]
fn case_49_a_file_that_ends_within_a_frame_keeps_the_rest() {
    let whole = Pcap::micros(RAW).frames(&[udp_v4(b"one"), udp_v4(b"two")]);
    // The second frame starts at 24 + 16 + 31 octets.
    for length in [72, 80, 87, 100, 117] {
        let mut torn = Pcap::micros(RAW);
        torn.octets = whole.octets[..length].to_vec();
        let (datagrams, counts) = torn.all();
        assert_eq!(payloads(&datagrams), [b"one"], "{length}");
        assert_eq!((counts.frames, counts.damaged_tails), (1, 1), "{length}");
    }
}

#[test]
fn case_49_damage_in_the_middle_is_an_error_with_file_and_frame() {
    let mut file = Pcap::micros(RAW).frames(&[udp_v4(b"one"), udp_v4(b"two")]);
    file.octets[71 + 8..71 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let path = file.folder.path().join("damaged.pcap");
    fs::write(&path, &file.octets).unwrap();
    let mut capture = CaptureFile::open(&path, Selection::default()).unwrap();
    assert_eq!(capture.next().unwrap().unwrap().payload, "one");
    let error = capture.next().unwrap().unwrap_err();
    assert!(matches!(error, CaptureError::Frame { frame: 1, .. }));
    assert!(
        error
            .to_string()
            .ends_with("damaged.pcap: cannot be read beyond frame 1")
    );
    assert!(capture.next().is_none());
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, octets).unwrap();
        CaptureFile::open(&path, Selection::default()).unwrap_err()
    };
    assert!(matches!(open("empty", b""), CaptureError::Empty { .. }));
    let gzip = open("a.pcap.gz", &[0x1f, 0x8b, 8, 0]);
    assert!(
        gzip.to_string()
            .ends_with("a.pcap.gz: compressed with gzip; unpack it first")
    );
    assert!(matches!(
        open("text", b"no capture at all, just words"),
        CaptureError::NotACapture { .. }
    ));
    assert!(matches!(open("x", b"x"), CaptureError::NotACapture { .. }));
    let wireless = open("wlan.pcap", &Pcap::micros(105).octets);
    assert!(
        wireless
            .to_string()
            .ends_with("frames of link type IEEE802_11 (105) are not read")
    );
    let absent = CaptureFile::open(&folder.path().join("absent"), Selection::default());
    assert!(matches!(absent.unwrap_err(), CaptureError::Open { .. }));
}
