//! What the store promises, held against a real ClickHouse: the embedded engine always, and the server that
//! `FLOWREEL_TEST_CLICKHOUSE_URL` names if it is set. Expected values are sums made on paper.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod answers;
mod cluster;
mod compare;
mod faults;
mod filters;
mod hostile;
mod large;
mod lateness;
mod once;
mod one_shard;
mod outcomes;
mod places;
mod presence;
mod rebuild;
mod recording;
mod records;
mod refused;
mod restart;
mod rows;
mod scopes;
mod windows;
