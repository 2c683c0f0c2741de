//! Backups: all that a data directory holds, taken while the product runs, and made a data directory again.
//!
//! | file | holds |
//! |---|---|
//! | `manifest` | which files a backup has, their checksums, and the versions that they are of |
//! | `taking` | a backup of a data directory |
//! | `recordings` | what recordings have of their own |
//! | `restoring` | a data directory from a backup |
//! | `copying` | files, folders and a tape that grows, to disk |
//!
//! The parts are taken one after the other, so each is of another moment. They are taken in the order in which a tear is
//! late and never lost: first the checkpoint, then the store, which has at least what the checkpoint says, then the tape,
//! which has at least what the store has, then the catalog, which knows every import that is on the tape. The tape is also
//! copied before the store, as retention may take what lies behind the checkpoint while the store is written. What the store
//! has beyond the checkpoint is found out by comparing it with the tape at the first start (`server::mending`).

mod copying;
mod manifest;
mod recordings;
mod restoring;
mod taking;

pub(crate) use manifest::Manifest;
pub(crate) use restoring::{RESTORING, restore};
pub(crate) use taking::back_up;
