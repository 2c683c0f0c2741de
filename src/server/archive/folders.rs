//! Folders of recordings: made under another name, and removed whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A folder in the making.
const PARTIAL: &str = "partial";

/// The name of a folder in the making.
pub(super) fn partial(folder: &Path) -> PathBuf {
    folder.with_extension(PARTIAL)
}

/// Gives a folder its name, on disk, and tells how many octets are in it.
pub(super) fn place(partial: &Path, folder: &Path) -> io::Result<u64> {
    let mut octets = 0;
    for entry in fs::read_dir(partial)? {
        octets += entry?.metadata()?.len();
    }
    File::open(partial)?.sync_all()?;
    fs::rename(partial, folder)?;
    File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
    Ok(octets)
}

/// Removes a folder that may not be there.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what is in the folder of recordings, but for those of these numbers.
pub(super) fn remove_others(folders: &Path, own: &[u32]) -> io::Result<()> {
    for entry in fs::read_dir(folders)? {
        let entry = entry?;
        let is_own = |number: &u32| entry.file_name() == number.to_string().as_str();
        if !own.iter().any(is_own) {
            remove_folder(&entry.path())?;
        }
    }
    Ok(())
}
