//! Case 38: records that hold both directions, and counters that say the same thing twice.

use crate::suspect::{Tried, tried};
use crate::wire::{ipfix, set, template};

/// RFC 5103: reverse elements are IANA's under enterprise 29305.
const REVERSE: [u8; 4] = 29_305_u32.to_be_bytes();

fn one(template: &[u8], body: &[u8]) -> Tried {
    tried(vec![ipfix(0, 1, &[set(2, template), set(256, body)])])
}

#[test]
fn case_38_a_biflow_has_a_reverse_direction_of_its_own() {
    // octets 1, packets 2, flags 6, start 152, and the reverse of the same: ids with the enterprise bit, and 29305.
    let mut fields = vec![1, 0, 0, 8];
    for (id, length) in [(1_u16, 4_u16), (2, 4), (6, 1), (152, 8)] {
        fields.extend(id.to_be_bytes());
        fields.extend(length.to_be_bytes());
    }
    for (id, length) in [(1_u16, 4_u16), (2, 4), (6, 1), (152, 8)] {
        fields.extend((id | 0x8000).to_be_bytes());
        fields.extend(length.to_be_bytes());
        fields.extend(REVERSE);
    }
    let start = 1_700_000_000_000_u64;
    let mut body = vec![0, 0, 0, 90, 0, 0, 0, 2, 0x02];
    body.extend(start.to_be_bytes());
    body.extend([0, 0, 3, 132, 0, 0, 0, 3, 0x12]);
    body.extend((start + 10).to_be_bytes());
    let tried = one(&fields, &body);
    let row = &tried.rows[0];
    assert_eq!((row.octets, row.reverse_octets), (Some(90), Some(900)));
    assert_eq!((row.packets, row.reverse_packets), (Some(2), Some(3)));
    assert_eq!(
        (row.tcp_flags, row.reverse_tcp_flags),
        (Some(0x02), Some(0x12))
    );
    assert_eq!(row.start.unwrap().to_string(), "2023-11-14T22:13:20.000Z");
    assert_eq!(
        row.reverse_start.unwrap().to_string(),
        "2023-11-14T22:13:20.010Z"
    );
    assert!(tried.problems().is_empty());
}

#[test]
fn case_38_initiator_and_responder_are_two_directions_and_the_plain_counter_is_not_added() {
    let fields = template(256, &[(1, 4), (231, 4), (232, 4), (298, 4), (299, 4)]);
    let body = [0, 0, 1, 0, 0, 0, 0, 90, 0, 0, 0, 91, 0, 0, 0, 1, 0, 0, 0, 2];
    let row = &one(&fields, &body).rows[0];
    assert_eq!((row.octets, row.reverse_octets), (Some(90), Some(91)));
    assert_eq!((row.packets, row.reverse_packets), (Some(1), Some(2)));
}

#[test]
fn case_38_what_left_the_box_and_totals_are_not_added_to_what_came() {
    // postOctetDeltaCount (23), octetTotalCount (85), postOctetTotalCount (171) beside octetDeltaCount (1).
    for other in [23, 85, 171] {
        for order in [[1, other], [other, 1]] {
            let fields = order.map(|id| (id, 4));
            let body = order.map(|id| [0, 0, u8::from(id != 1), 90]).concat();
            let tried = one(&template(256, &fields), &body);
            assert_eq!(tried.octets(), [90], "{order:?}");
            assert_eq!(tried.rows[0].reverse_octets, None);
            assert_eq!(tried.rows[0].counter_kind.as_deref(), Some("delta"));
        }
    }
    // Alone they are what there is.
    let post = one(
        &template(256, &[(23, 4), (24, 4)]),
        &[0, 0, 0, 90, 0, 0, 0, 1],
    );
    assert_eq!((post.octets(), post.rows[0].packets), (vec![90], Some(1)));
}

#[test]
fn case_38_totals_of_a_flow_are_told_as_differences() {
    let layout = template(256, &[(8, 4), (12, 4), (152, 8), (85, 4), (86, 4)]);
    let one = |start: u64, octets: u32, packets: u32| {
        let mut body = vec![10, 0, 0, 1, 10, 0, 0, 2];
        body.extend(start.to_be_bytes());
        body.extend(octets.to_be_bytes());
        body.extend(packets.to_be_bytes());
        set(256, &body)
    };
    let start = 1_700_000_000_000;
    let tried = tried(vec![
        ipfix(
            0,
            1,
            &[set(2, &layout), one(start, 100, 1), one(start + 1, 40, 1)],
        ),
        ipfix(2, 1, &[one(start, 250, 3), one(start, 250, 3)]),
    ]);
    assert_eq!(tried.octets(), [100, 40, 150, 0]);
    let kinds: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.counter_kind.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["total", "total", "delta", "delta"]);
}
