//! A batch in pieces: where it is cut, and what each piece is called.

use std::ops::Range;

use flow::FlowBatch;
use flow::clock::NANOS_PER_SECOND;

use crate::block::life;
use crate::plan::Tier;
use crate::rare::Rare;

/// Rows of a piece, at most, and those of the rest of a datagram.
///
/// A batch of a store that keeps up is one piece. A row has some 400 octets in the engine, absent columns included, and
/// a statement 334 MiB of an engine of 1 GB, 95 MiB of the smallest.
const ROWS_MAX: usize = 1 << 17;
/// Buckets of a rollup that the rows of a stretch are in, at most, and those of one more datagram: what making the rollups
/// takes in memory, some 100 octets each.
const BUCKETS_MAX: u64 = 500_000;
/// Octets of pairs in maps that a piece holds, at most, and those of one more datagram.
const PAIR_OCTETS_MAX: usize = 16 << 20;
/// What a pair of a name and a number takes in the engine, and on its way there.
const PAIR_OCTETS: usize = 32;

/// Some rows of a batch that are one block, under a token of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) rows: Range<usize>,
    pub(crate) token: String,
}

impl Piece {
    /// Named by its first row, which no other piece has: `{token}/{segment}:{offset}+{record offset}`. The last part is
    /// needed where a datagram's records come at two places of a batch, as some of them had to wait for a template.
    fn of(batch: &FlowBatch, rows: Range<usize>, token: &str) -> Self {
        let place = batch.position(rows.start);
        let record = batch.origin.record_offset[rows.start];
        let token = format!("{token}/{place}+{record}");
        Self { rows, token }
    }

    /// Both halves, under the piece's token with `.0` and `.1` behind it; `None` of a single row.
    pub(crate) fn halves(&self) -> Option<[Self; 2]> {
        let Range { start, end } = self.rows;
        let middle = start + self.rows.len() / 2;
        let half = |rows, number| Self {
            rows,
            token: format!("{}.{number}", self.token),
        };
        (middle > start).then(|| [half(start..middle, 0), half(middle..end, 1)])
    }
}

/// Rows that go into the rollups together, and the pieces in which they go into `flows`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Derivation {
    pub(crate) rows: Range<usize>,
    pub(crate) pieces: Vec<Piece>,
}

/// Cuts a batch so that no piece needs more memory than a small engine has, and, if the table is `sharded` by the tape's
/// segment, so that each is one shard's. Most batches are one stretch.
///
/// By the batch alone, so that the same batch is always the same pieces: what was cut otherwise when it is repeated would
/// be there twice, or not at all. Between datagrams only, and named by the tape: where a repetition differs by a datagram,
/// all pieces before it keep name and content.
pub(crate) fn derivations(batch: &FlowBatch, token: &str, sharded: bool) -> Vec<Derivation> {
    let mut found = Vec::new();
    let (mut start, mut buckets) = (0, 0);
    let mut close = |rows: Range<usize>| {
        let pieces = pieces(batch, rows.clone(), token, sharded);
        found.push(Derivation { rows, pieces });
    };
    for row in 0..batch.rows() {
        if buckets >= BUCKETS_MAX && may_cut(batch, row, true, false) {
            close(start..row);
            (start, buckets) = (row, 0);
        }
        buckets += buckets_of(life(batch, row));
    }
    if start < batch.rows() {
        close(start..batch.rows());
    }
    found
}

fn pieces(batch: &FlowBatch, rows: Range<usize>, token: &str, sharded: bool) -> Vec<Piece> {
    let mut found = Vec::with_capacity(rows.len() / ROWS_MAX + 1);
    let rare_columns = Rare::of(batch).len();
    let (mut start, mut octets) = (rows.start, 0);
    for row in rows.clone() {
        let full = row - start >= ROWS_MAX || octets >= PAIR_OCTETS_MAX;
        if row > start && may_cut(batch, row, full, sharded) {
            found.push(Piece::of(batch, start..row, token));
            (start, octets) = (row, 0);
        }
        octets += rare_columns * PAIR_OCTETS;
        if !batch.measures.is_absent() {
            octets += batch.measures.get(row).count() * PAIR_OCTETS;
        }
        if !batch.extras.is_absent() {
            let texts = batch.extras.get(row);
            octets += texts
                .map(|(_, text)| text.len() + PAIR_OCTETS)
                .sum::<usize>();
        }
    }
    if start < rows.end {
        found.push(Piece::of(batch, start..rows.end, token));
    }
    found
}

/// Whether a piece that is `full` or `sharded` may end before `row`.
fn may_cut(batch: &FlowBatch, row: usize, full: bool, sharded: bool) -> bool {
    let segment = &batch.origin.tape_segment;
    (full && batch.position(row - 1) != batch.position(row))
        || (sharded && segment[row - 1] != segment[row])
}

/// In how many buckets of a rollup a flow is, of the one where it is in most.
fn buckets_of((first, last): (i64, i64)) -> u64 {
    let tier = [Tier::TenSeconds, Tier::Minute]
        .into_iter()
        .find(|tier| last - first <= tier.life_ns_max());
    let seconds = u64::try_from((last - first) / NANOS_PER_SECOND).unwrap_or(0);
    tier.map_or(0, |tier| seconds / tier.width_s() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Datagrams of 1,500 octets with `records` each.
    fn batch(rows: u32, records: u32, text: &str) -> FlowBatch {
        let mut batch = FlowBatch::default();
        for row in 0..rows {
            batch.origin.received_at.push(0);
            batch.origin.tape_segment.push(3);
            batch.origin.tape_offset.push(row / records * 1500);
            batch.origin.record_offset.push(24);
            if !text.is_empty() {
                batch
                    .extras
                    .push(row as usize, "text".into(), text.to_owned());
            }
        }
        batch
    }

    fn all(batch: &FlowBatch, sharded: bool) -> Vec<Piece> {
        let derivations = derivations(batch, "t", sharded);
        derivations
            .into_iter()
            .flat_map(|derivation| derivation.pieces)
            .collect()
    }

    fn ends(batch: &FlowBatch) -> Vec<usize> {
        all(batch, false)
            .into_iter()
            .map(|piece| piece.rows.end)
            .collect()
    }

    #[test]
    fn a_batch_is_cut_between_datagrams() {
        assert!(ends(&batch(0, 1, "")).is_empty());
        assert_eq!(ends(&batch(1, 1, "")), [1]);
        assert_eq!(ends(&batch(131_072, 1, "")), [131_072]);
        assert_eq!(ends(&batch(262_145, 1, "")), [131_072, 262_144, 262_145]);
        // 4,370 datagrams of 30 records are the first with 131,072.
        assert_eq!(ends(&batch(150_000, 30, "")), [131_100, 150_000]);
        assert_eq!(ends(&batch(150_000, 150_000, "")), [150_000]);
    }

    #[test]
    fn pieces_before_a_difference_keep_name_and_content() {
        let whole = batch(300_000, 30, "");
        let mut without = whole.clone();
        // The datagram of rows 150,000 to 150,029 is known to be a duplicate this time.
        let keep: Vec<bool> = (0..300_000)
            .map(|row| !(150_000..150_030).contains(&row))
            .collect();
        without.retain(&keep);
        let (first, second) = (all(&whole, false), all(&without, false));
        assert_eq!(first[0], second[0]);
        let tokens: Vec<&str> = first.iter().map(|piece| piece.token.as_str()).collect();
        assert_eq!(tokens, ["t/3:0+24", "t/3:6555000+24", "t/3:13110000+24"]);
        // The one with the difference has its name still.
        assert_eq!(second[1].token, tokens[1]);
    }

    #[test]
    fn a_shard_has_whole_pieces() {
        let mut batch = batch(10, 1, "");
        batch.origin.tape_segment[4..].fill(4);
        let found = all(&batch, true);
        let rows: Vec<_> = found.into_iter().map(|piece| piece.rows).collect();
        assert_eq!(rows, [0..4, 4..10]);
        assert_eq!(ends(&batch), [10]);
    }

    #[test]
    fn halves_down_to_a_row() {
        let piece = Piece {
            rows: 10..13,
            token: "t/3:0+24".to_owned(),
        };
        let [first, second] = piece.halves().unwrap();
        assert_eq!((first.rows.clone(), second.rows.clone()), (10..11, 11..13));
        assert_eq!(first.halves(), None);
        let [_, last] = second.halves().unwrap();
        assert_eq!((last.rows, last.token.as_str()), (12..13, "t/3:0+24.1.1"));
    }

    #[test]
    fn many_pairs_make_small_pieces() {
        // 16 MiB are 256 times 64 KiB.
        let long = "x".repeat((1 << 16) - PAIR_OCTETS);
        assert_eq!(ends(&batch(300, 1, &long)), [256, 300]);
        // So are 65,536 rows of eight pairs of 32 octets.
        let mut batch = batch(70_000, 1, "");
        for row in 0..70_000 {
            batch.columns.min_ttl.set(row, 1);
            batch.columns.max_ttl.set(row, 64);
            for measure in 0..6 {
                batch.measures.push(row, measure, 7);
            }
        }
        assert_eq!(ends(&batch), [65_536, 70_000]);
    }

    #[test]
    fn long_lives_make_small_stretches() {
        let mut batch = batch(10_000, 1, "");
        for row in 0..10_000 {
            batch.columns.start.set(row, 0);
            batch.columns.end.set(row, 600 * NANOS_PER_SECOND);
        }
        // 61 buckets of ten seconds each: 8,197 rows are in 500,017.
        assert_eq!(ends(&batch), [8197, 10_000]);
        let buckets = |seconds: i64| buckets_of((0, seconds * NANOS_PER_SECOND));
        assert_eq!([buckets(0), buckets(59), buckets(601)], [1, 6, 11]);
        assert_eq!([buckets(3600), buckets(3601)], [61, 0]);
    }
}
