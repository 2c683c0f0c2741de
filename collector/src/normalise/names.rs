//! Names, and the symbols that stand for them in the batch that is being filled.

use std::sync::Arc;

use flow::column::{Symbol, TextColumn};

/// A name of [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(pub(super) u32);

impl NameId {
    #[inline]
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Texts by number. Grows when rules are set and when services are learned, both of which are bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    texts: Vec<Arc<str>>,
}

impl Names {
    /// Adds a name, known or not.
    pub(super) fn add(&mut self, text: &str) -> NameId {
        self.texts.push(text.into());
        NameId(u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX))
    }

    /// Gives a number to another name; its symbols are to be looked at again ([`Symbols::begin`]).
    pub(super) fn replace(&mut self, id: NameId, text: &str) {
        if let Some(old) = self.texts.get_mut(id.index()) {
            *old = text.into();
        }
    }

    /// The text.
    #[inline]
    pub(super) fn text(&self, id: NameId) -> &str {
        self.texts.get(id.index()).map_or("", |text| text)
    }
}

/// Symbols of names in one column, so that a row costs no text.
///
/// A symbol is believed within one call; a later call, which may be about another batch, first looks whether it still
/// stands for the same text.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    call: u64,
    /// The call in which it was last found right, and the symbol.
    known: Vec<(u64, Symbol)>,
}

impl Symbols {
    /// A new call begins, or a name's number stands for another name.
    pub(super) fn begin(&mut self) {
        self.call += 1;
    }

    /// Writes a name into a row.
    #[inline]
    pub(super) fn write(&mut self, column: &mut TextColumn, row: usize, names: &Names, id: NameId) {
        let symbol = match self.known.get(id.index()) {
            Some((call, symbol)) if *call == self.call => *symbol,
            _ => self.ask(column, names, id),
        };
        column.set(row, symbol);
    }

    fn ask(&mut self, column: &mut TextColumn, names: &Names, id: NameId) -> Symbol {
        let text = names.text(id);
        if id.index() >= self.known.len() {
            self.known.resize(id.index() + 1, (0, Symbol::default()));
        }
        let (call, symbol) = &mut self.known[id.index()];
        let stands_for = (symbol.0 as usize)
            .checked_sub(1)
            .and_then(|index| column.texts().get(index));
        if stands_for.is_none_or(|known| **known != *text) {
            *symbol = column.intern(text);
        }
        *call = self.call;
        *symbol
    }

    /// All names are others from now on.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_of_one_batch_is_not_used_in_the_next() {
        let (mut names, mut symbols) = (Names::default(), Symbols::default());
        let (web, mail) = (names.add("web"), names.add("mail"));
        let mut first = TextColumn::default();
        symbols.begin();
        symbols.write(&mut first, 0, &names, web);
        symbols.write(&mut first, 1, &names, mail);
        let mut second = TextColumn::default();
        symbols.begin();
        symbols.write(&mut second, 0, &names, mail);
        symbols.write(&mut second, 1, &names, web);
        assert_eq!([second.get(0), second.get(1)], [Some("mail"), Some("web")]);
        names.replace(web, "intranet");
        symbols.begin();
        symbols.write(&mut second, 2, &names, web);
        assert_eq!(second.get(2), Some("intranet"));
    }
}
