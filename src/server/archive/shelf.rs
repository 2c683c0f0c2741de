//! Tables of recordings: at hand while somebody asks them, else on disk only.
//!
//! The embedded engine needs memory for each table that it knows of, so only those of a few recordings are at hand at a time. Whoever
//! moves them holds a lock on a file, as a backup is taken by another process. Who asks tables that are at hand waits for nobody.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use api::archive::ArchiveError;
use flow::clock::Stopwatch;
use store::Store;
use tokio::sync::Mutex as AsyncMutex;

use super::failing::{failed, of_store};

/// How long tables stay at hand after they were asked last.
const STAY: Duration = Duration::from_secs(60);
/// What the tables of a recording may take of the embedded engine's memory: some 7 MiB are needed, measured with 2,000 flows each, and the
/// rest is for those who ask.
const ENGINE_OCTETS_EACH: u64 = 32 << 20;
/// In the data directory.
const LOCK: &str = "tables.lock";
/// How long somebody waits for the lock, and how often it is tried.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);
const LOCK_TRY_EVERY: Duration = Duration::from_millis(20);

/// The tables of this installation's recordings. Clones share them.
#[derive(Clone)]
pub(crate) struct Shelf {
    store: Arc<Store>,
    place: String,
    data_dir: PathBuf,
    clock: Stopwatch,
    /// Recordings whose tables are at hand at a time. When there would be more, those that nobody has asked for longest are put away; if
    /// all are being asked, who comes is told to come later.
    most: u64,
    /// Held for moments only.
    at_hand: Arc<std::sync::Mutex<BTreeMap<u32, AtHand>>>,
    /// Held while tables are moved.
    moving: Arc<AsyncMutex<()>>,
}

struct AtHand {
    rows: Store,
    asked_at: Duration,
    /// Whether they hold all that they are to hold. Others stay at hand, so that the next start looks at them.
    is_whole: bool,
}

impl Shelf {
    /// Of recordings in this data directory, by an engine with so many octets of memory.
    pub(crate) fn new(
        store: Arc<Store>,
        place: String,
        data_dir: PathBuf,
        engine_octets: u64,
    ) -> Self {
        Self {
            store,
            place,
            data_dir,
            clock: Stopwatch::start(),
            most: (engine_octets / ENGINE_OCTETS_EACH).max(1),
            at_hand: Arc::default(),
            moving: Arc::default(),
        }
    }

    /// A recording's own tables, which stay at hand as long as there is a clone of what is returned.
    pub(super) async fn rows(&self, number: u32) -> Result<Store, ArchiveError> {
        if !self.store.is_cramped() {
            return Ok(self.store.recording(&self.place, number));
        }
        if let Some(rows) = self.found(number) {
            return Ok(rows);
        }
        // To its end, whether somebody still waits for it or not: half of the tables at hand would be nobody's.
        let this = self.clone();
        let taken = tokio::spawn(async move { this.bring_out(number, false).await });
        taken
            .await
            .map_err(failed("a task of the archive is gone"))?
    }

    /// The tables of a recording that may have none yet, or not all rows: they are made. When they have all of them,
    /// [say so](Self::are_whole).
    pub(super) async fn new_rows(&self, number: u32) -> Result<Store, ArchiveError> {
        if !self.store.is_cramped() {
            let rows = self.store.recording(&self.place, number);
            rows.prepare().await.map_err(trouble())?;
            return Ok(rows);
        }
        self.bring_out(number, true).await
    }

    /// The tables have all rows that they are to have.
    pub(super) fn are_whole(&self, number: u32) {
        if let Some(one) = self.at_hand().get_mut(&number) {
            one.is_whole = true;
        }
    }

    fn found(&self, number: u32) -> Option<Store> {
        let asked_at = self.clock.elapsed();
        let mut at_hand = self.at_hand();
        let found = at_hand.get_mut(&number)?;
        found.asked_at = asked_at;
        Some(found.rows.clone())
    }

    async fn bring_out(&self, number: u32, is_new: bool) -> Result<Store, ArchiveError> {
        let _moving = self.moving.lock().await;
        let _lock = self.lock().await?;
        if let Some(rows) = self.found(number) {
            if is_new && let Some(one) = self.at_hand().get_mut(&number) {
                one.is_whole = false;
            }
            return Ok(rows);
        }
        while self.at_hand().len() as u64 >= self.most {
            let idle = self.take_idle(Duration::MAX);
            let rows = idle.ok_or_else(|| self.all_are_asked())?;
            rows.put_away().await.map_err(trouble())?;
        }
        let rows = self.store.recording(&self.place, number);
        match rows.bring_out().await.map_err(trouble())? {
            true => {}
            false if is_new => rows.prepare().await.map_err(trouble())?,
            false => {
                let why =
                    "the tables of the recording are not there: it is being removed, or made again";
                return Err(ArchiveError::Unavailable(why.to_owned()));
            }
        }
        let entry = AtHand {
            rows: rows.clone(),
            asked_at: self.clock.elapsed(),
            is_whole: !is_new,
        };
        self.at_hand().insert(number, entry);
        Ok(rows)
    }

    /// Removes a recording's tables, wherever they are, and whoever asks them.
    pub(super) async fn remove(&self, number: u32) -> Result<(), ArchiveError> {
        let _moving = self.moving.lock().await;
        let _lock = self.lock().await?;
        self.at_hand().remove(&number);
        let removed = self.store.remove_recording(&self.place, number).await;
        removed.map_err(of_store("the tables of a recording cannot be removed"))
    }

    /// Puts away what nobody has asked for a while, and what nobody knows of: a backup that was killed may have brought it out. Does
    /// nothing while others move tables.
    pub(super) async fn put_away_idle(&self) -> Result<(), ArchiveError> {
        if !self.store.is_cramped() {
            return Ok(());
        }
        loop {
            // Who asks comes in between.
            let _moving = self.moving.lock().await;
            let Some(_lock) = lock(&self.data_dir, Duration::ZERO)
                .await
                .map_err(unlocked())?
            else {
                return Ok(());
            };
            let Some(before) = self.clock.elapsed().checked_sub(STAY) else {
                return Ok(());
            };
            match self.take_idle(before) {
                Some(rows) => rows.put_away().await.map_err(trouble())?,
                None => return self.put_away_strangers().await,
            }
        }
    }

    async fn put_away_strangers(&self) -> Result<(), ArchiveError> {
        let found = self.store.recordings_at_hand(&self.place).await;
        for number in found.map_err(trouble())? {
            if !self.at_hand().contains_key(&number) {
                let rows = self.store.recording(&self.place, number);
                rows.put_away().await.map_err(trouble())?;
            }
        }
        Ok(())
    }

    /// What was asked longest ago, and not after `before`, as nobody's: who asks for it from here on waits, and brings it back. If it can't
    /// be put away it is a stranger.
    fn take_idle(&self, before: Duration) -> Option<Store> {
        let mut at_hand = self.at_hand();
        let idle = at_hand.iter().filter(|(_, one)| one.is_idle(before));
        let (number, _) = idle.min_by_key(|(_, one)| one.asked_at)?;
        let number = *number;
        Some(at_hand.remove(&number)?.rows)
    }

    fn all_are_asked(&self) -> ArchiveError {
        ArchiveError::Unavailable(format!(
            "{} recordings are being asked, as many as the embedded engine has memory for: try again later, or raise \
             engine_memory_octets by {} MiB each",
            self.most,
            ENGINE_OCTETS_EACH >> 20
        ))
    }

    /// Another process may have it for as long as it takes to back up one recording.
    async fn lock(&self) -> Result<File, ArchiveError> {
        let locked = lock(&self.data_dir, LOCK_WAIT_MAX).await;
        locked.map_err(unlocked())?.ok_or_else(|| {
            let why = "the tables of recordings are being backed up: try again later";
            ArchiveError::Unavailable(why.to_owned())
        })
    }

    fn at_hand(&self) -> MutexGuard<'_, BTreeMap<u32, AtHand>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtHand {
    fn is_idle(&self, before: Duration) -> bool {
        self.is_whole && self.asked_at <= before && !self.rows.is_in_use()
    }
}

/// Keeps others from moving tables of the recordings of this data directory until what is returned is dropped; `None` if somebody else
/// does for longer than this.
pub(crate) async fn lock(data_dir: &Path, wait_max: Duration) -> io::Result<Option<File>> {
    let watch = Stopwatch::start();
    let path = data_dir.join(LOCK);
    let file = File::options().create(true).append(true).open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if watch.elapsed() >= wait_max => return Ok(None),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_TRY_EVERY).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn trouble() -> impl FnOnce(store::StoreError) -> ArchiveError {
    of_store("the tables of the recording")
}

fn unlocked() -> impl FnOnce(io::Error) -> ArchiveError {
    failed("the lock on the recordings' tables cannot be taken")
}
