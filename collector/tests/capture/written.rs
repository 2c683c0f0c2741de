//! What is written, read by ourselves and by others.

use std::fs;

use bytes::Bytes;
use collector::capture::{CaptureError, CaptureWriter, Framing, Selection};
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
    let written = [
        datagram("10.1.2.3:50000", 1_700_000_000_123_456_789, b"nine"),
        datagram("[2001:db8::7]:9", 1_700_000_000_123_456_790, b""),
        datagram("10.1.2.3:50000", 4_294_967_295_999_999_999, &[7; 65_507]),
    ];
    for framing in [Framing::Raw, Framing::Ethernet] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("written.pcap");
        let mut writer = CaptureWriter::new(fs::File::create(&path).unwrap(), framing).unwrap();
        for datagram in &written {
            writer.write(datagram).unwrap();
        }
        let error = writer
            .write(&datagram("10.1.2.3:1", 0, &[7; 65_508]))
            .unwrap_err();
        assert!(matches!(
            error,
            CaptureError::TooLarge { octets: 65_508, .. }
        ));
        writer.finish().unwrap();
        assert_eq!(read(&path, Selection::default()).0, written, "{framing:?}");
    }
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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.pcap");
    let mut writer = CaptureWriter::new(fs::File::create(&path).unwrap(), Framing::Raw).unwrap();
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
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "1700000000.123456789,1,1,12\n1700000001.000000000,,1,11\n"
    );
}
