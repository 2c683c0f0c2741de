//! A folder for what an input is written to; in memory where there is such a place, as it is made for every input.

use std::path::Path;

/// A new folder, gone when dropped.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a folder for the input")
}
