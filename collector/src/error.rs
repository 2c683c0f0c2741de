//! What can go wrong in this crate, with its place.

use std::io;
use std::path::PathBuf;

/// Why something of the collector could not be set up. Bad input never gives one: it is counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator's field mapping can't be read as TOML. Fatal at start; on a reload the old mapping stays.
    #[error("field mapping: {0}")]
    MappingSyntax(#[from] toml::de::Error),
    /// An entry of the field mapping contradicts itself. Fatal at start; on a reload the old mapping stays.
    #[error("field mapping: element {enterprise}/{id} ('{name}'): {reason}")]
    Mapping {
        /// Private enterprise number.
        enterprise: u32,
        /// Element id.
        id: u16,
        /// The name that the operator gave.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory could not be used.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
