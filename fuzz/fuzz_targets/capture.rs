//! Any file as a capture: see `inputs/capture.rs`.
#![no_main]

#[path = "../inputs/folder.rs"]
mod folder;
#[path = "../inputs/capture.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
