//! Any text as the configuration: see `inputs/config.rs`.
#![no_main]
#![allow(dead_code, reason = "the binary uses the rest of its own files")]

#[path = "../inputs/cli.rs"]
mod cli;
#[path = "../../src/config.rs"]
mod config;
#[path = "../inputs/folder.rs"]
mod folder;
#[path = "../inputs/config.rs"]
mod target;
#[path = "../../src/telemetry.rs"]
mod telemetry;

libfuzzer_sys::fuzz_target!(|input: &[u8]| target::run(input));
