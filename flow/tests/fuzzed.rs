//! Any text as a filter; see `fuzz/inputs/changes.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may"
)]

#[path = "../../fuzz/inputs/changes.rs"]
mod changes;
#[path = "../../fuzz/inputs/filter.rs"]
mod target;

use changes::run;

#[test]
fn any_text_is_a_filter_or_an_error() {
    let page = include_str!("../../docs/filter.md");
    let quoted = page.split('`').skip(1).step_by(2).flat_map(str::lines);
    let seeds: Vec<_> = quoted.map(|line| line.as_bytes().to_vec()).collect();
    assert!(seeds.len() > 50);
    run(target::run, &seeds, 6000);
}
