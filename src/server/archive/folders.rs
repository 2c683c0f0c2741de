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

/// Removes the folders of recordings, whole or not, but for those of these numbers. What else is there is somebody's.
pub(super) fn remove_others(folders: &Path, own: &[u32]) -> io::Result<()> {
    for entry in fs::read_dir(folders)? {
        let path = entry?.path();
        let is_whole = path
            .extension()
            .is_none_or(|extension| extension == PARTIAL);
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        let is_partial = path.extension().is_some();
        let Some(number) = number.filter(|_| is_whole) else {
            continue;
        };
        if is_partial || !own.contains(&number) {
            let removed = remove_folder(&path);
            tracing::info!(path = %path.display(), ?removed, "what is left of a recording is removed");
        }
    }
    Ok(())
}
