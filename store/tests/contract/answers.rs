//! Every dimension and every question, over a few records whose sums are made on paper.

use std::time::Duration;

use flow::Filter;
use store::question::{Dimension, Dimensions, Inventory, Quantity, Scope, Series, Top};

use crate::places::places;
use crate::rows::{Row, at, group, insert, series, subject, top};

/// Two conversations. The first passes three exporters, and its answer comes as a record of its own; the second is
/// sampled one in 10, over IPv6, of an application that nobody named.
fn traffic() -> Vec<Row> {
    let request = Row {
        octets: 1000,
        packets: 10,
        ..Row::default()
    };
    let answer = Row {
        source: "10.2.0.1",
        source_port: 443,
        destination: "10.1.0.1",
        destination_port: 50_000,
        octets: 9000,
        packets: 20,
        interfaces: (Some(2), Some(1)),
        src_is_client: false,
        ..Row::default()
    };
    let elsewhere = |exporter, exporter_name| Row {
        exporter,
        exporter_name,
        accounting: false,
        interfaces: (Some(7), None),
        ..request.clone()
    };
    let sampled = Row {
        source: "2001:db8::1",
        source_port: 40_000,
        destination: "2001:db8::2",
        destination_port: 53,
        protocol: 17,
        octets: 50,
        packets: 1,
        reverse: Some((70, 1)),
        sampling: Some(10),
        application: "",
        sites: ("berlin", "berlin"),
        ..Row::default()
    };
    vec![
        elsewhere("192.0.2.2", "core-2"),
        elsewhere("192.0.2.3", ""),
        request,
        answer,
        sampled,
    ]
}

#[tokio::test]
async fn every_dimension_adds_up() {
    for place in places().await {
        let store = &place.store;
        insert(store, "all", &traffic()).await;
        let ask = async |dimension| top(store, dimension, subject(0.0, 60.0, "")).await;
        assert_eq!(
            ask(Dimension::Applications).await,
            [
                group("web", 10_000, 30, 2, 1),
                group("(unknown)", 1200, 20, 1, 1)
            ]
        );
        assert_eq!(
            ask(Dimension::Clients).await,
            [
                group("10.1.0.1", 10_000, 30, 2, 1),
                group("2001:db8::1", 1200, 20, 1, 1)
            ]
        );
        assert_eq!(
            ask(Dimension::Servers).await,
            [
                group("10.2.0.1", 10_000, 30, 2, 1),
                group("2001:db8::2", 1200, 20, 1, 1)
            ]
        );
        assert_eq!(
            ask(Dimension::Conversations).await,
            [
                group("10.1.0.1 → 10.2.0.1:443/tcp", 10_000, 30, 2, 1),
                group("2001:db8::1 → [2001:db8::2]:53/udp", 1200, 20, 1, 1),
            ]
        );
        assert_eq!(
            ask(Dimension::Sites).await,
            [
                group("berlin", 11_200, 50, 3, 2),
                group("paris", 10_000, 30, 2, 1)
            ]
        );
        assert_eq!(
            ask(Dimension::Protocols).await,
            [group("tcp", 10_000, 30, 2, 1), group("udp", 1200, 20, 1, 1)]
        );
        assert_eq!(
            ask(Dimension::Ports).await,
            [
                group("443/tcp", 10_000, 30, 2, 1),
                group("53/udp", 1200, 20, 1, 1)
            ]
        );
    }
}

#[tokio::test]
async fn what_clients_and_servers_sent_is_told_apart() {
    for place in places().await {
        let store = &place.store;
        insert(store, "all", &traffic()).await;
        let asked = |text: &str| {
            let dimensions: Dimensions = text.parse().unwrap();
            top(store, dimensions, subject(0.0, 60.0, ""))
        };
        // The sampled record holds 500 octets of its client and 700 of its server.
        assert_eq!(
            asked("directions").await,
            [
                group("from server", 9700, 30, 2, 2),
                group("from client", 1500, 20, 2, 2),
            ]
        );
        assert_eq!(
            asked("applications,directions").await,
            [
                group("web · from server", 9000, 20, 1, 1),
                group("web · from client", 1000, 10, 1, 1),
                group("(unknown) · from server", 700, 10, 1, 1),
                group("(unknown) · from client", 500, 10, 1, 1),
            ]
        );
    }
}

#[tokio::test]
async fn groups_of_two_and_three_dimensions_add_up() {
    for place in places().await {
        let store = &place.store;
        insert(store, "all", &traffic()).await;
        let asked = |text: &str| {
            let dimensions: Dimensions = text.parse().unwrap();
            let filter = if text.starts_with("ports") { "tcp" } else { "" };
            top(store, dimensions, subject(0.0, 60.0, filter))
        };
        // From sums of ten seconds.
        assert_eq!(
            asked("applications,sites").await,
            [
                group("web · berlin", 10_000, 30, 2, 1),
                group("web · paris", 10_000, 30, 2, 1),
                group("(unknown) · berlin", 1200, 20, 1, 1),
            ]
        );
        assert_eq!(
            asked("servers,clients,protocols").await,
            [
                group("10.2.0.1 · 10.1.0.1 · tcp", 10_000, 30, 2, 1),
                group("2001:db8::2 · 2001:db8::1 · udp", 1200, 20, 1, 1),
            ]
        );
        // At each exporter.
        assert_eq!(
            asked("ports,exporters").await,
            [
                group("443/tcp · core-1", 10_000, 30, 2, 1),
                group("443/tcp · 192.0.2.3", 1000, 10, 1, 1),
                group("443/tcp · core-2", 1000, 10, 1, 1),
            ]
        );
        let question = Top {
            subject: subject(0.0, 60.0, "tcp"),
            dimension: "applications,sites".parse().unwrap(),
            by: Quantity::Octets,
            limit: 1,
        };
        let rows = store.top(&question).await.unwrap();
        assert_eq!(rows[0].parts, ["web", "berlin"]);
        let lines = store
            .series(&Series {
                subject: subject(0.0, 60.0, "tcp"),
                dimension: Some("sites,applications".parse().unwrap()),
                by: Quantity::Octets,
                limit: 10,
                step: Some(Duration::from_secs(60)),
                previous: false,
            })
            .await
            .unwrap()
            .lines;
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line.name.as_str(), line.values[0]))
            .collect();
        assert_eq!(
            lines,
            [("berlin · web", 10_000.0), ("paris · web", 10_000.0)]
        );
    }
}

#[tokio::test]
async fn exporters_and_interfaces_count_all_that_passed_them() {
    for place in places().await {
        let store = &place.store;
        insert(store, "all", &traffic()).await;
        let ask = async |dimension| top(store, dimension, subject(0.0, 60.0, "")).await;
        assert_eq!(
            ask(Dimension::Exporters).await,
            [
                group("core-1", 11_200, 50, 3, 2),
                group("192.0.2.3", 1000, 10, 1, 1),
                group("core-2", 1000, 10, 1, 1),
            ]
        );
        assert_eq!(
            ask(Dimension::Interfaces).await,
            [
                group("core-1 / 2 in", 9000, 20, 1, 1),
                group("core-1 / 1 out", 9000, 20, 1, 1),
                group("core-1 / 1 in", 2200, 30, 2, 2),
                group("core-1 / 2 out", 2200, 30, 2, 2),
                group("192.0.2.3 / 7 in", 1000, 10, 1, 1),
                group("192.0.2.3 / (unknown) out", 1000, 10, 1, 1),
                group("core-2 / 7 in", 1000, 10, 1, 1),
                group("core-2 / (unknown) out", 1000, 10, 1, 1),
            ]
            .into_iter()
            .collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn at_a_named_exporter_every_record_counts() {
    for place in places().await {
        let store = &place.store;
        insert(store, "all", &traffic()).await;
        let ask =
            async |filter| top(store, Dimension::Applications, subject(0.0, 60.0, filter)).await;
        assert_eq!(ask("exporter core-2").await, [group("web", 1000, 10, 1, 1)]);
        assert_eq!(
            ask("exporter 192.0.2.3 and app web").await,
            [group("web", 1000, 10, 1, 1)]
        );
        assert_eq!(ask("not exporter core-1").await, []);
        let total = series(
            None,
            Quantity::Octets,
            subject(0.0, 60.0, "exporter core-2"),
            60,
        );
        assert_eq!(
            store.series(&total).await.unwrap().lines[0].values,
            [1000.0]
        );
    }
}

#[tokio::test]
async fn groups_are_ordered_by_what_was_asked_for() {
    for place in places().await {
        let store = &place.store;
        let crowd = ["10.1.0.2", "10.1.0.3", "10.1.0.4"].map(|source| Row {
            source,
            application: "crowd",
            octets: 1,
            packets: 1,
            ..Row::default()
        });
        let burst = Row {
            application: "burst",
            octets: 5,
            packets: 99,
            ..Row::default()
        };
        insert(store, "a", &crowd).await;
        insert(store, "b", &[burst, Row::default()]).await;
        for (by, first) in [
            (Quantity::Octets, "web"),
            (Quantity::Packets, "burst"),
            (Quantity::Flows, "crowd"),
            (Quantity::Clients, "crowd"),
        ] {
            let subject = subject(0.0, 60.0, "");
            let dimension = Dimension::Applications;
            let rows = store
                .top(&Top {
                    subject,
                    dimension: dimension.into(),
                    by,
                    limit: 1,
                })
                .await
                .unwrap();
            assert_eq!((rows.len(), rows[0].name.as_str()), (1, first), "{by:?}");
        }
    }
}

#[tokio::test]
async fn a_scope_hides_and_a_known_at_forgets() {
    for place in places().await {
        let store = &place.store;
        let late = Row {
            received: 300.0,
            application: "late",
            ..Row::default()
        };
        insert(store, "a", &[Row::default(), late]).await;
        let names = async |subject| {
            let rows = top(store, Dimension::Applications, subject).await;
            rows.into_iter().map(|row| row.0).collect::<Vec<_>>()
        };
        let all = subject(0.0, 60.0, "");
        assert_eq!(names(all.clone()).await, ["late", "web"]);
        let mut then = all.clone();
        then.known_at = Some(at(100.0));
        assert_eq!(names(then).await, ["web"]);
        let mut scoped = all;
        scoped.scope = Scope {
            only: Some(Filter::parse("app late").unwrap()),
        };
        assert_eq!(names(scoped.clone()).await, ["late"]);
        scoped.filter = Filter::parse("app web or app late").unwrap();
        assert_eq!(names(scoped).await, ["late"]);
    }
}

#[tokio::test]
async fn impossible_questions_are_refused_in_words() {
    for place in places().await {
        let store = &place.store;
        let ask = |from: f64, limit: u32| Top {
            subject: subject(from, 60.0, ""),
            dimension: Dimension::Applications.into(),
            by: Quantity::Octets,
            limit,
        };
        let error = store.top(&ask(60.0, 1)).await.unwrap_err();
        assert!(error.to_string().contains("window is empty"), "{error}");
        let error = store.top(&ask(0.0, 0)).await.unwrap_err();
        assert!(error.to_string().contains("1 to 10000"), "{error}");
        let many = series(None, Quantity::Octets, subject(0.0, 7200.0, ""), 1);
        let error = store.series(&many).await.unwrap_err();
        assert!(error.to_string().contains("2000 points"), "{error}");
    }
}

#[tokio::test]
async fn the_inventory_tells_what_there_is() {
    for place in places().await {
        let store = &place.store;
        let nothing = Inventory {
            octets_on_disk: Some(0),
            ..Inventory::default()
        };
        assert_eq!(store.inventory().await.unwrap(), nothing);
        insert(store, "all", &traffic()).await;
        let found = store.inventory().await.unwrap();
        assert_eq!(found.flows, 5);
        assert!(found.octets_on_disk.unwrap() > 0);
        assert_eq!((found.first, found.last), (Some(at(0.0)), Some(at(1.0))));
    }
}
