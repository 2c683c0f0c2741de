//! Any text as a filter: see `inputs/filter.rs`.
#![no_main]

#[path = "../inputs/filter.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
