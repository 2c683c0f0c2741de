//! Fault 49: tapes of any octets; see `fuzz/inputs/changes.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may"
)]
#![allow(clippy::cast_possible_truncation, reason = "lengths of small inputs")]

#[path = "../../fuzz/inputs/changes.rs"]
mod changes;
#[path = "../../fuzz/inputs/folder.rs"]
mod folder;
#[path = "../../fuzz/inputs/tape.rs"]
mod target;

use std::fs;

use changes::run;
use flow::Timestamp;
use replay::{TapeConfig, TapeWriter};

#[test]
fn case_49_tapes_of_any_octets_are_read_and_written_on() {
    let segment = small_segment();
    // Checksums that are made right, and those that stand there; raw and compressed; with an index; two segments.
    let seeds: Vec<_> = [0, 1, 2, 3, 5, 9, 13, 19, 27]
        .map(|flags: u8| [vec![flags], segment.clone()].concat())
        .to_vec();
    run(target::run, &seeds, 1500);
}

fn small_segment() -> Vec<u8> {
    let folder = folder::folder();
    let now = Timestamp::from_seconds(1_700_000_000);
    let config = TapeConfig {
        dir: folder.path().join("tape"),
        ..TapeConfig::default()
    };
    let (mut writer, _) = TapeWriter::open(config.clone(), now).unwrap();
    let datagrams: Vec<_> = (0..12_u8)
        .map(|number| flow::Datagram {
            received_at: now.offset(i64::from(number) * 700_000_000),
            source: ([192, 0, 2, number], 2055).into(),
            local_port: 4739,
            feed: flow::Feed::WIRE,
            payload: vec![number; usize::from(number) * 9].into(),
        })
        .collect();
    assert_eq!(writer.append(&datagrams, now).written, 12);
    fs::read(config.dir.join("0000000001.tape")).unwrap()
}
