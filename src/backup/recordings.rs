//! Recordings that have a tape and tables of their own: each copied by itself, as the engine has memory for the tables of a few at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use store::Store;
use store::catalog::{Catalog, RecordingState};
use store::config::Engine;

use super::copying::copy_folder;
use super::restoring::bring_back;
use super::taking::{with_engine, write_database};
use crate::config::{Config, make_private_folder};
use crate::server::archive::lock_tables;

/// The folders of what belongs to recordings, one below them for each by its number: in a backup, and the first in a data directory too.
const FOLDER: &str = "recordings";
const TABLES: &str = "tables";

/// What is copied of an installation's recordings.
pub(super) struct Recordings<'a> {
    config: &'a Config,
    catalog: &'a Catalog,
    target: &'a Path,
    told: Told,
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
            told: Told::by(catalog).await?,
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
        let rows = store.recording(&self.told.place, number);
        let written = {
            // While this is held the server leaves tables where they are.
            let lock = lock_tables(&self.config.data_dir, Duration::MAX);
            let _lock = lock.await.context("the lock on the tables of recordings")?;
            let is_away = rows.is_away().await?;
            // Tables that are lost are made again from the recording's tape, here or where the backup is restored.
            if !rows.bring_out().await? {
                return Ok(());
            }
            let written = write_database(self.config, &rows).await;
            if is_away {
                rows.put_away().await?;
            }
            written?
        };
        written.take(&of(TABLES))
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
        let told = Told::by(self.catalog).await?;
        Ok(told.flows.into_keys().collect())
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

/// What a catalog says of recordings' own tables.
pub(super) struct Told {
    /// Tells this installation's recordings from those of others.
    place: String,
    /// How many flows each has, by number.
    flows: BTreeMap<u32, u64>,
}

impl Told {
    pub(super) async fn by(catalog: &Catalog) -> Result<Self> {
        let all = catalog.recordings().await?.into_iter();
        let own = all.filter(|recording| recording.state == RecordingState::Own);
        Ok(Self {
            place: catalog.archive_id().await?,
            flows: own.map(|one| (one.number, one.counts.flows)).collect(),
        })
    }
}

/// Brings back the tables of recordings. A backup of an earlier version has them among the others.
pub(super) async fn restore_tables(
    config: &Config,
    store: &Store,
    source: &Path,
    told: &Told,
) -> Result<()> {
    for (number, flows) in &told.flows {
        let tables = source.join(TABLES).join(number.to_string());
        if !tables.exists() {
            continue;
        }
        bring_back(config, store, &tables).await?;
        let rows = store.recording(&told.place, *number);
        // It was taken while it was made again from its tape: the first start does that.
        match rows.inventory().await?.flows < *flows {
            true => store.remove_recording(&told.place, *number).await?,
            false => rows.put_away().await?,
        }
    }
    Ok(())
}
