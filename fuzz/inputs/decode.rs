//! Datagrams of any octets, several after each other from one exporter: no panic, and the books balance.

use bytes::Bytes;
use collector::decode::{DecodeConfig, Decoder};
use collector::fields::FieldTable;
use flow::{Datagram, Feed, FlowBatch, TapePosition, Timestamp};

/// Separates the datagrams of one input; no export protocol begins with it.
pub(crate) const SEPARATOR: &[u8] = b"\xff\xfe\xfd\xfc";

/// Decodes.
pub(crate) fn run(input: &[u8]) {
    let mut decoder = Decoder::new(DecodeConfig::default(), FieldTable::builtin());
    let mut batch = FlowBatch::default();
    let mut rest = input;
    let mut offset = 0;
    while !rest.is_empty() {
        let end = rest
            .windows(SEPARATOR.len())
            .position(|four| four == SEPARATOR);
        let (payload, after) = match end {
            Some(end) => (&rest[..end], &rest[end + SEPARATOR.len()..]),
            None => (rest, &rest[rest.len()..]),
        };
        let datagram = Datagram {
            received_at: Timestamp::from_seconds(1_700_000_000 + i64::from(offset)),
            source: ([10, 0, 0, 1], 2055).into(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::copy_from_slice(payload),
        };
        decoder.decode(&datagram, TapePosition { segment: 1, offset }, &mut batch);
        rest = after;
        offset += 1;
    }
    batch.pad();
    for row in 0..batch.rows() {
        let _ = batch.record(row);
    }
    assert!(decoder.books().balance(), "{:?}", decoder.books());
}
