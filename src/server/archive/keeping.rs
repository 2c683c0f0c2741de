//! A recording is held by tape and tables that everybody shares, until these would let it go: then it gets a tape and tables
//! of its own. Also what is left behind by a process that was killed while it did so.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::archive::ArchiveError;
use flow::clock::Stopwatch;
use flow::{Timestamp, clock};
use replay::first_segment;
use store::catalog::{Note, Recording, RecordingCounts, RecordingState};
use store::question::Window;
use store::recording::Held;

use super::failing::{failed, of_store};
use super::spool::spool;
use super::{RunningArchive, Settled, counts, shown};
use crate::config::{Config, make_private_folder};

/// Between two looks whether a recording is over, or would expire.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long what has arrived may be on its way to the tape: its queue waits two seconds.
const ON_TAPE_AFTER: Duration = Duration::from_secs(3);
/// How long somebody waits for a recording to be stored, and how often it is looked.
const STORED_WAIT_MAX: Duration = Duration::from_secs(60);
const STORED_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Before something that failed is tried again.
const PAUSE: Duration = Duration::from_secs(60);
/// Rows are copied when so much of the time that they are kept is left, in tenths, and not more than a day.
const LEFT_TENTHS: u64 = 1;
const LEFT_MAX: Duration = Duration::from_secs(24 * 3600);
/// The tape is given free when it is so full, in tenths.
const FULL_TENTHS: u64 = 8;
/// No recording's number: what is decoded from its tape, before its filter is asked.
const SCRATCH: u32 = u32::MAX;
/// A folder in the making.
const PARTIAL: &str = "partial";

impl RunningArchive {
    /// Runs as long as the product.
    pub(crate) async fn watch(mut self) {
        // The sender lives in a task that ends with the product.
        if self.store_ready.wait_for(|ready| *ready).await.is_err() {
            return;
        }
        while let Err(error) = self.clean_up().await {
            tracing::warn!(error = %crate::output::chain(&error), "the recordings cannot be put in order");
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            let pause = match self.look(clock::now()).await {
                true => LOOK_EVERY,
                false => PAUSE,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Removes what the catalog does not know of, and brings tables of recordings to today's schema.
    async fn clean_up(&self) -> Result<(), ArchiveError> {
        make_private_folder(&self.folders()).map_err(|error| ArchiveError::Failed {
            what: "the folder of recordings cannot be made".to_owned(),
            source: error.into(),
        })?;
        let _alone = self.at_work.lock().await;
        let all = self.catalog.recordings().await?;
        let is_own = |recording: &&Recording| recording.state == RecordingState::Own;
        let own: Vec<u32> = all.iter().filter(is_own).map(|own| own.number).collect();
        let in_store = self.store.recordings().await;
        let in_store = in_store.map_err(of_store("the tables of recordings"))?;
        for number in in_store {
            if !own.contains(&number) {
                self.remove_rows(number).await?;
            }
        }
        let removed = remove_others(&self.folders(), &own);
        removed.map_err(failed("what is left of recordings cannot be removed"))?;
        for recording in &all {
            match recording.state {
                RecordingState::Making | RecordingState::Deleting => {
                    self.catalog.forget_recording(recording.number).await?;
                }
                RecordingState::Own => self.check_rows(recording).await?,
                RecordingState::Referenced => {}
            }
        }
        Ok(())
    }

    /// Brings the tables of a recording to today's schema. If the store was lost, and the recording's tape is there, its rows are made
    /// anew, under the names that were in force.
    async fn check_rows(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let rows = self.own_store(recording);
        let found = async {
            rows.prepare().await?;
            rows.inventory().await
        };
        let found = found.await.map_err(of_store("the tables of a recording"))?;
        let tape = first_segment(&self.folder(recording.number));
        let has_tape = tape.map_err(failed("the recording's tape can't be read"))?;
        if found.flows >= recording.counts.flows || has_tape.is_none() {
            return Ok(());
        }
        self.remove_rows(recording.number).await?;
        self.make_again(recording).await?;
        // As many as there are now: it is not done again at each start.
        let made = rows
            .inventory()
            .await
            .map_err(of_store("the tables of a recording"))?;
        let counts = RecordingCounts {
            flows: made.flows,
            ..recording.counts
        };
        let (number, to) = (recording.number, recording.slice.arrived.to);
        let updated = self
            .catalog
            .update_recording(number, RecordingState::Own, to, counts);
        Ok(updated.await?)
    }

    async fn make_again(&self, recording: &Recording) -> Result<(), ArchiveError> {
        tracing::error!(
            recording.name,
            recording.number,
            "the tables of a recording are lost: its tape is decoded again"
        );
        let (tape, rows) = (self.folder(recording.number), self.own_store(recording));
        let all = self.store.recording(SCRATCH);
        let decoded = async {
            all.prepare().await?;
            rows.prepare().await
        };
        decoded
            .await
            .map_err(of_store("the tables of a recording"))?;
        self.decode(&tape, &recording.enrichment, &all).await?;
        let copied = rows.copy_from(&all, &recording.slice).await;
        copied.map_err(of_store("the rows cannot be copied"))?;
        self.remove_rows(SCRATCH).await
    }

    /// Looks at all that are held by reference. Whether all is well: one that is not keeps no other waiting.
    async fn look(&self, now: Timestamp) -> bool {
        let mut is_well = true;
        let mut warn = |name: &str, error: &ArchiveError| {
            tracing::warn!(recording.name = name, error = %crate::output::chain(error), "a recording cannot be looked after now");
            is_well = false;
        };
        match self.catalog.recordings_by_reference().await {
            Ok(recordings) => {
                for recording in recordings {
                    if let Err(error) = self.look_at(&recording, now).await {
                        warn(&recording.name, &error);
                    }
                }
            }
            Err(error) => warn("", &error.into()),
        }
        is_well
    }

    async fn look_at(&self, recording: &Recording, now: Timestamp) -> Result<(), ArchiveError> {
        if recording.slice.arrived.to > now {
            return self.end_if_it_fills_the_tape(recording, now).await;
        }
        let settled = self.settled().get(&recording.number).copied();
        match settled {
            Some(settled) if self.is_due(recording, settled, now)? => {
                self.keep_one(recording).await
            }
            Some(_) => Ok(()),
            None if self.is_stored(recording, now).await? => self.settle(recording).await,
            None => Ok(()),
        }
    }

    /// One that is over: what it holds is counted, and no more is pinned than it needs.
    async fn settle(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let held = self.held(recording).await?;
        let (number, to) = (recording.number, recording.slice.arrived.to);
        let state = RecordingState::Referenced;
        let updated = self
            .catalog
            .update_recording(number, state, to, counts(held));
        updated.await?;
        let stored_since = Timestamp::from_seconds(held.stored_since.into());
        let settled = Settled {
            first_segment: self.pin_recording(recording).await?,
            stored_since: (held.flows > 0).then_some(stored_since),
        };
        self.settled().insert(number, settled);
        Ok(())
    }

    /// What a recording by reference holds by now.
    pub(super) async fn held(&self, recording: &Recording) -> Result<Held, ArchiveError> {
        let held = self.store.held(Some(&recording.slice)).await;
        held.map_err(of_store("the flows can't be counted"))
    }

    /// What goes on pins all that comes, and a tape that is full of what is pinned could take nothing any more.
    async fn end_if_it_fills_the_tape(
        &self,
        recording: &Recording,
        now: Timestamp,
    ) -> Result<(), ArchiveError> {
        let (_, octets) = self.shared.tape.size();
        if !is_full(&self.config, octets) {
            return Ok(());
        }
        let first = self.pin_recording(recording).await?;
        let oldest = first_segment(&self.tape()).map_err(failed("the tape can't be read"))?;
        if first.is_none_or(|first| oldest.is_some_and(|oldest| first > oldest)) {
            return Ok(());
        }
        tracing::warn!(
            recording.name,
            "a recording ends, as the tape is full of it"
        );
        let note = Note {
            at: now,
            written_by: "flowreel".to_owned(),
            written_at: now,
            text: "ended by itself: the tape was full of it".to_owned(),
        };
        self.catalog.add_note(recording.number, &note).await?;
        self.stop_one(&recording.id).await.map(drop)
    }

    /// Whether all that arrived within a recording is in the store.
    async fn is_stored(&self, recording: &Recording, now: Timestamp) -> Result<bool, ArchiveError> {
        let arrived = recording.slice.arrived;
        // What has just arrived may not be on tape yet.
        if arrived.to + ON_TAPE_AFTER > now || self.shared.is_mending() {
            return Ok(false);
        }
        let stretches = self.stretches(arrived).await?;
        let end = stretches.iter().map(|stretch| stretch.end).max();
        Ok(end.is_none_or(|end| end <= self.shared.stored_up_to()))
    }

    /// Waits until a recording that is over is in the store.
    pub(super) async fn wait_until_stored(
        &self,
        recording: &Recording,
    ) -> Result<(), ArchiveError> {
        let watch = Stopwatch::start();
        while !self.is_stored(recording, clock::now()).await? {
            if watch.elapsed() > STORED_WAIT_MAX {
                let why = format!(
                    "'{}' is not in the store yet: try again later",
                    recording.name
                );
                return Err(ArchiveError::Conflict(why));
            }
            tokio::time::sleep(STORED_LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Whether the tape wants its segments back, or rows would expire.
    fn is_due(
        &self,
        recording: &Recording,
        settled: Settled,
        now: Timestamp,
    ) -> Result<bool, ArchiveError> {
        let oldest = first_segment(&self.tape()).map_err(failed("the tape can't be read"))?;
        let is_oldest = settled
            .first_segment
            .is_some_and(|first| oldest.is_none_or(|oldest| first <= oldest));
        let (_, octets) = self.shared.tape.size();
        let days = self.config.store.retention.flows_days;
        let are_rows_due = settled
            .stored_since
            .is_some_and(|since| are_rows_due(since, days, now));
        let is_full = is_oldest && is_full(&self.config, octets);
        Ok(are_rows_due || is_full || is_old(&self.config, recording.slice.arrived.from, now))
    }

    /// Gives a recording a tape and tables of its own.
    pub(super) async fn keep_one(&self, recording: &Recording) -> Result<(), ArchiveError> {
        self.check_store()?;
        let refused = |why: &str| {
            Err(ArchiveError::Conflict(format!(
                "'{}' {why}",
                recording.name
            )))
        };
        if shown(recording.clone(), clock::now()).state == api::archive::Standing::Recording {
            return refused("goes on: stop it first");
        }
        if recording.state == RecordingState::Own {
            return Ok(());
        }
        self.wait_until_stored(recording).await?;
        let _alone = self.at_work.lock().await;
        // Somebody may have done it, or removed it, while this waited.
        let recording = &self.recording(&recording.id).await?;
        if recording.state == RecordingState::Own {
            return Ok(());
        }
        let number = recording.number;
        let kept = self.copy(recording).await;
        if kept.is_err() {
            self.remove_rows(number).await?;
            let removed = remove_folder(&partial(&self.folder(number)));
            removed.map_err(failed("what was copied cannot be removed"))?;
        }
        let counts = kept?;
        let to = recording.slice.arrived.to;
        let updated = self
            .catalog
            .update_recording(number, RecordingState::Own, to, counts);
        updated.await?;
        self.unpin_recording(number).await?;
        tracing::info!(
            recording.name,
            recording.number,
            "a recording has a tape and tables of its own"
        );
        Ok(())
    }

    /// Copies rows and datagrams, under names that nobody takes for a recording before the catalog says so.
    async fn copy(&self, recording: &Recording) -> Result<RecordingCounts, ArchiveError> {
        let folder = self.folder(recording.number);
        self.spooled(recording, &partial(&folder)).await?;
        let rows = self.own_store(recording);
        let copied = async {
            rows.prepare().await?;
            rows.copy_from(&self.store, &recording.slice).await?;
            Ok((
                rows.held(None).await?,
                self.store.held(Some(&recording.slice)).await?,
            ))
        };
        let (own, there) = copied
            .await
            .map_err(of_store("the rows cannot be copied"))?;
        if own != there {
            return Err(ArchiveError::Conflict(format!(
                "'{}' has {} flows in the store, and {} were copied: try again",
                recording.name, there.flows, own.flows
            )));
        }
        let octets = rows
            .octets_on_disk()
            .await
            .map_err(of_store("the tables' size"))?;
        let placed = place(&partial(&folder), &folder);
        let on_tape = placed.map_err(failed("the folder cannot take its place"))?;
        Ok(RecordingCounts {
            datagrams: own.datagrams,
            flows: own.flows,
            exporters: own.exporters,
            octets: octets + on_tape,
        })
    }

    /// Cuts the datagrams of a recording into `folder`, which is made anew.
    pub(super) async fn spooled(
        &self,
        recording: &Recording,
        folder: &Path,
    ) -> Result<(), ArchiveError> {
        let slice = &recording.slice;
        let places = match slice.filter.is_any() {
            true => None,
            false => {
                let places = self.store.places(slice, &self.collector).await;
                Some(places.map_err(of_store("the places of datagrams"))?)
            }
        };
        let (config, arrived, folder) = (self.config.clone(), slice.arrived, folder.to_owned());
        self.blocking(move || {
            let failed = |error: anyhow::Error| ArchiveError::Failed {
                what: "the datagrams cannot be copied".to_owned(),
                source: error.into(),
            };
            let made = remove_folder(&folder).map_err(anyhow::Error::from);
            made.and_then(|()| make_private_folder(&folder))
                .and_then(|()| spool(&config, &folder, arrived, places.as_ref(), clock::now()))
                .map(drop)
                .map_err(failed)
        })
        .await
    }

    pub(super) async fn delete_one(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let _alone = self.at_work.lock().await;
        let number = recording.number;
        let (to, counts) = (recording.slice.arrived.to, recording.counts);
        let updated = self
            .catalog
            .update_recording(number, RecordingState::Deleting, to, counts);
        updated.await?;
        self.unpin_recording(number).await?;
        self.remove(number).await?;
        self.settled().remove(&number);
        tracing::info!(recording.name, recording.number, "a recording was deleted");
        Ok(())
    }

    /// Removes all that a recording has of its own, and forgets it.
    pub(super) async fn remove(&self, number: u32) -> Result<(), ArchiveError> {
        self.remove_rows(number).await?;
        for folder in [self.folder(number), partial(&self.folder(number))] {
            remove_folder(&folder).map_err(failed("a recording's folder cannot be removed"))?;
        }
        Ok(self.catalog.forget_recording(number).await?)
    }

    pub(super) async fn remove_rows(&self, number: u32) -> Result<(), ArchiveError> {
        let removed = self.store.remove_recording(number).await;
        removed.map_err(of_store("the tables of a recording cannot be removed"))
    }

    /// Gives all recordings that hold what arrived then rows of their own: somebody is about to change the shared ones.
    ///
    /// # Errors
    ///
    /// One goes on, or can't be kept: nothing may be changed.
    pub(crate) async fn keep_from(&self, arrived: Window) -> Result<(), ArchiveError> {
        for recording in self.catalog.recordings_by_reference().await? {
            let its = recording.slice.arrived;
            if its.from < arrived.to && its.to > arrived.from {
                self.keep_one(&recording).await?;
            }
        }
        Ok(())
    }
}

/// Whether the tape begins to let its oldest segments go.
fn is_full(config: &Config, tape_octets: u64) -> bool {
    tape_octets / 10 >= config.tape.max_octets / 100 * FULL_TENTHS
}

/// Whether the tape would let go of what is so old.
fn is_old(config: &Config, from: Timestamp, now: Timestamp) -> bool {
    let age = config.tape.max_age();
    age.is_some_and(|age| from + age.mul_f64(0.9) <= now)
}

/// Whether rows that were stored then would soon be gone.
fn are_rows_due(stored_since: Timestamp, days: u32, now: Timestamp) -> bool {
    let kept = Duration::from_secs(u64::from(days) * 86_400);
    let left = (kept / 10 * u32::try_from(LEFT_TENTHS).unwrap_or(1)).min(LEFT_MAX);
    stored_since + (kept - left) <= now
}

/// The name of a folder in the making.
pub(super) fn partial(folder: &Path) -> PathBuf {
    folder.with_extension(PARTIAL)
}

/// Gives a folder its name, on disk, and tells how many octets are in it.
pub(super) fn place(partial: &Path, folder: &Path) -> io::Result<u64> {
    let mut octets = 0;
    for entry in fs::read_dir(partial)? {
        octets += entry?.metadata()?.len();
    }
    File::open(partial)?.sync_all()?;
    fs::rename(partial, folder)?;
    File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
    Ok(octets)
}

/// Removes a folder that may not be there.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what is in the folder of recordings, but for those of these numbers.
fn remove_others(folders: &Path, own: &[u32]) -> io::Result<()> {
    for entry in fs::read_dir(folders)? {
        let entry = entry?;
        let is_own = |number: &u32| entry.file_name() == number.to_string().as_str();
        if !own.iter().any(is_own) {
            remove_folder(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn rows_are_copied_a_day_or_a_tenth_before_they_expire() {
        let stored = Timestamp::from_seconds(1_800_000_000);
        assert!(!are_rows_due(
            stored,
            30,
            stored + DAY * 29 - Duration::from_secs(1)
        ));
        assert!(are_rows_due(stored, 30, stored + DAY * 29));
        assert!(!are_rows_due(
            stored,
            1,
            stored + Duration::from_secs(77_759)
        ));
        assert!(are_rows_due(
            stored,
            1,
            stored + Duration::from_secs(77_760)
        ));
    }

    #[test]
    fn a_tape_wants_its_segments_back_when_it_is_full_or_they_are_old() {
        let mut config = Config::default();
        config.tape.max_octets = 1000;
        config.tape.max_age_hours = Some(10);
        let from = Timestamp::from_seconds(1_800_000_000);
        let hours = |hours: u64| from + Duration::from_secs(hours * 3600);
        assert!(!is_full(&config, 799) && is_full(&config, 800));
        assert!(!is_old(&config, from, hours(8)) && is_old(&config, from, hours(9)));
    }
}
