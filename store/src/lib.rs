//! The store: ClickHouse schema, columnar writer, typed questions and their answers; and the catalog (SQLite).
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | [`Store`]: connects, makes the schema, answers questions |
//! | [`writer`] | [`Writer`]: batches in, exactly once |
//! | [`question`] | what can be asked, and what comes back |
//! | [`compare`] | two windows side by side: what is new, gone, larger, smaller, slower |
//! | [`lateness`] | how late flows are known |
//! | [`outcomes`] | what became of connections, by group |
//! | [`audit`] | whether a batch is there exactly once |
//! | [`rebuild`] | a stretch of the past made anew |
//! | [`recording`] | a slice of the rows: copied into a database of its own, written as Parquet and read again |
//! | [`stored`] | what the store has of a collector's tape |
//! | [`backup`] | the database as files |
//! | [`presence`] | who writes under which collector's name |
//! | [`config`], [`error`], [`stats`] | as everywhere |
//! | `connection`, `disk` | Unix socket or URL; forcing to disk what the embedded engine wrote |
//! | `schema`, `older` | the SQL files of `schema/`; databases from before them |
//! | `attempt`, `pieces` | one attempt to insert a batch; where a large one is cut |
//! | `block`, `rare`, `order`, `native` | a batch as ClickHouse's own format, in the order of the table |
//! | `rollup` | what is derived from a batch: sums by bucket and group |
//! | `observed` | stored records as a batch again, for making rollups anew |
//! | `parting` | many rows in parts |
//! | `plan` | which table answers which part of a window |
//! | `grouping`, `predicate`, `select` | dimensions, filters and windows as SQL |
//! | `top`, `series`, `records`, [`profile`], `inventory` | a statement for each question |
//! | [`catalog`] | SQLite: rules, imports, settings |

pub mod audit;
pub mod backup;
pub mod catalog;
pub mod compare;
pub mod config;
pub mod error;
pub mod lateness;
pub mod outcomes;
pub mod presence;
pub mod profile;
pub mod question;
pub mod rebuild;
pub mod recording;
pub mod stats;
pub mod store;
pub mod stored;
pub mod writer;

mod attempt;
mod block;
mod connection;
mod disk;
mod grouping;
mod inventory;
mod native;
mod observed;
mod older;
mod order;
mod parting;
mod pieces;
mod plan;
mod predicate;
mod rare;
mod records;
mod rollup;
mod schema;
mod select;
mod series;
mod sql;
mod top;

pub use config::Config;
pub use error::StoreError;
pub use rebuild::Stretch;
pub use recording::Slice;
pub use store::Store;
pub use writer::{Refused, Writer};
