//! Cases 25 to 27: what is in a record beside what is known, and how many records there may be.

use crate::suspect::tried;
use crate::wire::{FIELDS, ipfix, record, set, template, v9};

/// A template of IPFIX with enterprise numbers: id, then (enterprise, element, length).
fn vendors(id: u16, fields: &[(u32, u16, u16)]) -> Vec<u8> {
    let mut template = id.to_be_bytes().to_vec();
    template.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
    for (enterprise, element, length) in fields {
        let bit = if *enterprise == 0 { 0 } else { 0x8000 };
        template.extend((element | bit).to_be_bytes());
        template.extend(length.to_be_bytes());
        if *enterprise != 0 {
            template.extend(enterprise.to_be_bytes());
        }
    }
    template
}

#[test]
fn case_25_what_nobody_knows_is_skipped_by_its_length_and_told_once() {
    // Two elements that IANA has not given out, one of an enterprise that nobody knows, sent twice; octets.
    let fields = [(0, 9_999, 3), (0, 9_999, 2), (64_512, 5, 0xffff), (0, 1, 4)];
    let body = [&[1, 2, 3, 4, 5, 2, 6, 7][..], &900_u32.to_be_bytes()].concat();
    let data = set(256, &[&body[..], &body].concat());
    let tried = tried(vec![
        ipfix(0, 1, &[set(2, &vendors(256, &fields)), data.clone()]),
        ipfix(2, 1, &[data]),
    ]);
    assert_eq!((tried.octets(), tried.problems()), (vec![900; 4], vec![]));
    let told: Vec<_> = tried.told()[0].unknown_fields.clone().into_iter().collect();
    assert_eq!(told, [("0/9999".to_owned(), 4), ("64512/5".to_owned(), 4)]);
}

#[test]
fn case_25_lists_are_skipped_whole_however_deep() {
    // RFC 6313 §4.5: basicList: semantic, element, its length, values. Here: empty; of zero-size values; in one another
    // five times; and the two kinds that hold whole records, one with a length of its own that lies.
    let empty = vec![3, 0, 8, 0, 4];
    let zero_size = vec![3, 0, 210, 0, 0, 1, 2, 3];
    let mut nested = vec![3, 0, 8, 0, 4, 10, 0, 0, 1];
    for _ in 0..5 {
        let length = u8::try_from(nested.len()).unwrap();
        nested = [&[3, 1, 35, 0xff, 0xff, length][..], &nested].concat();
    }
    let sub_template = vec![3, 1, 0, 10, 0, 0, 1];
    let multi = vec![3, 1, 0, 0xff, 0xff, 1];
    for (element, content) in [
        (291, vec![]),
        (291, empty),
        (291, zero_size),
        (291, nested),
        (292, sub_template),
        (293, multi),
    ] {
        let length = u8::try_from(content.len()).unwrap();
        let record = [&[length][..], &content, &900_u32.to_be_bytes()].concat();
        let sets = [
            set(2, &template(256, &[(element, 0xffff), (1, 4)])),
            set(256, &[&record[..], &record].concat()),
        ];
        let tried = tried(vec![ipfix(0, 1, &sets)]);
        assert_eq!(
            (tried.octets(), tried.problems()),
            (vec![900; 2], vec![]),
            "{content:?}"
        );
        assert!(
            tried.told()[0].unknown_fields.is_empty(),
            "the registry knows lists"
        );
    }
}

#[test]
fn case_25_of_an_mpls_stack_the_top_label_is_kept() {
    // RFC 3032 §2.1: label 16001 is 0x03e81 in the upper 20 of 24 bits.
    let sets = [
        set(2, &template(256, &[(70, 3), (71, 3), (72, 3), (1, 4)])),
        set(
            256,
            &[0x03, 0xe8, 0x10, 0, 1, 0x10, 0, 2, 0x11, 0, 0, 3, 132],
        ),
    ];
    let tried = tried(vec![ipfix(0, 1, &sets)]);
    assert_eq!(
        (tried.octets(), tried.rows[0].mpls_label),
        (vec![900], Some(16_001))
    );
    assert!(tried.told()[0].unknown_fields.is_empty());
}

#[test]
fn case_26_of_a_repeated_element_the_first_is_the_column_and_all_are_kept() {
    let fields = [
        (8, 4),
        (8, 4),
        (7, 2),
        (7, 2),
        (7, 2),
        (1, 4),
        (1, 4),
        (371, 0xffff),
        (371, 0xffff),
        (56, 6),
        (56, 6),
        (210, 1),
        (210, 1),
    ];
    let mut body = vec![
        10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0, 81, 0, 82, 0, 0, 0, 90, 0, 0, 0, 91,
    ];
    body.extend(b"\x03bob\x03eve");
    body.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 0]);
    let tried = tried(vec![ipfix(
        0,
        1,
        &[set(2, &template(256, &fields)), set(256, &body)],
    )]);
    let row = &tried.rows[0];
    assert_eq!(row.src_addr.unwrap().to_string(), "10.0.0.1");
    assert_eq!((row.src_port, row.octets), (Some(80), Some(90)));
    assert_eq!(row.src_mac.as_deref(), Some("02:00:00:00:00:01"));
    let extras: Vec<_> = row
        .extras
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    let expected = [
        ("octetDeltaCount.2", "91"),
        ("sourceIPv4Address.2", "10.0.0.2"),
        ("sourceMacAddress.2", "02:00:00:00:00:02"),
        ("sourceTransportPort.2", "81"),
        ("sourceTransportPort.3", "82"),
        ("userName", "bob"),
        ("userName.2", "eve"),
    ];
    assert_eq!(extras, expected);
    assert!(tried.problems().is_empty());
}

#[test]
fn case_27_thousands_of_records_in_one_set_are_all_decoded() {
    // The largest datagram has 65,507 octets: 3,850 records of 17 are 65,450.
    for count in [1_500_u32, 3_840] {
        let body: Vec<u8> = (0..count)
            .flat_map(|number| record(1, 20 + number))
            .collect();
        let sent: Vec<u64> = (0..count).map(|number| u64::from(20 + number)).collect();
        let data = set(256, &body);
        for packet in [
            v9(0, 1, &[set(0, &template(256, FIELDS)), data.clone()]),
            ipfix(0, 1, &[set(2, &template(256, FIELDS)), data.clone()]),
        ] {
            let tried = tried(vec![packet]);
            assert_eq!(tried.octets(), sent);
            assert_eq!(tried.decoder.books().records, u64::from(count) + 1);
        }
    }
}
