//! A stretch of the past made anew: afterwards the store tells the same as one that never held anything else.

use std::collections::BTreeSet;

use flow::{FlowBatch, TapePosition};
use store::config::Retention;
use store::question::{Dimension, Flows, Quantity};
use store::{Config, Store, StoreError, Stretch};

use crate::places::{Running, places};
use crate::rows::{Row, at, batch, group, series, subject, top};

/// True of every record, and of no rollup.
const FROM_RECORDS: &str = "version > 0";

/// Dimensions that rollups answer, and those that only records do.
const ROLLED: [Dimension; 4] = [
    Dimension::Applications,
    Dimension::Exporters,
    Dimension::Interfaces,
    Dimension::Sites,
];
const UNROLLED: [Dimension; 2] = [Dimension::Conversations, Dimension::Ports];

/// Windows around the stretch, which arrives from second 3,600 to 7,200.
const WINDOWS: [(f64, f64); 6] = [
    (0.0, 3600.0),
    (3600.0, 7200.0),
    (-36_000.0, 18_000.0),
    (3599.5, 3610.0),
    (1234.5, 9876.5),
    (-4_000_000.0, 20_000.0),
];

/// An hour of arrivals, one in 20 seconds: short lives, some over an hour's border, one over ten minutes, one of more than
/// an hour, and one whose exporter's clock is a month behind.
fn hour(number: u32, change: impl Fn(&mut Row)) -> Vec<Row> {
    let lives = [0.0, 0.7, 12.0, 61.0, 300.0, 599.0, 700.0, 3600.0, 5000.0];
    let sources = ["10.1.0.1", "10.1.0.2", "10.1.0.3"];
    (0..180_u32)
        .map(|row| {
            let received = f64::from(number * 3600 + row * 20);
            let late = if row == 77 { 2_600_000.0 } else { 1.0 };
            let index = row as usize;
            let mut row = Row {
                received,
                start: received - late - lives[index % lives.len()],
                end: received - late,
                source: sources[index % sources.len()],
                octets: u64::from(row * 31 + number * 7 + 1),
                packets: u64::from(row % 9 + 1),
                sampling: (row % 7 == 0).then_some(10),
                application: ["web", "mail", ""][index % 3],
                accounting: row % 5 != 0,
                ..Row::default()
            };
            change(&mut row);
            row
        })
        .collect()
}

/// A batch whose datagrams are 100 octets each, from `offset` of the tape's first segment on.
fn on_tape(rows: &[Row], offset: u32, feed: u32) -> FlowBatch {
    let mut batch = batch(rows);
    for place in &mut batch.origin.tape_offset {
        *place += offset;
    }
    batch.origin.feed.fill(feed);
    batch
}

async fn put(store: &Store, collector: &str, token: &str, batch: &FlowBatch) {
    let stored_at = flow::clock::now();
    let writer = store.writer(collector);
    let refused = writer.insert(batch, token, stored_at).await.unwrap();
    assert_eq!(refused.rows, 0);
}

/// What is around the stretch: hours before and after it, another collector with the same positions on its tape, and an
/// import with the same times.
async fn put_surroundings(store: &Store) {
    let same = |_: &mut Row| {};
    put(store, "here", "0", &on_tape(&hour(0, same), 0, 0)).await;
    put(store, "here", "2", &on_tape(&hour(2, same), 200_000, 0)).await;
    put(
        store,
        "there",
        "there 1",
        &on_tape(&hour(1, same), 100_000, 0),
    )
    .await;
    let imported = on_tape(&hour(1, same), 300_000, 7);
    put(store, "here", "import", &imported).await;
}

fn old() -> FlowBatch {
    on_tape(&hour(1, |_| {}), 100_000, 0)
}

/// The same hour under other rules: names, counters and accounts differ, some flows begin hours before, and some are gone.
fn new() -> FlowBatch {
    let mut rows = hour(1, |row| {
        row.octets *= 3;
        row.accounting = row.packets != 4;
        row.exporter_name = "edge-1";
        if row.application == "mail" {
            (row.application, row.sites) = ("letters", ("rome", ""));
            row.start -= 7200.0;
            row.end -= 7200.0;
        }
    });
    rows.truncate(170);
    on_tape(&rows, 100_000, 0)
}

fn stretch() -> Stretch {
    let place = |offset| TapePosition { segment: 1, offset };
    Stretch {
        collector: "here".to_owned(),
        from: place(100_000),
        to: place(200_000),
        received_from: at(3600.0),
        received_to: at(7200.0),
    }
}

/// Whatever can be asked, as text, one answer an entry.
async fn answers(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    for (from, to) in WINDOWS {
        let rolled = ["", FROM_RECORDS]
            .into_iter()
            .flat_map(|filter| ROLLED.map(|dimension| (filter, dimension)));
        let unrolled = UNROLLED.map(|dimension| ("", dimension));
        let named = [
            ("app letters", Dimension::Sites),
            ("exporter edge-1", Dimension::Applications),
        ];
        for (filter, dimension) in rolled.chain(unrolled).chain(named) {
            let groups = top(store, dimension, subject(from, to, filter)).await;
            found.push(format!("{dimension:?} {from} {to} {filter}: {groups:?}"));
        }
    }
    for by in [Quantity::Octets, Quantity::Flows, Quantity::Clients] {
        for (from, to, step_s) in [(-7200.0, 10_800.0, 3600), (3300.0, 7500.0, 60)] {
            let dimension = Some(Dimension::Applications);
            let question = series(dimension, by, subject(from, to, ""), step_s);
            let lines = store.series(&question).await.unwrap().lines;
            found.push(format!("{by:?} {from} {to}: {lines:?}"));
        }
    }
    let question = Flows {
        subject: subject(-4_000_000.0, 20_000.0, ""),
        limit: 10_000,
    };
    let mut flows: Vec<String> = store
        .flows(&question)
        .await
        .unwrap()
        .flows
        .into_iter()
        .map(|flow| format!("{flow:?}"))
        .collect();
    flows.sort();
    found.extend(flows);
    let held = store.inventory().await.unwrap();
    found.push(format!("{} {:?} {:?}", held.flows, held.first, held.last));
    found
}

#[track_caller]
fn assert_same(found: &[String], expected: &[String]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test]
async fn a_stretch_made_anew_is_as_if_it_had_never_been_otherwise() {
    for (place, fresh) in places().await.into_iter().zip(places().await) {
        put_surroundings(&fresh.store).await;
        put(&fresh.store, "here", "1", &new()).await;
        let expected = answers(&fresh.store).await;

        let (store, stretch) = (&place.store, stretch());
        put_surroundings(store).await;
        put(store, "here", "1", &old()).await;
        assert_eq!(store.rows_of(&stretch).await.unwrap(), 180);
        let mut hours = store.hours_of(&stretch).await.unwrap();
        // The first of the other rules' hours is known only from their rows.
        assert!(!hours.contains(&(at(-7200.0).seconds())));
        for attempt in 0..2 {
            store.erase(&stretch).await.unwrap();
            assert_eq!(store.rows_of(&stretch).await.unwrap(), 0);
            put(store, "here", &format!("again {attempt}"), &new()).await;
            assert_eq!(store.rows_of(&stretch).await.unwrap(), 170);
            hours.extend(store.hours_of(&stretch).await.unwrap());
            store.rebuild(&hours, &stretch).await.unwrap();
            // The second time must be looked at only when a third has had what is right already.
            if attempt == 0 {
                assert_same(&answers(store).await, &expected);
            }
        }
        store.rebuild(&hours, &stretch).await.unwrap();
        assert_same(&answers(store).await, &expected);
    }
}

#[tokio::test]
async fn hours_are_those_of_flows_that_rollups_have() {
    for place in places().await {
        let store = &place.store;
        let life = |start: f64, end: f64| Row {
            start,
            end,
            received: 3700.0,
            ..Row::default()
        };
        // Over a border; up to a border, which is in the next hour; and too long for any rollup.
        let rows = [
            life(3500.0, 3650.0),
            life(7190.0, 7200.0),
            life(-9000.0, -600.0),
        ];
        put(store, "here", "1", &on_tape(&rows, 100_000, 0)).await;
        let hours = store.hours_of(&stretch()).await.unwrap();
        let expected = [0.0, 3600.0, 7200.0].map(|hour| at(hour).seconds());
        assert_eq!(hours, BTreeSet::from(expected));
        let nobody = Stretch {
            collector: "nobody".to_owned(),
            ..stretch()
        };
        assert!(store.hours_of(&nobody).await.unwrap().is_empty());
        store.erase(&nobody).await.unwrap();
        assert_eq!(store.rows_of(&stretch()).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn what_records_no_longer_tell_is_not_made_anew() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let store = engine.store(Config {
        retention: Retention {
            flows_days: 2,
            ..Retention::default()
        },
        ..Config::default()
    });
    store.prepare().await.unwrap();
    let three_days_ago = flow::clock::now().offset(-3 * 86_400 * 1_000_000_000);
    let rows = on_tape(
        &[Row {
            received: 3700.0,
            ..Row::default()
        }],
        100_000,
        0,
    );
    let writer = store.writer("here");
    let refused = writer.insert(&rows, "1", three_days_ago).await.unwrap();
    assert_eq!(refused.rows, 0);
    let hours = BTreeSet::from([at(0.0).seconds()]);
    let told = |error: StoreError| matches!(&error, StoreError::Question(why) if why.contains("flows_days = 2"));
    assert!(told(
        store.check_rebuild(&stretch(), &hours).await.unwrap_err()
    ));
    assert!(told(store.rebuild(&hours, &stretch()).await.unwrap_err()));
    let kept = top(&store, Dimension::Applications, subject(0.0, 3600.0, "")).await;
    assert_eq!(kept, [group("web", 1000, 10, 1, 1)]);
    // Another hour has nothing that is so old.
    let hours = BTreeSet::from([at(7200.0).seconds()]);
    store.check_rebuild(&stretch(), &hours).await.unwrap();
    store.rebuild(&hours, &stretch()).await.unwrap();
}

#[tokio::test]
async fn a_collector_learns_how_far_it_was() {
    for place in places().await {
        let store = &place.store;
        let last = async |collector| store.last_position(collector).await.unwrap();
        assert_eq!(last("here").await, None);
        let at = |segment, offset| Some(TapePosition { segment, offset });
        let mut late = on_tape(&hour(0, |_| {}), 0, 0);
        late.origin.tape_segment.fill(3);
        put(store, "here", "late", &late).await;
        // 180 datagrams of 100 octets each: the last begins at 17,900. Later offsets of earlier segments don't count.
        put(store, "here", "early", &old()).await;
        assert_eq!(last("here").await, at(3, 17_900));
        assert_eq!(last("there").await, None);
        put(store, "there", "other", &old()).await;
        assert_eq!(last("there").await, at(1, 117_900));
        assert_eq!(last("here").await, at(3, 17_900));
    }
}
