//! Datagrams and capture files of any octets; see `fuzz/inputs/changes.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may"
)]

#[path = "../../fuzz/inputs/capture.rs"]
mod capture;
#[path = "../../fuzz/inputs/changes.rs"]
mod changes;
#[path = "../../fuzz/inputs/decode.rs"]
mod decode;
#[path = "../../fuzz/inputs/folder.rs"]
mod folder;

use std::fs;
use std::path::Path;

use changes::{SEED_OCTETS, captures, run};
use collector::capture::{CaptureFile, Selection};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures");

fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let Ok(capture) = CaptureFile::open(path, Selection::default()) else {
        return Vec::new();
    };
    let datagrams = capture.filter_map(Result::ok).take(40);
    datagrams
        .map(|datagram| datagram.payload.to_vec())
        .collect()
}

#[test]
fn decoding_takes_any_octets() {
    let seeds: Vec<_> = captures(Path::new(CAPTURES))
        .iter()
        .map(|path| {
            let mut joined = payloads(path).join(decode::SEPARATOR);
            joined.truncate(SEED_OCTETS);
            joined
        })
        .collect();
    run(decode::run, &seeds, 4000);
}

#[test]
fn case_49_captures_of_any_octets_are_read() {
    let seeds: Vec<_> = captures(Path::new(CAPTURES))
        .iter()
        .map(|path| {
            let mut octets = fs::read(path).unwrap();
            octets.truncate(SEED_OCTETS);
            octets
        })
        .collect();
    run(capture::run, &seeds, 3000);
}
