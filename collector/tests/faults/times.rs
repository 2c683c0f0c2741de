//! Cases 30 to 32: clocks that wrap, contradict themselves, or are wrong.

use collector::decode::Problem;
use flow::Timestamp;

use crate::suspect::{Tried, tried};
use crate::wire::{EXPORT_S, ipfix, set, template, v9};

/// First and last switched, octets; in a v9 packet with this uptime in its header.
fn uptimes(header: u32, first: u32, last: u32) -> Tried {
    let mut body = first.to_be_bytes().to_vec();
    body.extend(last.to_be_bytes());
    body.extend([0, 0, 0, 90]);
    let sets = [
        set(0, &template(256, &[(22, 4), (21, 4), (1, 4)])),
        set(256, &body),
    ];
    let mut packet = v9(0, 1, &sets);
    packet[4..8].copy_from_slice(&header.to_be_bytes());
    tried(vec![packet])
}

/// Milliseconds after the header's time of day.
fn after_export(at: Option<Timestamp>) -> i64 {
    (at.unwrap().nanos() - i64::from(EXPORT_S) * 1_000_000_000) / 1_000_000
}

#[test]
fn case_30_uptime_wraps_between_first_last_and_export() {
    let before_wrap = |ms: u32| u32::MAX - (ms - 1);
    // Header, first and last; then both in milliseconds before the header.
    for (header, first, last, start, end) in [
        (5_000, before_wrap(5_000), 1_000, -10_000, -4_000),
        (
            5_000,
            before_wrap(5_000),
            before_wrap(1_000),
            -10_000,
            -6_000,
        ),
        (0, before_wrap(60_000), before_wrap(1), -60_000, -1),
        (5_000, 1_000, 4_000, -4_000, -1_000),
    ] {
        let tried = uptimes(header, first, last);
        let row = &tried.rows[0];
        assert_eq!(
            (after_export(row.start), after_export(row.end)),
            (start, end)
        );
        assert_eq!(row.time_quality.as_deref(), Some("exact"));
        assert!(tried.problems().is_empty());
    }
}

#[test]
fn case_31_times_that_cannot_be_are_replaced_and_what_was_sent_is_kept() {
    // Two minutes after the header; the last packet before the first.
    for (first, last, length) in [(620_000, 630_000, 10_000), (490_000, 480_000, 0)] {
        let tried = uptimes(500_000, first, last);
        let row = &tried.rows[0];
        assert_eq!(
            (after_export(row.start), after_export(row.end)),
            (-length, 0),
            "{first}"
        );
        assert_eq!(row.time_quality.as_deref(), Some("clamped"));
        assert_eq!(tried.met(Problem::TimeClamped), 1);
    }
    // A header stamped a few milliseconds before its last flow is no contradiction.
    assert_eq!(
        uptimes(500_000, 499_000, 500_003).met(Problem::TimeClamped),
        0
    );
}

#[test]
fn case_31_stamps_of_time_of_day_are_kept_as_sent() {
    let fields = template(256, &[(152, 8), (153, 8), (1, 4)]);
    let (start, end) = (1_700_000_000_500_u64, 1_700_000_000_000_u64);
    let mut body = start.to_be_bytes().to_vec();
    body.extend(end.to_be_bytes());
    body.extend([0, 0, 0, 90]);
    let tried = tried(vec![ipfix(0, 1, &[set(2, &fields), set(256, &body)])]);
    let row = &tried.rows[0];
    assert_eq!((after_export(row.start), after_export(row.end)), (0, 0));
    assert_eq!(row.time_quality.as_deref(), Some("clamped"));
    assert_eq!(row.extras["start_sent_ms"], start.to_string());
    assert_eq!(row.extras["end_sent_ms"], end.to_string());
}

#[test]
fn case_32_a_clock_that_is_wrong_is_measured_and_told_and_arrival_is_ours() {
    let arrival = i64::from(EXPORT_S) + 1;
    // An hour behind, an hour ahead, 1970, 2038, 2106.
    for export in [EXPORT_S - 3_600, EXPORT_S + 3_600, 0, 1 << 31, u32::MAX] {
        let mut body = 990_000_u32.to_be_bytes().to_vec();
        body.extend(1_000_000_u32.to_be_bytes());
        body.extend([0, 0, 0, 90]);
        let sets = [
            set(0, &template(256, &[(22, 4), (21, 4), (1, 4)])),
            set(256, &body),
        ];
        let mut packet = v9(0, 1, &sets);
        packet[8..12].copy_from_slice(&export.to_be_bytes());
        let tried = tried(vec![packet]);
        let row = &tried.rows[0];
        // Partitions, order and retention go by this.
        assert_eq!(row.received_at, Timestamp::from_seconds(arrival));
        let end = Timestamp::from_seconds(export.into());
        assert_eq!(
            (row.start, row.end),
            (Some(end.offset(-10_000_000_000)), Some(end))
        );
        assert_eq!(tried.problems(), [("clock_off", 1)], "{export}");
        let offset_ms = (i64::from(export) - arrival) * 1_000;
        assert_eq!(tried.told()[0].clock_offset_ms, Some(offset_ms));
    }
}

#[test]
fn case_32_a_clock_within_minutes_is_only_measured() {
    let mut packet = v9(
        0,
        1,
        &[set(0, &template(256, &[(1, 4)])), set(256, &[0, 0, 0, 9])],
    );
    packet[8..12].copy_from_slice(&(EXPORT_S + 300).to_be_bytes());
    let tried = tried(vec![packet]);
    assert!(tried.problems().is_empty());
    assert_eq!(tried.told()[0].clock_offset_ms, Some(299_000));
}
