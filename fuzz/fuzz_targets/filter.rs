//! Any text as a filter: an error with a column, or a tree whose canonical text is read as the same tree.
#![no_main]

use flow::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(filter) = Filter::parse(text) {
        let again = Filter::parse(&filter.expr().to_string());
        assert_eq!(again.as_ref().map(Filter::expr), Ok(filter.expr()));
    }
});
