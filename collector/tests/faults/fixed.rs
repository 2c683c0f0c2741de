//! Cases 28 and 29: v5's count and its sampling field.

use collector::decode::Problem;
use flow::DropKind;

use crate::suspect::tried;
use crate::wire::v5;

#[test]
fn case_28_a_v5_count_that_lies_costs_no_record_that_is_there() {
    // Claimed, there, decoded.
    for (count, records, rows) in [
        (0, 3, 3),
        (31, 31, 31),
        (30, 2, 2),
        (65_535, 2, 2),
        (2, 2, 2),
    ] {
        let tried = tried(vec![v5(0, count, records, 0)]);
        assert_eq!(tried.rows.len(), rows, "{count}");
        let mismatch = u64::from(usize::from(count) != rows);
        assert_eq!(tried.met(Problem::CountMismatch), mismatch, "{count}");
        assert_eq!(tried.dropped(DropKind::Malformed), 0);
    }
    let mut cut = v5(0, 3, 3, 0);
    cut.truncate(24 + 48 + 48 + 20);
    let tried = tried(vec![cut]);
    assert_eq!(
        (tried.rows.len(), tried.met(Problem::CountMismatch)),
        (2, 1)
    );
    let cut = &tried.decoder.books().records_dropped;
    assert_eq!(
        cut.values().sum::<u64>(),
        1,
        "the third is counted: {cut:?}"
    );
}

#[test]
fn case_28_a_v5_packet_without_a_whole_record_is_malformed() {
    let mut cut = v5(0, 3, 3, 0);
    cut.truncate(24 + 47);
    let tried = tried(vec![cut]);
    assert!(tried.rows.is_empty());
    assert_eq!(tried.dropped(DropKind::Malformed), 1);
}

#[test]
fn case_29_the_sampling_field_has_a_mode_and_an_interval_and_0_is_unknown() {
    // Two bits of mode above fourteen of interval.
    for (field, interval) in [
        (0x4000 | 100, Some(100)),
        (0x8000 | 1_000, Some(1_000)),
        (0xc000 | 0x3fff, Some(16_383)),
        (100, Some(100)),
        (1, Some(1)),
        (0, None),
        (0x4000, None),
    ] {
        let tried = tried(vec![v5(0, 1, 1, field)]);
        let row = &tried.rows[0];
        assert_eq!(row.sampling_interval, interval, "{field:#x}");
        let source = interval.map(|_| "header");
        assert_eq!(row.sampling_source.as_deref(), source);
    }
}
