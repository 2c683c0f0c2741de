//! Any files as a tape: see `inputs/tape.rs`.
#![no_main]

#[path = "../inputs/folder.rs"]
mod folder;
#[path = "../inputs/tape.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
