//! Recordings that have a tape and tables of their own: each copied by itself, as the engine has memory for the tables of a few at a time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use store::Store;
use store::catalog::{Catalog, RecordingState};
use store::config::Engine;

use super::copying::copy_folder;
use super::taking::{take_database, with_engine};
use crate::config::{Config, make_private_folder};
use crate::server::archive::lock_shelf;

/// The folders of what belongs to recordings, one below them for each by its number: in a backup, and the first in a data directory too.
const FOLDER: &str = "recordings";
const TABLES: &str = "tables";

/// What is copied of an installation's recordings.
pub(super) struct Recordings<'a> {
    config: &'a Config,
    catalog: &'a Catalog,
    target: &'a Path,
    place: String,
    taken: BTreeSet<u32>,
}

impl<'a> Recordings<'a> {
    /// None is copied yet.
    pub(super) async fn new(
        config: &'a Config,
        catalog: &'a Catalog,
        target: &'a Path,
    ) -> Result<Self> {
        for folder in [FOLDER, TABLES] {
            make_private_folder(&target.join(folder))?;
        }
        Ok(Self {
            config,
            catalog,
            target,
            place: place(catalog).await?,
            taken: BTreeSet::new(),
        })
    }

    /// Copies those that have come, and removes those that have gone.
    pub(super) async fn take(&mut self) -> Result<()> {
        let own = self.own().await?;
        let gone: Vec<u32> = self.taken.difference(&own).copied().collect();
        for number in gone {
            self.remove(number)?;
            self.taken.remove(&number);
        }
        let new: Vec<u32> = own.difference(&self.taken).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        if self.config.store.engine != Engine::Embedded {
            return self.take_all(&new, None).await;
        }
        let config = self.config;
        with_engine(config, async |store| {
            self.take_all(&new, Some(&store)).await
        })
        .await
    }

    /// Whether all that are there now are copied, and no other.
    pub(super) async fn is_complete(&self) -> Result<bool> {
        Ok(self.own().await? == self.taken)
    }

    async fn take_all(&mut self, numbers: &[u32], store: Option<&Store>) -> Result<()> {
        for number in numbers {
            match self.take_one(*number, store).await {
                Ok(()) => {
                    self.taken.insert(*number);
                }
                // It may have been deleted meanwhile.
                Err(error) if self.own().await?.contains(number) => {
                    return Err(error.context(format!("recording {number}")));
                }
                Err(_) => self.remove(*number)?,
            }
        }
        Ok(())
    }

    async fn take_one(&self, number: u32, store: Option<&Store>) -> Result<()> {
        let of = |folder: &str| self.target.join(folder).join(number.to_string());
        let folder = self.config.path(FOLDER);
        copy_folder(&folder.join(number.to_string()), &of(FOLDER))?;
        let Some(store) = store else { return Ok(()) };
        // While this is held the server leaves them where they are.
        let _lock = lock_shelf(&folder).await?;
        let rows = store.recording(&self.place, number);
        let is_away = !store
            .recordings_at_hand(&self.place)
            .await?
            .contains(&number);
        // Lost tables are made again from the recording's tape, here or where the backup is restored.
        if !rows.bring_out().await? {
            return Ok(());
        }
        let taken = take_database(self.config, &rows, &of(TABLES)).await;
        if is_away {
            rows.put_away().await?;
        }
        taken
    }

    fn remove(&self, number: u32) -> Result<()> {
        for folder in [FOLDER, TABLES] {
            let path = self.target.join(folder).join(number.to_string());
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }

    async fn own(&self) -> Result<BTreeSet<u32>> {
        let all = self.catalog.recordings().await?.into_iter();
        let own = all.filter(|recording| recording.state == RecordingState::Own);
        Ok(own.map(|recording| recording.number).collect())
    }
}

/// Brings back the tapes of recordings. A backup of an earlier version may have none.
pub(super) fn restore_tapes(config: &Config, source: &Path) -> Result<()> {
    let recordings = source.join(FOLDER);
    match recordings.exists() {
        true => copy_folder(&recordings, &config.path(FOLDER)),
        false => Ok(()),
    }
}

/// The tables of recordings in a backup, by number.
pub(super) fn tables(source: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let folder = source.join(TABLES);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    Ok(found)
}

/// Tells this installation's recordings from those of others.
pub(super) async fn place(catalog: &Catalog) -> Result<String> {
    let place: Option<String> = catalog.setting("archive_id").await?;
    Ok(place.unwrap_or_default())
}
