//! Recordings: a slice by reference, with rows of its own, and as Parquet: the same answers from all.

use std::net::Ipv6Addr;

use flow::Filter;
use store::Store;
use store::question::{Dimension, Quantity, Subject, Window};
use store::recording::{OtherAddresses, Slice};

use crate::places::{Place, places, servers};
use crate::rows::{Row, T0_S, at, group, insert, series, subject, top};

/// Flows of 100 octets at seconds 0, 10, 20 …, which arrive two seconds after their end; each third is mail.
fn traffic() -> Vec<Row> {
    let row = |number: u32| Row {
        received: f64::from(number) * 10.0 + 2.0,
        start: f64::from(number) * 10.0,
        end: f64::from(number) * 10.0,
        octets: 100,
        packets: 1,
        application: if number.is_multiple_of(3) {
            "mail"
        } else {
            "web"
        },
        ..Row::default()
    };
    let mut rows: Vec<Row> = (0..60).map(row).collect();
    // All that a row may hold, and a life from before the slice to its end.
    rows.push(Row {
        received: 400.0,
        start: 100.0,
        end: 300.0,
        octets: 2000,
        packets: 20,
        source: "2001:db8::5",
        reverse: Some((400, 4)),
        sampling: Some(10),
        application: "web",
        ..Row::default()
    });
    rows
}

/// What arrived from second 200 to 500.
fn slice(filter: &str) -> Slice {
    Slice {
        arrived: Window {
            from: at(200.0),
            to: at(500.0),
        },
        filter: Filter::parse(filter).unwrap(),
    }
}

fn by_reference(filter: &str, asked: Subject) -> Subject {
    let slice = slice(filter);
    Subject {
        filter: asked.filter.clone().and(slice.rows()),
        arrived: Some(slice.arrived),
        ..asked
    }
}

async fn digest(store: &Store, slice: Option<&Slice>) -> String {
    let rows = store.lay_out("here", slice, None).await.unwrap();
    let columns = rows.digest_columns().await.unwrap();
    rows.digest(&columns).await.unwrap()
}

/// A clock that is broken may say so.
#[tokio::test]
async fn rows_from_before_1970_leave_too() {
    for place in places().await {
        let before = Row {
            received: -f64::from(u32::try_from(T0_S).unwrap()) - 0.5,
            ..traffic()[0].clone()
        };
        insert(&place.store, "a", &[before, traffic()[1].clone()]).await;
        let rows = place.store.lay_out("here", None, None).await.unwrap();
        let parts = rows.parts().await.unwrap();
        let seconds = parts
            .iter()
            .map(|part| (part.from.seconds(), part.to.seconds()));
        let expected = [(-1, T0_S + 13)];
        assert_eq!(seconds.collect::<Vec<_>>(), expected);
    }
}

async fn own(place: &Place, number: u32) -> Store {
    let own = place.store.recording("here", number);
    own.prepare().await.unwrap();
    own
}

#[tokio::test]
async fn a_slice_answers_alike_by_reference_and_with_rows_of_its_own() {
    for place in places().await {
        let store = &place.store;
        insert(store, "a", &traffic()).await;
        for (number, filter) in [(1, ""), (2, "app web")] {
            let recording = own(&place, number).await;
            recording.copy_from(store, &slice(filter)).await.unwrap();
            // 20 to 49 arrive in time, of which 21, 24 … 48 are mail. The long one: 10 x (2000 + 400) octets over 200 s.
            let web = 20;
            let all: Vec<_> = [group("web", 100 * web + 24_000, web + 240, web + 1, 2)]
                .into_iter()
                .chain((filter.is_empty()).then(|| group("mail", 1000, 10, 10, 1)))
                .collect();
            // From 250 s on: 25 to 49, of which 27, 30 … 48 are mail, and a quarter of the long one's life.
            let web = 17;
            let part: Vec<_> = [group("web", 100 * web + 6000, web + 60, web + 1, 2)]
                .into_iter()
                .chain((filter.is_empty()).then(|| group("mail", 800, 8, 8, 1)))
                .collect();
            for (from, expected) in [(0.0, &all), (250.0, &part)] {
                let asked = subject(from, 3600.0, "");
                let referred = by_reference(filter, asked.clone());
                let answer = top(store, Dimension::Applications, referred).await;
                assert_eq!(&answer, expected, "{from} {filter}");
                let answer = top(&recording, Dimension::Applications, asked).await;
                assert_eq!(&answer, expected, "{from} {filter}");
            }
            let asked = subject(200.0, 500.0, "app web");
            let question = |subject| series(None, Quantity::Octets, subject, 60);
            let own = recording.series(&question(asked.clone())).await.unwrap();
            let referred = question(by_reference(filter, asked));
            assert_eq!(own, store.series(&referred).await.unwrap());

            let held = recording.held(None).await.unwrap();
            assert_eq!(held, store.held(Some(&slice(filter))).await.unwrap());
            assert_eq!(held.flows, if filter.is_empty() { 31 } else { 21 });
            let own = digest(&recording, None).await;
            assert_eq!(own, digest(store, Some(&slice(filter))).await);
        }
        assert_eq!(
            Vec::from_iter(store.recordings("here").await.unwrap()),
            [1, 2]
        );
        for number in [1, 1, 2, 3] {
            store.remove_recording("here", number).await.unwrap();
        }
        assert!(store.recordings("here").await.unwrap().is_empty());
        // Others keep recordings in the same store, under the same numbers.
        let there = store.recording("there", 1);
        there.prepare().await.unwrap();
        store.remove_recording("here", 1).await.unwrap();
        assert_eq!(
            Vec::from_iter(store.recordings("there").await.unwrap()),
            [1]
        );
        store.remove_recording("there", 1).await.unwrap();
        assert_eq!(store.held(None).await.unwrap().flows, 61);
    }
}

#[tokio::test]
async fn what_was_known_then_is_known_of_a_recording() {
    for place in places().await {
        insert(&place.store, "a", &traffic()).await;
        let recording = own(&place, 7).await;
        recording.copy_from(&place.store, &slice("")).await.unwrap();
        // At 300 s the flows of seconds 200 to 290 have arrived, the one that ended at 300 s has not.
        let mut then = subject(200.0, 310.0, "app web");
        then.known_at = Some(at(300.0));
        let web = top(&recording, Dimension::Applications, then.clone()).await;
        assert_eq!(web, [group("web", 700, 7, 7, 1)]);
        let referred = by_reference("", then);
        let web = top(&place.store, Dimension::Applications, referred).await;
        assert_eq!(web, [group("web", 700, 7, 7, 1)]);
    }
}

#[tokio::test]
async fn rows_come_back_from_parquet_as_they_went() {
    for place in places().await {
        let store = &place.store;
        insert(store, "a", &traffic()).await;
        let mut files = Vec::new();
        let wanted = slice("");
        let rows = store.lay_out("here", Some(&wanted), None).await.unwrap();
        for part in rows.parts().await.unwrap() {
            let mut file = Vec::new();
            rows.write_parquet(part, &mut file).await.unwrap();
            files.push(file);
        }
        assert_eq!(files.len(), 1);
        // "PAR1" at both ends: https://parquet.apache.org/docs/file-format/
        assert!(files[0].starts_with(b"PAR1") && files[0].ends_with(b"PAR1"));

        let recording = own(&place, 1).await;
        recording.read_parquet(&mut &files[0][..]).await.unwrap();
        recording.derive().await.unwrap();
        let everything = subject(0.0, 3600.0, "");
        let asked = top(&recording, Dimension::Clients, everything.clone()).await;
        let referred = by_reference("", everything);
        assert_eq!(asked, top(store, Dimension::Clients, referred).await);
        assert_eq!(asked[0], group("2001:db8::5", 24_000, 240, 1, 1));
        let here = digest(store, Some(&slice(""))).await;
        assert_eq!(digest(&recording, None).await, here);

        let torn = &files[0][..files[0].len() - 20];
        let error = recording.read_parquet(&mut &torn[..]).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
}

/// Adds one to the last octet, so that the truth can be told by heart.
struct Next;

impl OtherAddresses for Next {
    fn address(&self, address: Ipv6Addr) -> Ipv6Addr {
        Ipv6Addr::from_bits(address.to_bits() + 1)
    }

    fn mac(&self, mac: u64) -> u64 {
        mac + 1
    }

    fn application(&self, name: &str) -> String {
        format!("not {name}")
    }
}

#[tokio::test]
async fn rows_leave_under_other_addresses() {
    for place in servers().await {
        let store = &place.store;
        insert(store, "a", &traffic()).await;
        let wanted = slice("");
        let rows = store.lay_out("here", Some(&wanted), Some(&Next)).await;
        let rows = rows.unwrap();
        let columns = rows.digest_columns().await.unwrap();
        let told = rows.digest(&columns).await.unwrap();
        let recording = own(&place, 1).await;
        for part in rows.parts().await.unwrap() {
            let mut file = Vec::new();
            rows.write_parquet(part, &mut file).await.unwrap();
            recording.read_parquet(&mut &file[..]).await.unwrap();
        }
        recording.derive().await.unwrap();
        let everything = subject(0.0, 3600.0, "");
        let clients = top(&recording, Dimension::Clients, everything.clone()).await;
        assert_eq!(
            clients,
            [
                group("2001:db8::6", 24_000, 240, 1, 1),
                group("10.1.0.2", 3000, 30, 30, 1)
            ]
        );
        let exporters = top(&recording, Dimension::Servers, everything).await;
        assert_eq!(exporters, [group("10.2.0.2", 27_000, 270, 31, 2)]);
        store.clear_layout("here").await.unwrap();
        assert!(rows.digest(&columns).await.is_err());
        assert_eq!(digest(&recording, None).await, told);
    }
}

#[tokio::test]
async fn a_recording_has_more_rows_than_an_answer_of_the_engine_holds() {
    for place in servers().await {
        // Statements past the store go to the embedded engine only.
        let Some(engine) = &place.engine else {
            continue;
        };
        // 1.5 million flows of 7 octets, 10,000 a second: the engine's answers end at some 170 MB.
        let rows = 1_500_000_u64;
        for from in (0..rows).step_by(100_000) {
            engine
                .run(&format!(
                    "INSERT INTO {}.flows (received_at, stored_at, collector, tape_offset, begins_at, ends_at, application, octets, packets, \
                     client_addr, exporter_name) \
                     SELECT fromUnixTimestamp64Nano(toInt64({}) + number * 100000, 'UTC') AS at, now(), 'here', number, at, at, 'web', 7, 1, \
                     toIPv6('10.1.0.1'), repeat('x', 100) FROM numbers({from}, 100000)",
                    place.database,
                    at(200.0).nanos()
                ))
                .await;
        }
        let recording = own(&place, 1).await;
        recording.copy_from(&place.store, &slice("")).await.unwrap();
        let all = top(
            &recording,
            Dimension::Applications,
            subject(0.0, 3600.0, ""),
        );
        assert_eq!(all.await, [group("web", 7 * rows, rows, rows, 1)]);
        let minute = subject(240.0, 300.0, "");
        let minute = top(&recording, Dimension::Applications, minute).await;
        assert_eq!(minute, [group("web", 4_200_000, 600_000, 600_000, 1)]);
    }
}
