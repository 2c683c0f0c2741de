//! The tape: an append-only log of every datagram that arrived, readable at once, bounded, and safe against crashes.
//!
//! | module | holds |
//! |---|---|
//! | [`disk`] | the file layer: every change on disk, in an order that survives a power cut |
//! | [`config`] | how large, how old, how often to disk |
//! | [`writer`] | appends datagrams, rolls segments, makes room on a full disk |
//! | [`reader`] | follows a tape, live or old, past damage and missing segments |
//! | [`tail`] | the handle that writer and readers share: the tape's end, and waiting for it to move |
//! | [`upkeep`] | the threads that force octets to disk and compress sealed segments |
//! | [`index`] | finds a time on the tape |
//! | [`retention`] | what may go when the tape is full or old, and what is pinned |
//! | [`recovery`] | what opening a tape found and mended |
//! | [`reel`] | the `.reel` file: a recording as one portable file |
//! | [`player`] | the clock of a player that shows a recording |
//! | [`wire`] | sends datagrams to a collector, at their own pace or another |
//! | [`stats`] | every counter |
//!
//! The tape's format is described in `docs/tape.md` for other programs; here it lives in `header`, `frame` and `seekable`.
//!
//! Nothing in this crate asks for the time of day: instants are arguments. [`writer::TapeWriter`] starts no threads;
//! [`upkeep::Upkeep`] is the shell around it.

pub mod config;
pub mod disk;
pub mod error;
pub mod index;
pub mod player;
pub mod reader;
pub mod recovery;
pub mod reel;
pub mod retention;
pub mod stats;
pub mod tail;
pub mod upkeep;
pub mod wire;
pub mod writer;

mod compress;
mod cursor;
mod directory;
mod frame;
mod header;
mod live;
mod seekable;
mod segment;

pub use config::TapeConfig;
pub use disk::Disk;
pub use error::TapeError;
pub use index::{Stretch, first_segment, seek_time, stretches_between};
pub use reader::{ReaderCounts, TapeReader};
pub use recovery::{End, Recovery};
pub use retention::{Expired, Pins};
pub use stats::TapeCounts;
pub use tail::Tail;
pub use upkeep::Upkeep;
pub use writer::{Appended, TapeWriter, is_written};
