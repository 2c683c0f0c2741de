//! Tickets on real files: both or neither, what may follow what, and ten thousand of them.

use std::collections::BTreeSet;
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::site::Rules;
use flow::{Filter, Timestamp};
use sqlx::Row as _;
use tempfile::TempDir;

use super::*;
use crate::Slice;
use crate::catalog::{Catalog, Recording, RecordingCounts, RecordingState, Viewer, recordings};
use crate::question::{Scope, Window};

/// Who sees everything.
const EVERYBODY: Viewer<'_> = Viewer {
    name: None,
    scope: &Scope { only: None },
};

async fn fresh() -> (TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    (folder, Catalog::open(&path).await.unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

fn recording(id: u32) -> Recording {
    Recording {
        number: 0,
        id: format!("{id:032x}"),
        name: String::new(),
        state: RecordingState::Referenced,
        slice: Slice {
            arrived: Window {
                from: at(-600),
                to: at(300),
            },
            filter: Filter::parse("ip 10.1.0.1").unwrap(),
        },
        scope: Scope::default(),
        owner: None,
        cut_by: "ann".to_owned(),
        cut_at: at(0),
        collector: "berlin".to_owned(),
        imported_at: None,
        anonymized: false,
        enrichment: Rules::default(),
        counts: RecordingCounts::default(),
    }
}

fn ticket(id: u32, second: i64, host: &str, server: &str) -> NewTicket {
    NewTicket {
        id: format!("{id:032x}"),
        pressed_at: at(second),
        reporter: "ann".to_owned(),
        host: host.parse().unwrap(),
        site: "berlin".to_owned(),
        application: String::new(),
        words: "slow\nsince noon".to_owned(),
        servers: BTreeSet::from([server.parse().unwrap()]),
        scoped: "ip 10.1.0.1".to_owned(),
    }
}

/// Presses the ticket of this id.
async fn pressed(catalog: &Catalog, new: NewTicket) -> u32 {
    let id = u32::from_str_radix(&new.id, 16).unwrap();
    catalog.press(&new, &recording(id)).await.unwrap().0
}

#[tokio::test]
async fn a_press_makes_a_ticket_and_its_recording_or_neither() {
    let (_folder, catalog) = fresh().await;
    let new = ticket(1, 0, "::ffff:10.1.0.1", "10.2.0.1");
    let (number, recorded) = catalog.press(&new, &recording(1)).await.unwrap();
    let found = catalog.ticket(number).await.unwrap();
    assert_eq!(found.host.to_string(), "10.1.0.1");
    assert_eq!(
        (found.recording, found.state),
        (Some(recorded), TicketState::Open)
    );
    let cut = catalog.recording("ticket 1", EVERYBODY).await.unwrap();
    assert_eq!((cut.number, cut.cut_by.as_str()), (recorded, "ann"));
    let events = catalog.ticket_events(number).await.unwrap();
    assert_eq!(
        (events[0].kind, &*events[0].text),
        (TicketEventKind::Pressed, "ip 10.1.0.1")
    );
    // The recording's id is taken: there is no ticket either.
    let second = ticket(2, 1, "10.1.0.1", "10.2.0.1");
    catalog.press(&second, &recording(1)).await.unwrap_err();
    assert!(catalog.ticket(2).await.is_err());
    assert_eq!(catalog.recordings().await.unwrap().len(), 1);
    assert!(catalog.ticket_servers(2).await.unwrap().is_empty());
    // A name that somebody gave another recording is left to that one.
    let mut other = recording(3);
    other.name = format!("ticket {}", number + 1);
    catalog.add_recording(&other).await.unwrap();
    let third = pressed(&catalog, ticket(4, 2, "10.1.0.1", "10.2.0.1")).await;
    let recorded = catalog.ticket(third).await.unwrap().recording.unwrap();
    let recorded = catalog.recording_by_number(recorded).await.unwrap();
    assert_eq!(recorded.name, format!("ticket 2 ({:032x})", 4));
    // Whoever deletes a recording leaves the ticket.
    catalog.forget_recording(cut.number).await.unwrap();
    assert_eq!(catalog.ticket(number).await.unwrap().recording, None);
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused() {
    let (_folder, catalog) = fresh().await;
    let wrong = [
        NewTicket {
            words: "a".repeat(WORDS_CHARS_MAX + 1),
            ..ticket(1, 0, "10.1.0.1", "10.2.0.1")
        },
        NewTicket {
            words: "\u{1b}[2J".to_owned(),
            ..ticket(1, 0, "10.1.0.1", "10.2.0.1")
        },
        NewTicket {
            application: "a\nb".to_owned(),
            ..ticket(1, 0, "10.1.0.1", "10.2.0.1")
        },
    ];
    for new in wrong {
        let error = catalog.press(&new, &recording(1)).await.unwrap_err();
        assert!(matches!(error, CatalogError::Wrong(_)), "{error}");
    }
    assert!(catalog.recordings().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_may_follow_what() {
    let (_folder, catalog) = fresh().await;
    for id in 1..=3 {
        pressed(&catalog, ticket(id, id.into(), "10.1.0.1", "10.2.0.1")).await;
    }
    let step = async |number: u32, step: Step| {
        let done = catalog.work_on(number, (at(9), "bob"), &step).await;
        done.map_err(|error| error.to_string())
    };
    let text = |text: &str| text.to_owned();
    step(1, Step::Assign(Some(text("bob")))).await.unwrap();
    step(1, Step::Escalate(String::new())).await.unwrap();
    let again = step(1, Step::Escalate(String::new())).await;
    assert_eq!(again.unwrap_err(), "ticket 1 is escalated");
    step(2, Step::Merge(1)).await.unwrap();
    for (number, into) in [(1, 2), (1, 1), (1, 9), (2, 3)] {
        step(number, Step::Merge(into)).await.unwrap_err();
    }
    // What went on with the first goes on with the third, too.
    step(1, Step::Merge(3)).await.unwrap();
    for number in [1, 2] {
        let merged = catalog.ticket(number).await.unwrap();
        assert_eq!(
            (merged.state, merged.merged_into),
            (TicketState::Closed, Some(3))
        );
    }
    let without = step(3, Step::Close(text(" "))).await;
    assert_eq!(without.unwrap_err(), "the reason is missing: write it");
    step(3, Step::Close(text("a cable"))).await.unwrap();
    step(3, Step::Comment(text("thanks"))).await.unwrap();
    step(3, Step::Assign(None)).await.unwrap_err();
    assert_eq!(
        catalog.ticket(3).await.unwrap().reason.as_deref(),
        Some("a cable")
    );
    step(3, Step::Reopen).await.unwrap();
    assert_eq!(catalog.ticket(3).await.unwrap().reason, None);
    let kinds: Vec<_> = catalog.ticket_events(3).await.unwrap();
    let kinds: Vec<_> = kinds.iter().map(|event| event.kind).collect();
    use TicketEventKind::{Closed, Commented, Pressed, Reopened, TookIn};
    assert_eq!(kinds, [Pressed, TookIn, Closed, Commented, Reopened]);
}

#[tokio::test]
async fn events_are_only_ever_added() {
    let (_folder, catalog) = fresh().await;
    pressed(&catalog, ticket(1, 0, "10.1.0.1", "10.2.0.1")).await;
    for statement in [
        "UPDATE ticket_events SET text = 'else'",
        "DELETE FROM ticket_events",
    ] {
        let error = sqlx::query(statement).execute(&catalog.pool).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("events of tickets are"), "{error}");
    }
}

#[tokio::test]
async fn stories_are_made_one_after_the_other() {
    let (_folder, catalog) = fresh().await;
    for id in 1..=2 {
        pressed(&catalog, ticket(id, 0, "10.1.0.1", "10.2.0.1")).await;
    }
    assert_eq!(catalog.next_unmade_ticket(0).await.unwrap(), Some(1));
    assert_eq!(catalog.next_unmade_ticket(1).await.unwrap(), Some(2));
    assert_eq!(catalog.ticket_story(1).await.unwrap(), None);
    let made = catalog.made_ticket(1, "{\"a\":1}", Some(b"<svg/>"), at(5));
    made.await.unwrap();
    assert_eq!(catalog.next_unmade_ticket(0).await.unwrap(), Some(2));
    let ticket = catalog.ticket(1).await.unwrap();
    assert!(ticket.has_picture && ticket.made_at == Some(at(5)));
    assert_eq!(catalog.ticket_story(1).await.unwrap().unwrap(), "{\"a\":1}");
    let picture = catalog.ticket_picture(1).await.unwrap();
    assert_eq!(picture.unwrap(), b"<svg/>");
    assert!(catalog.ticket_picture(9).await.is_err());
    let long = vec![b' '; 200_001];
    catalog
        .made_ticket(2, "{}", Some(&long), at(6))
        .await
        .unwrap();
    assert_eq!(catalog.ticket_picture(2).await.unwrap(), None);
}

const MANY: u32 = 10_000;

/// So many tickets of a hundred hosts at ten sites, ten seconds apart, most of them closed.
async fn many(catalog: &Catalog) {
    for statement in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO tickets (id, pressed_at, reporter, host, site, application, words, state, story)
         SELECT printf('%032x', i), (1800000000 + 10 * i) * 1000000000, 'user ' || (i % 500), '10.1.0.' || (i % 100),
                'site ' || (i % 10), '', 'slow', CASE WHEN i % 20 = 0 THEN 'open' ELSE 'closed' END, '{}' FROM n",
        "UPDATE tickets SET assignee = 'bob' WHERE number % 7 = 0",
        "INSERT INTO ticket_servers SELECT '10.2.0.' || (number % 50), number FROM tickets",
    ] {
        sqlx::query(statement).execute(&catalog.pool).await.unwrap();
    }
}

fn queries() -> Vec<TicketQuery> {
    let any = TicketQuery {
        limit: 50,
        ..TicketQuery::default()
    };
    let state = Some(TicketState::Open);
    let site = Some("site 0".to_owned());
    let host = Some("10.1.0.20".parse().unwrap());
    let server = Some("10.2.0.20".parse().unwrap());
    let with = |change: &dyn Fn(&mut TicketQuery)| {
        let mut query = any.clone();
        change(&mut query);
        query
    };
    vec![
        any.clone(),
        with(&|query| query.before = Some(5000)),
        with(&|query| query.state = state),
        with(&|query| query.host = host),
        with(&|query| query.site = site.clone()),
        with(&|query| query.server = server),
        with(&|query| query.reporter = Some("user 20".to_owned())),
        with(&|query| query.assignee = Some(Some("bob".to_owned()))),
        with(&|query| query.assignee = Some(None)),
        TicketQuery {
            state,
            host,
            site,
            server,
            before: Some(9000),
            ..any
        },
    ]
}

/// How SQLite goes about a statement, a line each.
async fn plan(catalog: &Catalog, sql: &str) -> Vec<String> {
    let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explained).fetch_all(&catalog.pool).await;
    let rows = rows.unwrap();
    rows.iter()
        .map(|row| row.get::<String, _>("detail"))
        .collect()
}

#[tokio::test]
async fn ten_thousand_tickets_are_found_by_index() {
    let (_folder, catalog) = fresh().await;
    many(&catalog).await;
    let mut statements: Vec<String> = queries()
        .iter()
        .map(|query| query.sql().sql().as_str().to_owned())
        .collect();
    statements.extend([queue::SIMILAR.to_owned(), making::NEXT.to_owned()]);
    for statement in statements {
        let plan = plan(&catalog, &statement).await;
        assert!(!plan.is_empty());
        for line in plan {
            assert!(!line.starts_with("SCAN"), "{statement}: {line}");
            assert!(!line.contains("TEMP B-TREE"), "{statement}: {line}");
        }
    }
    let watch = Stopwatch::start();
    for query in queries() {
        let page = catalog.tickets(&query).await.unwrap();
        let numbers: Vec<u32> = page.iter().map(|ticket| ticket.number).collect();
        assert!(numbers.is_sorted_by(|a, b| a > b) && !numbers.is_empty());
    }
    let last = catalog.ticket(MANY).await.unwrap();
    let similar = catalog.similar_tickets(&last).await.unwrap();
    // Each tenth shares the site, each fiftieth the server.
    let expected: Vec<u32> = (1..=20).map(|back| MANY - 10 * back).collect();
    assert_eq!(similar, expected);
    assert!(watch.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn what_recordings_take_is_known_without_their_rules() {
    let (_folder, catalog) = fresh().await;
    // Three presses within a quarter of an hour, and one an hour later, which is a recording of its own by now.
    for (id, second) in [(1, 0), (2, 500), (3, 900), (4, 3600)] {
        let mut cut = recording(id);
        cut.slice.arrived = Window {
            from: at(second - 600),
            to: at(second + 300),
        };
        let new = ticket(id, second, "10.1.0.1", "10.2.0.1");
        catalog.press(&new, &cut).await.unwrap();
    }
    let states = (RecordingState::Referenced, RecordingState::Own);
    let counts = RecordingCounts {
        octets: 77,
        ..RecordingCounts::default()
    };
    let kept = catalog.update_recording(4, states, at(3900), counts);
    kept.await.unwrap();
    let joined = Window {
        from: at(-600),
        to: at(1200),
    };
    assert_eq!(catalog.recordings_take().await.unwrap(), (77, vec![joined]));
    let going_on = catalog.recordings_going_on(at(1000)).await.unwrap();
    let going_on: Vec<u32> = going_on.iter().map(|one| one.number).collect();
    assert_eq!(going_on, [3]);
    for statement in [recordings::OWN_OCTETS, recordings::ARRIVED] {
        for line in plan(&catalog, statement).await {
            assert!(line.contains("COVERING INDEX"), "{statement}: {line}");
        }
    }
}

#[tokio::test]
async fn the_queue_is_parted_by_who_works_on_what() {
    let (_folder, catalog) = fresh().await;
    many(&catalog).await;
    for (assignee, expected) in [
        (Some(None), [MANY, MANY - 1, MANY - 2]),
        (Some(Some("bob".to_owned())), [9996, 9989, 9982]),
        (Some(Some("eve".to_owned())), [0; 3]),
    ] {
        let query = TicketQuery {
            assignee,
            limit: 3,
            ..TicketQuery::default()
        };
        let page = catalog.tickets(&query).await.unwrap();
        let numbers: Vec<u32> = page.iter().map(|ticket| ticket.number).collect();
        let expected: Vec<u32> = expected.into_iter().filter(|it| *it > 0).collect();
        assert_eq!(numbers, expected);
    }
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_one_ended() {
    let (_folder, catalog) = fresh().await;
    many(&catalog).await;
    let mut query = TicketQuery {
        state: Some(TicketState::Open),
        limit: 200,
        ..TicketQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = catalog.tickets(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.before = Some(last.number);
        found.extend(page.iter().map(|ticket| ticket.number));
    }
    let expected: Vec<u32> = (1..=MANY).rev().filter(|number| number % 20 == 0).collect();
    assert_eq!(found, expected);
}
