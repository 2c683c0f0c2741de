//! The store's half of fault cases that begin in the decoder: what rows of bad clocks, rates and counters come to in answers.

use flow::batch::CounterKind;
use store::Store;
use store::question::Dimension;

use crate::places::servers;
use crate::rows::{Row, batch, group, insert, subject, top};

/// Conditions that no rollup can answer, so that the records are asked.
const ASKED: [&str; 2] = ["", "version > 0"];

async fn applications(store: &Store, filter: &str) -> Vec<(String, u64, u64, u64, u64)> {
    top(store, Dimension::Applications, subject(0.0, 60.0, filter)).await
}

#[tokio::test]
async fn case_32_a_record_from_2038_is_kept_where_it_arrived() {
    for place in servers().await {
        let store = &place.store;
        // 2^31 seconds after 1970, by the exporter's clock.
        let year_2038 = Row {
            start: 375_124_448.0,
            end: 375_124_449.0,
            application: "late",
            ..Row::default()
        };
        insert(store, "a", &[year_2038, Row::default()]).await;
        assert_eq!(
            applications(store, "").await,
            [group("web", 1000, 10, 1, 1)]
        );
        let then = top(
            store,
            Dimension::Applications,
            subject(375_124_440.0, 375_124_460.0, "version > 0"),
        );
        assert_eq!(then.await, [group("late", 1000, 10, 1, 1)]);
    }
}

#[tokio::test]
async fn case_36_a_rate_is_that_of_its_row() {
    let row = |sampling, source_port, application| Row {
        sampling,
        source_port,
        application,
        ..Row::default()
    };
    // The rate came after the first row, and changed after the second.
    let rows = [
        row(None, 1, "late"),
        row(Some(100), 2, "late"),
        row(Some(50), 3, "late"),
        row(Some(1), 4, "plain"),
    ];
    for place in servers().await {
        insert(&place.store, "a", &rows).await;
        for filter in ASKED {
            let expected = [
                group("late", 151_000, 1_510, 3, 1),
                group("plain", 1000, 10, 1, 1),
            ];
            assert_eq!(
                applications(&place.store, filter).await,
                expected,
                "{filter}"
            );
        }
    }
}

#[tokio::test]
async fn case_37_of_three_hops_one_is_counted() {
    let hop = |exporter, accounting| Row {
        exporter,
        accounting,
        ..Row::default()
    };
    let rows = [
        hop("192.0.2.2", false),
        hop("192.0.2.1", true),
        hop("192.0.2.3", false),
    ];
    for place in servers().await {
        insert(&place.store, "a", &rows).await;
        for filter in ASKED {
            assert_eq!(
                applications(&place.store, filter).await,
                [group("web", 1000, 10, 1, 1)],
                "{filter}"
            );
        }
        let there = subject(0.0, 60.0, "exporter 192.0.2.3");
        let there = top(&place.store, Dimension::Applications, there).await;
        assert_eq!(there, [group("web", 1000, 10, 1, 1)], "all are kept");
    }
}

#[tokio::test]
async fn case_40_what_cannot_be_true_is_in_no_sum() {
    let row = |octets, packets, application| Row {
        octets,
        packets,
        application,
        ..Row::default()
    };
    let mut rows = batch(&[
        row(u64::MAX, 1, "broken"),
        row(5, 1, "short"),
        row(1000, 10, "web"),
    ]);
    for (number, kind) in [
        (0, CounterKind::Implausible),
        (1, CounterKind::Implausible),
        (2, CounterKind::Delta),
    ] {
        rows.columns.counter_kind.set(number, kind as u8);
    }
    for place in servers().await {
        let now = flow::clock::now();
        let stored = place.store.writer("here").insert(&rows, "a", now).await;
        assert_eq!(stored.unwrap().rows, 0);
        for filter in ASKED {
            let groups = applications(&place.store, filter).await;
            assert_eq!(groups[0], group("web", 1000, 10, 1, 1), "{filter}");
            let sums: Vec<_> = groups[1..].iter().map(|group| (group.1, group.2)).collect();
            assert!(
                sums.iter().all(|sum| *sum == (0, 0)),
                "{filter}: {groups:?}"
            );
        }
    }
}
