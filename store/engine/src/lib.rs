//! The embedded ClickHouse: libchdb in a child process that answers the ClickHouse HTTP interface on a Unix socket.
//!
//! In its own process, because it may crash, keeps one data path per process, and takes memory of its own. [`serve`] is
//! that process, [`Supervisor`] is the parent's side, [`locate`] finds the library that
//! `scripts/install-engine.sh` installed. Everything else speaks to the socket with any ClickHouse client.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | settings of both sides |
//! | `serve`, `http`, `request`, `desk`, `session` | a request's way: socket → HTTP → what it asks → its turn → a connection |
//! | `statement`, `lexer` | tells INSERTs with data from other statements |
//! | `library` | the C interface; the only `unsafe` code of the product, but for two lines in `serve` and `memory` each |
//! | `memory` | how a process, the parent too, gives memory back |
//! | `configuration` | what the engine itself reads: memory, durability, grants |
//! | `supervisor`, `ping`, [`stats`] | starts, watches and restarts the process |
//!
//! What statements can't do here, although ClickHouse could: read or write files, addresses or other servers, run
//! programs, manage users, back up, or stop the engine. `Exception` texts and codes are ClickHouse's own.

pub mod config;
mod configuration;
mod desk;
mod error;
mod exception;
mod http;
mod lexer;
mod library;
mod locate;
mod memory;
mod ping;
mod request;
mod serve;
mod session;
mod statement;
pub mod stats;
mod supervisor;

pub use config::{ServeConfig, SupervisorConfig};
pub use error::EngineError;
pub use locate::locate;
pub use memory::give_back_large_blocks;
pub use serve::serve;
pub use stats::Stats;
pub use supervisor::{EngineState, Phase, Supervisor};
