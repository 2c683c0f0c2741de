//! The decoder against captures of real exporters, against another decoder, and against hand-made faults.
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

mod captures;
mod cuts;
mod differential;
mod goldens;
mod learned;
mod memory;
mod quotas;
mod roundtrip;
#[path = "../faults/support.rs"]
mod support;
mod telegraf;
mod timeouts;
mod v5;
#[path = "../faults/wire.rs"]
mod wire;
