//! What is written, read by ourselves and by others.

use std::fs;

use bytes::Bytes;
use collector::capture::{CaptureError, CaptureWriter, Format, Framing, Selection};
use flow::{Datagram, Feed, Timestamp};

use super::pcap::*;

fn datagram(source: &str, nanos: i64, payload: &[u8]) -> Datagram {
    Datagram {
        received_at: Timestamp::from_nanos(nanos),
        source: source.parse().unwrap(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::copy_from_slice(payload),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut written = vec![
        datagram("10.1.2.3:50000", 1_700_000_000_123_456_789, b"nine"),
        datagram("[2001:db8::7]:9", 1_700_000_000_123_456_790, b""),
        datagram("10.1.2.3:50000", 4_294_967_295_999_999_999, &[7; 65_507]),
    ];
    for framing in [Framing::Raw, Framing::Ethernet] {
        assert_eq!(
            again(&written, Format::Pcap, framing),
            written,
            "{framing:?}"
        );
    }
    // Beyond the 32 bits of seconds that pcap has, and the last that we can say.
    written.push(datagram("10.1.2.3:1", 4_294_967_296_000_000_001, b"later"));
    written.push(datagram("10.1.2.3:1", i64::MAX, b"last"));
    for framing in [Framing::Raw, Framing::Ethernet] {
        assert_eq!(
            again(&written, Format::Pcapng, framing),
            written,
            "{framing:?}"
        );
    }
}

#[test]
fn times_that_a_format_does_not_have_become_its_nearest() {
    let strange = [
        datagram("10.1.2.3:1", -1, b"a nanosecond before 1970"),
        datagram("10.1.2.3:1", i64::MIN, b"1677"),
        datagram("10.1.2.3:1", 4_294_967_296_000_000_001, b"2106"),
    ];
    let times = |format| {
        let again = again(&strange, format, Framing::Raw);
        let nanos = again.iter().map(|datagram| datagram.received_at.nanos());
        nanos.collect::<Vec<_>>()
    };
    assert_eq!(times(Format::Pcap), [0, 0, 4_294_967_295_000_000_000]);
    assert_eq!(times(Format::Pcapng), [0, 0, 4_294_967_296_000_000_001]);
}

/// What is read after `datagrams` were written, and one that is too large for a packet.
fn again(datagrams: &[Datagram], format: Format, framing: Framing) -> Vec<Datagram> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written");
    let mut writer = CaptureWriter::new(fs::File::create(&path).unwrap(), format, framing).unwrap();
    for (at, datagram) in datagrams.iter().enumerate() {
        if at == 1 {
            refused(&mut writer);
        }
        writer.write(datagram).unwrap();
    }
    writer.finish().unwrap();
    let (datagrams, counts) = read(&path, Selection::default());
    assert_eq!(counts.frames, counts.datagrams, "{counts:?}");
    datagrams
}

fn refused(writer: &mut CaptureWriter<fs::File>) {
    let large = datagram("10.1.2.3:1", 0, &[7; 65_508]);
    let error = writer.write(&large).unwrap_err();
    assert!(matches!(
        error,
        CaptureError::TooLarge { octets: 65_508, .. }
    ));
}

/// Octet by octet as draft-ietf-opsawg-pcapng-02 has it: §4.1, §4.2 and §4.3, little-endian.
#[test]
fn pcapng_is_laid_out_as_its_draft_says() {
    let mut writer = CaptureWriter::new(Vec::new(), Format::Pcapng, Framing::Raw).unwrap();
    let at = 0x0123_4567_89ab_cdef;
    writer
        .write(&datagram("10.1.2.3:50000", at, b"five!"))
        .unwrap();
    let octets = writer.finish().unwrap();
    let section = [
        &[0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0][..],
        &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
        &[0xff; 8],
        b"\x04\0\x08\0flowreel\0\0\0\0",
        &[44, 0, 0, 0],
    ];
    let interface = [
        &[1, 0, 0, 0, 32, 0, 0, 0][..],
        &[101, 0, 0, 0, 0, 0, 4, 0],
        &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0],
        &[32, 0, 0, 0],
    ];
    // 20 octets of IP, 8 of UDP, 5 of payload, 3 of padding.
    let before_packet = [
        &[6, 0, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0][..],
        &[0x67, 0x45, 0x23, 0x01, 0xef, 0xcd, 0xab, 0x89],
        &[33, 0, 0, 0, 33, 0, 0, 0, 0x45],
    ];
    let packet_end = [b"five!\0\0\0"[..].to_vec(), vec![68, 0, 0, 0]].concat();
    let start = [section.concat(), interface.concat(), before_packet.concat()].concat();
    assert_eq!(octets[..start.len()], start);
    assert!(octets.ends_with(&packet_end));
    assert_eq!(octets.len(), 44 + 32 + 68);
}

#[test]
fn another_reader_finds_right_checksums_in_what_is_written() {
    let Ok(tool) = std::process::Command::new("tshark").arg("-v").output() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "`make test` installs tshark"
        );
        return eprintln!("skipped: there is no tshark");
    };
    assert!(tool.status.success());
    for format in [Format::Pcap, Format::Pcapng] {
        assert_eq!(
            told_by_tshark(format),
            "1700000000.123456789,1,1,12\n1700000001.000000000,,1,11\n"
        );
    }
}

fn told_by_tshark(format: Format) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written");
    let file = fs::File::create(&path).unwrap();
    let mut writer = CaptureWriter::new(file, format, Framing::Raw).unwrap();
    writer
        .write(&datagram(
            "10.1.2.3:50000",
            1_700_000_000_123_456_789,
            b"four",
        ))
        .unwrap();
    writer
        .write(&datagram(
            "[2001:db8::7]:9",
            1_700_000_001_000_000_000,
            b"six",
        ))
        .unwrap();
    writer.finish().unwrap();
    let output = std::process::Command::new("tshark")
        .args([
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args([
            "-d",
            "udp.port==2055,data",
            "-T",
            "fields",
            "-E",
            "separator=,",
        ])
        .args([
            "-e",
            "frame.time_epoch",
            "-e",
            "ip.checksum.status",
            "-e",
            "udp.checksum.status",
        ])
        .args(["-e", "udp.length", "-r"])
        .arg(&path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
