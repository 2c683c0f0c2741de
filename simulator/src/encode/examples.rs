//! The encoder against octets from elsewhere: the worked examples of RFC 7011 appendix A, and layouts on paper.

use std::time::Duration;

use bytes::Bytes;
use flow::Timestamp;

use super::fixed::{self, FixedHeader, FixedPacker, FixedRecord, FixedVersion};
use super::*;

fn words(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

fn flows() -> Template {
    let ids = [8, 12, 15, 2, 1];
    Template::data(256, ids.map(|id| Field::iana(id, 4)))
}

/// RFC 7011 A.1 to A.4: a template, three flows, an options template by line card, and two of its records.
#[test]
fn rfc_7011_appendix_a() {
    let rows: [([u8; 3], u32, u32); 3] = [
        ([12, 254, 1], 5009, 5_344_385),
        ([27, 23, 2], 748, 388_934),
        ([56, 65, 3], 5, 6534),
    ];
    let options = Template::options(
        258,
        [Field::iana(141, 4)],
        [Field::iana(41, 2), Field::iana(42, 2)],
    );
    let mut message = Message::new(Protocol::Ipfix, 0x0000_00aa);
    message.template(&flows());
    for (hosts, packets, octets) in rows {
        let [src, dst, hop] = hosts.map(|host| std::net::Ipv4Addr::new(192, 0, 2, host));
        let values = [
            src.into(),
            dst.into(),
            hop.into(),
            packets.into(),
            octets.into(),
        ];
        message.record(&flows(), &values);
    }
    message.template(&options);
    message.record(&options, &[1_u8.into(), 345_u16.into(), 10_201_u16.into()]);
    message.record(&options, &[2_u8.into(), 690_u16.into(), 20_402_u16.into()]);
    assert_eq!(message.data_records(), 5);
    let datagram = message.finish(Stamp {
        unix_seconds: 0x4400_0000,
        uptime_ms: 99,
        sequence: 3,
    });
    // The example pads its options Template Set to 24 octets, which is optional (RFC 7011 §3.3.1); ours are not.
    let expected = words(
        "000a 0096 44000000 00000003 000000aa
         0002 001c 0100 0005 0008 0004 000c 0004 000f 0004 0002 0004 0001 0004
         0100 0040
         c000020c c00002fe c0000201 00001391 00518c81
         c000021b c0000217 c0000202 000002ec 0005ef46
         c0000238 c0000241 c0000203 00000005 00001986
         0003 0016 0102 0003 0001 008d 0004 0029 0002 002a 0002
         0102 0014 00000001 0159 27d9 00000002 02b2 4fb2",
    );
    assert_eq!(datagram, expected);
}

/// RFC 7011 A.2.2: the third field is an enterprise's own.
#[test]
fn rfc_7011_enterprise_field() {
    let mut fields = flows().fields;
    fields[2] = Field::vendor(0x0000_1234, 15, 4);
    let mut message = Message::new(Protocol::Ipfix, 0);
    message.template(&Template::data(257, fields));
    let datagram = message.finish(Stamp::default());
    let expected =
        words("0002 0020 0101 0005 0008 0004 000c 0004 800f 0004 00001234 0002 0004 0001 0004");
    assert_eq!(datagram[16..], expected);
}

/// RFC 3954 §5.1: count of all records, uptime before seconds; FlowSets padded to 4 octets.
#[test]
fn v9_header_and_padding() {
    let template = Template::data(256, [Field::iana(1, 4), Field::iana(6, 1)]);
    let mut message = Message::new(Protocol::V9, 5);
    message.template(&template);
    message.record(&template, &[1500_u16.into(), 0x12_u8.into()]);
    let datagram = message.finish(Stamp {
        unix_seconds: 0x6553_f100,
        uptime_ms: 0x1234,
        sequence: 0x99,
    });
    let expected = words(
        "0009 0002 00001234 6553f100 00000099 00000005
         0000 0010 0100 0002 0001 0004 0006 0001
         0100 000c 000005dc 12 000000",
    );
    assert_eq!(datagram, expected);
}

fn record() -> FixedRecord {
    FixedRecord {
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, 2].into(),
        next_hop: [10, 0, 0, 3].into(),
        in_interface: 1,
        out_interface: 2,
        packets: 3,
        octets: 4,
        first_ms: 5,
        last_ms: 6,
        src_port: 7,
        dst_port: 8,
        tcp_flags: 0x1b,
        protocol: 6,
        tos: 0xb8,
        src_as: 9,
        dst_as: 10,
        src_mask: 24,
        dst_mask: 16,
        router: [10, 0, 0, 4].into(),
    }
}

#[test]
fn fixed_layouts() {
    let header = FixedHeader {
        uptime_ms: 1,
        unix_seconds: 2,
        unix_nanos: 3,
        sequence: 4,
        engine_type: 5,
        engine_id: 6,
        sampling: 0x4064,
    };
    let key = "0a000001 0a000002 0a000003 0001 0002 00000003 00000004 00000005 00000006 0007 0008";
    let v1 = words(&format!(
        "0001 0001 00000001 00000002 00000003 {key} 0000 06 b8 1b 000000 00000000 00000000"
    ));
    let v5 = words(&format!(
        "0005 0001 00000001 00000002 00000003 00000004 05 06 4064 {key} 00 1b 06 b8 0009 000a 18 10 0000"
    ));
    let v7 = words(&format!(
        "0007 0001 00000001 00000002 00000003 00000004 00000000 {key} 00 1b 06 b8 0009 000a 18 10 0000 0a000004"
    ));
    for (version, expected) in [
        (FixedVersion::V1, v1),
        (FixedVersion::V5, v5),
        (FixedVersion::V7, v7),
    ] {
        assert_eq!(fixed::datagram(version, header, &[record()]), expected);
        assert_eq!(
            expected.len(),
            version.header_length() + version.record_length()
        );
    }
}

fn clock(seconds: i64) -> ExportClock {
    ExportClock {
        unix: Timestamp::from_seconds(seconds),
        uptime_ms: 1000,
    }
}

fn sequence_at(datagram: &Bytes, at: usize) -> u32 {
    u32::from_be_bytes(datagram[at..at + 4].try_into().unwrap())
}

#[test]
fn v5_counts_flows_and_sends_thirty_at_a_time() {
    let mut packer = FixedPacker::new(FixedVersion::V5, 0, 0);
    let mut out = Vec::new();
    for _ in 0..65 {
        packer.record(clock(10), record(), &mut out);
    }
    packer.flush(clock(10), &mut out);
    packer.flush(clock(10), &mut out);
    let sequences: Vec<u32> = out
        .iter()
        .map(|datagram| sequence_at(datagram, 16))
        .collect();
    assert_eq!(sequences, [0, 30, 60]);
    assert_eq!(out[0].len(), 24 + 30 * 48);
    assert_eq!(packer.counts().records, 65);
}

/// v9 counts datagrams (RFC 3954 §5.1), IPFIX data records with those of options (RFC 7011 §3.1).
///
/// On paper: the first message holds 16 of header, 28 + 18 of templates, 12 of options data, 4 + 69 × 20 of flows;
/// the second 16 + 4 + 72 × 20.
#[test]
fn packers_fill_datagrams_and_count() {
    for (protocol, expected) in [(Protocol::V9, [0, 1, 2]), (Protocol::Ipfix, [0, 70, 142])] {
        let options = Template::options(257, [Field::iana(149, 4)], [Field::iana(34, 4)]);
        let mut packer = Packer::new(PackerConfig::new(protocol, 1), vec![flows(), options]);
        packer.standing_record(257, &[1_u8.into(), 100_u8.into()]);
        let mut out = Vec::new();
        for _ in 0..200 {
            packer.record(clock(10), 256, &[1_u8.into()], &mut out);
        }
        packer.flush(clock(10), &mut out);
        assert!(out.iter().all(|datagram| datagram.len() <= PAYLOAD_MAX));
        let at = if protocol == Protocol::V9 { 12 } else { 8 };
        let sequences: Vec<u32> = out.iter().map(|one| sequence_at(one, at)).collect();
        assert_eq!(sequences, expected);
        let counts = packer.counts();
        assert_eq!(
            (counts.records, counts.options_records, counts.templates),
            (200, 1, 2)
        );
    }
}

#[test]
fn templates_come_again_after_time_or_datagrams() {
    let config = PackerConfig {
        refresh_every: Duration::from_secs(60),
        refresh_datagrams: 3,
        ..PackerConfig::new(Protocol::Ipfix, 1)
    };
    let mut packer = Packer::new(config, vec![flows()]);
    let mut out = Vec::new();
    for seconds in [0, 59, 60, 61, 62, 63] {
        packer.record(clock(seconds), 256, &[], &mut out);
        packer.flush(clock(seconds), &mut out);
    }
    let with_template: Vec<bool> = out.iter().map(|datagram| datagram[17] == 2).collect();
    assert_eq!(with_template, [true, false, true, false, false, true]);
}

#[test]
fn a_record_longer_than_a_datagram_goes_out_alone() {
    let template = Template::data(256, [Field::iana(96, VARIABLE)]);
    let mut packer = Packer::new(PackerConfig::new(Protocol::Ipfix, 1), vec![template]);
    let mut out = Vec::new();
    let long = "x".repeat(2000);
    for text in ["a", &long, "b"] {
        packer.record(clock(1), 256, &[text.into()], &mut out);
    }
    packer.flush(clock(1), &mut out);
    assert_eq!(out.len(), 3);
    assert_eq!(out[1].len(), 16 + 4 + 3 + 2000);
}
