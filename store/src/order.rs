//! The order of the rows in a block: the table's own. The engine sees that they are sorted and leaves them; sorting some hundred
//! columns would be most of its work (measured: 1.7 of 3.2 CPU-seconds per million rows).

use std::net::Ipv6Addr;

use flow::FlowBatch;
use flow::clock::NANOS_PER_SECOND;

use crate::block::side;

/// Width of the first part of the sort key of `flows`.
const BUCKET_NS: i64 = 300 * NANOS_PER_SECOND;

/// What a row is sorted by: (5 minutes of arrival, application), server, client, and the row itself, which makes it one order.
type Key = (u64, u128, u128, u32);

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
    // As good as the number itself for the order: times before 1970 don't wrap around.
    let bucket = received_at.div_euclid(BUCKET_NS).wrapping_sub(i64::MIN);
    let symbol = added.application.rows().get(row).map_or(0, |name| name.0);
    let rank = ranks.get(symbol as usize).copied().unwrap_or(0);
    (
        (bucket.cast_unsigned() << 32) | u64::from(rank),
        number(side(added, row, [dst, src])),
        number(side(added, row, [src, dst])),
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
