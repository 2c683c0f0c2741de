//! Any octets: nothing panics, and nothing changes its size.

use std::sync::LazyLock;

use collector::decode::DecodeConfig;
use collector::fields::FieldTable;
use collector::rewrite::{Anonymizer, Knowledge, Latest, LatestConfig, Sequences, TimeMove};
use flow::Datagram;
use proptest::prelude::*;

use crate::wire::{FIELDS, datagram, ipfix, record, set, template, v5, v9};

const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

/// Real datagrams, at most ten of a capture, or made ones.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let sets = [set(2, &template(256, FIELDS)), set(256, &record(1, 2))];
    let mut seeds = vec![v5(1, 2, 2, 0), v9(1, 2, &[]), ipfix(1, 2, &sets)];
    for (_, datagrams) in crate::all_captures() {
        let some = datagrams
            .iter()
            .filter(|it| it.payload.len() <= 1_500)
            .take(10);
        seeds.extend(some.map(|datagram| datagram.payload.to_vec()));
    }
    seeds
});

/// Changes of octets: where, and what is written there.
type Changes = Vec<(prop::sample::Index, Vec<u8>)>;

fn changed(seed: &[u8], changes: &Changes) -> Vec<u8> {
    let mut octets = seed.to_vec();
    for (at, written) in changes {
        let at = at.index(octets.len().max(1));
        let room = octets.len() - at.min(octets.len());
        let written = &written[..written.len().min(room)];
        octets[at..at + written.len()].copy_from_slice(written);
    }
    octets
}

fn rewrite_all(datagrams: &[Datagram]) {
    let (config, table) = (DecodeConfig::default(), FieldTable::builtin());
    let mut knowledge = Knowledge::new(config.clone(), table.clone());
    let mut latest = Latest::new(config.clone(), table.clone(), LatestConfig::default());
    let mut anonymizer = Anonymizer::new(KEY.parse().unwrap(), config.clone(), table.clone());
    let mut moving = TimeMove::new(config.clone(), table.clone());
    let mut sequences = Sequences::new(config, table);
    for datagram in datagrams {
        let length = datagram.payload.len();
        assert!(
            knowledge
                .of(datagram)
                .is_none_or(|it| it.payload.len() <= length)
        );
        latest.take(datagram);
        let refused = anonymizer.counts().unreadable;
        match anonymizer.datagram(datagram) {
            Ok(hidden) => assert_eq!(hidden.payload.len(), length),
            Err(_) => assert_eq!(anonymizer.counts().unreadable, refused + 1),
        }
        for seconds in [-86_400, i64::MIN, i64::MAX] {
            assert_eq!(moving.datagram(datagram, seconds).payload.len(), length);
        }
        sequences.learn(datagram);
        assert_eq!(sequences.datagram(datagram, u64::MAX).payload.len(), length);
    }
    latest.into_prologue();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_octets(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4), version in 0..12_u8) {
        let datagrams: Vec<_> = payloads
            .into_iter()
            .map(|mut payload| {
                payload.splice(..payload.len().min(2), [0, version]);
                datagram(payload)
            })
            .collect();
        rewrite_all(&datagrams);
    }

    #[test]
    fn changed_datagrams(
        picked in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..5)), 0..4), any::<prop::sample::Index>()), 1..6),
    ) {
        let datagrams: Vec<_> = picked
            .iter()
            .map(|(seed, changes, end)| {
                let mut payload = changed(&SEEDS[seed.index(SEEDS.len())], changes);
                // Most stay whole.
                if end.index(4) == 0 {
                    payload.truncate(end.index(payload.len() + 1));
                }
                datagram(payload)
            })
            .collect();
        rewrite_all(&datagrams);
    }
}
