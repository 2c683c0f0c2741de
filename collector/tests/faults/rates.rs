//! Case 36: how many packets one stands for, however and whenever the exporter says it.

use crate::suspect::{Tried, tried};
use crate::wire::{ipfix, set, template, v9, v9_options};

/// Options of an IPFIX exporter: fields of the scope and of the options, and the record.
fn options(id: u16, scope: &[(u16, u16)], fields: &[(u16, u16)], said: &[u8]) -> [Vec<u8>; 2] {
    let mut body = id.to_be_bytes().to_vec();
    let count = u16::try_from(scope.len() + fields.len()).unwrap();
    body.extend(count.to_be_bytes());
    body.extend(u16::try_from(scope.len()).unwrap().to_be_bytes());
    for (field, length) in scope.iter().chain(fields) {
        body.extend(field.to_be_bytes());
        body.extend(length.to_be_bytes());
    }
    [set(3, &body), set(id, said)]
}

fn rates(tried: &Tried) -> Vec<(Option<u32>, Option<&str>)> {
    let rows = tried.rows.iter();
    rows.map(|row| (row.sampling_interval, row.sampling_source.as_deref()))
        .collect()
}

/// A row of octets under options data of the domain.
fn of_domain(fields: &[(u16, u16)], said: &[u8]) -> Option<u32> {
    let [template_set, data] = options(300, &[(149, 4)], fields, &[&[0, 0, 0, 1], said].concat());
    let flows = [set(2, &template(256, &[(1, 4)])), set(256, &[0, 0, 0, 9])].concat();
    let tried = tried(vec![ipfix(0, 1, &[template_set, data, flows])]);
    let (interval, source) = rates(&tried)[0];
    assert_eq!(source, interval.map(|_| "domain"));
    interval
}

#[test]
fn case_36_every_way_to_say_it() {
    // samplingInterval; samplerRandomInterval.
    assert_eq!(of_domain(&[(34, 4)], &[0, 0, 0, 100]), Some(100));
    assert_eq!(of_domain(&[(50, 4)], &[0, 0, 3, 232]), Some(1_000));
    assert_eq!(of_domain(&[(34, 2), (35, 1)], &[1, 0, 2]), Some(256));
    // RFC 5477 §8.2: 1 packet in a row is looked at, 99 are not; 10 and 90; 3 of 30; a probability of 1/64.
    assert_eq!(
        of_domain(&[(305, 4), (306, 4)], &[0, 0, 0, 1, 0, 0, 0, 99]),
        Some(100)
    );
    assert_eq!(
        of_domain(&[(305, 4), (306, 4)], &[0, 0, 0, 10, 0, 0, 0, 90]),
        Some(10)
    );
    assert_eq!(
        of_domain(&[(309, 4), (310, 4)], &[0, 0, 0, 3, 0, 0, 0, 30]),
        Some(10)
    );
    assert_eq!(
        of_domain(&[(311, 8)], &0.015_625_f64.to_be_bytes()),
        Some(64)
    );
    // 0 is "does not say".
    assert_eq!(of_domain(&[(34, 4)], &[0, 0, 0, 0]), None);
    assert_eq!(
        of_domain(&[(309, 4), (310, 4)], &[0, 0, 0, 0, 0, 0, 0, 0]),
        None
    );
    assert_eq!(of_domain(&[(311, 8)], &f64::NAN.to_be_bytes()), None);
}

#[test]
fn case_36_least_significant_octet_first_is_turned_round_or_unknown() {
    assert_eq!(of_domain(&[(34, 4)], &[100, 0, 0, 0]), Some(100));
    assert_eq!(of_domain(&[(50, 4)], &[0x10, 0x27, 0, 0]), Some(10_000));
    assert_eq!(of_domain(&[(34, 4)], &[0xff, 0xff, 0xff, 0xff]), None);
}

#[test]
fn case_36_samplers_of_one_box_have_rates_of_their_own() {
    let said = [
        &[0, 0, 0, 0, 1, 2, 0, 0, 0, 100][..],
        &[0, 0, 0, 0, 2, 2, 0, 0, 7, 208],
    ]
    .concat();
    let sets = [
        set(1, &v9_options(300, &[(1, 4)], &[(48, 1), (49, 1), (50, 4)])),
        set(300, &said),
        set(0, &template(256, &[(48, 1), (1, 4)])),
        set(256, &[1, 0, 0, 0, 10, 2, 0, 0, 0, 20, 3, 0, 0, 0, 30]),
    ];
    let tried = tried(vec![v9(0, 1, &sets)]);
    let sampler = Some("sampler");
    let expected = [(Some(100), sampler), (Some(2_000), sampler), (None, None)];
    assert_eq!(rates(&tried), expected);
    // IPFIX calls it selectorId (302).
    let [names, first] = options(
        300,
        &[(302, 8)],
        &[(305, 4), (306, 4)],
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9],
    );
    let second = set(300, &[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 99]);
    let flows = set(2, &template(256, &[(302, 4), (1, 4)]));
    let data = set(256, &[0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 9]);
    let tried = self::tried(vec![ipfix(0, 1, &[names, first, second, flows, data])]);
    assert_eq!(rates(&tried), [(Some(100), sampler), (Some(10), sampler)]);
}

#[test]
fn case_36_the_record_knows_best() {
    let [names, said] = options(300, &[(149, 4)], &[(34, 4)], &[0, 0, 0, 1, 0, 0, 0, 100]);
    let sets = [
        names,
        said,
        set(2, &template(256, &[(34, 4), (1, 4)])),
        set(256, &[0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9]),
    ];
    let tried = tried(vec![ipfix(0, 1, &sets)]);
    let expected = [(Some(5), Some("record")), (Some(100), Some("domain"))];
    assert_eq!(rates(&tried), expected);
}

#[test]
fn case_36_a_rate_that_comes_late_or_changes_holds_from_there_on() {
    let flows = set(0, &template(256, &[(1, 4)]));
    let data = || set(256, &[0, 0, 0, 9]);
    let names = set(1, &v9_options(300, &[(1, 4)], &[(34, 4)]));
    let said = |interval: u8| set(300, &[0, 0, 0, 0, 0, 0, 0, interval]);
    let tried = tried(vec![
        v9(0, 1, &[flows, data()]),
        v9(1, 1, &[data(), names, said(100), data()]),
        v9(2, 1, &[data(), said(50), data()]),
    ]);
    let intervals: Vec<_> = tried.rows.iter().map(|row| row.sampling_interval).collect();
    assert_eq!(intervals, [None, None, Some(100), Some(100), Some(50)]);
}
