//! Captures by name, and the decoder over them.
#![allow(dead_code, reason = "two test programs share it, and each uses a part")]

use std::path::PathBuf;

use collector::capture::{CaptureFile, Selection};
use collector::decode::{DecodeConfig, Decoder, Problem};
use collector::fields::FieldTable;
use flow::{Datagram, FlowBatch, TapePosition, Timestamp};

use crate::wire::{EXPORT_S, datagram};

/// The folder of captures; `None` (and a line that says so) if it is not there, which under CI fails.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/captures"
    ));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "under CI the captures must be there: {}",
        folder.display()
    );
    eprintln!("skipped: no captures at {}", folder.display());
    None
}

/// All datagrams of a capture.
pub(crate) fn datagrams(path: &str) -> Vec<Datagram> {
    let path = captures().unwrap().join(path);
    CaptureFile::open(&path, Selection::default())
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// A decoder with the built-in table and no limits changed.
pub(crate) fn decoder() -> Decoder {
    Decoder::new(DecodeConfig::default(), FieldTable::builtin())
}

/// The n-th datagram's place on a tape of its own.
pub(crate) fn position(index: usize) -> TapePosition {
    TapePosition {
        segment: 1,
        offset: u32::try_from(index).unwrap(),
    }
}

/// Decodes datagrams in their order.
pub(crate) fn decode(datagrams: &[Datagram]) -> (Decoder, FlowBatch) {
    let mut decoder = decoder();
    let mut batch = FlowBatch::default();
    for (index, datagram) in datagrams.iter().enumerate() {
        decoder.decode(datagram, position(index), &mut batch);
    }
    batch.pad();
    assert!(decoder.books().balance(), "{:?}", decoder.books());
    (decoder, batch)
}

/// Sum of a column over the batch.
pub(crate) fn sum(column: &flow::column::Column<u64>) -> u64 {
    column
        .values()
        .iter()
        .fold(0, |sum, value| sum.wrapping_add(*value))
}

/// Decodes packets of one sender in their order.
pub(crate) fn run(payloads: Vec<Vec<u8>>) -> (Decoder, FlowBatch) {
    let datagrams: Vec<_> = payloads.into_iter().map(datagram).collect();
    decode(&datagrams)
}

/// How often a problem was met.
pub(crate) fn met(decoder: &Decoder, problem: Problem) -> u64 {
    decoder.problems().get(problem)
}

/// The datagram as it arrived so many seconds after the others.
pub(crate) fn later(mut datagram: Datagram, seconds: i64) -> Datagram {
    datagram.received_at = Timestamp::from_seconds(i64::from(EXPORT_S) + 1 + seconds);
    datagram
}
