//! Files onto another place, forced to disk. Never by hard links: the tape empties a segment before it removes it, and a
//! link would be empty too.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Copies a file as far as it goes now, and forces it to disk. Returns how many octets.
pub(crate) fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let source = File::open(from)?;
    let octets = source.metadata()?.len();
    let mut target = File::create(to)?;
    // What is appended meanwhile stays out, so that a file that grows has an end.
    let copied = io::copy(&mut source.take(octets), &mut target)?;
    target.sync_all()?;
    Ok(copied)
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            copy_file(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    sync_folder(to)
}

/// Puts a folder into another place; copies it where that is another file system.
pub(crate) fn move_folder(from: &Path, to: &Path) -> Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    copy_folder(from, to)?;
    fs::remove_dir_all(from).with_context(|| from.display().to_string())
}

/// Forces the names in a folder to disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| folder.display().to_string())
}

/// Copies a tape that is written, compressed and cut short meanwhile: the segments that are there now, in their order, so
/// that what is copied is a beginning of it. A segment that is removed before its turn was the oldest.
///
/// A frame that is being written is copied in part; whoever opens the tape cuts it off.
pub(crate) fn copy_tape(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let segment = name.strip_suffix(".zst").unwrap_or(&name);
        numbers.extend(segment.strip_suffix(".tape").map(str::to_owned));
    }
    let last = numbers.last().cloned();
    for number in &numbers {
        copy_segment(from, to, number).with_context(|| format!("segment {number}"))?;
        // The last one's index may be ahead of what was copied: it is made anew.
        if Some(number) != last.as_ref() {
            let index = format!("{number}.index");
            // Without it the segment is searched.
            let _ = copy_file(&from.join(&index), &to.join(&index));
        }
    }
    sync_folder(to)
}

/// Copies the compressed form of a segment or else the raw one, and makes sure that it was there until the end.
fn copy_segment(from: &Path, to: &Path, number: &str) -> io::Result<()> {
    // It may become compressed under our hands, once.
    for _ in 0..3 {
        for name in [format!("{number}.tape.zst"), format!("{number}.tape")] {
            let (source, target) = (from.join(&name), to.join(&name));
            match copy_file(&source, &target) {
                // It is emptied before it is removed.
                Ok(octets) if octets > 0 && source.exists() => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {
                    let _ = fs::remove_file(&target);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_is_copied_without_its_lock_and_its_last_index() {
        let folder = tempfile::tempdir().unwrap();
        let (tape, copy) = (folder.path().join("tape"), folder.path().join("copy"));
        fs::create_dir(&tape).unwrap();
        for name in [
            "1.tape.zst",
            "1.index",
            "2.tape",
            "2.index",
            "LOCK",
            "3.tape.zst.tmp",
        ] {
            fs::write(tape.join(name), name).unwrap();
        }
        copy_tape(&tape, &copy).unwrap();
        let entries = fs::read_dir(&copy).unwrap().flatten();
        let names: BTreeSet<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(Vec::from_iter(names), ["1.index", "1.tape.zst", "2.tape"]);
    }
}
