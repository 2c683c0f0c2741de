//! What a backup holds: `manifest.json`, written last, so a folder without one is no backup.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::server::durable;

/// The form of this file and of the folder around it.
const FORMAT: u32 = 1;
const NAME: &str = "manifest.json";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// The program that made it.
    pub(crate) program: String,
    /// When it was begun: nothing that arrived before is missing.
    pub(crate) taken_at: Timestamp,
    /// Version of the store's schema; `None` if the store is elsewhere and not in here.
    pub(crate) schema: Option<u32>,
    /// Every other file, by its path in the folder.
    files: Vec<Entry>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    path: PathBuf,
    octets: u64,
    sha256: String,
}

impl Manifest {
    /// Reads all files of a folder and writes down what they are.
    pub(crate) fn write(folder: &Path, taken_at: Timestamp, schema: Option<u32>) -> Result<Self> {
        let mut files = Vec::new();
        for path in files_in(folder, Path::new(""))? {
            let (octets, sha256) = sum(&folder.join(&path))?;
            files.push(Entry {
                path,
                octets,
                sha256,
            });
        }
        let manifest = Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at,
            schema,
            files,
        };
        durable::replace_sealed(&folder.join(NAME), &manifest)?;
        Ok(manifest)
    }

    /// Reads it, and refuses one of a newer program.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let path = folder.join(NAME);
        let format: Option<Format> = durable::read(&path)?;
        let Some(Format { format }) = format else {
            bail!(
                "{}: is missing, so {} is no backup, or one that was not finished",
                path.display(),
                folder.display()
            );
        };
        if format > FORMAT {
            bail!(
                "{}: was written by a newer Flowreel (format {format}, this one knows {FORMAT}): install that one",
                path.display()
            );
        }
        let manifest: Option<Self> = durable::read(&path)?;
        let manifest = manifest.with_context(|| path.display().to_string())?;
        let known = store::backup::SCHEMA_VERSION;
        if let Some(found) = manifest.schema.filter(|found| *found > known) {
            bail!(
                "{}: the store in it has schema version {found}, this program knows versions up to {known}: install \
                 Flowreel {}, or a newer one",
                path.display(),
                manifest.program
            );
        }
        Ok(manifest)
    }

    /// Compares every file with its checksum.
    pub(crate) fn verify(&self, folder: &Path) -> Result<()> {
        for entry in &self.files {
            let path = folder.join(&entry.path);
            let (octets, sha256) = sum(&path)?;
            if (octets, &sha256) != (entry.octets, &entry.sha256) {
                bail!("{}: is damaged, the backup cannot be used", path.display());
            }
        }
        Ok(())
    }

    /// Files, and octets in them.
    pub(crate) fn size(&self) -> (usize, u64) {
        let octets = self.files.iter().map(|entry| entry.octets).sum();
        (self.files.len(), octets)
    }
}

/// Every file below a folder, in the order of their paths; not the manifest.
fn files_in(folder: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let here = folder.join(below);
    let mut found = Vec::new();
    for entry in fs::read_dir(&here).with_context(|| here.display().to_string())? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files_in(folder, &path)?);
        } else if path != Path::new(NAME) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file's length and checksum.
fn sum(path: &Path) -> Result<(u64, String)> {
    let place = || path.display().to_string();
    let mut file = File::open(path).with_context(place)?;
    let mut hash = Sha256::new();
    let (mut octets, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.with_context(place)?,
        };
        if count == 0 {
            break;
        }
        octets += count as u64;
        hash.update(&buffer[..count]);
    }
    let mut text = String::with_capacity(64);
    for octet in hash.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    Ok((octets, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_octet_and_a_missing_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tape")).unwrap();
        let file = folder.path().join("tape/1.tape");
        fs::write(&file, "abc").unwrap();
        Manifest::write(folder.path(), Timestamp::EPOCH, Some(1)).unwrap();
        let manifest = Manifest::read(folder.path()).unwrap();
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(manifest.files[0].sha256, known);
        assert_eq!(manifest.size(), (1, 3));
        manifest.verify(folder.path()).unwrap();
        fs::write(&file, "abd").unwrap();
        let said = manifest.verify(folder.path()).unwrap_err().to_string();
        assert!(said.contains("tape/1.tape: is damaged"), "{said}");
        fs::remove_file(&file).unwrap();
        assert!(manifest.verify(folder.path()).is_err());
    }

    #[test]
    fn what_is_no_backup_or_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(said.contains("is no backup"), "{said}");
        fs::write(folder.path().join(NAME), r#"{"format":2}"#).unwrap();
        let said = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(said.contains("newer Flowreel (format 2"), "{said}");
        Manifest::write(folder.path(), Timestamp::EPOCH, Some(9999)).unwrap();
        let said = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(said.contains("schema version 9999"), "{said}");
    }
}
