//! A backup of a data directory, with or without a server at work on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use flow::clock::{self, Stopwatch};
use store::Store;
use store::catalog::Catalog;
use store::config::Engine;

use super::Manifest;
use super::copying::{copy_file, copy_folder, copy_tape, move_folder, sync_folder};
use super::recordings::Recordings;
use crate::config::{Config, make_private_folder};
use crate::server::Running;
use crate::server::checkpoint::CheckpointFolder;
use crate::server::embedded::Embedded;

/// How often it is tried to take the checkpoint with the state that it names.
const CHECKPOINT_TRIES: u32 = 100;
/// How long the engine of a server that runs may be away, and how often it is looked for.
const ENGINE_AWAY_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Takes a backup into a folder that is empty or not there, and says what is in it.
///
/// # Errors
///
/// What is missing or cannot be read or written. The folder then has no manifest: it is no backup.
pub(crate) async fn back_up(config: &Config, target: &Path) -> Result<Manifest> {
    let catalog_file = config.path("catalog.db");
    if !catalog_file.is_file() {
        bail!(
            "{}: there is no such data directory, or nothing in it",
            config.data_dir.display()
        );
    }
    super::restoring::must_be_empty(target)?;
    make_private_folder(target)?;
    let taken_at = clock::now();
    take_checkpoint(&config.path("checkpoint"), &target.join("checkpoint"))?;
    // Twice: what the checkpoint stands before may be removed, as it is stored, while the engine takes its time; and what
    // the engine has must be on the tape.
    let (tape, tape_target) = (config.path("tape"), target.join("tape"));
    copy_tape(&tape, &tape_target).context("tape")?;
    let schema = take_store(config, &target.join("store")).await?;
    let catalog = Catalog::open(&catalog_file).await?;
    let mut recordings = Recordings::new(config, &catalog, target).await?;
    loop {
        recordings.take().await?;
        copy_tape(&tape, &tape_target).context("tape")?;
        take_catalog(&catalog, &target.join("catalog.db")).await?;
        // One that got tables of its own meanwhile, or lost them, is in the catalog and not in the rest, or the other way round.
        if recordings.is_complete().await? {
            break;
        }
    }
    catalog.close().await;
    take_configuration(config, target)?;
    let manifest = Manifest::write(target, taken_at, schema)?;
    sync_folder(target)?;
    Ok(manifest)
}

/// Copies the folder until the checkpoint in the copy can be read, and its state: both are replaced all the time.
fn take_checkpoint(from: &Path, to: &Path) -> Result<()> {
    for _ in 0..CHECKPOINT_TRIES {
        let _ = fs::remove_dir_all(to);
        // A file that goes while it is copied has another in its place.
        if copy_folder(from, to).is_err() {
            continue;
        }
        let (_, found) = CheckpointFolder::open(to.to_owned())?;
        if found.checkpoint.is_some() && found.trouble.is_empty() {
            return Ok(());
        }
    }
    bail!(
        "{}: the checkpoint cannot be read, or changes all the time",
        from.display()
    );
}

async fn take_catalog(catalog: &Catalog, target: &Path) -> Result<()> {
    if target.exists() {
        fs::remove_file(target)?;
    }
    Ok(catalog.copy_to(target).await?)
}

/// Takes the tables of what is live. Returns the schema's version, if there is a store of ours.
async fn take_store(config: &Config, target: &Path) -> Result<Option<u32>> {
    if config.store.engine != Engine::Embedded {
        return Ok(None);
    }
    let taken = with_engine(config, async |store| {
        write_database(config, &store).await?.take(target)
    });
    taken.await.context("store")?;
    Ok(Some(store::backup::SCHEMA_VERSION))
}

/// A database as the engine wrote it into its own folder. It goes with this.
pub(super) struct Written(PathBuf);

/// Has the engine write a database.
pub(super) async fn write_database(config: &Config, store: &Store) -> Result<Written> {
    let name = format!("backup-{}", clock::now().nanos());
    let written = Written(config.path("store").join("backups").join(&name));
    store.back_up(&name).await?;
    Ok(written)
}

impl Written {
    /// Moves it to where it is wanted.
    pub(super) fn take(self, target: &Path) -> Result<()> {
        move_folder(&self.0, target)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What is left of it takes room only.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Talks to the engine of the server that runs there, or to one that is started for it. Two on one folder would destroy it,
/// so the server's is waited for when it is away.
pub(super) async fn with_engine(
    config: &Config,
    work: impl AsyncFnOnce(Store) -> Result<()>,
) -> Result<()> {
    if let Some(store) = store_of_running(config).await? {
        return work(store).await;
    }
    let Some(mut engine) = Embedded::start(config)? else {
        return Ok(());
    };
    engine.wait_until_ready().await?;
    let store = Store::new(config.store.clone(), Some(&engine.socket))?;
    let result = work(store).await;
    engine.stop().await;
    result
}

/// The store of the server that runs there, if one does: the tape's lock tells.
async fn store_of_running(config: &Config) -> Result<Option<Store>> {
    let watch = Stopwatch::start();
    while replay::is_written(&config.path("tape"))? {
        if let Some(socket) = socket_of_running(config) {
            let store = Store::new(config.store.clone(), Some(&socket))?;
            if store.ping().await.is_ok() {
                return Ok(Some(store));
            }
        }
        if watch.elapsed() > ENGINE_AWAY_MAX {
            bail!(
                "a server runs here, and its engine does not answer: try again when it does, or when the server is stopped"
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(None)
}

fn socket_of_running(config: &Config) -> Option<PathBuf> {
    Running::in_data_dir(config)?.engine
}

/// The configuration as it is in force, for whoever restores it: it is not read again by itself.
fn take_configuration(config: &Config, target: &Path) -> Result<()> {
    let path = target.join("flowreel.toml");
    fs::write(&path, config.shown()?).with_context(|| path.display().to_string())?;
    if let Some(fields) = &config.fields {
        copy_file(fields, &target.join("fields.toml"))
            .with_context(|| fields.display().to_string())?;
    }
    Ok(())
}
