//! The normaliser from outside: hand-made batches with known answers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounting;
mod application;
mod bounds;
mod client;
mod enterprise;
mod rows;
mod tunnel;
