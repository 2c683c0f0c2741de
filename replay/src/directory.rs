//! The files of a tape and their names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::disk::{Disk, DiskFile};
use crate::error::TapeError;
use crate::recovery::End;

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
pub(crate) fn remove_unfinished(disk: &Disk, dir: &Path) -> Result<(), TapeError> {
    for entry in fs::read_dir(dir).map_err(TapeError::io("list", dir))? {
        let path = entry.map_err(TapeError::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            remove(disk, &path)?;
        }
    }
    Ok(())
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(disk: &Disk, path: &Path) -> Result<(), TapeError> {
    match disk.remove(path).map_err(TapeError::io("remove", path)) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// Removes a segment and gives its space back at once, even while a reader has it open: such a reader finds the
/// segment cut short and goes on with the next.
pub(crate) fn remove_segment(disk: &Disk, dir: &Path, number: u32) -> Result<(), TapeError> {
    for path in [raw_path(dir, number), compressed_path(dir, number)] {
        if let Ok(file) = disk.open(&path) {
            file.set_len(0).map_err(TapeError::io("empty", &path))?;
        }
        remove(disk, &path)?;
    }
    remove(disk, &index_path(dir, number))
}

/// Octets of its file system that the tape may still use.
pub(crate) fn free_octets(dir: &Path) -> Result<u64, TapeError> {
    let stat = nix::sys::statvfs::statvfs(dir)
        .map_err(|errno| TapeError::io("measure the free space of", dir)(errno.into()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// The right to write a tape; given back when it is dropped, or when the process ends in any way.
///
/// The file says who writes, and since which start of the machine. A writer that ends with everything on disk empties it.
#[derive(Debug)]
pub(crate) struct Lock {
    _held: Flock<File>,
    file: DiskFile,
}

impl Lock {
    /// Takes it, and tells how whoever had it before has ended.
    ///
    /// # Errors
    ///
    /// [`TapeError::Locked`] names the process that has it.
    pub(crate) fn take(disk: &Disk, dir: &Path) -> Result<(Self, End), TapeError> {
        let path = dir.join("LOCK");
        let failed = TapeError::io("open", &path);
        let held = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let (held, file) = match held.and_then(|held| Ok((held, disk.open(&path)?))) {
            Ok(opened) => opened,
            Err(error) => return Err(failed(error)),
        };
        match Flock::lock(held, FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                let boot = boot();
                let left = how_it_ended(&said(&mut held), boot.as_deref());
                let boot = boot.unwrap_or_default();
                let said = format!("process {}, {START} {boot}\n", std::process::id());
                // A full disk must not keep the tape shut.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.write_all_at(said.as_bytes(), 0))
                    .and_then(|()| file.sync());
                Ok((Self { _held: held, file }, left))
            }
            Err((mut held, nix::errno::Errno::EWOULDBLOCK)) => {
                let said = said(&mut held);
                let holder = said.split(',').next().filter(|holder| !holder.is_empty());
                Err(TapeError::Locked {
                    dir: dir.to_owned(),
                    holder: holder.unwrap_or("another process").to_owned(),
                })
            }
            Err((_, errno)) => Err(TapeError::io("lock", &path)(errno.into())),
        }
    }

    /// Whether a process has it now.
    pub(crate) fn is_taken(dir: &Path) -> Result<bool, TapeError> {
        let path = dir.join("LOCK");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(TapeError::io("open", &path)(error)),
        };
        // Shared, so that whoever asks is never in the way of another who asks.
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => Ok(false),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(true),
            Err((_, errno)) => Err(TapeError::io("lock", &path)(errno.into())),
        }
    }

    /// Everything is on disk: the next who opens the tape need not look for what is lost.
    pub(crate) fn end_cleanly(&self) {
        // If it does not work, the next start says that something may be lost, and nothing is.
        let _ = self.file.set_len(0).and_then(|()| self.file.sync());
    }
}

/// Stands before what is another one after each start of the machine.
const START: &str = "start of the machine";

/// What stands in the lock's file.
fn said(file: &mut File) -> String {
    let mut said = String::new();
    match file.read_to_string(&mut said) {
        Ok(_) => said.trim().to_owned(),
        Err(_) => String::new(),
    }
}

fn how_it_ended(said: &str, boot: Option<&str>) -> End {
    match boot {
        _ if said.is_empty() => End::Clean,
        // Written by a program that did not say it.
        _ if !said.contains(START) => End::Killed,
        Some(boot) if said.ends_with(boot) => End::Killed,
        _ => End::PowerCut,
    }
}

/// What is another one after each start of the machine.
fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
}
