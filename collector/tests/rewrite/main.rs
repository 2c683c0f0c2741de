//! Datagrams made of datagrams: what is left of them, what is hidden, when they are, and how they are numbered. The decoder
//! is the witness.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod anonymize;
mod knowledge;
mod octets;
mod sequences;
#[path = "../faults/support.rs"]
mod support;
mod times;
#[path = "../faults/wire.rs"]
mod wire;

use collector::capture::{CaptureFile, Selection};
use flow::{Datagram, FlowBatch, FlowRecord};
use serde_json::Value;

/// The datagrams of every capture of the manifest that has any, by its path; none without the captures.
fn all_captures() -> impl Iterator<Item = (String, Vec<Datagram>)> {
    let folder = support::captures();
    let manifest = folder.map_or(Vec::new(), |folder| {
        let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    });
    manifest.into_iter().filter_map(|capture| {
        let path = capture["path"].as_str().unwrap().to_owned();
        let file = support::captures().unwrap().join(&path);
        let file = CaptureFile::open(&file, Selection::default()).unwrap();
        let datagrams: Vec<_> = file.map(Result::unwrap).collect();
        (!datagrams.is_empty()).then_some((path, datagrams))
    })
}

fn rows(batch: &FlowBatch) -> impl Iterator<Item = FlowRecord> {
    (0..batch.rows()).map(|row| batch.record(row))
}
