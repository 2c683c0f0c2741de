//! ClickHouse's Native format: blocks of columns, as they lie in memory.
//!
//! Written by hand after the format's description (<https://clickhouse.com/docs/interfaces/specs/NativeFormat>), since
//! a batch is in columns already: each value is copied once, into the octets that are sent.

use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::Bytes;
use flow::column::{Blank, Symbol};

/// A value of fixed width.
pub(crate) trait Fixed: Blank + Send + Sync + 'static {
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

/// Writes some of a column behind what is there, up to about [`CHUNK_OCTETS`] in all; whether there is more.
type Writing<'v> = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send + 'v>;

/// One block: columns of `rows` rows, written when they are sent. So what is on its way takes little memory, and the engine
/// reads the first column while the second is written.
pub(crate) struct Block<'v> {
    rows: usize,
    names: Vec<&'static str>,
    written: Vec<Writing<'v>>,
}

/// A block as it goes to the engine.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) names: Vec<&'static str>,
    pub(crate) octets: Vec<Bytes>,
}

/// Octets that are sent at a time: small enough for the allocator to use the same memory again.
const CHUNK_OCTETS: usize = 192 << 10;
/// The version of `LowCardinality` with the dictionary in the block (`SharedDictionariesWithAdditionalKeys`).
const LOW_CARDINALITY: u64 = 1;
/// The dictionary is in this block, and is all of it.
const OWN_DICTIONARY: u64 = (1 << 9) | (1 << 10);

impl<'v> Block<'v> {
    /// An empty block of `rows` rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            rows,
            names: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The columns so far, in order.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// What to send, in order: how many columns and rows, and the columns.
    pub(crate) fn into_octets(self) -> impl Iterator<Item = Bytes> + Send + use<'v> {
        // A value may reach over the end.
        const ROOM: usize = CHUNK_OCTETS + size_of::<u128>();
        let mut octets = Vec::with_capacity(ROOM);
        put_number(&mut octets, self.names.len());
        put_number(&mut octets, self.rows);
        let mut written = self.written.into_iter().peekable();
        std::iter::from_fn(move || {
            while octets.len() < CHUNK_OCTETS
                && let Some(writing) = written.peek_mut()
            {
                if !writing(&mut octets) {
                    written.next();
                }
            }
            let next = Vec::with_capacity(written.peek().map_or(0, |_| ROOM));
            let full = std::mem::replace(&mut octets, next);
            (!full.is_empty()).then(|| full.into())
        })
    }

    /// All of it at once.
    pub(crate) fn encode(self) -> Encoded {
        let names = self.names.clone();
        let octets = self.into_octets().collect();
        Encoded { names, octets }
    }

    /// A column without gaps, a value for each row.
    pub(crate) fn full<T: Fixed>(
        &mut self,
        name: &'static str,
        values: impl Iterator<Item = T> + Send + 'v,
    ) {
        self.typed_full(name, T::TYPE, values);
    }

    /// As [`Block::full`], of another type of the same width.
    pub(crate) fn typed_full<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: impl Iterator<Item = T> + Send + 'v,
    ) {
        self.head(name, type_name);
        self.fixed(self.rows, values);
    }

    /// A column with gaps, by its parts: a 1 in `nulls` is a gap.
    pub(crate) fn nullable<T: Fixed>(
        &mut self,
        name: &'static str,
        type_name: &str,
        values: impl Iterator<Item = T> + Send + 'v,
        nulls: impl Iterator<Item = u8> + Send + 'v,
    ) {
        self.head(name, &format!("Nullable({type_name})"));
        self.fixed(self.rows, nulls);
        self.fixed(self.rows, values);
    }

    /// A column with gaps, by its values.
    pub(crate) fn gaps<T: Fixed>(
        &mut self,
        name: &'static str,
        values: impl Iterator<Item = Option<T>> + Clone + Send + 'v,
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
        symbols: impl Iterator<Item = Symbol> + Send + 'v,
    ) {
        self.head(name, "LowCardinality(String)");
        // With '' as the first key the symbols are the dictionary's own numbers.
        let keys = names.len() + 1;
        let (index_type, width) = index_width(keys);
        let mut dictionary = Vec::new();
        put_u64(&mut dictionary, LOW_CARDINALITY);
        put_u64(&mut dictionary, index_type | OWN_DICTIONARY);
        put_u64(&mut dictionary, keys as u64);
        put_text(&mut dictionary, "");
        for key in names {
            put_text(&mut dictionary, key);
        }
        put_u64(&mut dictionary, self.rows as u64);
        self.once(dictionary);
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
        pairs: impl Iterator<Item = usize> + Send + 'v,
    ) {
        self.head(name, &format!("Map(String, {value_type})"));
        self.offsets(pairs);
    }

    /// Keys or values of a map that are texts.
    pub(crate) fn map_texts<'t: 'v>(&mut self, texts: impl Iterator<Item = &'t str> + Send + 'v) {
        self.each(texts, put_text);
    }

    /// Values of a map that are numbers or addresses.
    pub(crate) fn map_values<T: Fixed>(&mut self, values: impl Iterator<Item = T> + Send + 'v) {
        self.each(values, |to, value| {
            let from = to.len();
            to.resize(from + T::WIDTH, 0);
            value.put(&mut to[from..]);
        });
    }

    /// A column of sets of values without gaps, in a type that allows them: how many each row has, and all of them.
    pub(crate) fn sets<T: Fixed>(
        &mut self,
        name: &'static str,
        sizes: impl Iterator<Item = usize> + Send + 'v,
        values: impl ExactSizeIterator<Item = T> + Send + 'v,
    ) {
        self.head(name, &format!("Array(Nullable({}))", T::TYPE));
        self.offsets(sizes);
        let count = values.len();
        self.fixed(count, std::iter::repeat_n(0_u8, count));
        self.fixed(count, values);
    }

    fn head(&mut self, name: &'static str, type_name: &str) {
        self.names.push(name);
        let mut head = Vec::new();
        put_text(&mut head, name);
        put_text(&mut head, type_name);
        self.once(head);
    }

    /// Where the values of each row end.
    fn offsets(&mut self, sizes: impl Iterator<Item = usize> + Send + 'v) {
        let ends = sizes.scan(0_u64, |end, size| {
            *end += size as u64;
            Some(*end)
        });
        self.fixed(self.rows, ends);
    }

    fn once(&mut self, octets: Vec<u8>) {
        self.written.push(Box::new(move |to| {
            to.extend_from_slice(&octets);
            false
        }));
    }

    /// Items of any length.
    fn each<I>(
        &mut self,
        mut items: impl Iterator<Item = I> + Send + 'v,
        put: impl Fn(&mut Vec<u8>, I) + Send + 'v,
    ) {
        self.written.push(Box::new(move |to| {
            for item in items.by_ref() {
                put(to, item);
                if to.len() >= CHUNK_OCTETS {
                    return true;
                }
            }
            false
        }));
    }

    /// `count` values of one width.
    fn fixed<T: Fixed>(&mut self, count: usize, mut values: impl Iterator<Item = T> + Send + 'v) {
        let mut left = count;
        self.written.push(Box::new(move |to| {
            let from = to.len();
            let some = left.min(CHUNK_OCTETS.saturating_sub(from) / T::WIDTH + 1);
            // Whole first: asking for room value by value costs more than the copy.
            to.resize(from + some * T::WIDTH, 0);
            let places = to[from..].chunks_exact_mut(T::WIDTH);
            for (place, value) in places.zip(values.by_ref()) {
                value.put(place);
            }
            left -= some;
            left > 0
        }));
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

fn put_u64(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_le_bytes());
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
        let mut number = Column::default();
        number.set(0, 513_u16);
        let mut name = TextColumn::default();
        name.set_text(0, "xy");
        let mut block = Block::new(1);
        let values = number.values().iter().copied();
        block.nullable("a", u16::TYPE, values, number.nulls().iter().copied());
        block.texts("b", name.texts(), name.rows().iter().copied());
        block.map("c", "UInt64", std::iter::once(1));
        block.map_texts(std::iter::once("k"));
        block.map_values(std::iter::once(7_u64));
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
        assert_eq!(block.encode().octets.concat(), expected);
    }

    #[test]
    fn long_columns_go_in_small_chunks() {
        let numbers = 0..100_000_u64;
        let mut block = Block::new(100_000);
        block.full("n", numbers.clone());
        block.map("m", "String", numbers.clone().map(|_| 1));
        block.map_texts(numbers.clone().map(|_| "key"));
        block.map_texts(numbers.clone().map(|_| "text"));
        let encoded = block.encode();
        assert_eq!(encoded.names, ["n", "m"]);
        assert!(
            encoded
                .octets
                .iter()
                .all(|octets| octets.len() < CHUNK_OCTETS + 16)
        );
        // 800,000 octets of numbers and of ends, 400,000 of keys and 500,000 of texts.
        assert_eq!(encoded.octets.len(), 2_500_000_usize.div_ceil(CHUNK_OCTETS));
        let mut expected = b"\x02\xa0\x8d\x06\x01n\x06UInt64".to_vec();
        expected.extend(numbers.clone().flat_map(u64::to_le_bytes));
        expected.extend(b"\x01m\x13Map(String, String)");
        expected.extend(numbers.flat_map(|number| (number + 1).to_le_bytes()));
        expected.extend(b"\x03key".repeat(100_000));
        expected.extend(b"\x04text".repeat(100_000));
        assert!(encoded.octets.concat() == expected);
    }

    #[test]
    fn numbers_of_more_than_seven_bits() {
        let mut octets = Vec::new();
        put_number(&mut octets, 300);
        assert_eq!(octets[..], [0xac, 0x02]);
    }
}
