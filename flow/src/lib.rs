//! The vocabulary of Flowreel: what arrived ([`Datagram`]), what it meant ([`FlowBatch`]), and the words around them.
//!
//! Everything here is plain data. Nothing does I/O, nothing is async, and only [`clock`] asks for the time.
//!
//! | module | holds |
//! |---|---|
//! | [`clock`] | instants, and the only place that reads the machine's clock |
//! | [`datagram`] | a datagram as it arrived, and its place on the tape |
//! | [`batch`], [`column`] | decoded flow records, column by column |
//! | [`record`] | one flow record, for people |
//! | [`measure`] | performance elements of vendors: name, unit, and what a sum is divided by |
//! | [`application`], [`site`] | the rules that name servers and subnets |
//! | [`filter`] | the filter language |
//! | [`accounting`] | received = stored + on tape + Σ dropped |
//! | [`health`], [`hints`] | what is known of each exporter, and what limits the answers that it can give |

pub mod accounting;
pub mod address;
pub mod application;
pub mod batch;
pub mod clock;
pub mod column;
pub mod datagram;
pub mod filter;
pub mod health;
pub mod hints;
pub mod measure;
pub mod record;
pub mod site;
pub mod text;

pub use accounting::{Accounting, DropKind};
pub use batch::FlowBatch;
pub use clock::Timestamp;
pub use datagram::{Datagram, ExporterId, Feed, TapePosition, Version};
pub use filter::Filter;
pub use record::FlowRecord;
