//! Windows: what of a flow lies in them, and that all tables tell the same.

use store::question::{Dimension, Quantity};

use crate::places::{places, servers};
use crate::rows::{Row, group, insert, series, subject, top};

/// True of every record, and of no rollup: with it a question is answered from the records.
const FROM_RECORDS: &str = "version > 0";

/// 1,000 octets and 7 packets from second 5 to second 25: the example of `schema/README.md`.
fn example() -> Row {
    Row {
        start: 5.0,
        end: 25.0,
        received: 30.0,
        octets: 1000,
        packets: 7,
        ..Row::default()
    }
}

#[tokio::test]
async fn a_flow_counts_in_proportion() {
    for place in servers().await {
        let store = &place.store;
        insert(store, "a", &[example()]).await;
        for filter in ["", FROM_RECORDS] {
            let ask = async |from, to| {
                top(store, Dimension::Applications, subject(from, to, filter)).await
            };
            assert_eq!(
                ask(0.0, 10.0).await,
                [group("web", 250, 1, 1, 1)],
                "{filter}"
            );
            assert_eq!(
                ask(10.0, 20.0).await,
                [group("web", 500, 4, 1, 1)],
                "{filter}"
            );
            assert_eq!(
                ask(20.0, 30.0).await,
                [group("web", 250, 2, 1, 1)],
                "{filter}"
            );
            assert_eq!(
                ask(0.0, 60.0).await,
                [group("web", 1000, 7, 1, 1)],
                "{filter}"
            );
            // A tenth of a second is 1/200 of its life: floor(5), and no packet yet.
            assert_eq!(ask(5.0, 5.1).await, [group("web", 5, 0, 1, 1)], "{filter}");
            // floor(1000 * 12/20) - floor(1000 * 2.5/20) = 600 - 125; floor(4.2) - floor(0.875) = 4.
            assert_eq!(
                ask(7.5, 17.0).await,
                [group("web", 475, 4, 1, 1)],
                "{filter}"
            );
            // It ends as the window begins: alive, with nothing left to count. And one after it has none of it.
            assert_eq!(
                ask(25.0, 26.0).await,
                [group("web", 0, 0, 1, 1)],
                "{filter}"
            );
            assert_eq!(ask(30.0, 40.0).await, [], "{filter}");
        }
    }
}

/// Extents keep arrival by five minutes in whole seconds, `flows` keeps it in nanoseconds.
#[tokio::test]
async fn a_part_that_came_in_the_last_instant_before_five_minutes_counts() {
    for place in places().await {
        let store = &place.store;
        // The last half second and the last millisecond before a border, one that arrived just at a border, and one just after.
        let arrivals = [299.5, 300.0, 3599.999, 3600.0];
        for (number, received) in arrivals.into_iter().enumerate() {
            let row = Row {
                received,
                ..example()
            };
            insert(store, &format!("insert {number}"), &[row]).await;
            let stored = u64::try_from(number).unwrap() + 1;
            for filter in ["", FROM_RECORDS] {
                let answer = top(store, Dimension::Applications, subject(0.0, 60.0, filter)).await;
                assert_eq!(
                    answer,
                    [group("web", 1000 * stored, 7 * stored, stored, 1)],
                    "{received} {filter}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_series_spreads_a_flow_over_its_life() {
    for place in places().await {
        let store = &place.store;
        let other = Row {
            application: "mail",
            start: 12.0,
            end: 12.0,
            octets: 40,
            ..Row::default()
        };
        let third = Row {
            application: "dns",
            start: 3.0,
            end: 3.0,
            octets: 4,
            ..Row::default()
        };
        insert(store, "a", &[example(), other, third]).await;
        for filter in ["", FROM_RECORDS] {
            let ask = async |dimension, by, from, to, step_s| {
                let question = series(dimension, by, subject(from, to, filter), step_s);
                let answer = store.series(&question).await.unwrap();
                let lines = answer.lines.into_iter();
                lines
                    .map(|line| (line.name, line.values))
                    .collect::<Vec<_>>()
            };
            let line = |name: &str, values: &[f64]| (name.to_owned(), values.to_vec());
            assert_eq!(
                ask(None, Quantity::Octets, 0.0, 40.0, 10).await,
                [line("total", &[254.0, 540.0, 250.0, 0.0])]
            );
            assert_eq!(
                ask(
                    Some(Dimension::Applications),
                    Quantity::Octets,
                    0.0,
                    30.0,
                    10
                )
                .await,
                [
                    line("web", &[250.0, 500.0, 250.0]),
                    line("mail", &[0.0, 40.0, 0.0]),
                    line("others", &[4.0, 0.0, 0.0]),
                ]
            );
            // Flows and clients count wherever they are alive.
            assert_eq!(
                ask(None, Quantity::Flows, 0.0, 40.0, 20).await,
                [line("total", &[3.0, 1.0])]
            );
            assert_eq!(
                ask(None, Quantity::Clients, 0.0, 40.0, 10).await,
                [line("total", &[1.0, 1.0, 1.0, 0.0])]
            );
            // A window that begins and ends within points: only its own part of them.
            assert_eq!(
                ask(None, Quantity::Octets, 7.5, 17.0, 10).await,
                [line("total", &[125.0, 390.0])]
            );
        }
    }
}

#[tokio::test]
async fn lines_are_the_largest_groups_by_their_names() {
    for place in places().await {
        let store = &place.store;
        let row = |application, octets| Row {
            application,
            start: 15.0,
            end: 15.0,
            octets,
            ..Row::default()
        };
        // Who has no name shares that of somebody who took it, and level ones come in the order of their names.
        let rows = [
            row("", 30),
            row("(unknown)", 20),
            row("b", 25),
            row("a", 25),
            row("c", 1),
        ];
        insert(store, "a", &rows).await;
        for filter in ["", FROM_RECORDS] {
            let applications = Some(Dimension::Applications);
            let window = subject(0.0, 20.0, filter);
            let mut question = series(applications, Quantity::Octets, window, 10);
            question.previous = true;
            let answer = store.series(&question).await.unwrap();
            let lines: Vec<(&str, &[f64])> = answer
                .lines
                .iter()
                .map(|line| (line.name.as_str(), &line.values[..]))
                .collect();
            assert_eq!(
                lines,
                [
                    ("(unknown)", &[0.0, 50.0][..]),
                    ("a", &[0.0, 25.0]),
                    ("others", &[0.0, 26.0])
                ]
            );
            let before = answer.previous.unwrap();
            let names: Vec<&str> = before.iter().map(|line| line.name.as_str()).collect();
            assert_eq!(names, ["(unknown)", "a"]);
        }
    }
}

#[tokio::test]
async fn the_previous_period_lies_on_the_same_points() {
    for place in servers().await {
        let store = &place.store;
        insert(store, "a", &[example()]).await;
        let mut question = series(None, Quantity::Octets, subject(30.0, 60.0, ""), 10);
        question.previous = true;
        let answer = store.series(&question).await.unwrap();
        assert_eq!(answer.lines[0].values, [0.0, 0.0, 0.0]);
        assert_eq!(answer.previous.unwrap()[0].values, [250.0, 500.0, 250.0]);
    }
}

/// Lives of all lengths, of milliseconds to months, over some hours.
fn crowd() -> Vec<Row> {
    let applications = ["web", "mail", "dns"];
    let sources = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"];
    let lives = [
        0.0,
        0.004,
        3.7,
        59.999,
        61.0,
        599.0,
        601.0,
        3599.0,
        3601.0,
        5_000_000.0,
    ];
    (0_u32..600)
        .map(|number| {
            let spread = f64::from(number.wrapping_mul(2_654_435_761) % 10_000_000) / 1000.0;
            let life = lives[number as usize % lives.len()];
            Row {
                received: spread + 40.0,
                start: spread - life,
                end: spread,
                source: sources[number as usize % sources.len()],
                octets: u64::from(number * 977 + 1),
                packets: u64::from(number % 13 + 1),
                sampling: (number % 7 == 0).then_some(100),
                application: applications[number as usize % applications.len()],
                accounting: number % 11 != 0,
                ..Row::default()
            }
        })
        .collect()
}

#[tokio::test]
async fn rollups_tell_the_same_as_the_records() {
    let windows = [
        (0.0, 3600.0),
        (-7200.0, 14_400.0),
        (10.0, 40.0),
        (3.3, 7204.7),
        (59.999, 60.001),
        (-100_000.0, 3600.0),
        (1234.567, 9876.543),
        (-6_000_000.0, 20_000.0),
    ];
    for place in servers().await {
        let store = &place.store;
        for (number, rows) in crowd().chunks(200).enumerate() {
            insert(store, &format!("crowd {number}"), rows).await;
        }
        for (from, to) in windows {
            for dimension in [
                Dimension::Applications,
                Dimension::Exporters,
                Dimension::Interfaces,
            ] {
                let rolled = top(store, dimension, subject(from, to, "")).await;
                let raw = top(store, dimension, subject(from, to, FROM_RECORDS)).await;
                assert!(!raw.is_empty());
                assert_eq!(rolled, raw, "{dimension:?} from {from} to {to}");
            }
        }
        let all = top(
            store,
            Dimension::Applications,
            subject(-6_000_000.0, 20_000.0, ""),
        )
        .await;
        let octets: u64 = crowd()
            .iter()
            .filter(|row| row.accounting)
            .map(|row| row.octets * u64::from(row.sampling.unwrap_or(1)))
            .sum();
        assert_eq!(all.iter().map(|row| row.1).sum::<u64>(), octets);
    }
}

#[tokio::test]
async fn series_from_rollups_are_those_from_records() {
    for place in places().await {
        let store = &place.store;
        insert(store, "crowd", &crowd()).await;
        for (from, to, step_s) in [
            (0.0, 3600.0, 60),
            (-3600.0, 9000.0, 3600),
            (3.3, 907.7, 30),
            (0.0, 100.0, 7),
        ] {
            for by in [
                Quantity::Octets,
                Quantity::Packets,
                Quantity::Flows,
                Quantity::Clients,
            ] {
                let ask = async |filter| {
                    let dimension = Some(Dimension::Applications);
                    let question = series(dimension, by, subject(from, to, filter), step_s);
                    store.series(&question).await.unwrap().lines
                };
                assert_eq!(
                    ask("").await,
                    ask(FROM_RECORDS).await,
                    "{by:?} {from} {to} {step_s}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_lies_by_decades_does_no_harm() {
    for place in servers().await {
        let store = &place.store;
        let decades = 40.0 * 365.0 * 86_400.0;
        let past = Row {
            start: -decades,
            end: -decades,
            application: "past",
            ..Row::default()
        };
        let future = Row {
            start: decades,
            end: decades,
            application: "future",
            ..Row::default()
        };
        let both = Row {
            start: -decades,
            end: decades,
            application: "both",
            octets: 8000,
            ..Row::default()
        };
        insert(store, "a", &[past, future, both, Row::default()]).await;
        for filter in ["", FROM_RECORDS] {
            let ask = async |from, to| {
                top(store, Dimension::Applications, subject(from, to, filter)).await
            };
            assert_eq!(
                ask(0.0, 60.0).await,
                [group("web", 1000, 10, 1, 1), group("both", 0, 0, 1, 1)]
            );
            let year = 365.0 * 86_400.0;
            assert_eq!(
                ask(0.0, decades + 1.0).await,
                [
                    group("both", 4000, 5, 1, 1),
                    group("future", 1000, 10, 1, 1),
                    group("web", 1000, 10, 1, 1),
                ]
            );
            assert_eq!(ask(-decades - 60.0, -decades).await, []);
            assert_eq!(ask(-decades, -decades + year).await[0].0, "past");
        }
    }
}
