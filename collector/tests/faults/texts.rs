//! Cases 21 to 23: values of variable length.

use collector::decode::Problem;
use flow::health::SequenceState;

use crate::suspect::tried;
use crate::wire::{ipfix, set, template};

/// userName (371) of variable length, then octets (1).
const NAMED: &[(u16, u16)] = &[(371, 0xffff), (1, 4)];

fn named(body: &[u8]) -> Vec<u8> {
    ipfix(0, 1, &[set(2, &template(256, NAMED)), set(256, body)])
}

/// A record of [`NAMED`]: the length as told, the text, the octets.
fn record(length: &[u8], text: &[u8], octets: u32) -> Vec<u8> {
    [length, text, &octets.to_be_bytes()].concat()
}

#[test]
fn case_21_an_empty_value_of_either_form_keeps_its_record() {
    // RFC 7011 §7: one octet of length, or 255 and two more.
    let body = [
        record(&[0], b"", 1),
        record(&[255, 0, 0], b"", 2),
        record(&[3], b"bob", 3),
    ];
    let tried = tried(vec![named(&body.concat())]);
    assert_eq!((tried.octets(), tried.problems()), (vec![1, 2, 3], vec![]));
    let names: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.extras.get("userName"))
        .collect();
    assert_eq!(names, [None, None, Some(&"bob".to_owned())]);
}

#[test]
fn case_22_the_long_form_may_tell_a_short_length() {
    let body = [
        record(&[255, 0, 3], b"bob", 1),
        record(&[255, 0, 254], &[b'x'; 254], 2),
    ];
    let tried = tried(vec![named(&body.concat())]);
    assert_eq!((tried.octets(), tried.problems()), (vec![1, 2], vec![]));
    assert_eq!(tried.rows[0].extras["userName"], "bob");
    assert_eq!(tried.rows[1].extras["userName"].len(), 254);
}

#[test]
fn case_22_a_length_beyond_the_set_ends_it_and_its_records_are_unknown() {
    let whole = record(&[3], b"bob", 1);
    for broken in [
        &[200, b'z', b'z', b'z', b'z'][..],
        &[255, 0xff, 0xff, 1, 2],
        &[255, 1, 1, 1, 1],
    ] {
        let sets = [
            set(2, &template(256, NAMED)),
            set(256, &[&whole, broken].concat()),
            set(256, &record(&[3], b"eve", 2)),
        ];
        let tried = tried(vec![ipfix(0, 1, &sets)]);
        assert_eq!(tried.octets(), [1, 2], "the next Set is read");
        assert_eq!(tried.problems(), [("record_cut", 1)]);
    }
}

#[test]
fn case_22_records_that_nobody_could_count_are_no_loss() {
    // Thirty messages of a record; the tenth has a second one that is cut, which the exporter counted.
    let mut packets = Vec::new();
    for number in 0..30_u32 {
        let mut body = record(&[3], b"bob", number);
        if number == 10 {
            body.extend([200, 1, 2, 3, 4]);
        }
        let sequence = number + u32::from(number > 10);
        packets.push(ipfix(
            sequence,
            1,
            &[set(2, &template(256, NAMED)), set(256, &body)],
        ));
    }
    let tried = tried(packets);
    assert_eq!((tried.rows.len(), tried.met(Problem::RecordCut)), (30, 1));
    let told = &tried.told()[0];
    assert_eq!(
        (told.sequence, told.sequence_lost),
        (SequenceState::Counting, 0)
    );
}

#[test]
fn case_23_a_huge_text_is_kept_to_a_kibibyte_and_says_so() {
    let octets = 65_400_u16;
    let [high, low] = octets.to_be_bytes();
    let body = record(&[255, high, low], &vec![b'x'; octets.into()], 7);
    let tried = tried(vec![named(&body)]);
    assert_eq!(
        (tried.octets(), tried.problems()),
        (vec![7], vec![("text_cut", 1)])
    );
    let name = &tried.rows[0].extras["userName"];
    assert_eq!((name.len(), name.chars().last()), (1_024, Some('…')));
}

#[test]
fn case_23_a_text_is_not_cut_within_a_letter_and_padding_is_no_text() {
    // "é" has two octets: 1,021 are an odd number.
    let body = record(&[255, 0x07, 0xd0], "é".repeat(1_000).as_bytes(), 1);
    let accents = tried(vec![named(&body)]);
    assert_eq!(
        accents.rows[0].extras["userName"],
        format!("{}…", "é".repeat(510))
    );
    // 2,000 octets of fixed length with three letters in them.
    let mut padded = b"bob".to_vec();
    padded.resize(2_000, 0);
    let sets = [set(2, &template(256, &[(371, 2_000)])), set(256, &padded)];
    let fixed = tried(vec![ipfix(0, 1, &sets)]);
    assert_eq!(fixed.rows[0].extras["userName"], "bob");
    assert!(fixed.problems().is_empty());
}
