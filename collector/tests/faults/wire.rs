//! Export packets made octet by octet, as the RFCs draw them.
#![allow(dead_code, reason = "two test programs share it, and each uses a part")]

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};

/// The header's time of day in all packets made here: 2023-11-14T22:13:20Z.
pub(crate) const EXPORT_S: u32 = 1_700_000_000;
/// The header's uptime in v5 and v9 packets made here.
pub(crate) const UPTIME_MS: u32 = 1_000_000;

/// A template of five fields, 17 octets a record: addresses, octets, packets (reduced to 4 and 4), protocol.
pub(crate) const FIELDS: &[(u16, u16)] = &[(8, 4), (12, 4), (1, 4), (2, 4), (4, 1)];

/// A record of [`FIELDS`] from 10.0.0.`host` to 10.0.1.1 with `octets` and one packet of UDP.
pub(crate) fn record(host: u8, octets: u32) -> Vec<u8> {
    let mut record = vec![10, 0, 0, host, 10, 0, 1, 1];
    record.extend(octets.to_be_bytes());
    record.extend(1_u32.to_be_bytes());
    record.push(17);
    record
}

/// A Set with its header; the body is not padded.
pub(crate) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut set = id.to_be_bytes().to_vec();
    set.extend(u16::try_from(body.len() + 4).unwrap().to_be_bytes());
    set.extend(body);
    set
}

/// A template record: id, count, then field and length each.
pub(crate) fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut template = id.to_be_bytes().to_vec();
    template.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
    for (field, length) in fields {
        template.extend(field.to_be_bytes());
        template.extend(length.to_be_bytes());
    }
    template
}

/// A v9 options template record: octets of scope and options specifiers, then them.
pub(crate) fn v9_options(id: u16, scope: &[(u16, u16)], options: &[(u16, u16)]) -> Vec<u8> {
    let mut template = id.to_be_bytes().to_vec();
    for fields in [scope, options] {
        template.extend(u16::try_from(fields.len() * 4).unwrap().to_be_bytes());
    }
    for (field, length) in scope.iter().chain(options) {
        template.extend(field.to_be_bytes());
        template.extend(length.to_be_bytes());
    }
    template
}

/// A v9 packet (RFC 3954 §5.1).
pub(crate) fn v9(sequence: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = vec![0, 9];
    packet.extend(u16::try_from(sets.len()).unwrap().to_be_bytes());
    for number in [UPTIME_MS, EXPORT_S, sequence, domain] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(sets.concat());
    packet
}

/// An IPFIX message (RFC 7011 §3.1).
pub(crate) fn ipfix(sequence: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut message = vec![0, 10];
    message.extend(u16::try_from(sets.len() + 16).unwrap().to_be_bytes());
    for number in [EXPORT_S, sequence, domain] {
        message.extend(number.to_be_bytes());
    }
    message.extend(sets);
    message
}

/// A v5 packet with `count` in its header and these many records: 10.0.0.n to 10.0.1.1, 1000 octets, 10 packets, one
/// second long and ended one second before the header.
pub(crate) fn v5(sequence: u32, count: u16, records: u8, sampling: u16) -> Vec<u8> {
    let mut packet = vec![0, 5];
    packet.extend(count.to_be_bytes());
    for number in [UPTIME_MS, EXPORT_S, 500_000_000, sequence] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend([1, 2]);
    packet.extend(sampling.to_be_bytes());
    for record in 0..records {
        packet.extend([10, 0, 0, record, 10, 0, 1, 1, 0, 0, 0, 0, 0, 3, 0, 4]);
        for number in [10, 1_000, UPTIME_MS - 2_000, UPTIME_MS - 1_000] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend([
            0x9c, 0x40, 0x00, 0x50, 0, 0x1b, 6, 0, 0xfd, 0xe8, 0xfd, 0xe9, 24, 16, 0, 0,
        ]);
    }
    packet
}

/// The packet as it arrived a second after its export from 192.0.2.1, port 50000.
pub(crate) fn datagram(payload: Vec<u8>) -> Datagram {
    from("192.0.2.1:50000", payload)
}

/// As [`datagram`], from another sender.
pub(crate) fn from(source: &str, payload: Vec<u8>) -> Datagram {
    Datagram {
        received_at: Timestamp::from_seconds(i64::from(EXPORT_S) + 1),
        source: source.parse().unwrap(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::from(payload),
    }
}
