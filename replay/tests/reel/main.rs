//! The `.reel` file: what is written comes back, other programs read it, and nothing that is wrong with it goes unseen.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

#[path = "../../../fuzz/inputs/changes.rs"]
mod changes;
#[path = "../power/mod.rs"]
mod power;
#[path = "../tape/mod.rs"]
mod tape;

mod cutting;
mod damage;
mod files;
mod hostile;
mod round_trip;
mod writing;
