//! The active timeouts of a simulated enterprise's exporters, told by what they send.

use std::collections::BTreeMap;
use std::time::Duration;

use flow::{FlowBatch, Timestamp};
use simulator::enterprise::{Config, Enterprise};

use crate::support::{decoder, position};

/// The simulator's map (`simulator/src/enterprise/map.rs`): branch-1, 10.250.0.3, cuts after two minutes, all others after one.
fn configured(address: &str) -> u32 {
    if address == "10.250.0.3" { 120 } else { 60 }
}

#[test]
fn estimates_are_what_is_configured_or_none() {
    let start = Timestamp::from_seconds(1_772_442_000);
    let mut enterprise = Enterprise::new(Config {
        users: 150,
        ..Config::new(7, start)
    });
    let mut decoder = decoder();
    let mut batch = FlowBatch::default();
    let mut index = 0;
    let end = start + Duration::from_secs(1_800);
    enterprise.advance(end, &mut |datagram| {
        batch.clear();
        decoder.decode(&datagram, position(index), &mut batch);
        index += 1;
    });
    let told: BTreeMap<String, Option<u32>> = decoder
        .exporters()
        .into_iter()
        .map(|it| (it.address.to_string(), it.active_timeout_s))
        .collect();
    assert_eq!(told.len(), 10);
    for (address, seconds) in &told {
        assert!(
            seconds.is_none_or(|seconds| seconds == configured(address)),
            "{told:?}"
        );
    }
    // Nothing long passes the second virtual switch.
    let unknown: Vec<_> = told.iter().filter(|(_, it)| it.is_none()).collect();
    assert!(
        unknown.iter().all(|(address, _)| *address == "10.250.0.8"),
        "{told:?}"
    );
}
