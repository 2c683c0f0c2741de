//! A batch in pieces: where it is cut, and what each piece is called.

use std::ops::Range;

use flow::FlowBatch;
use flow::clock::NANOS_PER_SECOND;

use crate::block::life;
use crate::plan::Tier;

/// Rows of a piece, at most, and those of the rest of a datagram.
const ROWS_MAX: usize = 50_000;
/// Buckets of a rollup that the rows of a piece are in, at most, and those of one more datagram.
///
/// The views make a row of each, and a group with a set of clients of each if no two rows share an interface. Measured
/// with an engine of 1 GB, where a statement has 334 MiB: 500,000 such groups are too many.
const BUCKETS_MAX: u64 = 200_000;
/// Octets of texts without a column that a piece holds, at most, and those of one more datagram.
const TEXT_OCTETS_MAX: usize = 16 << 20;

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

/// Cuts a batch so that no piece needs more memory than a small engine has, and, if the table is `sharded` by the tape's
/// segment, so that each is one shard's.
///
/// By the batch alone, so that the same batch is always the same pieces: what was cut otherwise when it is repeated would
/// be there twice, or not at all. Between datagrams only, and named by the tape: where a repetition differs by a datagram,
/// all pieces before it keep name and content.
pub(crate) fn pieces(batch: &FlowBatch, token: &str, sharded: bool) -> Vec<Piece> {
    let mut found = Vec::with_capacity(batch.rows() / ROWS_MAX + 1);
    let (mut start, mut buckets, mut octets) = (0, 0, 0);
    for row in 0..batch.rows() {
        let full = row - start >= ROWS_MAX || buckets >= BUCKETS_MAX || octets >= TEXT_OCTETS_MAX;
        if row > start && may_cut(batch, row, full, sharded) {
            found.push(Piece::of(batch, start..row, token));
            (start, buckets, octets) = (row, 0, 0);
        }
        buckets += buckets_of(life(batch, row));
        if !batch.extras.is_absent() {
            let texts = batch.extras.get(row);
            octets += texts.map(|(_, text)| text.len()).sum::<usize>();
        }
    }
    if start < batch.rows() {
        found.push(Piece::of(batch, start..batch.rows(), token));
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

    fn ends(batch: &FlowBatch) -> Vec<usize> {
        let found = pieces(batch, "t", false);
        found.into_iter().map(|piece| piece.rows.end).collect()
    }

    #[test]
    fn a_batch_is_cut_between_datagrams() {
        assert!(ends(&batch(0, 1, "")).is_empty());
        assert_eq!(ends(&batch(1, 1, "")), [1]);
        assert_eq!(ends(&batch(50_000, 1, "")), [50_000]);
        assert_eq!(ends(&batch(100_001, 1, "")), [50_000, 100_000, 100_001]);
        // 1,667 datagrams of 30 records are the first with 50,000.
        assert_eq!(ends(&batch(60_000, 30, "")), [50_010, 60_000]);
        assert_eq!(ends(&batch(60_000, 60_000, "")), [60_000]);
    }

    #[test]
    fn pieces_before_a_difference_keep_name_and_content() {
        let whole = batch(120_000, 30, "");
        let mut without = whole.clone();
        // The datagram of rows 60,000 to 60,029 is known to be a duplicate this time.
        let keep: Vec<bool> = (0..120_000)
            .map(|row| !(60_000..60_030).contains(&row))
            .collect();
        without.retain(&keep);
        let (first, second) = (pieces(&whole, "t", false), pieces(&without, "t", false));
        assert_eq!(first[0], second[0]);
        let tokens: Vec<&str> = first.iter().map(|piece| piece.token.as_str()).collect();
        assert_eq!(tokens, ["t/3:0+24", "t/3:2500500+24", "t/3:5001000+24"]);
        // The one with the difference has its name still.
        assert_eq!(second[1].token, tokens[1]);
    }

    #[test]
    fn a_shard_has_whole_pieces() {
        let mut batch = batch(10, 1, "");
        batch.origin.tape_segment[4..].fill(4);
        let found = pieces(&batch, "t", true);
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
    fn much_text_makes_small_pieces() {
        // 16 MiB are 256 times 64 KiB.
        let long = "x".repeat(1 << 16);
        assert_eq!(ends(&batch(300, 1, &long)), [256, 300]);
    }

    #[test]
    fn long_lives_make_small_pieces() {
        let mut batch = batch(10_000, 1, "");
        for row in 0..10_000 {
            batch.columns.start.set(row, 0);
            batch.columns.end.set(row, 600 * NANOS_PER_SECOND);
        }
        // 61 buckets of ten seconds each: 3,279 rows are in 200,019.
        assert_eq!(ends(&batch), [3279, 6558, 9837, 10_000]);
        let buckets = |seconds: i64| buckets_of((0, seconds * NANOS_PER_SECOND));
        assert_eq!([buckets(0), buckets(59), buckets(601)], [1, 6, 11]);
        assert_eq!([buckets(3600), buckets(3601)], [61, 0]);
    }
}
