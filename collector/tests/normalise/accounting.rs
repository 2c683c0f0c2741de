//! Which observations views count.

use std::collections::HashMap;
use std::net::IpAddr;

use flow::clock::Timestamp;
use proptest::prelude::*;

use crate::rows::*;

fn exporter(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

fn counted(rows: &[Row]) -> Vec<bool> {
    let records = records(&mut normaliser(), rows);
    records
        .iter()
        .map(|record| record.accounting.unwrap())
        .collect()
}

#[test]
fn case_37_three_hops_with_ingress_and_egress_are_counted_once() {
    // 20 conversations, both directions, a record a minute for ten minutes, at three exporters, each at ingress and
    // egress: 2 × 3 observations of each. Truth: 20 × 10 × (1000 + 5000) octets.
    let mut rows = Vec::new();
    for minute in 0..10 {
        for port in 0..20 {
            for hop in [2, 1, 3] {
                for direction in [0, 1] {
                    let request = Row {
                        at_s: minute * 60 + i64::from(hop),
                        exporter: exporter(hop),
                        direction: Some(direction),
                        octets: Some(1000),
                        ..Row::new(&format!("10.0.0.1:{}", 40_000 + port), "10.0.0.2:443")
                    };
                    let reply = Row {
                        octets: Some(5000),
                        ..request.reversed()
                    };
                    rows.extend([request, reply]);
                }
            }
        }
    }
    assert_eq!(rows.len(), 10 * 20 * 3 * 2 * 2);
    let records = records(&mut normaliser(), &rows);
    let octets = |counted: bool| -> u64 {
        let rows = records
            .iter()
            .filter(|record| !counted || record.accounting == Some(true));
        rows.filter_map(|record| record.octets).sum()
    };
    assert_eq!(octets(true), 20 * 10 * 6000);
    assert_eq!(octets(false), 6 * 20 * 10 * 6000);
}

#[test]
fn another_observer_takes_over_when_the_owner_is_silent() {
    let row = |at_s, hop| Row {
        at_s,
        exporter: exporter(hop),
        ..Row::new("10.0.0.1:40000", "10.0.0.2:443")
    };
    let rows = [
        row(0, 1),
        row(1, 2),
        row(300, 2),
        row(301, 2),
        row(302, 1),
        row(700, 1),
    ];
    assert_eq!(counted(&rows), [true, false, false, true, false, true]);
}

#[test]
fn domains_of_an_exporter_are_one_point_and_feeds_are_worlds() {
    let row = Row::new("10.0.0.1:40000", "10.0.0.2:443");
    let line_card = Row {
        domain: 2,
        ..row.clone()
    };
    let import = Row {
        feed: 3,
        exporter: exporter(9),
        ..row.clone()
    };
    assert_eq!(counted(&[row, line_card, import]), [true, true, true]);
}

#[test]
fn a_record_of_both_directions_owns_both() {
    let both = Row {
        exporter: exporter(1),
        reverse_octets: Some(700),
        ..Row::new("10.0.0.1:40000", "10.0.0.2:443")
    };
    let forward = Row {
        exporter: exporter(2),
        reverse_octets: None,
        ..both.clone()
    };
    let reverse = forward.reversed();
    assert_eq!(
        counted(&[both.clone(), forward.clone(), reverse.clone()]),
        [true, false, false]
    );
    assert_eq!(
        counted(&[forward.clone(), both.clone(), reverse.clone()]),
        [true, false, true]
    );
    assert_eq!(
        counted(&[reverse, both.clone(), forward]),
        [true, false, true]
    );
    // Reverse counters of 0 are one direction.
    let silent = Row {
        reverse_octets: Some(0),
        ..both
    };
    let answer = Row {
        exporter: exporter(2),
        reverse_octets: None,
        ..silent.reversed()
    };
    assert_eq!(counted(&[silent, answer]), [true, true]);
}

#[test]
fn events_and_frames_take_nothing_and_are_counted() {
    let traffic = Row::new("10.0.0.1:40000", "10.0.0.2:443");
    let event = Row {
        exporter: exporter(5),
        octets: None,
        packets: None,
        ..traffic.clone()
    };
    assert_eq!(
        counted(&[event.clone(), traffic.clone(), event]),
        [true, true, true]
    );
    let bare = Row {
        exporter: exporter(6),
        ..Row::new("[::]:0", "[::]:0")
    };
    assert_eq!(counted(&[bare.clone(), bare]), [true, true]);
}

#[test]
fn icmp_is_one_conversation_whatever_its_type() {
    let ping = Row {
        protocol: 1,
        icmp: Some(0x0800),
        ..Row::new("10.0.0.1:0", "10.0.0.2:2048")
    };
    let same = Row {
        exporter: exporter(2),
        ..ping.clone()
    };
    assert_eq!(counted(&[ping, same]), [true, false]);
}

#[test]
fn a_record_that_waited_for_its_template_does_not_age_its_owner() {
    let row = |at_s, hop| Row {
        at_s,
        exporter: exporter(hop),
        ..Row::new("10.0.0.1:40000", "10.0.0.2:443")
    };
    assert_eq!(
        counted(&[row(1000, 1), row(10, 1), row(1200, 2)]),
        [true, true, false]
    );
}

proptest! {
    /// Whoever reports what in whatever order: no direction of a conversation has two owners at a time, and whoever
    /// reports a direction while nobody owns it is counted.
    #[test]
    fn a_direction_has_one_owner(
        seen in proptest::collection::vec((0..4_u16, any::<bool>(), any::<bool>(), 1..5_u8, 0..90_i64), 1..100),
    ) {
        let mut at_s = 0;
        let mut rows = Vec::new();
        for (port, reversed, both, hop, later) in seen {
            at_s += later;
            let row = Row { at_s, exporter: exporter(hop), ..Row::new(&format!("10.0.0.1:{}", 40_000 + port), "10.0.0.2:443") };
            let row = if reversed { row.reversed() } else { row };
            rows.push(Row { reverse_octets: both.then_some(60), ..row });
        }
        let counted = counted(&rows);
        let mut owners = HashMap::<_, (IpAddr, i64)>::new();
        for (row, counted) in rows.iter().zip(counted) {
            let mut directions = vec![(row.src, row.dst)];
            if row.reverse_octets.is_some() {
                directions.push((row.dst, row.src));
            }
            let free = directions.iter().all(|direction| {
                owners.get(direction).is_none_or(|(owner, last)| *owner == row.exporter || row.at_s - last > 300)
            });
            prop_assert_eq!(counted, free, "{} at {}", row.exporter, Timestamp::from_seconds(row.at_s));
            if counted {
                owners.extend(directions.into_iter().map(|direction| (direction, (row.exporter, row.at_s))));
            }
        }
    }
}
