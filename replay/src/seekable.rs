//! Compressed segments: Zstandard frames of 1 MiB each and a seek table, as the "Zstandard seekable format" describes.
//!
//! Any Zstandard program gives the whole segment back; with the table at the end, any part of it.

use bytes::{Buf, BufMut};
use zstd::zstd_safe;

/// Octets of the segment in one block; the last one is shorter.
pub(crate) const BLOCK_OCTETS: usize = 1 << 20;

/// What a block may grow to: more is not ours, and not worth the memory.
const BLOCK_OCTETS_MAX: u32 = 8 << 20;
/// Blocks of one segment: the largest in blocks of 16 KiB. More of them are not worth the memory either.
const BLOCKS_MAX: usize = 1 << 16;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const ENTRY_OCTETS: usize = 8;
const HEAD_OCTETS: usize = 8;
const FOOT_OCTETS: usize = 9;

/// One block: where it is in the file and what it is of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Octets of the file before it.
    pub(crate) file_offset: u64,
    /// Octets of the block in the file.
    pub(crate) file_octets: u32,
    /// Octets of the segment before it.
    pub(crate) offset: u32,
    /// Octets of the segment in it.
    pub(crate) octets: u32,
}

impl Block {
    /// The first octet of the segment that is behind this block.
    pub(crate) fn end(&self) -> u32 {
        self.offset.saturating_add(self.octets)
    }
}

/// The seek table, to be written behind the blocks. Entries are (octets in the file, octets of the segment).
pub(crate) fn encode_table(blocks: &[(u32, u32)]) -> Vec<u8> {
    let table_octets = blocks.len() * ENTRY_OCTETS + FOOT_OCTETS;
    let mut octets = Vec::with_capacity(HEAD_OCTETS + table_octets);
    octets.put_u32_le(SKIPPABLE_MAGIC);
    octets.put_u32_le(u32::try_from(table_octets).unwrap_or(u32::MAX));
    for (compressed, raw) in blocks {
        octets.put_u32_le(*compressed);
        octets.put_u32_le(*raw);
    }
    octets.put_u32_le(u32::try_from(blocks.len()).unwrap_or(u32::MAX));
    octets.put_u8(0);
    octets.put_u32_le(SEEKABLE_MAGIC);
    octets
}

/// Octets at the end of the file that hold the table, told by its last nine.
pub(crate) fn table_octets(foot: &[u8]) -> Option<u64> {
    let mut foot = foot.get(foot.len().checked_sub(FOOT_OCTETS)?..)?;
    let blocks = u64::from(foot.get_u32_le());
    let descriptor = foot.get_u8();
    if foot.get_u32_le() != SEEKABLE_MAGIC || descriptor != 0 {
        return None;
    }
    Some(blocks * 8 + 17)
}

/// Reads a table of [`table_octets`]; `None` if it does not add up to `file_octets`.
pub(crate) fn parse_table(table: &[u8], file_octets: u64) -> Option<Vec<Block>> {
    let mut entries = table.get(HEAD_OCTETS..table.len().checked_sub(FOOT_OCTETS)?)?;
    let mut blocks = Vec::with_capacity((entries.len() / ENTRY_OCTETS).min(BLOCKS_MAX));
    while entries.len() >= ENTRY_OCTETS {
        let compressed = entries.get_u32_le();
        let raw = entries.get_u32_le();
        push(&mut blocks, compressed, raw)?;
    }
    let blocks_end = blocks.last().map_or(0, |last: &Block| {
        last.file_offset + u64::from(last.file_octets)
    });
    (blocks_end + u64::try_from(table.len()).ok()? == file_octets).then_some(blocks)
}

/// The blocks of a file whose table is damaged, one after the other as far as they can be told.
pub(crate) fn walk(file: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = file;
    while let Ok(octets) = zstd_safe::find_frame_compressed_size(rest) {
        let Ok(Some(raw)) = zstd_safe::get_frame_content_size(rest) else {
            break;
        };
        let (Ok(compressed), Ok(raw)) = (u32::try_from(octets), u32::try_from(raw)) else {
            break;
        };
        if octets == 0 || push(&mut blocks, compressed, raw).is_none() {
            break;
        }
        rest = rest.get(octets..).unwrap_or_default();
    }
    blocks
}

fn push(blocks: &mut Vec<Block>, file_octets: u32, octets: u32) -> Option<()> {
    if octets == 0 || octets > BLOCK_OCTETS_MAX || blocks.len() >= BLOCKS_MAX {
        return None;
    }
    let (file_offset, offset) = match blocks.last() {
        Some(last) => (
            last.file_offset + u64::from(last.file_octets),
            last.offset.checked_add(last.octets)?,
        ),
        None => (0, 0),
    };
    offset.checked_add(octets)?;
    blocks.push(Block {
        file_offset,
        file_octets,
        offset,
        octets,
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_format() {
        // Skippable frame 0x184D2A5E; one entry; footer {1, no checksums, 0x8F92EAB1}.
        let expected = [
            0x5e, 0x2a, 0x4d, 0x18, 17, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0xb1, 0xea,
            0x92, 0x8f,
        ];
        assert_eq!(encode_table(&[(3, 256)]), expected);
        assert_eq!(table_octets(&expected), Some(25));
        let block = Block {
            file_offset: 0,
            file_octets: 3,
            offset: 0,
            octets: 256,
        };
        assert_eq!(parse_table(&expected, 28), Some(vec![block]));
        assert_eq!(parse_table(&expected, 29), None);
        assert_eq!(table_octets(&expected[..24]), None);
        assert_eq!(table_octets(&[]), None);
    }

    #[test]
    fn a_table_that_promises_huge_blocks_is_refused() {
        assert_eq!(parse_table(&encode_table(&[(3, u32::MAX)]), 28), None);
    }

    #[test]
    fn a_table_of_more_blocks_than_a_segment_has_is_refused() {
        let blocks = vec![(0, 1); BLOCKS_MAX + 1];
        let fits = encode_table(&blocks[1..]);
        assert!(parse_table(&fits, fits.len() as u64).is_some());
        let table = encode_table(&blocks);
        assert_eq!(parse_table(&table, table.len() as u64), None);
    }

    #[test]
    fn blocks_are_found_without_the_table() {
        let mut file = zstd::bulk::compress(&[7; 1000], 1).unwrap();
        let first = u32::try_from(file.len()).unwrap();
        file.extend(zstd::bulk::compress(&[9; 24], 1).unwrap());
        let found: Vec<_> = walk(&file)
            .iter()
            .map(|block| (block.offset, block.octets, block.file_offset))
            .collect();
        assert_eq!(found, [(0, 1000, 0), (1000, 24, u64::from(first))]);
    }
}
