//! What decoding leaves behind: no memory is asked for again once a batch has had its size.

use flow::FlowBatch;

use crate::support::{decoder, position};
use crate::wire::{FIELDS, datagram, record, set, template, v5, v9};

/// Where the batch's vectors lie.
fn places(batch: &FlowBatch) -> Vec<usize> {
    let columns = &batch.columns;
    vec![
        batch.origin.received_at.as_ptr().addr(),
        batch.origin.exporter.as_ptr().addr(),
        batch.origin.record_offset.as_ptr().addr(),
        columns.start.values().as_ptr().addr(),
        columns.end.nulls().as_ptr().addr(),
        columns.time_quality.values().as_ptr().addr(),
        columns.src_addr.values().as_ptr().addr(),
        columns.octets.values().as_ptr().addr(),
        columns.octets.nulls().as_ptr().addr(),
        columns.packets.values().as_ptr().addr(),
        columns.protocol.values().as_ptr().addr(),
        columns.counter_kind.values().as_ptr().addr(),
    ]
}

#[test]
fn a_batch_that_was_filled_once_is_filled_again_where_it_lies() {
    let mut decoder = decoder();
    let mut batch = FlowBatch::default();
    let body: Vec<u8> = (0..20).flat_map(|host| record(host, 100)).collect();
    let mut places_of = |round: u32, batch: &mut FlowBatch| {
        batch.clear();
        for number in 0..200 {
            let sequence = round * 200 + number;
            let sets = [set(0, &template(256, FIELDS)), set(256, &body)];
            let at = position(sequence as usize);
            decoder.decode(&datagram(v9(sequence, 1, &sets)), at, batch);
            decoder.decode(&datagram(v5(sequence * 20, 20, 20, 0)), at, batch);
        }
        assert_eq!(batch.rows(), 8_000);
        places(batch)
    };
    let first = places_of(0, &mut batch);
    for round in 1..4 {
        assert_eq!(places_of(round, &mut batch), first, "round {round}");
    }
}
