//! Cases 24, 39 and 40: sizes of numbers, and numbers that cannot be true.

use collector::decode::Problem;

use crate::suspect::tried;
use crate::wire::{ipfix, set, template, v9};

fn one(fields: &[(u16, u16)], body: &[u8]) -> crate::suspect::Tried {
    tried(vec![ipfix(
        0,
        1,
        &[set(2, &template(256, fields)), set(256, body)],
    )])
}

#[test]
fn case_24_counters_of_one_to_eight_octets_are_exact() {
    // RFC 7011 §6.2; an interface of three octets: 0x010203.
    let expected: [u64; 8] = [
        0x81,
        0x8182,
        0x81_8283,
        0x8182_8384,
        0x81_8283_8485,
        0x8182_8384_8586,
        0x81_8283_8485_8687,
        // The top bit would make it impossible.
        0x0182_8384_8586_8788,
    ];
    for (width, expected) in (1..=8_u16).zip(expected) {
        let mut body: Vec<u8> = (0..width).map(|n| 0x81 + n.to_le_bytes()[0]).collect();
        if width == 8 {
            body[0] = 1;
        }
        body.extend([1, 2, 3]);
        let tried = one(&[(1, width), (10, 3)], &body);
        assert_eq!(
            (tried.octets(), tried.problems()),
            (vec![expected], vec![]),
            "{width}"
        );
        assert_eq!(tried.rows[0].in_interface, Some(66_051));
    }
}

#[test]
fn case_24_more_than_eight_octets_saturate_and_are_marked() {
    let exact = one(&[(1, 9)], &[0, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!((exact.octets(), exact.problems()), (vec![7], vec![]));
    for width in [9_u16, 16, 40] {
        let mut body = vec![0; width.into()];
        body[0] = 1;
        let tried = one(&[(1, width)], &body);
        assert_eq!(tried.octets(), [u64::MAX], "{width}");
        assert_eq!(tried.rows[0].counter_kind.as_deref(), Some("implausible"));
        assert_eq!(tried.problems(), [("counter_implausible", 1)]);
    }
}

#[test]
fn case_39_interface_0_and_large_ones_are_kept_and_directions_are_not_invented() {
    let fields = [(10, 4), (14, 4), (61, 1), (1, 4)];
    let mut body = vec![0, 0, 0, 0, 0, 1, 0x11, 0x70, 0, 0, 0, 0, 9];
    body.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0, 0, 0, 9]);
    body.extend([0, 0, 0, 1, 0, 0, 0, 2, 255, 0, 0, 0, 9]);
    let tried = one(&fields, &body);
    let seen: Vec<_> = tried
        .rows
        .iter()
        .map(|row| {
            (
                row.in_interface,
                row.out_interface,
                row.direction.as_deref(),
            )
        })
        .collect();
    let expected = [
        (Some(0), Some(70_000), Some("ingress")),
        (Some(u32::MAX), Some(1), Some("egress")),
        (Some(1), Some(2), None),
    ];
    assert_eq!(seen, expected);
    assert!(tried.problems().is_empty());
    let bare = one(&[(1, 4)], &[0, 0, 0, 9]);
    let row = &bare.rows[0];
    assert_eq!(
        (row.in_interface, row.out_interface, row.direction.as_ref()),
        (None, None, None)
    );
}

/// Octets and packets of four octets each.
fn counted(octets: u32, packets: u32) -> Vec<u8> {
    [octets.to_be_bytes(), packets.to_be_bytes()].concat()
}

#[test]
fn case_40_impossible_counters_are_kept_and_marked() {
    // 20 octets are an IPv4 header: less a packet is impossible, as much is not.
    let body = [
        counted(1_000, 50),
        counted(999, 50),
        counted(0, 1),
        counted(0, 0),
    ]
    .concat();
    let tried = one(&[(1, 4), (2, 4)], &body);
    let kinds: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.counter_kind.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["delta", "implausible", "implausible", "delta"]);
    assert_eq!(tried.octets(), [1_000, 999, 0, 0], "as sent");
    assert_eq!(tried.met(Problem::CounterImplausible), 2);
}

#[test]
fn case_40_two_to_the_63_is_impossible_in_either_direction() {
    let large = |top: u8| [&[top][..], &[0; 7], &[0, 0, 0, 1]].concat();
    for (octets, packets) in [(1, 2), (231, 298), (85, 86)] {
        let tried = one(
            &[(octets, 8), (packets, 4)],
            &[large(0x80), large(0x40)].concat(),
        );
        let kinds: Vec<_> = tried
            .rows
            .iter()
            .map(|row| row.counter_kind.clone())
            .collect();
        assert_eq!(kinds[0].as_deref(), Some("implausible"), "{octets}");
        assert_ne!(kinds[1].as_deref(), Some("implausible"), "{octets}");
        assert_eq!(tried.octets(), [1 << 63, 1 << 62]);
    }
    // Initiator and responder: sums add both, so one that cannot be spoils the record.
    let fields = [(231, 4), (298, 4), (232, 8), (299, 4)];
    let half = [&[0, 0, 0, 90, 0, 0, 0, 1][..], &large(0xff)].concat();
    let both = one(&fields, &half);
    assert_eq!(both.rows[0].counter_kind.as_deref(), Some("implausible"));
    assert_eq!(both.rows[0].reverse_octets, Some(0xff << 56));
    assert_eq!(both.met(Problem::CounterImplausible), 1);
}

#[test]
fn case_40_a_counter_that_overflows_with_its_sampling_interval_is_impossible() {
    // 2^40 octets are a terabyte; of 1 in 2^22 packets they would be 2^62, of 1 in 2^23 they are 2^63.
    let fields = [(34, 4), (1, 8)];
    let octets = (1_u64 << 40).to_be_bytes();
    let body = [&[0, 0x40, 0, 0][..], &octets, &[0, 0x80, 0, 0], &octets].concat();
    let tried = one(&fields, &body);
    let kinds: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.counter_kind.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["delta", "implausible"]);
}

#[test]
fn case_40_an_impossible_total_stays_marked() {
    // The same flow thrice: 100, a counter that fell through its type, 130.
    let fields = [(8, 4), (12, 4), (152, 8), (85, 8)];
    let one = |octets: u64| {
        let mut body = vec![10, 0, 0, 1, 10, 0, 0, 2];
        body.extend(1_700_000_000_000_u64.to_be_bytes());
        body.extend(octets.to_be_bytes());
        set(256, &body)
    };
    let templates = set(0, &template(256, &fields));
    let tried = tried(vec![
        v9(0, 1, &[templates, one(100)]),
        v9(1, 1, &[one(u64::MAX)]),
        v9(2, 1, &[one(130)]),
    ]);
    assert_eq!(tried.octets(), [100, u64::MAX, 30]);
    let kinds: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.counter_kind.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["total", "implausible", "delta"]);
}
