//! Columns of a [`crate::FlowBatch`]: plain vectors that are filled a Set at a time and may have gaps.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// What an absent row holds.
pub trait Blank: Copy {
    /// The value under a null.
    const BLANK: Self;
}

macro_rules! blank {
    ($($type:ty = $blank:expr),+) => { $(impl Blank for $type { const BLANK: Self = $blank; })+ };
}

blank!(
    u8 = 0,
    u16 = 0,
    u32 = 0,
    u64 = 0,
    i64 = 0,
    Ipv6Addr = Ipv6Addr::UNSPECIFIED
);

/// A column in which a row may be absent.
///
/// Rows past the end of the column are absent, so a field that nobody sends costs nothing; gaps are filled when a
/// later row is written. Absent rows hold [`Blank::BLANK`] and a 1 in [`Column::nulls`], the form that ClickHouse reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Column<T> {
    values: Vec<T>,
    nulls: Vec<u8>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            nulls: Vec::new(),
        }
    }
}

impl<T: Blank> Column<T> {
    /// The value at `row`, if there is one.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        match self.nulls.get(row) {
            Some(0) => self.values.get(row).copied(),
            _ => None,
        }
    }

    /// Writes `row`, which may lie before, at or past the end.
    #[inline]
    pub fn set(&mut self, row: usize, value: T) {
        if row >= self.values.len() {
            self.pad(row);
            self.values.push(value);
            self.nulls.push(0);
        } else {
            self.values[row] = value;
            self.nulls[row] = 0;
        }
    }

    /// Makes `row` absent.
    pub fn clear_row(&mut self, row: usize) {
        if row < self.values.len() {
            self.values[row] = T::BLANK;
            self.nulls[row] = 1;
        }
    }

    /// Writes present values from `row` on, which must not lie before the end: the fast way for a whole Set.
    #[inline]
    pub fn extend_at(&mut self, row: usize, values: impl ExactSizeIterator<Item = T>) {
        self.pad(row);
        self.nulls.resize(self.nulls.len() + values.len(), 0);
        self.values.extend(values);
    }

    /// Fills up with absent rows to `rows` rows.
    #[inline]
    pub fn pad(&mut self, rows: usize) {
        if rows > self.values.len() {
            self.lengthen(rows);
        }
    }

    #[cold]
    fn lengthen(&mut self, rows: usize) {
        self.values.resize(rows, T::BLANK);
        self.nulls.resize(rows, 1);
    }

    /// Cuts off every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    /// Keeps the rows of which `keep` says so.
    pub fn retain(&mut self, keep: &[bool]) {
        retain(&mut self.values, keep);
        retain(&mut self.nulls, keep);
    }

    /// Whether no row was ever written: a column that can be left out of an insert.
    pub fn is_absent(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, absent rows as [`Blank::BLANK`]. May be shorter than the batch until [`crate::FlowBatch::pad`].
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// 1 where the row is absent, else 0; as long as [`Column::values`].
    pub fn nulls(&self) -> &[u8] {
        &self.nulls
    }

    /// Empties the column and keeps its memory, unless it was not used.
    pub fn clear(&mut self) {
        if self.is_absent() {
            *self = Self::default();
        }
        self.values.clear();
        self.nulls.clear();
    }

    /// Octets of its rows. What was asked of the allocator is at most twice this, as vectors double.
    pub fn octets(&self) -> usize {
        self.values.len() * (size_of::<T>() + size_of::<u8>())
    }
}

/// A number that stands for a text of one batch; 0 is "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub u32);

/// A column of texts that repeat: names of applications, sites, exporters, interfaces.
#[derive(Clone, Debug, Default)]
pub struct TextColumn {
    rows: Vec<Symbol>,
    texts: Vec<Arc<str>>,
    symbols: HashMap<Arc<str>, Symbol>,
    /// Octets of `texts` and `symbols`.
    dictionary_octets: usize,
}

impl TextColumn {
    /// Octets of a text in the dictionary beside its letters: the counts before them, two pointers to them, its symbol and
    /// its share of a table that is half empty.
    const TEXT_OCTETS: usize = 96;

    /// The symbol of `text`, which is new or not.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let text: Arc<str> = text.into();
        self.dictionary_octets += Self::TEXT_OCTETS + text.len();
        self.texts.push(text.clone());
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.symbols.insert(text, symbol);
        symbol
    }

    /// Writes `row` with an interned symbol.
    pub fn set(&mut self, row: usize, symbol: Symbol) {
        if row >= self.rows.len() {
            self.pad(row + 1);
        }
        self.rows[row] = symbol;
    }

    /// Interns and writes.
    pub fn set_text(&mut self, row: usize, text: &str) {
        let symbol = self.intern(text);
        self.set(row, symbol);
    }

    /// The text at `row`, if there is one.
    pub fn get(&self, row: usize) -> Option<&str> {
        let symbol = self.rows.get(row)?;
        self.texts
            .get((symbol.0 as usize).checked_sub(1)?)
            .map(|text| &**text)
    }

    /// One symbol a row; 0 is absent. May be shorter than the batch until [`crate::FlowBatch::pad`].
    pub fn rows(&self) -> &[Symbol] {
        &self.rows
    }

    /// The texts; symbol `n` is `texts()[n - 1]`.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// Whether no row was ever written.
    pub fn is_absent(&self) -> bool {
        self.rows.is_empty()
    }

    /// Fills up with absent rows to `rows` rows.
    pub fn pad(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, Symbol::default());
        }
    }

    /// Cuts off every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
    }

    /// Keeps the rows of which `keep` says so.
    pub fn retain(&mut self, keep: &[bool]) {
        retain(&mut self.rows, keep);
    }

    /// Empties the column, its dictionary too, and keeps its memory, unless it was not used.
    pub fn clear(&mut self) {
        if self.is_absent() {
            *self = Self::default();
        }
        self.rows.clear();
        self.texts.clear();
        self.symbols.clear();
        self.dictionary_octets = 0;
    }

    /// Octets of its rows and its dictionary, as [`Column::octets`].
    pub fn octets(&self) -> usize {
        size_of_val(self.rows.as_slice()) + self.dictionary_octets
    }
}

/// What a value has beside itself, for [`Pairs::octets`].
pub trait Held {
    /// Octets that were asked of the allocator.
    fn held(&self) -> usize;
}

impl Held for u64 {
    fn held(&self) -> usize {
        0
    }
}

impl Held for String {
    fn held(&self) -> usize {
        // An allocation has at least 16 octets, and as many around it.
        self.capacity().max(16) + 16
    }
}

/// Any number of named values a row, most rows having none: vendors' measures, texts without a column.
///
/// Rows are written in ascending order; a row is closed when a later one is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs<K, V> {
    ends: Vec<u64>,
    keys: Vec<K>,
    values: Vec<V>,
    /// Octets that `values` hold beside themselves.
    held: usize,
}

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self {
            ends: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            held: 0,
        }
    }
}

impl<K: Clone, V: Clone + Held> Pairs<K, V> {
    /// Adds a value to `row`, which must be the last row or one past it.
    pub fn push(&mut self, row: usize, key: K, value: V) {
        self.pad(row + 1);
        self.held += value.held();
        self.keys.push(key);
        self.values.push(value);
        if let Some(end) = self.ends.last_mut() {
            *end += 1;
        }
    }

    /// The pairs of `row`.
    pub fn get(&self, row: usize) -> impl Iterator<Item = (&K, &V)> {
        let end = self.ends.get(row).copied().unwrap_or(0);
        let start = if end == 0 {
            0
        } else {
            row.checked_sub(1).map_or(0, |before| self.ends[before])
        };
        let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
        self.keys[range.clone()].iter().zip(&self.values[range])
    }

    /// Fills up with empty rows to `rows` rows.
    pub fn pad(&mut self, rows: usize) {
        let end = self.ends.last().copied().unwrap_or(0);
        if rows > self.ends.len() {
            self.ends.resize(rows, end);
        }
    }

    /// Cuts off every row from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = usize::try_from(self.ends.last().copied().unwrap_or(0)).unwrap_or(0);
        self.keys.truncate(end);
        self.values.truncate(end);
        self.held = self.values.iter().map(Held::held).sum();
    }

    /// Keeps the rows of which `keep` says so.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut kept = Self {
            ends: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            held: 0,
        };
        for row in (0..self.ends.len()).filter(|row| keep.get(*row) == Some(&true)) {
            let place = kept.ends.len();
            kept.pad(place + 1);
            for (key, value) in self.get(row) {
                kept.push(place, key.clone(), value.clone());
            }
        }
        *self = kept;
    }

    /// Where each row's pairs end in [`Pairs::keys`]: the offsets column of a ClickHouse array.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// All keys.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }

    /// All values.
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// Whether no row has a pair.
    pub fn is_absent(&self) -> bool {
        self.keys.is_empty()
    }

    /// Empties it and keeps its memory, unless it was not used.
    pub fn clear(&mut self) {
        if self.is_absent() {
            *self = Self::default();
        }
        self.ends.clear();
        self.keys.clear();
        self.values.clear();
        self.held = 0;
    }

    /// Octets of its pairs and of what they hold, as [`Column::octets`].
    pub fn octets(&self) -> usize {
        size_of_val(self.ends.as_slice())
            + size_of_val(self.keys.as_slice())
            + size_of_val(self.values.as_slice())
            + self.held
    }
}

/// Keeps the entries of which `keep` says so; a column may be shorter than the batch.
pub(crate) fn retain<T>(entries: &mut Vec<T>, keep: &[bool]) {
    let mut row = 0;
    entries.retain(|_| {
        row += 1;
        keep.get(row - 1) == Some(&true)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_never_written_are_absent_and_not_zero() {
        let mut column = Column::default();
        column.set(2, 7_u32);
        assert_eq!(
            [column.get(0), column.get(2), column.get(9)],
            [None, Some(7), None]
        );
        assert_eq!(
            (column.values(), column.nulls()),
            (&[0, 0, 7][..], &[1, 1, 0][..])
        );
        column.extend_at(4, [1, 2].into_iter());
        assert_eq!(column.nulls(), [1, 1, 0, 1, 0, 0]);
        column.clear_row(2);
        assert_eq!(column.get(2), None);
    }

    #[test]
    fn texts_are_kept_once() {
        let mut names = TextColumn::default();
        names.set_text(1, "web");
        names.set_text(3, "web");
        assert_eq!(names.texts().len(), 1);
        assert_eq!(
            [names.get(0), names.get(1), names.get(2), names.get(3)],
            [None, Some("web"), None, Some("web")]
        );
    }

    #[test]
    fn pairs_belong_to_their_row() {
        let mut pairs = Pairs::default();
        pairs.push(1, "a", 1);
        pairs.push(1, "b", 2);
        pairs.push(3, "c", 3);
        assert_eq!(pairs.get(0).count(), 0);
        assert_eq!(pairs.get(1).collect::<Vec<_>>(), [(&"a", &1), (&"b", &2)]);
        assert_eq!(pairs.get(2).count(), 0);
        assert_eq!(pairs.get(3).collect::<Vec<_>>(), [(&"c", &3)]);
        assert_eq!(pairs.ends(), [0, 2, 2, 3]);
        let mut some = pairs.clone();
        some.retain(&[true, false, true, true]);
        assert_eq!((some.ends(), some.keys()), (&[0, 0, 1][..], &["c"][..]));
        pairs.truncate(2);
        assert_eq!((pairs.ends(), pairs.keys()), (&[0, 2][..], &["a", "b"][..]));
    }
}
