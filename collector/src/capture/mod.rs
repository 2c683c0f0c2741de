//! Datagrams from capture files and mirrored interfaces, as if they had come by UDP.
//!
//! [`CaptureFile`] reads pcap and pcapng, [`Mirror`] listens to an interface; both hand frames to one [`unwrap`] that goes
//! through link layer ([`link`]) and IP with its fragments ([`fragments`]) to the UDP payload, and counts what it leaves
//! behind ([`stats`]). [`CaptureWriter`] goes the other way.

pub mod config;
pub mod error;
mod file;
mod fragments;
mod link;
mod mirror;
pub mod stats;
mod unwrap;
mod writer;

pub use config::{MirrorConfig, Selection};
pub use error::CaptureError;
pub use file::{CaptureFile, Progress};
pub use mirror::{Mirror, MirrorStats, MirrorThread};
pub use stats::FrameCounts;
pub use writer::{CaptureWriter, Format, Framing};
