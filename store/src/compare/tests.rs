//! Each verdict and the rank, with sums made on paper.

use super::*;

/// A group of a minute: name, octets, flows that ended, their median life.
fn row(name: &str, octets: u64, ended_flows: u64, duration_ms_median: Option<f64>) -> ProfileRow {
    ProfileRow {
        name: name.to_owned(),
        octets,
        packets: octets / 100,
        flows: ended_flows,
        clients: 1,
        ended_flows,
        duration_ms_median,
    }
}

fn bulk(name: &str, octets: u64) -> ProfileRow {
    row(name, octets, 0, None)
}

/// Begins at second 0.
fn side(seconds: i64, rows: Vec<ProfileRow>) -> Side {
    let profile = ProfileAnswer {
        octets: rows.iter().map(|row| row.octets).sum(),
        flows: rows.iter().map(|row| row.flows).sum(),
        rows,
        ..ProfileAnswer::default()
    };
    let [from, to] = [0, seconds].map(Timestamp::from_seconds);
    Side {
        window: Window { from, to },
        profile,
    }
}

fn verdicts(found: &Comparison) -> Vec<(&str, &[Verdict])> {
    let rows = found.rows.iter();
    rows.map(|row| (&*row.name, &*row.verdicts)).collect()
}

/// The verdict on the octets of one group beside one of `rest` octets that stays, in minutes.
fn of_octets(was: u64, is: u64, rest: u64) -> Vec<Verdict> {
    let before = side(60, vec![bulk("a", was), bulk("rest", rest)]);
    let after = side(60, vec![bulk("a", is), bulk("rest", rest)]);
    let found = compare(&before, &after, 10);
    let row = found.rows.into_iter().find(|row| row.name == "a").unwrap();
    row.verdicts
}

/// The verdict on the durations of one group.
fn of_durations(was: (u64, Option<f64>), is: (u64, Option<f64>)) -> Vec<Verdict> {
    let side = |(ended, life)| side(60, vec![row("a", 6000, ended, life)]);
    compare(&side(was), &side(is), 10).rows.remove(0).verdicts
}

#[test]
fn what_is_only_on_one_side_is_new_or_gone() {
    let before = side(60, vec![bulk("old", 600), bulk("both", 600)]);
    let after = side(60, vec![bulk("both", 600), bulk("young", 1200)]);
    let found = compare(&before, &after, 10);
    let expected: &[(&str, &[Verdict])] = &[
        ("young", &[Verdict::New]),
        ("old", &[Verdict::Gone]),
        ("both", &[Verdict::Same]),
    ];
    assert_eq!(verdicts(&found), expected);
    assert_eq!((found.changed, found.same, found.untold), (2, 1, 0));
    let [young, old] = &found.rows[..2] else {
        panic!("three rows")
    };
    assert_eq!(
        (young.before.as_ref(), young.change_octets_per_s),
        (None, 20.0)
    );
    assert_eq!((old.after.as_ref(), old.change_octets_per_s), (None, -10.0));
    // Of 1,800 octets a minute on the larger side.
    assert_eq!(
        (young.weight, old.weight),
        (1200.0 / 1800.0, 600.0 / 1800.0)
    );
}

#[test]
fn larger_and_smaller_take_half_as_much_again_and_a_hundredth_of_all() {
    assert_eq!(of_octets(1000, 1500, 1000), [Verdict::Larger]);
    assert_eq!(of_octets(1000, 1499, 1000), [Verdict::Same]);
    assert_eq!(of_octets(1500, 1000, 1000), [Verdict::Smaller]);
    assert_eq!(of_octets(1499, 1000, 1000), [Verdict::Same]);
    // 1,001 of 100,000 octets, and 999.
    assert_eq!(of_octets(10, 1011, 98_989), [Verdict::Larger]);
    assert_eq!(of_octets(10, 1009, 98_991), [Verdict::Same]);
    assert_eq!(of_octets(0, 1001, 98_999), [Verdict::Larger]);
    assert_eq!(of_octets(0, 0, 0), [Verdict::Same]);
}

#[test]
fn windows_of_different_length_are_compared_per_second() {
    let hour = side(3600, vec![row("a", 360_000, 360, Some(5.0))]);
    let minute = side(60, vec![row("a", 6000, 6, Some(5.0))]);
    let found = compare(&hour, &minute, 10);
    assert_eq!(verdicts(&found), [("a", &[Verdict::Same][..])]);
    let row = &found.rows[0];
    let rates = |group: &Option<Group>| {
        let group = group.as_ref().unwrap();
        (group.octets_per_s, group.flows_per_s)
    };
    assert_eq!(rates(&row.before), (100.0, 0.1));
    assert_eq!(rates(&row.after), (100.0, 0.1));
    assert_eq!(row.weight, 0.0);
    assert_eq!(found.before.octets_per_s, 100.0);
}

#[test]
fn slower_and_faster_take_half_as_much_again_and_20_ms_of_10_flows() {
    let ten = |life: f64| (10, Some(life));
    assert_eq!(of_durations(ten(40.0), ten(60.0)), [Verdict::Slower]);
    assert_eq!(of_durations(ten(60.0), ten(40.0)), [Verdict::Faster]);
    assert_eq!(of_durations(ten(40.0), ten(59.9)), [Verdict::Same]);
    assert_eq!(of_durations(ten(10.0), ten(29.9)), [Verdict::Same]);
    assert_eq!(of_durations(ten(1000.0), ten(1499.0)), [Verdict::Same]);
    assert_eq!(of_durations(ten(0.0), ten(20.0)), [Verdict::Slower]);
    assert_eq!(of_durations((9, Some(40.0)), ten(400.0)), [Verdict::Same]);
    assert_eq!(of_durations(ten(40.0), (9, Some(400.0))), [Verdict::Same]);
}

#[test]
fn a_duration_that_is_absent_is_not_zero() {
    assert_eq!(of_durations((0, None), (10, Some(400.0))), [Verdict::Same]);
    assert_eq!(of_durations((10, Some(400.0)), (0, None)), [Verdict::Same]);
    let before = side(60, vec![bulk("a", 60)]);
    let after = side(60, vec![row("a", 60, 99, Some(400.0))]);
    let found = compare(&before, &after, 10);
    assert_eq!(found.rows[0].change_duration_ms, None);
}

#[test]
fn a_group_may_be_larger_and_slower() {
    let before = side(60, vec![row("a", 6000, 60, Some(100.0))]);
    let after = side(60, vec![row("a", 12_000, 60, Some(300.0))]);
    let found = compare(&before, &after, 10);
    assert_eq!(found.rows[0].verdicts, [Verdict::Larger, Verdict::Slower]);
    assert_eq!(found.rows[0].change_octets_per_s, 100.0);
    assert_eq!(found.rows[0].change_duration_ms, Some(200.0));
    // Half of 200 octets a second; of 60 x 0.3 s of flows in a minute, 60 x 0.2 s are added.
    assert!((found.rows[0].weight - 2.0 / 3.0).abs() < 1e-9);
}

#[test]
fn what_matters_most_comes_first_and_level_ones_by_name() {
    // Octets of the larger side: 1,000. Time of flows there: 100 x 0.5 + 20 x 0.5 + 40 x 1 = 100 s.
    let before = side(
        60,
        vec![
            row("many slow", 100, 100, Some(200.0)),
            row("few slow", 100, 20, Some(200.0)),
            row("steady", 100, 40, Some(1000.0)),
            bulk("shrunk", 600),
            bulk("c", 50),
            bulk("a", 50),
        ],
    );
    let after = side(
        60,
        vec![
            bulk("b", 50),
            row("few slow", 100, 20, Some(500.0)),
            row("many slow", 100, 100, Some(500.0)),
            row("steady", 120, 40, Some(1000.0)),
            bulk("shrunk", 350),
        ],
    );
    let found = compare(&before, &after, 10);
    let ranked: Vec<(&str, f64)> = found
        .rows
        .iter()
        .map(|row| (&*row.name, (row.weight * 1e6).round() / 1e6))
        .collect();
    let expected = [
        ("many slow", 0.3), // 100 x 0.3 s of 100 s
        ("shrunk", 0.25),   // 250 octets of 1,000
        ("few slow", 0.06), // 20 x 0.3 s
        ("a", 0.05),
        ("b", 0.05),
        ("c", 0.05),
        ("steady", 0.02),
    ];
    assert_eq!(ranked, expected);
    assert_eq!(found.rows[6].verdicts, [Verdict::Same]);
    let first = compare(&before, &after, 2);
    assert_eq!(first.rows[..], found.rows[..2]);
    assert_eq!((first.changed, first.same), (6, 1));
}

#[test]
fn what_a_side_could_not_list_is_neither_new_nor_gone() {
    let mut before = side(60, vec![bulk("a", 600)]);
    let after = side(
        60,
        vec![bulk("a", 600), bulk("asked", 60), bulk("small", 6)],
    );
    before.profile.more = true;
    before.profile.missing.insert("asked".to_owned());
    let found = compare(&before, &after, 10);
    let expected: &[(&str, &[Verdict])] = &[("asked", &[Verdict::New]), ("a", &[Verdict::Same])];
    assert_eq!(verdicts(&found), expected);
    assert_eq!((found.changed, found.same, found.untold), (1, 1, 1));
    let turned = compare(&after, &before, 10);
    assert_eq!(turned.rows[0].verdicts, [Verdict::Gone]);
    assert_eq!(turned.untold, 1);
}

#[test]
fn the_same_twice_has_changed_nothing() {
    let rows = || vec![row("a", 600, 20, Some(50.0)), bulk("b", 60), bulk("c", 0)];
    let found = compare(&side(60, rows()), &side(60, rows()), 10);
    assert_eq!((found.changed, found.same), (0, 3));
    assert!(
        found
            .rows
            .iter()
            .all(|row| row.is_same() && row.weight == 0.0)
    );
    let nothing = compare(&side(60, Vec::new()), &side(1, Vec::new()), 10);
    assert_eq!((nothing.rows.len(), nothing.before.octets_per_s), (0, 0.0));
}
