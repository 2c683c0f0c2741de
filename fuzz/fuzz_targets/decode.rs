//! Datagrams of any octets: see `inputs/decode.rs`.
#![no_main]

#[path = "../inputs/decode.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
