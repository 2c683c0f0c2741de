//! Tables of recordings: at hand while somebody asks them, else on disk only.
//!
//! The embedded engine needs memory for each table that it knows of, so only those of a few recordings are at hand at a time. Whoever
//! moves them holds a lock on a file, as a backup is taken by another process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::archive::ArchiveError;
use flow::clock::Stopwatch;
use store::Store;
use tokio::sync::Mutex;

use super::failing::{failed, of_store};

/// How long tables stay at hand after they were asked last.
const STAY: Duration = Duration::from_secs(60);
/// What the tables of a recording may take of the embedded engine's memory: some 7 MiB are needed, measured with 2,000 flows each, and the
/// rest is for those who ask.
const ENGINE_OCTETS_EACH: u64 = 32 << 20;
/// In the folder of recordings.
const LOCK: &str = "shelf.lock";

/// The tables of this installation's recordings.
pub(crate) struct Shelf {
    store: Arc<Store>,
    place: String,
    folder: PathBuf,
    clock: Stopwatch,
    /// Recordings whose tables are at hand at a time. When there would be more, those that nobody has asked for longest are put away; if
    /// all are being asked, who comes is told to come later.
    most: u64,
    at_hand: Mutex<BTreeMap<u32, AtHand>>,
}

struct AtHand {
    rows: Store,
    asked_at: Duration,
}

impl Shelf {
    /// Of recordings in `folder`, by an engine with so many octets of memory.
    pub(crate) fn new(
        store: Arc<Store>,
        place: String,
        folder: PathBuf,
        engine_octets: u64,
    ) -> Self {
        Self {
            store,
            place,
            folder,
            clock: Stopwatch::start(),
            most: (engine_octets / ENGINE_OCTETS_EACH).max(1),
            at_hand: Mutex::default(),
        }
    }

    /// A recording's own tables, which stay at hand as long as there is a clone of what is returned.
    pub(super) async fn rows(&self, number: u32) -> Result<Store, ArchiveError> {
        self.take(number, async |rows| {
            if rows.bring_out().await.map_err(trouble())? {
                return Ok(());
            }
            let why =
                "the tables of the recording are not there: it is being removed, or made again";
            Err(ArchiveError::Unavailable(why.to_owned()))
        })
        .await
    }

    /// The same, and makes them if there are none.
    pub(super) async fn new_rows(&self, number: u32) -> Result<Store, ArchiveError> {
        self.take(number, async |rows| rows.prepare().await.map_err(trouble()))
            .await
    }

    async fn take(
        &self,
        number: u32,
        make: impl AsyncFnOnce(&Store) -> Result<(), ArchiveError>,
    ) -> Result<Store, ArchiveError> {
        let asked_at = self.clock.elapsed();
        let mut at_hand = self.at_hand.lock().await;
        if let Some(found) = at_hand.get_mut(&number) {
            found.asked_at = asked_at;
            return Ok(found.rows.clone());
        }
        let _lock = lock(&self.folder).await.map_err(unlocked())?;
        while self.store.is_cramped() && at_hand.len() as u64 >= self.most {
            self.put_away_one(&mut at_hand, asked_at).await?;
        }
        let rows = self.store.recording(&self.place, number);
        make(&rows).await?;
        let entry = AtHand {
            rows: rows.clone(),
            asked_at,
        };
        at_hand.insert(number, entry);
        Ok(rows)
    }

    /// Removes a recording's tables, wherever they are, and whoever asks them.
    pub(super) async fn remove(&self, number: u32) -> Result<(), ArchiveError> {
        let mut at_hand = self.at_hand.lock().await;
        let _lock = lock(&self.folder).await.map_err(unlocked())?;
        at_hand.remove(&number);
        let removed = self.store.remove_recording(&self.place, number).await;
        removed.map_err(of_store("the tables of a recording cannot be removed"))
    }

    /// Puts away what nobody has asked for a while.
    pub(super) async fn put_away_idle(&self) -> Result<(), ArchiveError> {
        if !self.store.is_cramped() {
            return Ok(());
        }
        loop {
            // Who asks comes in between.
            let mut at_hand = self.at_hand.lock().await;
            let Some(before) = self.clock.elapsed().checked_sub(STAY) else {
                return Ok(());
            };
            if !at_hand.values().any(|one| one.is_idle(before)) {
                return Ok(());
            }
            let _lock = lock(&self.folder).await.map_err(unlocked())?;
            self.put_away_one(&mut at_hand, before).await?;
        }
    }

    /// Puts away what was asked longest ago, and not after `before`.
    async fn put_away_one(
        &self,
        at_hand: &mut BTreeMap<u32, AtHand>,
        before: Duration,
    ) -> Result<(), ArchiveError> {
        let idle = at_hand.iter().filter(|(_, one)| one.is_idle(before));
        let oldest = idle.min_by_key(|(_, one)| one.asked_at);
        let Some(number) = oldest.map(|(number, _)| *number) else {
            return Err(ArchiveError::Unavailable(format!(
                "{} recordings are being asked, as many as the embedded engine has memory for: try again later, or raise \
                 engine_memory_octets by {} MiB each",
                at_hand.len(),
                ENGINE_OCTETS_EACH >> 20
            )));
        };
        // Who asks for it next brings back what is away by then, whole or in part.
        if let Some(one) = at_hand.remove(&number) {
            one.rows.put_away().await.map_err(trouble())?;
        }
        Ok(())
    }
}

impl AtHand {
    fn is_idle(&self, before: Duration) -> bool {
        self.asked_at <= before && !self.rows.is_in_use()
    }
}

/// Waits until nobody else moves tables of the recordings in this folder. Until the file is dropped nobody else will.
pub(crate) async fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(io::Error::other)?
}

fn trouble() -> impl FnOnce(store::StoreError) -> ArchiveError {
    of_store("the tables of the recording")
}

fn unlocked() -> impl FnOnce(io::Error) -> ArchiveError {
    failed("the lock on the recordings' tables cannot be taken")
}
