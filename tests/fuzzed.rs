//! Any text as the configuration; see `fuzz/inputs/changes.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may"
)]
#![allow(dead_code, reason = "the binary uses the rest of its own files")]

#[path = "../fuzz/inputs/changes.rs"]
mod changes;
#[path = "../fuzz/inputs/cli.rs"]
mod cli;
#[path = "../src/config.rs"]
mod config;
#[path = "../fuzz/inputs/config.rs"]
mod configuration;
#[path = "../fuzz/inputs/folder.rs"]
mod folder;
#[path = "../src/telemetry.rs"]
mod telemetry;

use changes::run;

#[test]
fn any_text_is_a_configuration_or_an_error() {
    let page = include_str!("../docs/operations.md");
    let blocks = page.split("```toml\n").skip(1);
    let mut seeds: Vec<_> = blocks
        .filter_map(|block| Some(block.split_once("```")?.0.as_bytes().to_vec()))
        .collect();
    let default = config::Config::default().shown().unwrap();
    seeds.push(default.replace("fields", "field").into_bytes());
    assert!(seeds.len() > 1);
    run(configuration::run, &seeds, 400);
}
