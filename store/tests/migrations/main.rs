//! From every released version to today's: what a store and a catalog of then answer now, also if the way there was cut.
//!
//! `v5/` and so on: the statements by which that version made its database, and rows of that time. A released version gets
//! a folder and a line in `RELEASED`, and neither is ever changed.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../contract/one_shard.rs"]
mod one_shard;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../contract/places.rs"]
mod places;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../contract/rows.rs"]
mod rows;

mod catalog;
mod cut;
mod schema;
