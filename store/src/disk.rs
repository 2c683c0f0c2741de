//! Forces to disk what the embedded engine has written.
//!
//! The engine itself would force each file of each part: some two hundred for a batch, one after the other, and most of an
//! insert's time. One call for the whole file system does the same for all of them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::StoreError;

/// The file system of the engine's folder; nothing for a server, which forces its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Option<Arc<File>>);

impl Disk {
    /// That of a folder.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        Ok(Self(Some(Arc::new(File::open(folder)?))))
    }

    /// Returns when everything that was written before is on disk (`syncfs`).
    ///
    /// # Errors
    ///
    /// [`StoreError::Disk`]: what was written may be lost. Do it again, and look whether it is there once.
    pub(crate) async fn force(&self) -> Result<(), StoreError> {
        let Some(folder) = self.0.clone() else {
            return Ok(());
        };
        let forced = tokio::task::spawn_blocking(move || nix::unistd::syncfs(&*folder));
        match forced.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Disk(error.into())),
            Err(_) => Err(StoreError::Disk(io::Error::other("the thread is gone"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_forced_and_one_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        Disk::of(folder.path()).unwrap().force().await.unwrap();
        Disk::default().force().await.unwrap();
        assert!(Disk::of(&folder.path().join("none")).is_err());
    }
}
