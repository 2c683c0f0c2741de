//! Any text as a filter: an error with a column, or a tree whose canonical text is read as the same tree.

use flow::Filter;

/// Reads it.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(filter) = Filter::parse(text) {
        let again = Filter::parse(&filter.expr().to_string());
        assert_eq!(again.as_ref().map(Filter::expr), Ok(filter.expr()));
    }
}
