//! The real engine, in a process of its own, as its clients see it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod concurrency;
mod deduplication;
mod durability;
mod interface;
mod limits;
mod running;
mod supervision;
