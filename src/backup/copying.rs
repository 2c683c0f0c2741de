//! Files onto another place, forced to disk. Never by hard links: the tape empties a segment before it removes it, and a
//! link would be empty too.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Copies a file as far as it goes now, and forces it to disk. Returns how many octets.
///
/// # Errors
///
/// The system's; or [`io::ErrorKind::UnexpectedEof`] if the file was cut meanwhile, so that a part of it is missing.
pub(crate) fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let source = File::open(from)?;
    let octets = source.metadata()?.len();
    let mut target = File::create(to)?;
    // What is appended meanwhile stays out, so that a file that grows has an end.
    let copied = io::copy(&mut source.take(octets), &mut target)?;
    if copied < octets {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
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
/// Called again it adds what came since: the segments behind the last one of before, and that one again, as it has grown.
///
/// A frame that is being written is copied in part; whoever opens the tape cuts it off.
pub(crate) fn copy_tape(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let numbers = numbers(from)?;
    let copied = numbers_copied(to)?;
    let last = numbers.last().cloned();
    for number in numbers.iter().filter(|number| !copied.contains(*number)) {
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

/// Numbers of a tape's segments.
fn numbers(tape: &Path) -> Result<BTreeSet<String>> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(tape).with_context(|| tape.display().to_string())? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let segment = name.strip_suffix(".zst").unwrap_or(&name);
        numbers.extend(segment.strip_suffix(".tape").map(str::to_owned));
    }
    Ok(numbers)
}

/// Those that were copied and are as they will stay: all but the last.
fn numbers_copied(to: &Path) -> Result<BTreeSet<String>> {
    let mut numbers = numbers(to)?;
    numbers.pop_last();
    Ok(numbers)
}

/// Copies the compressed form of a segment or else the raw one, and makes sure that it was there until the end. One that
/// is removed meanwhile is left out, or what an earlier call copied of it stays.
fn copy_segment(from: &Path, to: &Path, number: &str) -> io::Result<()> {
    let raw = to.join(format!("{number}.tape"));
    // It may become compressed under our hands, once.
    for _ in 0..3 {
        for name in [format!("{number}.tape.zst"), format!("{number}.tape")] {
            let (source, unfinished) = (from.join(&name), to.join("unfinished"));
            match copy_file(&source, &unfinished) {
                // It is emptied before it is removed.
                Ok(octets) if octets > 0 && source.exists() => {
                    let target = to.join(&name);
                    fs::rename(&unfinished, &target)?;
                    return match target == raw || !raw.exists() {
                        true => Ok(()),
                        // What was copied of it before it was compressed.
                        false => fs::remove_file(&raw),
                    };
                }
                Err(error) if !is_gone(&error) => return Err(error),
                _ => {
                    let _ = fs::remove_file(&unfinished);
                }
            }
        }
    }
    tracing::warn!(
        number,
        "a segment was removed from the tape while it was copied"
    );
    Ok(())
}

/// Whether the file was removed or emptied under our hands.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
    )
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

    #[test]
    fn what_was_copied_stays_when_the_tape_goes_on_and_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let (tape, copy) = (folder.path().join("tape"), folder.path().join("copy"));
        fs::create_dir(&tape).unwrap();
        for name in ["1.tape.zst", "2.tape"] {
            fs::write(tape.join(name), name).unwrap();
        }
        copy_tape(&tape, &copy).unwrap();
        // 1 expires, 2 grows and is compressed, 3 is being removed, 4 is new.
        for name in ["1.tape.zst", "2.tape"] {
            fs::remove_file(tape.join(name)).unwrap();
        }
        for (name, text) in [("2.tape.zst", "grown"), ("3.tape", ""), ("4.tape", "new")] {
            fs::write(tape.join(name), text).unwrap();
        }
        copy_tape(&tape, &copy).unwrap();
        let read = |name| fs::read_to_string(copy.join(name)).ok();
        assert_eq!(read("1.tape.zst").as_deref(), Some("1.tape.zst"));
        assert_eq!(
            (read("2.tape"), read("2.tape.zst").as_deref()),
            (None, Some("grown"))
        );
        assert_eq!(
            (read("3.tape"), read("4.tape").as_deref()),
            (None, Some("new"))
        );
    }
}
