//! Which records of a conversation count, where a scope or a filter names an exporter. Sums made on paper.

use flow::Filter;
use store::Store;
use store::question::{Dimension, Profile, Quantity, Scope, Subject};

use crate::places::places;
use crate::rows::{Row, insert, series, subject, top};

/// Four conversations, told apart by their octets; most are seen at several exporters, of which one keeps the account.
fn traffic() -> Vec<Row> {
    let seen = |octets, site, exporter_name, accounting| Row {
        octets,
        packets: 1,
        sites: (site, "paris"),
        exporter: if exporter_name == "a" {
            "192.0.2.1"
        } else {
            "192.0.2.2"
        },
        exporter_name,
        accounting,
        ..Row::default()
    };
    vec![
        seen(1000, "berlin", "a", false),
        seen(1000, "berlin", "b", true),
        seen(200, "rome", "a", false),
        seen(200, "rome", "b", true),
        seen(30, "berlin", "b", true),
        seen(30, "berlin", "c", false),
        seen(4, "rome", "b", true),
    ]
}

/// Octets and flow records of everything, which all questions tell alike.
async fn total(store: &Store, subject: Subject) -> (u64, u64) {
    let rows = top(store, Dimension::Applications, subject.clone()).await;
    let total = rows.first().map_or((0, 0), |row| (row.1, row.3));
    let profile = Profile {
        subject: subject.clone(),
        dimension: Dimension::Applications,
        limit: 10,
    };
    let profile = store.profile(&profile).await.unwrap();
    assert_eq!((profile.octets, profile.flows), total);
    assert_eq!(
        profile.rows.iter().map(|row| row.ended_flows).sum::<u64>(),
        total.1
    );
    let line = series(None, Quantity::Flows, subject.clone(), 60);
    let line = store.series(&line).await.unwrap().lines.remove(0);
    assert_eq!(line.values, [f64::from(u32::try_from(total.1).unwrap())]);
    let lateness = store.lateness(subject.window, &subject.filter, &subject.scope);
    assert_eq!(lateness.await.unwrap().octets, total.0);
    total
}

#[tokio::test]
async fn a_conversation_counts_once_and_is_not_hidden_by_who_keeps_its_account() {
    for place in places().await {
        insert(&place.store, "a", &traffic()).await;
        let cases = [
            ("", "", (1234, 4)),
            // What was seen there, whoever keeps the account.
            ("exporter a", "", (1200, 2)),
            ("site berlin", "", (1030, 2)),
            // 200 octets match at a alone; of the others, which match elsewhere too, one record each.
            ("exporter a or site berlin", "", (1230, 3)),
            (
                "exporter 192.0.2.1 or (site rome and not site berlin)",
                "",
                (1204, 3),
            ),
            ("exporter a or site berlin", "exporter b", (1030, 2)),
            ("exporter a or site berlin", "site rome", (200, 1)),
            ("(exporter a and site rome) or if 9", "", (200, 1)),
            // Each exporter that is named counts what it saw.
            ("exporter a or exporter b", "site rome", (404, 3)),
        ];
        for (scope, filter, expected) in cases {
            let scope = Filter::parse(scope).unwrap();
            let mut within = subject(0.0, 60.0, filter);
            within.scope = Scope::of(scope.clone());
            assert_eq!(
                total(&place.store, within).await,
                expected,
                "{scope} {filter}"
            );
            // A filter counts as a scope does.
            let mut asked = subject(0.0, 60.0, filter);
            asked.filter = asked.filter.and(scope.clone());
            assert_eq!(
                total(&place.store, asked).await,
                expected,
                "{scope} {filter}"
            );
        }
    }
}
