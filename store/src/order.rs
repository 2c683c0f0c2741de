//! The order of the rows in a block: the table's own. The engine sees that they are sorted and leaves them; sorting some hundred
//! columns would be most of its work (measured: 1.7 of 3.2 CPU-seconds per million rows).

use std::net::Ipv6Addr;

use flow::FlowBatch;
use flow::clock::NANOS_PER_SECOND;

use crate::block::side;

/// Width of the first part of the sort key of `flows`.
const BUCKET_NS: i64 = 300 * NANOS_PER_SECOND;

/// What a row is sorted by: 5 minutes of arrival, application, server, and its place in the batch, which is that on the tape.
type Key = (i64, u32, u128, u32);

/// These rows of a batch as the sort key of `flows` has them.
///
/// Should it be wrong for some row (an absent address and the largest one are taken for the same), the engine sorts.
pub(crate) fn sorted(batch: &FlowBatch, rows: impl Iterator<Item = usize>) -> Vec<u32> {
    let ranks = ranks(batch);
    let mut keys: Vec<Key> = rows.map(|row| key(batch, &ranks, row)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(.., row)| row).collect()
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
        u32::try_from(row).unwrap_or(u32::MAX),
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
