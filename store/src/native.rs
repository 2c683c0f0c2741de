//! ClickHouse's Native format: blocks of columns, as they lie in memory.
//!
//! Written by hand after the format's description (<https://clickhouse.com/docs/interfaces/specs/NativeFormat>), since
//! a batch is in columns already: each value is copied once, into the octets that are sent.

use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::Bytes;
use flow::column::{Blank, Symbol};

/// A value of fixed width.
pub(crate) trait Fixed: Blank {
    /// ClickHouse's name of its type.
    const TYPE: &'static str;
    /// Its octets.
    const WIDTH: usize;
    /// Writes it, least octet first; addresses in network order.
    fn put(self, to: &mut [u8]);
}

macro_rules! fixed {
    ($($type:ty => $name:literal, $octets:ident;)+) => {
        $(impl Fixed for $type {
            const TYPE: &'static str = $name;
            const WIDTH: usize = size_of::<$type>();
            #[inline]
            fn put(self, to: &mut [u8]) {
                to.copy_from_slice(&self.$octets());
            }
        })+
    };
}

fixed! {
    u8 => "UInt8", to_le_bytes;
    u16 => "UInt16", to_le_bytes;
    u32 => "UInt32", to_le_bytes;
    u64 => "UInt64", to_le_bytes;
    i64 => "DateTime64(9, 'UTC')", to_le_bytes;
    Ipv6Addr => "IPv6", octets;
}

/// One block under construction: every column has `rows` rows.
#[derive(Debug)]
pub(crate) struct Block {
    rows: usize,
    names: Vec<&'static str>,
    body: Vec<u8>,
}

/// The version of `LowCardinality` with the dictionary in the block (`SharedDictionariesWithAdditionalKeys`).
const LOW_CARDINALITY: u64 = 1;
/// The dictionary is in this block, and is all of it.
const OWN_DICTIONARY: u64 = (1 << 9) | (1 << 10);

impl Block {
    /// An empty block of `rows` rows, for which `octets` may suffice.
    pub(crate) fn new(rows: usize, octets: usize) -> Self {
        Self {
            rows,
            names: Vec::new(),
            body: Vec::with_capacity(octets + 4096),
        }
    }

    /// The columns so far, in order.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// What to send, in order: how many columns and rows, and the columns.
    pub(crate) fn finish(self) -> [Bytes; 2] {
        let mut head = Vec::new();
        put_number(&mut head, self.names.len());
        put_number(&mut head, self.rows);
        [head.into(), self.body.into()]
    }

    /// A column without gaps, a value for each row.
    pub(crate) fn full<T: Fixed>(&mut self, name: &'static str, values: impl Iterator<Item = T>) {
        self.typed_full(name, T::TYPE, values);
    }

    /// As [`Block::full`], of another type of the same width.
    pub(crate) fn typed_full<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: impl Iterator<Item = T>,
    ) {
        self.head(name, type_name);
        self.fixed(self.rows, values);
    }

    /// A column with gaps, by its parts: a 1 in `nulls` is a gap.
    pub(crate) fn nullable<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: impl Iterator<Item = T>,
        nulls: impl Iterator<Item = u8>,
    ) {
        self.head(name, &format!("Nullable({type_name})"));
        self.fixed(self.rows, nulls);
        self.fixed(self.rows, values);
    }

    /// A column with gaps, by its values.
    pub(crate) fn gaps<T: Fixed>(
        &mut self,
        name: &'static str,
        values: impl Iterator<Item = Option<T>> + Clone,
    ) {
        let nulls = values.clone().map(|value| u8::from(value.is_none()));
        let values = values.map(|value| value.unwrap_or(T::BLANK));
        self.nullable(name, T::TYPE, values, nulls);
    }

    /// One text for all rows.
    pub(crate) fn constant_text(&mut self, name: &'static str, text: &str) {
        let one = [Arc::from(text)];
        self.texts(name, &one, std::iter::repeat_n(Symbol(1), self.rows));
    }

    /// A column of names: symbols that count from 1 in `names`; 0, an absent one, is ''.
    pub(crate) fn texts(
        &mut self,
        name: &'static str,
        names: &[Arc<str>],
        symbols: impl Iterator<Item = Symbol>,
    ) {
        self.head(name, "LowCardinality(String)");
        // With '' as the first key the symbols are the dictionary's own numbers.
        let keys = names.len() + 1;
        let (index_type, width) = index_width(keys);
        self.number(LOW_CARDINALITY);
        self.number(index_type | OWN_DICTIONARY);
        self.number(keys as u64);
        put_text(&mut self.body, "");
        for key in names {
            put_text(&mut self.body, key);
        }
        self.number(self.rows as u64);
        let octets = symbols.map(|symbol| symbol.0.to_le_bytes());
        match width {
            1 => self.fixed(self.rows, octets.map(|[low, ..]| low)),
            2 => self.fixed(
                self.rows,
                octets.map(|[low, high, ..]| u16::from_le_bytes([low, high])),
            ),
            _ => self.fixed(self.rows, octets.map(u32::from_le_bytes)),
        }
    }

    /// The first half of a map of texts to `value_type`: how many pairs each row has. The keys of all pairs follow by
    /// [`Block::map_texts`], then the values.
    pub(crate) fn map(
        &mut self,
        name: &'static str,
        value_type: &str,
        pairs: impl Iterator<Item = usize>,
    ) {
        self.head(name, &format!("Map(String, {value_type})"));
        self.offsets(pairs);
    }

    /// Keys or values of a map that are texts.
    pub(crate) fn map_texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts {
            put_text(&mut self.body, text);
        }
    }

    /// Values of a map that are numbers.
    pub(crate) fn map_numbers(&mut self, values: impl Iterator<Item = u64>) {
        for value in values {
            self.number(value);
        }
    }

    /// Values of a map that are addresses.
    pub(crate) fn map_addresses(&mut self, values: impl Iterator<Item = Ipv6Addr>) {
        for value in values {
            self.body.extend_from_slice(&value.octets());
        }
    }

    /// A column of sets of values without gaps, in a type that allows them: how many each row has, and all of them.
    pub(crate) fn sets<T: Fixed>(
        &mut self,
        name: &'static str,
        sizes: impl Iterator<Item = usize>,
        values: impl ExactSizeIterator<Item = T>,
    ) {
        self.head(name, &format!("Array(Nullable({}))", T::TYPE));
        self.offsets(sizes);
        let count = values.len();
        self.fixed(count, std::iter::repeat_n(0_u8, count));
        self.fixed(count, values);
    }

    fn head(&mut self, name: &'static str, type_name: &str) {
        self.names.push(name);
        put_text(&mut self.body, name);
        put_text(&mut self.body, type_name);
    }

    fn number(&mut self, number: u64) {
        self.body.extend_from_slice(&number.to_le_bytes());
    }

    /// Where the values of each row end.
    fn offsets(&mut self, sizes: impl Iterator<Item = usize>) {
        let ends = sizes.scan(0_u64, |end, size| {
            *end += size as u64;
            Some(*end)
        });
        self.fixed(self.rows, ends);
    }

    #[inline]
    fn fixed<T: Fixed>(&mut self, count: usize, values: impl Iterator<Item = T>) {
        let from = self.body.len();
        // Whole first: asking for room value by value costs more than the copy.
        self.body.resize(from + count * T::WIDTH, 0);
        let places = self.body[from..].chunks_exact_mut(T::WIDTH);
        for (place, value) in places.zip(values) {
            value.put(place);
        }
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
fn put_number(to: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f).to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_number(to, text.len());
    to.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::column::{Column, TextColumn};

    #[test]
    fn a_block_is_what_clickhouse_writes_itself() {
        // SELECT toNullable(toUInt16(513)) AS a, toLowCardinality('xy') AS b, map('k', toUInt64(7)) AS c,
        // [toNullable(toUInt8(5))] AS d FORMAT Native, octet by octet.
        let mut block = Block::new(1, 0);
        let mut number = Column::default();
        number.set(0, 513_u16);
        let values = number.values().iter().copied();
        block.nullable("a", u16::TYPE, values, number.nulls().iter().copied());
        let mut name = TextColumn::default();
        name.set_text(0, "xy");
        block.texts("b", name.texts(), name.rows().iter().copied());
        block.map("c", "UInt64", std::iter::once(1));
        block.map_texts(std::iter::once("k"));
        block.map_numbers(std::iter::once(7));
        block.sets("d", std::iter::once(1), [5_u8].into_iter());
        let mut expected = vec![4, 1];
        expected.extend(b"\x01a\x10Nullable(UInt16)\x00\x01\x02");
        expected.extend(b"\x01b\x16LowCardinality(String)");
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0, 6, 0, 0, 0, 0, 0, 0]);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 0, 2, b'x', b'y']);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend(b"\x01c\x13Map(String, UInt64)\x01\0\0\0\0\0\0\0\x01k\x07\0\0\0\0\0\0\0");
        expected.extend(b"\x01d\x16Array(Nullable(UInt8))\x01\0\0\0\0\0\0\0\0\x05");
        assert_eq!(block.finish().concat(), expected);
    }

    #[test]
    fn numbers_of_more_than_seven_bits() {
        let mut octets = Vec::new();
        put_number(&mut octets, 300);
        assert_eq!(octets[..], [0xac, 0x02]);
    }
}
