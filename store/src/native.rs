//! ClickHouse's Native format: blocks of columns, as they lie in memory.
//!
//! Written by hand after the format's description (<https://clickhouse.com/docs/interfaces/specs/NativeFormat>), since
//! a batch is in columns already: each is copied once, into the octets that are sent.

use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use flow::column::{Blank, Symbol};

/// A value of fixed width.
pub(crate) trait Fixed: Blank {
    /// ClickHouse's name of its type.
    const TYPE: &'static str;
    /// Its octets.
    const WIDTH: usize;
    /// Writes it, least octet first; addresses in network order.
    fn put(self, to: &mut BytesMut);
}

macro_rules! fixed {
    ($($type:ty => $name:literal, $put:ident;)+) => {
        $(impl Fixed for $type {
            const TYPE: &'static str = $name;
            const WIDTH: usize = size_of::<$type>();
            fn put(self, to: &mut BytesMut) {
                to.$put(self);
            }
        })+
    };
}

fixed! {
    u8 => "UInt8", put_u8;
    u16 => "UInt16", put_u16_le;
    u32 => "UInt32", put_u32_le;
    u64 => "UInt64", put_u64_le;
    i64 => "DateTime64(9, 'UTC')", put_i64_le;
}

impl Fixed for Ipv6Addr {
    const TYPE: &'static str = "IPv6";
    const WIDTH: usize = 16;
    fn put(self, to: &mut BytesMut) {
        to.put_slice(&self.octets());
    }
}

/// One block under construction: every column has `rows` rows.
#[derive(Debug)]
pub(crate) struct Block {
    rows: usize,
    names: Vec<&'static str>,
    body: BytesMut,
}

/// The version of `LowCardinality` with the dictionary in the block (`SharedDictionariesWithAdditionalKeys`).
const LOW_CARDINALITY: u64 = 1;
/// The dictionary is in this block, and is all of it.
const OWN_DICTIONARY: u64 = (1 << 9) | (1 << 10);

impl Block {
    /// An empty block of `rows` rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            rows,
            names: Vec::new(),
            body: BytesMut::with_capacity(rows * 256 + 4096),
        }
    }

    /// The columns so far, in order.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The octets to send.
    pub(crate) fn finish(self) -> Bytes {
        let mut head = BytesMut::with_capacity(self.body.len() + 16);
        put_number(&mut head, self.names.len());
        put_number(&mut head, self.rows);
        head.unsplit(self.body);
        head.freeze()
    }

    /// A column that has every row; what is missing at its end is `missing`.
    pub(crate) fn full<T: Fixed>(&mut self, name: &'static str, values: &[T], missing: T) {
        self.typed_full(name, T::TYPE, values, missing);
    }

    /// As [`Block::full`], of another type of the same width.
    pub(crate) fn typed_full<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: &[T],
        missing: T,
    ) {
        self.head(name, type_name);
        self.fixed(values, missing);
    }

    /// A column with gaps, by its parts: a 1 in `nulls` is a gap.
    pub(crate) fn nullable_parts<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: &[T],
        nulls: &[u8],
    ) {
        self.head(name, &format!("Nullable({type_name})"));
        self.fixed(nulls, 1);
        self.fixed(values, T::BLANK);
    }

    /// One text for all rows.
    pub(crate) fn constant_text(&mut self, name: &'static str, text: &str) {
        self.head(name, "LowCardinality(String)");
        self.body.put_u64_le(LOW_CARDINALITY);
        self.dictionary(["", text].into_iter());
        self.body.put_u64_le(self.rows as u64);
        self.body.put_bytes(1, self.rows);
    }

    /// A column of names: symbols that count from 1 in `names`; 0, an absent one, is ''.
    pub(crate) fn texts(&mut self, name: &'static str, names: &[Arc<str>], symbols: &[Symbol]) {
        self.head(name, "LowCardinality(String)");
        self.body.put_u64_le(LOW_CARDINALITY);
        // With '' as the first key the symbols are the dictionary's own numbers.
        self.dictionary(std::iter::once("").chain(names.iter().map(|key| &**key)));
        let indexes = symbols.iter().map(|symbol| symbol.0 as usize);
        self.indexes(indexes, symbols.len(), names.len() + 1, self.rows);
    }

    /// The first half of a map column: its type, where each row's pairs end, and its keys, one for each pair.
    ///
    /// `dictionary` holds each key once, from index 1; 0 is ''. The values follow, by [`Block::map_numbers`] or
    /// [`Block::map_texts`].
    pub(crate) fn map_keys<'k>(
        &mut self,
        name: &'static str,
        value_type: &str,
        ends: &[u64],
        dictionary: impl ExactSizeIterator<Item = &'k str>,
        keys: impl ExactSizeIterator<Item = usize>,
    ) {
        self.head(name, &format!("Map(LowCardinality(String), {value_type})"));
        self.body.put_u64_le(LOW_CARDINALITY);
        let last = ends.last().copied().unwrap_or(0);
        for row in 0..self.rows {
            self.body.put_u64_le(ends.get(row).copied().unwrap_or(last));
        }
        let distinct = dictionary.len() + 1;
        self.body.reserve(keys.len() * 2);
        self.put_dictionary(distinct, std::iter::once("").chain(dictionary));
        let count = keys.len();
        self.indexes(keys, count, distinct, count);
    }

    /// The values of a map of numbers.
    pub(crate) fn map_numbers(&mut self, values: &[u64]) {
        self.body.reserve(values.len() * 8);
        for value in values {
            self.body.put_u64_le(*value);
        }
    }

    /// The values of a map of texts.
    pub(crate) fn map_texts<'t>(&mut self, values: impl Iterator<Item = &'t str>) {
        for value in values {
            put_text(&mut self.body, value);
        }
    }

    fn head(&mut self, name: &'static str, type_name: &str) {
        self.names.push(name);
        put_text(&mut self.body, name);
        put_text(&mut self.body, type_name);
    }

    fn fixed<T: Fixed>(&mut self, values: &[T], missing: T) {
        self.body.reserve(self.rows * T::WIDTH);
        for value in values.iter().take(self.rows) {
            value.put(&mut self.body);
        }
        for _ in values.len()..self.rows {
            missing.put(&mut self.body);
        }
    }

    fn dictionary<'k>(&mut self, keys: impl Iterator<Item = &'k str> + Clone) {
        let count = keys.clone().count();
        self.put_dictionary(count, keys);
    }

    fn put_dictionary<'k>(&mut self, count: usize, keys: impl Iterator<Item = &'k str>) {
        self.body.put_u64_le(index_width(count).0 | OWN_DICTIONARY);
        self.body.put_u64_le(count as u64);
        for key in keys {
            put_text(&mut self.body, key);
        }
    }

    fn indexes(
        &mut self,
        indexes: impl Iterator<Item = usize>,
        have: usize,
        keys: usize,
        want: usize,
    ) {
        let (_, width) = index_width(keys);
        self.body.reserve(want * width + 8);
        self.body.put_u64_le(want as u64);
        for index in indexes.take(want) {
            self.body.put_uint_le(index as u64, width);
        }
        self.body.put_bytes(0, want.saturating_sub(have) * width);
    }
}

/// ClickHouse's number of the index type for so many keys, and its octets.
fn index_width(keys: usize) -> (u64, usize) {
    match keys {
        0..=0x100 => (0, 1),
        0x101..=0x1_0000 => (1, 2),
        _ => (2, 4),
    }
}

/// LEB128.
fn put_number(to: &mut BytesMut, mut number: usize) {
    loop {
        let low = (number & 0x7f).to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            return to.put_u8(low);
        }
        to.put_u8(low | 0x80);
    }
}

fn put_text(to: &mut BytesMut, text: &str) {
    put_number(to, text.len());
    to.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::column::{Column, TextColumn};

    #[test]
    fn a_block_is_what_clickhouse_writes_itself() {
        // SELECT toNullable(toUInt16(513)) AS a, toLowCardinality('xy') AS b FORMAT Native, octet by octet.
        let mut block = Block::new(1);
        let mut number = Column::default();
        number.set(0, 513_u16);
        block.nullable_parts("a", u16::TYPE, number.values(), number.nulls());
        let mut name = TextColumn::default();
        name.set_text(0, "xy");
        block.texts("b", name.texts(), name.rows());
        let mut expected = vec![2, 1];
        expected.extend(b"\x01a\x10Nullable(UInt16)\x00\x01\x02");
        expected.extend(b"\x01b\x16LowCardinality(String)");
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0, 6, 0, 0, 0, 0, 0, 0]);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 0, 2, b'x', b'y']);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(block.finish(), expected);
    }

    #[test]
    fn numbers_of_more_than_seven_bits() {
        let mut octets = BytesMut::new();
        put_number(&mut octets, 300);
        assert_eq!(octets[..], [0xac, 0x02]);
    }
}
