//! A record comes back as it went in, every column of it.

use std::net::Ipv6Addr;

use flow::FlowBatch;
use flow::batch::Columns;
use flow::column::{Blank, Column};
use store::question::Flows;

use crate::places::places;
use crate::rows::{Row, at, batch, insert, subject};

/// A value for each type; 1 is a code of every enumeration.
trait Some1: Blank {
    const VALUE: Self;
}

macro_rules! values {
    ($($type:ty = $value:expr),+) => { $(impl Some1 for $type { const VALUE: Self = $value; })+ };
}

values!(
    u8 = 1,
    u16 = 0x1234,
    u32 = 0x1234_5678,
    u64 = 0x1234_5678_9abc,
    i64 = 1_772_359_201_123_456_789,
    Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)
);

fn set<T: Some1>(column: &mut Column<T>, row: usize) {
    column.set(row, T::VALUE);
}

macro_rules! set_all {
    ($($name:ident: $type:ty,)+) => {
        fn set_all(columns: &mut Columns, row: usize) {
            $(set(&mut columns.$name, row);)+
        }
    };
}
flow::for_each_column!(set_all);

/// Row 0 has everything, row 1 nothing but its origin, row 2 a little and the sides the other way round.
fn full() -> FlowBatch {
    let mut rows = batch(&[
        Row::default(),
        Row::default(),
        Row {
            src_is_client: false,
            ..Row::default()
        },
    ]);
    rows.columns = Columns::default();
    set_all(&mut rows.columns, 0);
    rows.columns.src_port.set(2, 80);
    rows.columns.dst_addr.set(2, Ipv6Addr::LOCALHOST);
    rows.measures.push(0, 3, 17);
    rows.measures.push(0, 90, u64::MAX);
    rows.measures.push(2, 3, 0);
    rows.extras.push(0, "user".into(), "ann".to_owned());
    rows.extras.push(2, "url".into(), "a\0b'\\".to_owned());
    rows.extras.push(2, "user".into(), String::new());
    let added = &mut rows.enrichment;
    added.client_evidence.extend([2, 0, 99]);
    added.application_source.extend([1, 5, 200]);
    for column in [
        &mut added.in_interface_name,
        &mut added.out_interface_name,
        &mut added.exporter_application,
        &mut added.in_vrf_name,
    ] {
        column.set_text(0, "näme");
    }
    rows.pad();
    rows
}

#[tokio::test]
async fn every_column_comes_back() {
    let rows = full();
    for place in places().await {
        let stored_at = flow::clock::now();
        let refused = place
            .store
            .writer("here")
            .insert(&rows, "a", stored_at)
            .await
            .unwrap();
        assert_eq!(refused.rows, 0);
        let question = Flows {
            subject: subject(0.0, 60.0, ""),
            limit: 10,
        };
        let found = place.store.flows(&question).await.unwrap();
        assert!(!found.more);
        // All arrived at once: the last on the tape is the newest.
        let expected: Vec<_> = [2, 1, 0].into_iter().map(|row| rows.record(row)).collect();
        for (found, expected) in found.flows.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.flows.len(), 3);
    }
}

#[tokio::test]
async fn newest_first_and_whether_there_are_more() {
    for place in places().await {
        let store = &place.store;
        let rows: Vec<Row> = (0..20)
            .map(|number| Row {
                received: f64::from(number * 7 % 20) * 100.0,
                ..Row::default()
            })
            .collect();
        insert(store, "a", &rows).await;
        let ask = async |limit| {
            store
                .flows(&Flows {
                    subject: subject(0.0, 60.0, ""),
                    limit,
                })
                .await
                .unwrap()
        };
        let some = ask(3).await;
        let received: Vec<_> = some.flows.iter().map(|flow| flow.received_at).collect();
        assert_eq!(received, [at(1900.0), at(1800.0), at(1700.0)]);
        assert!(some.more);
        let all = ask(20).await;
        assert_eq!((all.flows.len(), all.more), (20, false));
    }
}

#[tokio::test]
async fn names_beyond_a_byte_of_dictionary() {
    for place in places().await {
        let mut rows = batch(&vec![Row::default(); 400]);
        for row in 0..400 {
            rows.enrichment
                .application
                .set_text(row, &format!("app {row}"));
        }
        let stored_at = flow::clock::now();
        let refused = place
            .store
            .writer("here")
            .insert(&rows, "a", stored_at)
            .await
            .unwrap();
        assert_eq!(refused.rows, 0);
        let question = Flows {
            subject: subject(0.0, 60.0, "app 'app 399'"),
            limit: 10,
        };
        let found = place.store.flows(&question).await.unwrap().flows;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].application.as_deref(), Some("app 399"));
    }
}
