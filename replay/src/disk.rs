//! The file layer: whatever is changed on disk, by the tape or by others who must survive a power cut, is changed here.
//!
//! In the product it is the operating system itself, behind one comparison a call. A test puts a [`Watch`] before it: that
//! sees each change in its order, so it knows what a power cut may leave, and refuses some, as a full disk does. Reading
//! needs no seam: what a power cut left can be laid out in a folder and read as ever.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One change, before it happens. Nothing of it is safe before it is forced to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A file is made, or emptied if it is there.
    Create(&'a Path),
    /// Octets of a file are written, from this offset on.
    Write(&'a Path, u64, &'a [u8]),
    /// A file gets this length.
    Resize(&'a Path, u64),
    /// What is in a file is forced to disk.
    Sync(&'a Path),
    /// A file gets the second name instead of the first, and takes the place of what had it.
    Rename(&'a Path, &'a Path),
    /// A name goes.
    Remove(&'a Path),
    /// The names in a folder are forced to disk.
    SyncNames(&'a Path),
}

/// A change that does not happen.
#[derive(Debug)]
pub struct Refusal {
    /// What the operating system says.
    pub error: io::Error,
    /// Octets of a write that happen all the same, as on a disk that fills up.
    pub written: usize,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self { error, written: 0 }
    }
}

/// Who looks at changes before they happen: a test.
pub trait Watch: fmt::Debug + Send + Sync {
    /// Sees a change.
    ///
    /// # Errors
    ///
    /// The change does not happen, and whoever wanted it gets the error.
    fn before(&self, change: Change<'_>) -> Result<(), Refusal>;
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    watch: Option<Arc<dyn Watch>>,
}

impl Disk {
    /// The disk, with somebody who sees each change first.
    pub fn watched(watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch) }
    }

    fn before(&self, change: Change<'_>) -> Result<(), Refusal> {
        match &self.watch {
            Some(watch) => watch.before(change),
            None => Ok(()),
        }
    }

    fn ask(&self, change: Change<'_>) -> io::Result<()> {
        self.before(change).map_err(|refusal| refusal.error)
    }

    /// Makes a file, or empties it if it is there.
    ///
    /// # Errors
    ///
    /// As the operating system says; so it is with all that follow.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.ask(Change::Create(path))?;
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok(self.file(path, file))
    }

    /// Makes a file that must not be there.
    pub(crate) fn create_new(&self, path: &Path) -> io::Result<DiskFile> {
        self.ask(Change::Create(path))?;
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        Ok(self.file(path, file))
    }

    /// Opens a file that is there, to change it.
    pub(crate) fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = File::options().read(true).write(true).open(path)?;
        Ok(self.file(path, file))
    }

    fn file(&self, path: &Path, file: File) -> DiskFile {
        DiskFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        }
    }

    /// Gives a file another name; what had it is gone.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Change::Rename(from, to))?;
        fs::rename(from, to)
    }

    /// Removes a file.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Change::Remove(path))?;
        fs::remove_file(path)
    }

    /// Opens a folder, to force the names in it to disk at a time when no file can be opened.
    pub fn folder(&self, path: &Path) -> io::Result<DiskFolder> {
        Ok(DiskFolder {
            disk: self.clone(),
            path: path.to_owned(),
            file: File::open(path)?,
        })
    }

    /// Puts `octets` in the place of a file: after a power cut there is the old file or the new one, whole, and when this
    /// returns the new one. Beside it, `.tmp` in the place of its extension, lies what is in the making.
    pub fn replace(&self, path: &Path, octets: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension("tmp");
        let file = self.create(&unfinished)?;
        file.write_all_at(octets, 0)?;
        file.sync()?;
        self.rename(&unfinished, path)?;
        self.folder(path.parent().unwrap_or(Path::new(".")))?
            .sync_names()
    }
}

/// An open folder.
#[derive(Debug)]
pub struct DiskFolder {
    disk: Disk,
    path: PathBuf,
    file: File,
}

impl DiskFolder {
    /// Forces the names in the folder to disk.
    ///
    /// # Errors
    ///
    /// As the operating system says.
    pub fn sync_names(&self) -> io::Result<()> {
        self.disk.ask(Change::SyncNames(&self.path))?;
        self.file.sync_all()
    }
}

/// An open file that is changed.
#[derive(Debug)]
pub struct DiskFile {
    disk: Disk,
    path: PathBuf,
    file: File,
}

impl DiskFile {
    /// Writes all of `octets` from `offset` on. After an error any part of them may be there.
    pub fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        if let Err(refusal) = self.disk.before(Change::Write(&self.path, offset, octets)) {
            let written = octets.get(..refusal.written).unwrap_or(octets);
            self.file.write_all_at(written, offset)?;
            return Err(refusal.error);
        }
        self.file.write_all_at(octets, offset)
    }

    /// Cuts the file, or fills it with zeros, to this length.
    pub fn set_len(&self, octets: u64) -> io::Result<()> {
        self.disk.ask(Change::Resize(&self.path, octets))?;
        self.file.set_len(octets)
    }

    /// Forces what is in the file to disk, its length included. Its name may still be lost.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.ask(Change::Sync(&self.path))?;
        self.file.sync_data()
    }

    /// The name that it was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length.
    pub(crate) fn octets(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Fills `buffer` from `offset` on.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
