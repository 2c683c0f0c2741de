//! Cases 11 to 16: counts, lengths and padding of packets and Sets.

use collector::decode::Problem;
use flow::DropKind;
use flow::health::SequenceState;

use crate::suspect::tried;
use crate::wire::{FIELDS, ipfix, record, set, template, v9};

fn flows() -> Vec<u8> {
    set(0, &template(256, FIELDS))
}

#[test]
fn case_11_a_v9_count_that_lies_is_a_number_in_the_metrics() {
    for count in [0_u16, 1, 3, 65_535] {
        let mut packet = v9(0, 1, &[flows(), set(256, &record(1, 100))]);
        packet[2..4].copy_from_slice(&count.to_be_bytes());
        let tried = tried(vec![packet]);
        assert_eq!(tried.octets(), [100], "{count}");
        assert_eq!(tried.problems(), [("count_mismatch", 1)], "{count}");
    }
    let honest = tried(vec![v9(0, 1, &[flows(), set(256, &record(1, 100))])]);
    assert!(honest.problems().is_empty());
}

#[test]
fn case_12_v9_packets_may_be_filled_up() {
    let body = [record(1, 100), vec![0; 3]].concat();
    for zeros in [0, 1, 2, 3, 4, 7, 900] {
        let mut packet = v9(0, 1, &[flows(), set(256, &body)]);
        packet.resize(packet.len() + zeros, 0);
        let tried = tried(vec![packet]);
        assert_eq!(
            (tried.octets(), tried.problems()),
            (vec![100], vec![]),
            "{zeros}"
        );
    }
    for trailing in 1..4 {
        let mut packet = v9(0, 1, &[flows(), set(256, &body)]);
        packet.resize(packet.len() + trailing, 0xaa);
        let tried = tried(vec![packet]);
        assert_eq!(tried.octets(), [100]);
        assert_eq!(tried.problems(), [("trailing_octets", 1)], "{trailing}");
    }
}

#[test]
fn case_13_a_template_set_may_be_padded_with_four_to_seven_octets() {
    for padding in 0..8 {
        let mut body = template(256, FIELDS);
        body.resize(body.len() + padding, 0);
        let data = set(256, &record(1, 100));
        for packet in [
            v9(0, 1, &[set(0, &body), data.clone()]),
            ipfix(0, 1, &[set(2, &body), data.clone()]),
        ] {
            let tried = tried(vec![packet]);
            assert_eq!(
                (tried.octets(), tried.problems()),
                (vec![100], vec![]),
                "{padding}"
            );
        }
    }
}

/// A Set whose header says `length`.
fn lying(length: u16) -> Vec<u8> {
    let mut broken = set(257, &[1, 2, 3, 4]);
    broken[2..4].copy_from_slice(&length.to_be_bytes());
    broken
}

#[test]
fn case_14_a_set_length_that_lies_ends_a_v9_packet_there() {
    for length in [0, 1, 3, 4_000, 65_535] {
        let sets = [flows(), set(256, &record(1, 100)), lying(length)];
        let tried = tried(vec![v9(0, 1, &sets)]);
        assert_eq!(tried.octets(), [100], "{length}");
        assert_eq!(tried.met(Problem::SetLength), 1);
        let nothing = self::tried(vec![v9(0, 1, &[lying(length)])]);
        assert_eq!(nothing.dropped(DropKind::Malformed), 1, "{length}");
    }
}

#[test]
fn case_14_a_set_length_that_lies_voids_an_ipfix_message_and_its_templates() {
    let data = set(256, &record(1, 100));
    for length in [0, 1, 3, 4_000, 65_535] {
        let sets = [set(2, &template(256, FIELDS)), data.clone(), lying(length)];
        let tried = tried(vec![
            ipfix(0, 1, &sets),
            ipfix(1, 1, std::slice::from_ref(&data)),
        ]);
        assert!(tried.rows.is_empty(), "{length}");
        assert_eq!(tried.met(Problem::SetLength), 1);
        assert_eq!(
            (tried.dropped(DropKind::Malformed), tried.waiting()),
            (1, 1),
            "no template"
        );
    }
}

#[test]
fn case_14_a_voided_message_takes_its_redefinition_back_and_is_no_loss_on_the_way() {
    let data = set(256, &record(1, 100));
    let good = ipfix(0, 1, &[set(2, &template(256, FIELDS)), data.clone()]);
    let redefinition = set(2, &template(256, &[(8, 4), (1, 8)]));
    let bad = [redefinition, data.clone(), data.clone(), lying(3)];
    let mut packets = vec![good];
    packets.extend((1..20).map(|n| ipfix(n, 1, std::slice::from_ref(&data))));
    packets.push(ipfix(20, 1, &bad));
    packets.extend((22..40).map(|n| ipfix(n, 1, std::slice::from_ref(&data))));
    let tried = tried(packets);
    assert_eq!(tried.octets(), [100; 38]);
    let told = &tried.told()[0];
    assert_eq!(
        (told.sequence, told.sequence_lost),
        (SequenceState::Counting, 0)
    );
}

#[test]
fn case_15_an_empty_set_is_nothing() {
    let tried = tried(vec![ipfix(0, 1, &[set(256, &[]), set(2, &[])])]);
    assert!(tried.rows.is_empty());
    assert_eq!(tried.problems(), [("set_empty", 2)]);
    assert_eq!((tried.waiting(), tried.decoder.books().understood), (0, 2));
}

#[test]
fn case_16_an_ipfix_length_beyond_the_datagram_is_refused_and_a_shorter_one_believed() {
    let sets = [set(2, &template(256, FIELDS)), set(256, &record(1, 100))];
    for more in [1, 400] {
        let mut long = ipfix(0, 1, &sets);
        let length = u16::try_from(long.len() + more).unwrap();
        long[2..4].copy_from_slice(&length.to_be_bytes());
        let refused = tried(vec![long]);
        assert!(refused.rows.is_empty());
        assert_eq!(refused.problems(), [("length_short", 1)]);
        assert_eq!(refused.dropped(DropKind::Malformed), 1);
    }
    let mut short = ipfix(0, 1, &sets);
    short.extend([9; 40]);
    let believed = tried(vec![short]);
    assert_eq!(believed.octets(), [100]);
    assert_eq!(believed.problems(), [("length_long", 1)]);
    let mut header = ipfix(0, 1, &sets);
    header[2..4].copy_from_slice(&15_u16.to_be_bytes());
    assert_eq!(
        tried(vec![header]).dropped(DropKind::Malformed),
        1,
        "less than its header"
    );
}
