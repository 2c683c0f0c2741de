//! The files of a tape and their names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::error::TapeError;

/// Which files of one segment are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentFiles {
    /// `N.tape`
    pub(crate) raw: bool,
    /// `N.tape.zst`
    pub(crate) compressed: bool,
}

/// `N.tape`: a segment as it was written.
pub(crate) fn raw_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.tape"))
}

/// `N.tape.zst`: a compressed segment.
pub(crate) fn compressed_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.tape.zst"))
}

/// `N.tape.zst.tmp`: a compressed segment in the making.
pub(crate) fn unfinished_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.tape.zst.tmp"))
}

/// `N.index`: which time is where in a segment.
pub(crate) fn index_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.index"))
}

/// The segments of a tape, oldest first. Files of other names are passed over.
///
/// # Errors
///
/// [`TapeError::Io`] if the folder cannot be listed.
pub(crate) fn list(dir: &Path) -> Result<BTreeMap<u32, SegmentFiles>, TapeError> {
    let mut found: BTreeMap<u32, SegmentFiles> = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(TapeError::io("list", dir))? {
        let name = entry.map_err(TapeError::io("list", dir))?.file_name();
        let Some((number, kind)) = name.to_str().and_then(|name| name.split_once('.')) else {
            continue;
        };
        let Ok(number) = number.parse::<u32>() else {
            continue;
        };
        match kind {
            "tape" => found.entry(number).or_default().raw = true,
            "tape.zst" => found.entry(number).or_default().compressed = true,
            _ => {}
        }
    }
    Ok(found)
}

/// Removes what a compression that was interrupted left behind.
pub(crate) fn remove_unfinished(dir: &Path) -> Result<(), TapeError> {
    for entry in fs::read_dir(dir).map_err(TapeError::io("list", dir))? {
        let path = entry.map_err(TapeError::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<(), TapeError> {
    match fs::remove_file(path).map_err(TapeError::io("remove", path)) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// Removes a segment and gives its space back at once, even while a reader has it open: such a reader finds the
/// segment cut short and goes on with the next.
pub(crate) fn remove_segment(dir: &Path, number: u32) -> Result<(), TapeError> {
    for path in [raw_path(dir, number), compressed_path(dir, number)] {
        if let Ok(file) = File::options().write(true).open(&path) {
            file.set_len(0).map_err(TapeError::io("empty", &path))?;
        }
        remove(&path)?;
    }
    remove(&index_path(dir, number))
}

/// Forces the names of the folder's files to disk.
pub(crate) fn sync(dir: &Path) -> Result<(), TapeError> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(TapeError::io("sync", dir))
}

/// Octets of its file system that the tape may still use.
pub(crate) fn free_octets(dir: &Path) -> Result<u64, TapeError> {
    let stat = nix::sys::statvfs::statvfs(dir)
        .map_err(|errno| TapeError::io("measure the free space of", dir)(errno.into()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// The right to write a tape; given back when it is dropped, or when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// [`TapeError::Locked`] names the process that has it.
    pub(crate) fn take(dir: &Path) -> Result<Self, TapeError> {
        let path = dir.join("LOCK");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(TapeError::io("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                let said = format!("process {}\n", std::process::id());
                // Only for the one who finds it locked: a full disk must not keep the tape shut.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(said.as_bytes()));
                Ok(Self { _file: file })
            }
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
                Err(TapeError::Locked {
                    dir: dir.to_owned(),
                    holder: if known {
                        holder.trim().to_owned()
                    } else {
                        "another process".to_owned()
                    },
                })
            }
            Err((_, errno)) => Err(TapeError::io("lock", &path)(errno.into())),
        }
    }
}
