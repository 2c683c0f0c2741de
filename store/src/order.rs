//! The order of the rows in a block: the table's own. The engine sees that they are sorted and leaves them; sorting some hundred
//! columns would be most of its work (measured: 1.7 of 3.2 CPU-seconds per million rows).

use std::net::Ipv6Addr;
use std::ops::Range;

use flow::FlowBatch;
use flow::clock::NANOS_PER_SECOND;

use crate::block::side;
use crate::rollup::Numbers;

/// Width of the first part of the sort key of `flows`.
const BUCKET_NS: i64 = 300 * NANOS_PER_SECOND;

/// What rows are sorted by: 5 minutes of arrival, application and server. Within them they stay as they are in the batch, which is
/// their order on tape.
type Key = (i64, u32, u128);

/// These rows of a batch, which come in its order, as the sort key of `flows` has them.
///
/// Few keys are many rows', so the keys are sorted and the rows counted. Should it be wrong for some row (an absent address
/// and the largest one are taken for the same), the engine sorts.
pub(crate) fn sorted(batch: &FlowBatch, rows: Range<usize>) -> Vec<u32> {
    let ranks = ranks(batch);
    let mut keys = Numbers::default();
    let numbers: Vec<u32> = rows
        .clone()
        .map(|row| keys.of(key(batch, &ranks, row)))
        .collect();
    let mut places = starts(&keys.values, &numbers);
    let mut order = vec![0; numbers.len()];
    for (row, number) in rows.zip(numbers) {
        let place = &mut places[number as usize];
        order[*place] = u32::try_from(row).unwrap_or(u32::MAX);
        *place += 1;
    }
    order
}

/// Where the rows of each key start, if those of smaller keys come first.
fn starts(keys: &[Key], numbers: &[u32]) -> Vec<usize> {
    let mut counts = vec![0; keys.len()];
    for number in numbers {
        counts[*number as usize] += 1;
    }
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|number| keys[*number]);
    let mut start = 0;
    for number in order {
        start += std::mem::replace(&mut counts[number], start);
    }
    counts
}

fn key(batch: &FlowBatch, ranks: &[u32], row: usize) -> Key {
    let added = &batch.enrichment;
    let (src, dst) = (&batch.columns.src_addr, &batch.columns.dst_addr);
    // A gap sorts last.
    let number = |address: Option<Ipv6Addr>| address.map_or(u128::MAX, u128::from);
    let received_at = batch.origin.received_at.get(row).copied().unwrap_or(0);
    let symbol = added.application.rows().get(row).map_or(0, |name| name.0);
    (
        received_at.div_euclid(BUCKET_NS),
        ranks.get(symbol as usize).copied().unwrap_or(0),
        number(side(added, row, [dst, src])),
    )
}

/// The place of each application's name among those of the batch, by symbol; '' is the first.
fn ranks(batch: &FlowBatch) -> Vec<u32> {
    let names = batch.enrichment.application.texts();
    let mut symbols: Vec<usize> = (0..names.len()).collect();
    symbols.sort_unstable_by_key(|symbol| &names[*symbol]);
    let mut ranks = vec![0; names.len() + 1];
    for (rank, symbol) in (1..).zip(symbols) {
        ranks[symbol + 1] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_the_table_and_of_the_tape() {
        let mut batch = FlowBatch::default();
        let address = |last: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        // Seconds of arrival, application and server. One arrived before 1970, one has no server, one no application.
        let rows = [
            (301, "web", Some(9)),
            (299, "web", None),
            (299, "web", Some(9)),
            (299, "mail", Some(9)),
            (299, "web", Some(2)),
            (-1, "web", Some(9)),
            (299, "", Some(9)),
            (0, "web", Some(2)),
        ];
        for (row, (second, application, server)) in rows.into_iter().enumerate() {
            batch.origin.received_at.push(second * NANOS_PER_SECOND);
            if let Some(server) = server {
                batch.columns.dst_addr.set(row, address(server));
            }
            if !application.is_empty() {
                batch.enrichment.application.set_text(row, application);
            }
        }
        assert_eq!(sorted(&batch, 0..8), [5, 6, 3, 4, 7, 2, 1, 0]);
        assert_eq!(sorted(&batch, 1..4), [3, 2, 1]);
    }
}
