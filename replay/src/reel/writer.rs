//! Makes a `.reel` file of files that are there: the whole of it, or nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile};
use crate::reel::CHUNK_OCTETS;
use crate::reel::checksum::Checksum;
use crate::reel::error::ReelError;
use crate::reel::header;
use crate::reel::manifest::{FORMAT, Manifest, PartEntry};
use crate::reel::part::{MANIFEST, PartKind};
use crate::reel::reader::seal;

/// Files in the making of one name that this process may meet: what it left there before, under the same number.
const TRIES: u32 = 1000;

/// A file that becomes a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// What it holds.
    pub kind: PartKind,
    /// Where it is. It must not change until [`write()`] returns.
    pub path: PathBuf,
}

/// Writes a recording to `target`: `described`, with its format and its parts filled in, and the files in `staged`. Kinds come
/// in their order, and files of one kind in the order in which they are given. What had the name is replaced.
///
/// Until everything is on disk the file has another name beside `target`, which ends in `.partial`. It is removed if
/// anything fails; only a process that is killed leaves it. Each file is read twice: the manifest stands first and has their
/// checksums.
///
/// # Errors
///
/// [`ReelError::Part`] if a file cannot become a part; [`ReelError::Manifest`] if what is described could not be read again;
/// [`ReelError::Damaged`] if a file changed meanwhile; [`ReelError::Io`]. There is no new file then.
pub fn write(target: &Path, described: Manifest, staged: &[Staged]) -> Result<Manifest, ReelError> {
    write_on(&Disk::default(), target, described, staged)
}

/// [`write()`] on a disk that a test may watch.
///
/// # Errors
///
/// As [`write()`].
pub fn write_on(
    disk: &Disk,
    target: &Path,
    described: Manifest,
    staged: &[Staged],
) -> Result<Manifest, ReelError> {
    let mut staged: Vec<&Staged> = staged.iter().collect();
    staged.sort_by_key(|part| part.kind);
    let manifest = Manifest {
        format: FORMAT,
        parts: entries(&staged)?,
        ..described
    };
    let wrong = |what| ReelError::Manifest {
        path: target.to_owned(),
        what,
    };
    let octets = manifest.encode().map_err(wrong)?;
    let (partial, file) = make_partial(disk, target)?;
    let written = fill(&file, &octets, &manifest, &staged)
        .and_then(|()| file.sync().map_err(ReelError::io("write", &partial)))
        .and_then(|()| {
            disk.rename(&partial, target)
                .map_err(ReelError::io("make", target))
        });
    if let Err(error) = written {
        let _ = disk.remove(&partial);
        return Err(error);
    }
    let folder = folder_of(target);
    disk.folder(folder)
        .and_then(|folder| folder.sync_names())
        .map_err(ReelError::io("force to disk", folder))?;
    Ok(manifest)
}

/// Looks at every file, and gives it its name.
fn entries(staged: &[&Staged]) -> Result<Vec<PartEntry>, ReelError> {
    let mut numbers: BTreeMap<PartKind, usize> = BTreeMap::new();
    let mut entries = Vec::new();
    for part in staged {
        let number = numbers.entry(part.kind).or_default();
        *number += 1;
        let name = part.kind.name(*number);
        let refused = |what| ReelError::Part {
            path: part.path.clone(),
            what,
        };
        if *number > 1 && !part.kind.may_repeat() {
            return Err(refused(format!("there can be only one {name}")));
        }
        let file = open(&part.path)?;
        let octets_max = part.kind.octets_max();
        let metadata = file.metadata();
        let octets = metadata
            .map_err(ReelError::io("measure", &part.path))?
            .len();
        if octets > octets_max {
            return Err(refused(format!(
                "it has {octets} octets, as {name} it may have at most {octets_max}: split it"
            )));
        }
        let mut checksum = Checksum::default();
        copy(&part.path, file, octets, |some| {
            checksum.add(some);
            Ok(())
        })?;
        entries.push(PartEntry {
            name,
            octets: checksum.octets(),
            sha256: checksum.digits(),
        });
    }
    Ok(entries)
}

fn open(path: &Path) -> Result<File, ReelError> {
    let metadata = path.metadata().map_err(ReelError::io("open", path))?;
    match metadata.is_file() {
        true => File::open(path).map_err(ReelError::io("open", path)),
        false => Err(ReelError::Part {
            path: path.to_owned(),
            what: "it is no file".to_owned(),
        }),
    }
}

/// Writes everything, in order.
fn fill(
    file: &DiskFile,
    manifest_octets: &[u8],
    manifest: &Manifest,
    staged: &[&Staged],
) -> Result<(), ReelError> {
    let mut out = Out { file, at: 0 };
    let octets = crate::stats::count(manifest_octets.len());
    out.put(&header::encode(MANIFEST, octets))?;
    out.put(manifest_octets)?;
    out.pad(octets)?;
    for (entry, part) in manifest.parts.iter().zip(staged) {
        out.put(&header::encode(&entry.name, entry.octets))?;
        let mut checksum = Checksum::default();
        copy(&part.path, open(&part.path)?, entry.octets, |some| {
            checksum.add(some);
            out.put(some)
        })?;
        if (checksum.octets(), checksum.digits()) != (entry.octets, entry.sha256.clone()) {
            return Err(ReelError::Damaged {
                path: part.path.clone(),
                part: entry.name.clone(),
                what: "the file changed while it was read",
            });
        }
        out.pad(entry.octets)?;
    }
    out.put(&seal(manifest_octets))
}

/// Reads a file piece by piece, and no more of it than `octets_max`.
fn copy(
    path: &Path,
    file: File,
    octets_max: u64,
    mut to: impl FnMut(&[u8]) -> Result<(), ReelError>,
) -> Result<(), ReelError> {
    let mut file = file.take(octets_max);
    let mut chunk = vec![0; CHUNK_OCTETS];
    loop {
        let read = match file.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(ReelError::io("read", path))?,
        };
        match chunk.get(..read) {
            None | Some([]) => return Ok(()),
            Some(some) => to(some)?,
        }
    }
}

/// Makes the file that gets the name `target` in the end, beside it.
fn make_partial(disk: &Disk, target: &Path) -> Result<(PathBuf, DiskFile), ReelError> {
    let process = std::process::id();
    let mut number = 0;
    loop {
        let mut name = target
            .file_name()
            .map_or_else(OsString::new, |name| name.to_owned());
        name.push(format!(".{process}-{number}.partial"));
        let path = folder_of(target).join(name);
        match disk.create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < TRIES => {
                number += 1;
            }
            made => {
                return Ok((path.clone(), made.map_err(ReelError::io("make", &path))?));
            }
        }
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The end of the file that is being written.
struct Out<'a> {
    file: &'a DiskFile,
    at: u64,
}

impl Out<'_> {
    fn put(&mut self, octets: &[u8]) -> Result<(), ReelError> {
        self.file
            .write_all_at(octets, self.at)
            .map_err(ReelError::io("write", self.file.path()))?;
        self.at += crate::stats::count(octets.len());
        Ok(())
    }

    fn pad(&mut self, octets: u64) -> Result<(), ReelError> {
        let zeros = [0; header::BLOCK_OCTETS];
        let some = usize::try_from(header::padding(octets)).unwrap_or(0);
        self.put(zeros.get(..some).unwrap_or_default())
    }
}
