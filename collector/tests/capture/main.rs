//! Capture files: hand-built frames of every link layer, fragments, damaged files, what we write, and all captures of the
//! manifest.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod files;
mod fragments;
mod frames;
mod manifest;
mod pcap;
mod written;
