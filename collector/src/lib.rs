//! From UDP, capture files and mirrored interfaces to flow batches.
//!
//! A datagram's way through this crate: [`listen`] or [`capture`] stamp it, the tape keeps it, [`decode`] says what it
//! meant, [`normalise`] adds who is the client and what it is called. [`inspect`] shows every field to people. [`rewrite`]
//! makes other datagrams of those on the tape, for recordings.

pub mod capture;
pub mod decode;
pub mod error;
pub mod fields;
pub mod inspect;
pub mod listen;
pub mod normalise;
pub mod rewrite;
