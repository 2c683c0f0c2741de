//! What became of connections: records by hand, numbers on paper.

use store::Store;
use store::outcomes::{By, Connections, Outcome, Outcomes};

use crate::places::places;
use crate::rows::{Row, at, insert, subject};

// RFC 9293 §3.1: FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
const SYN: u16 = 2;
const RST_ACK: u16 = 20;
/// SYN, ACK, PSH and FIN: all of a connection in one record.
const WHOLE: u16 = 27;

/// What a client sent from this port at this second, for a second.
fn sent(port: u16, second: f64, flags: u16) -> Row {
    Row {
        start: second,
        end: second + 1.0,
        received: second + 2.0,
        source_port: port,
        octets: 100,
        packets: 1,
        flags: (Some(flags), None),
        ..Row::default()
    }
}

/// What its server sent back.
fn answered(port: u16, second: f64, flags: u16) -> Row {
    let there = sent(port, second, flags);
    Row {
        source: there.destination,
        source_port: there.destination_port,
        destination: there.source,
        destination_port: there.source_port,
        src_is_client: false,
        ..there
    }
}

fn of_berlin() -> Vec<Row> {
    let mut rows = vec![
        sent(50_001, 0.0, WHOLE),
        answered(50_001, 0.0, WHOLE),
        sent(50_002, 10.0, SYN),
        answered(50_002, 10.0, RST_ACK),
        // Three times, and nobody says anything.
        Row {
            packets: 3,
            ..sent(50_003, 20.0, SYN)
        },
        // Answered after the window.
        sent(50_004, 598.0, SYN),
        answered(50_004, 602.0, WHOLE),
        // Begun eight seconds before its end: three of them are in the window.
        Row {
            start: -5.0,
            end: 3.0,
            octets: 800,
            ..sent(50_005, 0.0, WHOLE)
        },
        // Seen in one direction only, but its ACK tells that there was an answer.
        sent(50_006, 30.0, WHOLE),
        // Two after each other under one port: what answers one may answer the other.
        sent(50_007, 40.0, WHOLE),
        answered(50_007, 40.0, WHOLE),
        sent(50_007, 100.0, SYN),
        // Reset in the middle.
        sent(50_008, 50.0, WHOLE),
        answered(50_008, 50.0, WHOLE | 4),
        // At another observation point.
        Row {
            accounting: false,
            ..sent(50_009, 60.0, SYN)
        },
    ];
    rows.extend(of_both_directions());
    rows
}

/// Of a second client, by an exporter that has both directions in a record; they live one, three and two seconds.
fn of_both_directions() -> [Row; 3] {
    let of = |port: u16, end: f64, flags: u16, reverse: Option<u16>| Row {
        source: "10.1.0.2",
        end: 200.0 + end,
        reverse: reverse.map(|_| (50, 1)),
        flags: (Some(flags), reverse),
        ..sent(port, 200.0, flags)
    };
    [
        of(1, 1.0, WHOLE, Some(WHOLE)),
        of(2, 3.0, SYN, Some(RST_ACK)),
        of(3, 2.0, SYN, None),
    ]
}

fn of_others() -> Vec<Row> {
    let other = |source: &'static str, application: &'static str| Row {
        source,
        application,
        sites: ("oslo", "paris"),
        octets: 10,
        ..sent(7, 5.0, SYN)
    };
    vec![
        Row {
            flags: (None, None),
            ..other("10.3.0.1", "no flags")
        },
        Row {
            sampling: Some(100),
            ..other("10.3.0.1", "sampled")
        },
        Row {
            protocol: 17,
            flags: (None, None),
            ..other("10.3.0.2", "names")
        },
    ]
}

async fn asked(store: &Store, by: By, filter: &str) -> Vec<Outcome> {
    let question = Outcomes {
        subject: subject(0.0, 600.0, filter),
        by,
        limit: 10,
    };
    store.outcomes(&question).await.unwrap()
}

fn counts(opened: u64, refused: u64, unanswered: u64) -> Option<Connections> {
    Some(Connections {
        opened,
        refused,
        unanswered,
    })
}

#[tokio::test]
async fn what_became_of_connections() {
    for place in places().await {
        let store = &place.store;
        insert(store, "berlin", &of_berlin()).await;
        insert(store, "others", &of_others()).await;
        let clients = asked(store, By::Clients, "site berlin").await;
        // First client: twelve whole records of 100, 300 of the one that began before. The answer after the window is not in it.
        let first = Outcome {
            name: "10.1.0.1".to_owned(),
            clients: 1,
            octets: 1200 + 300,
            connections: counts(8, 1, 1),
            ended_flows: 13,
            duration_ms_median: Some(1000.0),
        };
        let second = Outcome {
            name: "10.1.0.2".to_owned(),
            clients: 1,
            octets: 300 + 100,
            connections: counts(3, 1, 1),
            ended_flows: 3,
            duration_ms_median: Some(2000.0),
        };
        assert_eq!(clients, [first, second]);
        let all = asked(store, By::Nothing, "").await;
        let all: Vec<_> = all
            .iter()
            .map(|one| (&*one.name, one.clients, one.connections))
            .collect();
        assert_eq!(all, [("total", 4, counts(11, 2, 2))]);
        let sites = asked(store, By::ClientSites, "").await;
        let sites: Vec<_> = sites.iter().map(|one| (&*one.name, one.clients)).collect();
        assert_eq!(sites, [("berlin", 2), ("oslo", 2)]);
    }
}

#[tokio::test]
async fn what_nobody_can_tell_is_absent() {
    for place in places().await {
        let store = &place.store;
        insert(store, "others", &of_others()).await;
        let applications = asked(store, By::Applications, "").await;
        let told: Vec<_> = applications
            .iter()
            .map(|one| (&*one.name, one.octets, one.connections))
            .collect();
        let expected = [
            ("sampled", 1000, None),
            ("names", 10, counts(0, 0, 0)),
            ("no flags", 10, None),
        ];
        assert_eq!(told, expected);
        assert!(asked(store, By::Nothing, "app web").await.is_empty());
    }
}

#[tokio::test]
async fn what_has_just_come_may_still_be_answered() {
    for place in places().await {
        let store = &place.store;
        let rows = [sent(1, 500.0, SYN), sent(2, 594.0, SYN)];
        insert(store, "berlin", &rows).await;
        let unanswered = async |known_at: f64| {
            let mut subject = subject(0.0, 600.0, "");
            subject.known_at = Some(at(known_at));
            let by = By::Nothing;
            let limit = 1;
            let asked = Outcomes { subject, by, limit };
            store.outcomes(&asked).await.unwrap()[0].connections
        };
        // They arrived at 502 and 596.
        assert_eq!(unanswered(600.0).await, counts(2, 0, 1));
        assert_eq!(unanswered(601.0).await, counts(2, 0, 2));
    }
}
