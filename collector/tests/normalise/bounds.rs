//! What a flood can and can't do.

use std::net::Ipv6Addr;

use collector::normalise::{NormaliseConfig, Normaliser};
use flow::FlowBatch;

use crate::rows::*;

const ROWS: usize = 1_000_000;

/// A million conversations of a million clients with a few thousand servers.
fn flood() -> FlowBatch {
    let row = Row {
        flags: Some(WHOLE),
        ..Row::new("10.0.0.1:50000", "10.1.0.1:9000")
    };
    let mut one = batch(std::slice::from_ref(&row));
    let origin = &mut one.origin;
    origin.received_at.resize(ROWS, origin.received_at[0]);
    origin.feed.resize(ROWS, 0);
    origin.domain.resize(ROWS, 0);
    origin.exporter.resize(ROWS, origin.exporter[0]);
    let (src, dst) = (row.src.ip(), row.dst.ip());
    let address =
        |base, add: u32| Ipv6Addr::from(flow::address::widen(base).to_bits() + u128::from(add));
    let columns = &mut one.columns;
    for n in 1..ROWS {
        let number = u32::try_from(n).unwrap();
        columns.src_addr.set(n, address(src, number));
        columns.dst_addr.set(n, address(dst, number % 5000));
        columns.src_port.set(n, 50_000);
        columns.dst_port.set(n, 9999);
        columns.protocol.set(n, TCP);
        columns.octets.set(n, 1500);
    }
    one
}

#[test]
fn a_million_conversations_take_no_more_room_than_is_there() {
    let config = NormaliseConfig {
        conversations_max: 4096,
        learned_max: 100,
        learned_candidates_max: 1024,
        decisions_max: 1024,
        ..NormaliseConfig::default()
    };
    let mut normaliser = Normaliser::new(config, &Default::default());
    let mut batch = flood();
    normaliser.normalise(&mut batch, 0);
    let stats = normaliser.stats();
    assert_eq!(stats.rows, ROWS as u64);
    assert_eq!(stats.conversations, ROWS as u64);
    // All but those that are still remembered, at most as many as there are places.
    let remembered = stats.conversations - stats.conversations_forgotten;
    assert!((1..=4096).contains(&remembered), "{remembered}");
    assert_eq!(
        (stats.services_learned, normaliser.learned().len()),
        (100, 100)
    );
    assert!(stats.services_refused > 0);
    // Names grow with what was learned, not with what was seen: the protocol and a hundred services.
    assert_eq!(batch.enrichment.application.texts().len(), 101);
    assert!(
        batch
            .enrichment
            .accounting
            .iter()
            .all(|counted| *counted == 1)
    );
}

#[test]
fn an_import_leaves_room_for_the_next() {
    let config = NormaliseConfig {
        learned_max: 1,
        ..NormaliseConfig::default()
    };
    let mut normaliser = Normaliser::new(config, &Default::default());
    let clients = |feed| -> Vec<_> {
        let client = |n| Row {
            feed,
            flags: Some(WHOLE),
            ..Row::new(&format!("10.6.0.{n}:50000"), "10.1.2.3:9999")
        };
        (0..40).map(client).collect()
    };
    for feed in [1, 2, 0, 3] {
        records(&mut normaliser, &clients(feed));
        let learned: Vec<_> = normaliser
            .learned()
            .iter()
            .map(|service| service.feed.0)
            .collect();
        // The wire's stays.
        assert_eq!(learned, [if feed == 3 { 0 } else { feed }]);
    }
}
