//! Batches that are too large for one block.

use std::net::Ipv6Addr;

use flow::{FlowBatch, TapePosition};
use store::question::Dimension;
use store::{Config, Refused, Stretch, Writer};

use crate::places::{Place, Running, servers};
use crate::rows::{at, subject, top};

/// Flows of some seconds each: 600 octets and 10 packets, all of other clients, over many interfaces.
fn crowd(rows: u32, seconds: f64) -> FlowBatch {
    let mut batch = FlowBatch::default();
    for number in 0..rows {
        let row = number as usize;
        let origin = &mut batch.origin;
        origin.received_at.push(at(700.0).nanos());
        origin.tape_segment.push(1);
        origin.tape_offset.push(number / 30 * 1500);
        origin.record_offset.push(24);
        origin.feed.push(0);
        origin.exporter.push(Ipv6Addr::from_bits(1));
        origin.domain.push(0);
        origin.version.push(9);
        origin.template.push(256);
        let columns = &mut batch.columns;
        columns.start.set(row, at(0.0).nanos());
        columns.end.set(row, at(seconds).nanos());
        columns.octets.set(row, 600);
        columns.packets.set(row, 10);
        let client = Ipv6Addr::from_bits((0x2001_0db8 << 96) + u128::from(number));
        columns.src_addr.set(row, client);
        columns.dst_addr.set(row, Ipv6Addr::from_bits(2));
        columns.in_interface.set(row, number);
        columns.out_interface.set(row, number % 7);
        let added = &mut batch.enrichment;
        added.src_is_client.push(1);
        added.accounting.push(1);
        added.application.set_text(row, ["web", "mail"][row % 2]);
    }
    batch.pad();
    batch
}

async fn put(writer: &Writer, batch: &FlowBatch) {
    let refused = writer.insert(batch, "large", flow::clock::now()).await;
    assert_eq!(refused.unwrap(), Refused::default());
}

async fn rows(place: &Place) -> u64 {
    place.store.inventory().await.unwrap().flows
}

/// Of ten minutes, the most that the finest rollup takes, so that a row is in 61 of its buckets: an engine of 1 GB must
/// bear it.
#[tokio::test]
async fn a_batch_of_long_lives_does_not_take_all_memory() {
    let batch = crowd(20_000, 600.0);
    for place in servers().await {
        let writer = place.store.writer("here");
        put(&writer, &batch).await;
        assert_eq!(rows(&place).await, 20_000);
        // Half of the octets of each: 300 s of 600.
        let half = || {
            top(
                &place.store,
                Dimension::Applications,
                subject(0.0, 300.0, ""),
            )
        };
        let found = half().await;
        let plain: Vec<_> = found
            .iter()
            .map(|(name, octets, packets, flows, _)| (name.as_str(), *octets, *packets, *flows))
            .collect();
        let each = (10_000 * 300, 10_000 * 5, 10_000);
        assert_eq!(
            plain,
            [
                ("mail", each.0, each.1, each.2),
                ("web", each.0, each.1, each.2)
            ]
        );
        // Nor does making its hour anew.
        let position = |offset| TapePosition { segment: 1, offset };
        let stretch = Stretch {
            collector: "here".to_owned(),
            from: position(0),
            to: position(u32::MAX),
            received_from: at(0.0),
            received_to: at(3600.0),
        };
        let store = &place.store;
        let hours = store.hours_of(&stretch).await.unwrap();
        store.rebuild(&hours, &stretch).await.unwrap();
        assert_eq!(half().await, found);
    }
}

#[tokio::test]
async fn pieces_are_stored_once_wherever_an_attempt_ended() {
    let Some(engine) = Running::start().await else {
        return;
    };
    let mut batch = crowd(140_000, 1.0);
    for row in 0..140_000_u32 {
        batch.columns.in_interface.set(row as usize, row % 50);
    }
    // Behind the first piece of the rows, the second, and most of what is derived from them.
    let breaks = [
        (131_100, &["traffic_10s", "interfaces_10s"][..]),
        (140_000, &["traffic_10s", "interfaces_10s"]),
        (140_000, &["extents"]),
    ];
    for (number, (stored, tables)) in breaks.into_iter().enumerate() {
        let database = format!("broken_{number}");
        let store = engine.store(Config {
            database: database.clone(),
            ..Config::default()
        });
        store.prepare().await.unwrap();
        let alter = async |change: &str| {
            for table in tables {
                let statement = format!("ALTER TABLE {database}.{table} {change}");
                engine.run(&statement).await;
            }
        };
        alter("ADD CONSTRAINT broken CHECK 0").await;
        let writer = store.writer("here");
        let mut attempt = batch.clone();
        attempt.truncate(stored);
        let outcome = writer.insert(&attempt, "large", flow::clock::now()).await;
        assert!(outcome.unwrap_err().is_retryable());
        assert_eq!(store.inventory().await.unwrap().flows, stored as u64);
        alter("DROP CONSTRAINT broken").await;
        for _ in 0..2 {
            put(&writer, &batch).await;
            assert_eq!(store.inventory().await.unwrap().flows, 140_000);
            let found = top(&store, Dimension::Exporters, subject(0.0, 10.0, "")).await;
            let (_, octets, packets, flows, _) = found[0];
            assert_eq!((octets, packets, flows), (84_000_000, 1_400_000, 140_000));
        }
    }
}
