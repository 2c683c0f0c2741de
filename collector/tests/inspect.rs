//! Every datagram of every capture explained, and what the explanation of a known one says.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use bytes::Bytes;
use collector::capture::{CaptureFile, Selection};
use collector::inspect::Inspector;
use flow::{Datagram, Feed, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

fn datagram(source: &str, payload: &[u8]) -> Datagram {
    Datagram {
        received_at: Timestamp::from_millis(1_700_000_000_250),
        source: source.parse().unwrap(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// v9 of source id 7 (RFC 3954 §5): header, then Sets.
fn v9(sets: &[&[u8]]) -> Vec<u8> {
    let header: [u8; 20] = [
        0, 9, 0, 1, 0, 0, 0x10, 0, 0x65, 0x53, 0xf1, 0, 0, 0, 0, 1, 0, 0, 0, 7,
    ];
    [&header[..], &sets.concat()].concat()
}

/// Template 256: IN_BYTES (1), IPV4_SRC_ADDR (8).
const TEMPLATE: &[u8] = &[0, 0, 0, 16, 1, 0, 0, 2, 0, 1, 0, 4, 0, 8, 0, 4];
/// 1,234 octets from 10.1.2.3.
const DATA: &[u8] = &[1, 0, 0, 12, 0, 0, 4, 0xd2, 10, 1, 2, 3];

#[test]
fn all_fields_of_a_record_are_there() {
    let mut inspector = Inspector::new().unwrap();
    let explained = inspector.inspect(&datagram("10.0.0.9:5000", &v9(&[TEMPLATE, DATA])));
    assert_eq!(explained["received_at"], "2023-11-14T22:13:20.250Z");
    assert_eq!(explained["source"], "10.0.0.9:5000");
    assert_eq!(explained["octets"], 48);
    assert_eq!(explained["error"], Value::Null);
    let text = explained.to_string();
    assert!(text.contains("1234") && text.contains("10.1.2.3"), "{text}");
}

#[test]
fn templates_belong_to_address_and_domain_and_not_to_a_port() {
    let mut inspector = Inspector::new().unwrap();
    inspector.inspect(&datagram("10.0.0.9:5000", &v9(&[TEMPLATE])));
    let mut says = |source: &str, payload: &[u8]| {
        inspector
            .inspect(&datagram(source, payload))
            .to_string()
            .contains("10.1.2.3")
    };
    assert!(says("10.0.0.9:6000", &v9(&[DATA])));
    assert!(!says("10.0.0.8:5000", &v9(&[DATA])));
    let mut other_domain = v9(&[DATA]);
    other_domain[19] = 8;
    assert!(!says("10.0.0.9:5000", &other_domain));
}

#[test]
fn more_records_than_the_parser_would_take_by_itself() {
    let mut inspector = Inspector::new().unwrap();
    inspector.inspect(&datagram("10.0.0.9:5000", &v9(&[TEMPLATE])));
    let records = DATA[4..].repeat(8_000);
    let length = u16::try_from(records.len() + 4).unwrap().to_be_bytes();
    let set = [&[1, 0][..], &length, &records].concat();
    let explained = inspector.inspect(&datagram("10.0.0.9:5000", &v9(&[&set])));
    assert_eq!(explained["error"], Value::Null);
    assert_eq!(explained.to_string().matches("10.1.2.3").count(), 8_000);
}

#[test]
fn what_is_no_export_is_an_error_in_a_field() {
    let mut inspector = Inspector::new().unwrap();
    for payload in [
        &b""[..],
        &[0],
        &[0, 1, 0, 1],
        &[0, 9],
        &[0, 10, 0, 200],
        &[0xff; 1400],
    ] {
        let explained = inspector.inspect(&datagram("10.0.0.9:5000", payload));
        assert!(explained["error"].is_string(), "{payload:?}: {explained}");
        assert_eq!(explained["packets"], json!([]));
    }
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(
        version in prop::sample::select(vec![0_u8, 1, 5, 7, 8, 9, 10, 11]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut inspector = Inspector::new().unwrap();
        inspector.inspect(&datagram("10.0.0.9:5000", &v9(&[TEMPLATE])));
        let explained = inspector.inspect(&datagram("10.0.0.9:5000", &[&[0, version], &rest[..]].concat()));
        prop_assert!(explained["error"].is_string() || explained["packets"].is_array());
    }
}

#[test]
fn no_capture_makes_it_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
        assert!(std::env::var_os("CI").is_none(), "no captures in CI");
        return println!("skipped: no captures beside the checkout");
    };
    let rows: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    for row in &rows {
        let mut inspector = Inspector::new().unwrap();
        let path = row["path"].as_str().unwrap();
        let (mut datagrams, mut silent) = (0, 0);
        for read in CaptureFile::open(&folder.join(path), Selection::default()).unwrap() {
            let explained = inspector.inspect(&read.unwrap());
            datagrams += 1;
            let said = explained["packets"]
                .as_array()
                .is_some_and(|packets| !packets.is_empty());
            silent += u32::from(!said && explained["error"].is_null());
        }
        assert!(datagrams > 0 || row["datagrams"] == 0, "{path}");
        assert_eq!(silent, 0, "{path}: neither content nor error");
    }
}
