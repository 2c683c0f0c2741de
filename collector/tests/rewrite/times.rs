//! The same at another time.

use collector::decode::DecodeConfig;
use collector::fields::FieldTable;
use collector::rewrite::TimeMove;
use flow::Timestamp;
use flow::clock::NANOS_PER_SECOND;

use crate::support::{decode, run};
use crate::wire::{EXPORT_S, datagram, ipfix, set, template, v5, v9};

fn moving() -> TimeMove {
    TimeMove::new(DecodeConfig::default(), FieldTable::builtin())
}

#[test]
fn headers_are_moved_by_seconds() {
    for (payload, at) in [
        (v5(1, 1, 1, 0), 8),
        (v9(1, 3, &[]), 8),
        (ipfix(1, 3, &[]), 4),
    ] {
        for seconds in [0, 1, -1, 86_400, -1_000_000] {
            let before = datagram(payload.clone());
            let after = moving().datagram(&before, seconds);
            let then = u32::try_from(i64::from(EXPORT_S) + seconds).unwrap();
            let mut expected = payload.clone();
            expected[at..at + 4].copy_from_slice(&then.to_be_bytes());
            assert_eq!(after.payload, expected);
            assert_eq!(
                after.received_at.seconds(),
                i64::from(EXPORT_S) + 1 + seconds
            );
        }
    }
}

/// Every absolute element of IANA's registry, and relative ones beside them.
#[test]
fn fields_are_moved_in_their_own_unit() {
    const NTP: u64 = 3_908_988_800;
    let cases: &[(u16, u16, u64, u64)] = &[
        (150, 4, 1_700_000_000, 1_700_003_600),
        (153, 8, 1_700_000_000_123, 1_700_003_600_123),
        (154, 8, NTP << 32 | 5, (NTP + 3_600) << 32 | 5),
        (157, 8, NTP << 32 | 5, (NTP + 3_600) << 32 | 5),
        (155, 8, 1_700_000_000_000_123, 1_700_003_600_000_123),
        (160, 8, 1_700_000_000_123, 1_700_003_600_123),
        (322, 4, 1_700_000_000, 1_700_003_600),
        (323, 8, 1_700_000_000_123, 1_700_003_600_123),
        (258, 8, 1_700_000_000_123, 1_700_003_600_123),
        (260, 4, 1_700_000_000, 1_700_003_600),
        (359, 8, 1_700_000_000_123, 1_700_003_600_123),
        // Not set, too short, relative, no time.
        (152, 8, 0, 0),
        (151, 1, 7, 7),
        (21, 4, 999_000, 999_000),
        (158, 4, 1_000_000, 1_000_000),
        (161, 4, 1_000, 1_000),
        (1, 4, 1_700_000_000, 1_700_000_000),
    ];
    let fields: Vec<_> = cases
        .iter()
        .map(|(id, length, ..)| (*id, *length))
        .collect();
    let body = |after: bool| -> Vec<u8> {
        let cells = cases.iter().flat_map(|(_, length, from, to)| {
            let value = if after { to } else { from };
            value.to_be_bytes()[8 - usize::from(*length)..].to_vec()
        });
        cells.collect()
    };
    let message = |after| {
        ipfix(
            1,
            3,
            &[set(2, &template(256, &fields)), set(256, &body(after))],
        )
    };
    let moved = moving().datagram(&datagram(message(false)), 3_600);
    let mut expected = message(true);
    expected[4..8].copy_from_slice(&(EXPORT_S + 3_600).to_be_bytes());
    assert_eq!(moved.payload, expected);
}

#[test]
fn what_cannot_be_read_only_arrives_at_another_time() {
    let mut moving = moving();
    let before = datagram(b"no export at all".to_vec());
    let after = moving.datagram(&before, 60);
    assert_eq!(after.payload, before.payload);
    assert_eq!(
        after.received_at,
        before.received_at.offset(60 * NANOS_PER_SECOND)
    );
    moving.datagram(&datagram(v9(1, 3, &[set(256, &[1; 40])])), 60);
    assert_eq!(moving.sets_unmoved(), 1);
}

/// Clocks that are far off stay as far off, so every flow is as long before its arrival as it was.
#[test]
fn flows_of_every_capture_are_later_by_exactly_that() {
    const SECONDS: i64 = 12_345_678;
    for (path, datagrams) in crate::all_captures() {
        let mut moving = moving();
        let moved: Vec<_> = datagrams
            .iter()
            .map(|datagram| moving.datagram(datagram, SECONDS))
            .collect();
        if moving.sets_unmoved() > 0 {
            continue;
        }
        let (before, after) = (decode(&datagrams), decode(&moved));
        assert_eq!(before.0.books(), after.0.books(), "{path}");
        assert_eq!(before.1.rows(), after.1.rows(), "{path}");
        let later = |at: Option<Timestamp>| at.map(|at| at.offset(SECONDS * NANOS_PER_SECOND));
        for (was, is) in crate::rows(&before.1).zip(crate::rows(&after.1)) {
            assert_eq!(
                (later(was.start), later(was.end)),
                (is.start, is.end),
                "{path}: {was:?}"
            );
            let reverse = (later(was.reverse_start), later(was.reverse_end));
            assert_eq!(reverse, (is.reverse_start, is.reverse_end), "{path}");
            assert_eq!(was.octets, is.octets, "{path}");
        }
    }
    let (_, batch) = run(vec![v5(1, 1, 1, 0)]);
    assert_eq!(
        batch.record(0).end.unwrap().seconds(),
        i64::from(EXPORT_S) - 1
    );
}
