//! Addresses under a key: what the decoder says of a rewritten datagram is the rewriting of what it said.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use collector::decode::DecodeConfig;
use collector::fields::FieldTable;
use collector::rewrite::{Anonymizer, Unreadable};
use flow::{Datagram, Feed, FlowBatch, Timestamp};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{decode, run};
use crate::wire::{FIELDS, datagram, ipfix, record, set, template, v5, v9, v9_options};

/// The first key of draft-denis-ipcrypt's vectors, under which 192.0.2.1 becomes 100.115.72.131.
const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

fn anonymizer() -> Anonymizer {
    Anonymizer::new(
        KEY.parse().unwrap(),
        DecodeConfig::default(),
        FieldTable::builtin(),
    )
}

fn rewritten(payload: Vec<u8>) -> Vec<u8> {
    anonymizer()
        .datagram(&datagram(payload))
        .unwrap()
        .payload
        .to_vec()
}

fn v4(anonymizer: &Anonymizer, octets: [u8; 4]) -> [u8; 4] {
    match anonymizer.address(octets.into()) {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => panic!("IPv4 stays IPv4"),
    }
}

#[test]
fn the_exporter_is_rewritten_too() {
    let before = datagram(v5(1, 1, 1, 0));
    let after = anonymizer().datagram(&before).unwrap();
    assert_eq!(after.source.to_string(), "100.115.72.131:50000");
    assert_eq!(after.received_at, before.received_at);
    let mark = Datagram::end_of_feed(Feed(3), Timestamp::EPOCH);
    assert_eq!(anonymizer().datagram(&mark), Ok(mark.clone()));
}

#[test]
fn only_addresses_of_a_v5_record_change() {
    let before = v5(1, 2, 2, 0);
    let after = rewritten(before.clone());
    let anonymizer = anonymizer();
    let mut expected = before.clone();
    for record in [24, 72] {
        for at in [record, record + 4] {
            let octets: [u8; 4] = before[at..at + 4].try_into().unwrap();
            expected[at..at + 4].copy_from_slice(&v4(&anonymizer, octets));
        }
    }
    assert_eq!(after, expected, "next hop 0.0.0.0 is none, and stays");
}

/// One field of every kind, IPFIX.
#[test]
fn each_kind_of_field_has_its_rule() {
    let anonymizer = anonymizer();
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    let mut mapped_after = mapped;
    mapped_after[12..].copy_from_slice(&[100, 115, 72, 131]);
    let prefix = v4(&anonymizer, [10, 1, 2, 0]);
    let mac = anonymizer.mac(0x0050_5611_2233).to_be_bytes();
    let cases: &[(u16, &[u8], &[u8])] = &[
        (8, &[192, 0, 2, 1], &[100, 115, 72, 131]),
        (130, &[192, 0, 2, 1], &[100, 115, 72, 131]),
        (27, &mapped, &mapped_after),
        (44, &[10, 1, 2, 0], &[prefix[0], prefix[1], prefix[2], 0]),
        (9, &[24], &[24]),
        (56, &[0, 0x50, 0x56, 0x11, 0x22, 0x33], &mac[2..]),
        (371, b"alice\0\0", b"xxxxx\0\0"),
        (82, b"eth0", b"eth0"),
        (96, b"dns", b"dns"),
        (314, b"GET /", &[0; 5]),
        (210, &[192, 0, 2, 1], &[0; 4]),
        (210, &[1, 2, 3], &[1, 2, 3]),
        (12_345, &[192, 0, 2, 1], &[0; 4]),
        (1, &[192, 0, 2, 1], &[192, 0, 2, 1]),
    ];
    let fields: Vec<_> = cases
        .iter()
        .map(|(id, from, _)| (*id, u16::try_from(from.len()).unwrap()))
        .collect();
    let message = |after: bool| {
        let cells = cases
            .iter()
            .map(|(_, from, to)| if after { *to } else { *from });
        let body = cells.collect::<Vec<_>>().concat();
        ipfix(1, 3, &[set(2, &template(256, &fields)), set(256, &body)])
    };
    assert_eq!(rewritten(message(false)), message(true));
}

/// RFC 3954 §6.1: the scope "System" is often the exporter's own address.
#[test]
fn the_system_of_v9_options_is_an_address() {
    let options = set(1, &v9_options(300, &[(1, 4)], &[(34, 2)]));
    let message = |system| {
        v9(
            1,
            2,
            &[options.clone(), set(300, &[system, &[0, 10][..]].concat())],
        )
    };
    assert_eq!(
        rewritten(message(&[192, 0, 2, 1])),
        message(&[100, 115, 72, 131])
    );
}

#[test]
fn what_cannot_be_walked_does_not_leak() {
    let secret = [192, 0, 2, 1].repeat(5);
    let blank = |length: usize| set(255, &vec![0; length]);
    let templates = set(2, &template(256, FIELDS));
    // No template; a template that the records do not fill; octets behind the last Set and behind the message.
    assert_eq!(
        rewritten(ipfix(1, 3, &[set(256, &secret)])),
        ipfix(1, 3, &[blank(20)])
    );
    let misfit = ipfix(
        1,
        3,
        &[
            templates.clone(),
            set(256, &[record(1, 2), secret.clone()].concat()[..30]),
        ],
    );
    assert_eq!(
        rewritten(misfit),
        ipfix(1, 3, &[templates.clone(), blank(30)])
    );
    let mut behind = ipfix(1, 3, std::slice::from_ref(&templates));
    let length = behind.len();
    behind.extend(&secret);
    assert_eq!(rewritten(behind)[length..], [0; 20]);
    let mut behind = v5(1, 1, 1, 0);
    behind.extend(&secret);
    assert_eq!(rewritten(behind)[24 + 48..], [0; 20]);
    // A v9 packet whose last Set is longer than it: zeros from there on.
    let mut cut = v9(1, 3, &[set(256, &secret)]);
    cut.truncate(cut.len() - 8);
    assert_eq!(rewritten(cut)[20..], [0; 16]);
    // Behind a template that can't be read there may be anything, and data under its id is not what it was.
    let broken = [
        template(257, FIELDS),
        vec![1, 0, 0xff, 0xff],
        secret.clone(),
    ]
    .concat();
    let sets = [templates, set(2, &broken), set(256, &record(1, 2))];
    let after = rewritten(ipfix(1, 3, &sets));
    let blank_rest = [template(257, FIELDS), vec![0; 24]].concat();
    assert_eq!(
        after,
        ipfix(1, 3, &[sets[0].clone(), set(2, &blank_rest), blank(17)])
    );
    // Nothing of it is decoded.
    assert_eq!(run(vec![after]).1.rows(), 0);
}

#[test]
fn a_datagram_that_is_none_is_refused_and_counted() {
    let mut anonymizer = anonymizer();
    let mut refused = |payload: Vec<u8>| anonymizer.datagram(&datagram(payload)).unwrap_err();
    assert_eq!(
        refused(b"GET / HTTP/1.1".to_vec()),
        Unreadable::NotFlowExport
    );
    assert_eq!(
        refused(vec![0, 0, 0, 5, 0, 0]).to_string(),
        "sFlow v5 is not decoded"
    );
    assert_eq!(refused(vec![0, 5, 0, 1, 0, 0]), Unreadable::HeaderShort);
    let mut short = ipfix(1, 3, &[set(256, &[1; 40])]);
    short.truncate(50);
    assert_eq!(refused(short), Unreadable::Lengths);
    assert_eq!(anonymizer.counts().unreadable, 4);
}

/// A frame that softflowd or a switch would send: Ethernet, VLAN 5, IPv4, UDP 1000 to 53, with payload.
#[test]
fn headers_of_a_sampled_packet_stay_with_other_addresses() {
    let mut frame = vec![
        0, 0x50, 0x56, 1, 1, 1, 0, 0x50, 0x56, 2, 2, 2, 0x81, 0, 0, 5, 8, 0,
    ];
    frame.extend([
        0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0xaa, 0xbb, 192, 0, 2, 1, 10, 0, 0, 1,
    ]);
    frame.extend([3, 232, 0, 53, 0, 16, 0xcc, 0xdd]);
    frame.extend(b"password");
    let length = u16::try_from(frame.len()).unwrap();
    let sets = [set(2, &template(256, &[(315, length)])), set(256, &frame)];
    let message = ipfix(1, 3, &sets);
    let after = rewritten(message.clone());
    let (_, batch) = run(vec![after.clone()]);
    let (anonymizer, row) = (anonymizer(), batch.record(0));
    assert_eq!(row.src_addr.unwrap().to_string(), "100.115.72.131");
    assert_eq!(row.dst_addr, Some(anonymizer.address([10, 0, 0, 1].into())));
    assert_eq!(
        (row.src_port, row.dst_port, row.vlan),
        (Some(1_000), Some(53), Some(5))
    );
    assert_eq!(after[after.len() - 8..], [0; 8]);
    assert!(
        !after
            .windows(2)
            .any(|it| it == [0xaa, 0xbb] || it == [0xcc, 0xdd])
    );
    assert_eq!(
        batch.columns.dst_mac.get(0),
        Some(anonymizer.mac(0x0050_5601_0101))
    );
}

/// What of a row is no address: it must be the same afterwards.
const UNCHANGED: &[&str] = &[
    "src_port",
    "dst_port",
    "protocol",
    "octets",
    "packets",
    "reverse_octets",
    "reverse_packets",
    "start",
    "end",
    "in_interface",
    "out_interface",
    "tcp_flags",
    "src_as",
    "dst_as",
    "vlan",
    "vni",
    "sampling_interval",
    "exporter_application",
    "exporter_application_id",
    "observation_domain",
    "template",
    "measures",
    "in_interface_name",
];

/// Every address of every row of every capture.
#[test]
fn decoding_and_rewriting_can_change_places() {
    let (mut addresses, mut blanked) = (0, 0);
    for (path, datagrams) in crate::all_captures() {
        let mut anonymizer = anonymizer();
        // What can't be read keeps its place and gives no row.
        let hidden: Vec<_> = datagrams
            .iter()
            .map(|it| {
                anonymizer.datagram(it).unwrap_or_else(|_| Datagram {
                    payload: Vec::new().into(),
                    ..it.clone()
                })
            })
            .collect();
        let (before, after) = (decode(&datagrams).1, decode(&hidden).1);
        let after: BTreeMap<_, _> = named(&after).collect();
        let counts = anonymizer.counts();
        // What is missing told times and running totals of others.
        let whole = counts.sets_unknown + counts.sets_misfit == 0;
        let unchanged = if whole { UNCHANGED } else { &[] };
        let mut missing = 0;
        for (place, row) in named(&before) {
            let Some(after) = after.get(&place) else {
                missing += 1;
                continue;
            };
            compare_fields(&path, &row, after, unchanged);
            addresses += compare(&path, &anonymizer, &row, after);
        }
        blanked += missing;
        assert!(!whole || missing == 0, "{path}: {missing} rows are gone");
        let before: BTreeMap<_, _> = named(&before).collect();
        for (number, octet) in after.keys().filter(|place| !before.contains_key(place)) {
            // What repeated a datagram of an unknown template does so no more.
            let number = usize::try_from(*number).unwrap();
            let repeats = |earlier: &Datagram| earlier.payload == datagrams[number].payload;
            let repeated = datagrams[..number].iter().any(repeats);
            assert!(repeated, "{path}: a row was invented at {number}, {octet}");
        }
    }
    if crate::support::captures().is_some() {
        assert!(
            addresses > 10_000,
            "{addresses} addresses, {blanked} rows blanked"
        );
    }
}

/// Rows by the datagram and the octet in it where they were found.
fn named(batch: &FlowBatch) -> impl Iterator<Item = ((u32, u16), Value)> {
    let origin = &batch.origin;
    let places = origin.tape_offset.iter().zip(&origin.record_offset);
    let rows = crate::rows(batch).map(|row| serde_json::to_value(row).unwrap());
    places
        .map(|(datagram, octet)| (*datagram, *octet))
        .zip(rows)
}

fn compare_fields(path: &str, before: &Value, after: &Value, unchanged: &[&str]) {
    for name in unchanged {
        assert_eq!(after[name], before[name], "{path}: {name}: {before}");
    }
}

/// Compares the addresses of one row before and after; returns how many addresses were in it.
fn compare(path: &str, anonymizer: &Anonymizer, before: &Value, after: &Value) -> usize {
    let mut addresses = 0;
    for name in ["src_mac", "dst_mac"] {
        let number = |row: &Value| {
            let digits = row[name].as_str()?.replace(':', "");
            u64::from_str_radix(&digits, 16).ok()
        };
        let expected = number(before).map(|mac| anonymizer.mac(mac));
        assert_eq!(number(after), expected, "{path}: {name}");
    }
    for (name, value) in before.as_object().unwrap() {
        let Some(address) = value.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
            continue;
        };
        addresses += 1;
        let expected = anonymizer.address(address).to_canonical().to_string();
        assert_eq!(
            after[name], expected,
            "{path}: {name} was {address}: {before}"
        );
    }
    addresses
}

/// No address that the decoder finds is anywhere in the octets afterwards.
#[test]
fn no_address_of_a_capture_is_left() {
    // Packets of other decoders' tests count 1, 2, 3, 4 … through all fields.
    let real = |path: &str| !path.starts_with("bundles/literals-");
    for (path, datagrams) in crate::all_captures().filter(|(path, _)| real(path)) {
        let mut anonymizer = anonymizer();
        let hidden: Vec<_> = datagrams.iter().map(|it| anonymizer.datagram(it)).collect();
        for ((number, octet), row) in named(&decode(&datagrams).1) {
            let Ok(hidden) = &hidden[usize::try_from(number).unwrap()] else {
                continue;
            };
            for (name, value) in row.as_object().unwrap() {
                let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                let octets = match address {
                    Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
                    Some(IpAddr::V6(v6)) => v6.octets().to_vec(),
                    None => continue,
                };
                if octets.iter().filter(|octet| **octet != 0).count() < 4 {
                    continue;
                }
                let left = hidden.payload.windows(octets.len()).any(|it| it == octets);
                assert!(!left, "{path}: {name} {value} at {number}, {octet} is left");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_net_contains_its_rewritten_addresses(v4_bits: u32, v6_bits: u128, v4_length in 0..=32_u8, v6_length in 0..=128_u8, other: u128) {
        let anonymizer = anonymizer();
        let net: IpNet = Ipv4Net::new(Ipv4Addr::from_bits(v4_bits), v4_length).unwrap().into();
        let inside = v4_bits & !hosts(v4_length) | u32::try_from(other >> 96).unwrap() & hosts(v4_length);
        let inside = IpAddr::from(Ipv4Addr::from_bits(inside));
        prop_assume!(!inside.is_unspecified());
        prop_assert!(net.contains(&inside));
        prop_assert!(anonymizer.prefix(net).contains(&anonymizer.address(inside)));
        prop_assert_eq!(anonymizer.prefix(net).prefix_len(), v4_length);
        let net: IpNet = Ipv6Net::new(Ipv6Addr::from_bits(v6_bits), v6_length).unwrap().into();
        let hosts = u128::MAX.checked_shr(v6_length.into()).unwrap_or(0);
        let inside = IpAddr::from(Ipv6Addr::from_bits(v6_bits & !hosts | other & hosts));
        prop_assert!(net.contains(&inside));
        prop_assert!(anonymizer.prefix(net).contains(&anonymizer.address(inside)));
    }

    #[test]
    fn as_many_first_bits_stay_alike(one: u32, other: u32) {
        let anonymizer = anonymizer();
        let image = |bits: u32| u32::from_be_bytes(v4(&anonymizer, bits.to_be_bytes()));
        prop_assume!(one != 0 && other != 0);
        prop_assert_eq!((one ^ other).leading_zeros(), (image(one) ^ image(other)).leading_zeros());
    }
}

fn hosts(length: u8) -> u32 {
    u32::MAX.checked_shr(length.into()).unwrap_or(0)
}
