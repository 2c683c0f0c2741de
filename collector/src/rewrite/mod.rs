//! Datagrams made of datagrams, for recordings: what others need to be decoded, without the people in it, at another
//! time, and once more.
//!
//! All of it walks a datagram as the decoder does, with the same templates: NetFlow v1, v5, v7, v9 and IPFIX, field by
//! field. Only [`Knowledge`] changes the size of a datagram. State is bounded as the decoder's is, by
//! [`DecodeConfig`](crate::decode::DecodeConfig); when there is no room for one more exporter, those that were silent
//! longest are forgotten, and their data is of unknown templates until they come again.
//!
//! | file | holds |
//! |---|---|
//! | `walk` | the way through a datagram: Sets, records, and what is behind them |
//! | `knowledge`, `latest` | templates and options data alone; each once, for the beginning of a recording |
//! | `anonymize/` | addresses encrypted, names overwritten |
//! | `times` | all times moved by whole seconds |
//! | `sequences` | sequence numbers that go on when a recording begins again |

pub mod anonymize;
mod knowledge;
mod latest;
mod sequences;
mod times;
mod walk;

pub use anonymize::{Anonymizer, Key, KeyError};
pub use knowledge::Knowledge;
pub use latest::{Latest, LatestConfig};
pub use sequences::Sequences;
pub use times::TimeMove;
pub use walk::Unreadable;
