//! A data directory from a backup.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flow::TapePosition;
use store::Store;
use store::catalog::Catalog;
use store::config::Engine;

use super::Manifest;
use super::copying::{copy_file, copy_folder, sync_folder};
use super::recordings::{place, restore_tapes, tables};
use super::taking::with_engine;
use crate::config::Config;
use crate::server::checkpoint::{CheckpointFolder, Search};

/// A file that is in a data directory while it is restored: what has it is not whole.
pub(crate) const RESTORING: &str = "RESTORING";

/// Makes the data directory of a configuration from a backup. It must be empty or not there.
///
/// # Errors
///
/// The backup is damaged, not finished or of a newer program: nothing was made. Or a file cannot be written: then the data
/// directory is to be removed, and `serve` refuses it.
pub(crate) async fn restore(config: &Config, source: &Path) -> Result<Manifest> {
    let manifest = Manifest::read(source)?;
    manifest.verify(source)?;
    let is_embedded = config.store.engine == Engine::Embedded;
    if is_embedded && manifest.schema.is_none() {
        bail!(
            "{}: has no store in it, as it was elsewhere: give the configuration with that store (--config)",
            source.display()
        );
    }
    must_be_empty(&config.data_dir)?;
    config.make_data_dir()?;
    let marker = config.path(RESTORING);
    fs::write(&marker, "").with_context(|| marker.display().to_string())?;
    sync_folder(&config.data_dir)?;
    copy_folder(&source.join("tape"), &config.path("tape"))?;
    // A segment of a newer program is refused here rather than at the start.
    replay::reader::datagrams_before(&config.path("tape"), TapePosition::START)?;
    let catalog = config.path("catalog.db");
    copy_file(&source.join("catalog.db"), &catalog).context("catalog.db")?;
    let catalog = Catalog::open(&catalog).await?;
    let place = place(&catalog).await?;
    catalog.close().await;
    restore_tapes(config, source)?;
    copy_folder(&source.join("checkpoint"), &config.path("checkpoint"))?;
    doubt(config, is_embedded)?;
    if is_embedded {
        restore_store(config, source, &place)
            .await
            .context("store")?;
    }
    fs::remove_file(&marker).with_context(|| marker.display().to_string())?;
    sync_folder(&config.data_dir)?;
    Ok(manifest)
}

/// Refuses a folder that has something in it.
pub(super) fn must_be_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => bail!("{}: is not empty; name another folder", folder.display()),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}

/// The store is of a later moment than the checkpoint, or, elsewhere, of any: what it has is compared at the first start.
fn doubt(config: &Config, is_embedded: bool) -> Result<()> {
    let (mut folder, found) = CheckpointFolder::open(config.path("checkpoint"))?;
    let mut checkpoint = found.checkpoint.context("the checkpoint is damaged")?;
    let mend = checkpoint.mend.get_or_insert_default();
    mend.until = None;
    (mend.thorough, mend.whole, mend.is_behind) = (true, false, false);
    if !is_embedded {
        mend.search.get_or_insert(Search::Behind);
    }
    Ok(folder.write(checkpoint, None)?)
}

async fn restore_store(config: &Config, source: &Path, place: &str) -> Result<()> {
    with_engine(config, async |store: Store| {
        bring_back(config, &store, &source.join("store")).await?;
        for (number, tables) in tables(source)? {
            bring_back(config, &store, &tables).await?;
            store.recording(place, number).put_away().await?;
        }
        Ok(())
    })
    .await
}

/// Has the engine read what it wrote for a backup.
async fn bring_back(config: &Config, store: &Store, source: &Path) -> Result<()> {
    const NAME: &str = "restored";
    let backup = config.path("store").join("backups").join(NAME);
    copy_folder(source, &backup)?;
    store.bring_back(NAME).await?;
    fs::remove_dir_all(&backup).with_context(|| backup.display().to_string())
}
