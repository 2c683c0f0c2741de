//! A recording is held by tape and tables that everybody shares, until these would let it go: then it gets a tape and tables
//! of its own.

use std::path::Path;
use std::time::Duration;

use api::archive::{ArchiveError, Standing};
use flow::clock::Stopwatch;
use flow::{Timestamp, clock};
use replay::{Stretch, first_segment};
use store::catalog::{Note, Recording, RecordingCounts, RecordingState};
use store::question::Window;
use store::recording::Held;

use super::failing::{failed, of_store};
use super::folders::{partial, place, remove_folder};
use super::spool::spool;
use super::{RunningArchive, Settled, counts, standing};
use crate::config::{Config, make_private_folder};
use crate::server::noting::Note as Unfinished;

/// Between two looks whether a recording is over, or would expire.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Before something that failed is tried again.
const PAUSE: Duration = Duration::from_secs(60);
/// How long what has arrived may be on its way to the tape: its queue waits two seconds.
const ON_TAPE_AFTER: Duration = Duration::from_secs(3);
/// How long somebody waits for a recording to be stored, and how often it is looked.
const STORED_WAIT_MAX: Duration = Duration::from_secs(60);
const STORED_LOOK_EVERY: Duration = Duration::from_millis(100);
/// The tape is given free when it is so full, in tenths.
const FULL_TENTHS: u64 = 8;
/// Or when so many segments of it would not fit beside what is to stay free.
const ROOM_SEGMENTS: u64 = 4;
/// What a copy may take, times what lies on the tape: the tape, its rows, and what they are made of.
const COPY_TIMES: u64 = 3;

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
        // What goes on is looked at, however long others take.
        tokio::join!(self.look_at_those_that_go_on(), async {
            loop {
                let pause = match self.look(clock::now()).await {
                    true => LOOK_EVERY,
                    false => PAUSE,
                };
                tokio::time::sleep(pause).await;
            }
        });
    }

    async fn look_at_those_that_go_on(&self) {
        loop {
            let now = clock::now();
            if let Ok(all) = self.catalog.recordings_going_on(now).await {
                for recording in &all {
                    if let Err(error) = self.end_if_it_fills_the_tape(recording, now).await {
                        let error = crate::output::chain(&error);
                        tracing::warn!(recording.name, %error, "a recording cannot be looked after now");
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks at all that are held by reference. Whether all is well: one that is not keeps no other waiting.
    async fn look(&self, now: Timestamp) -> bool {
        let recordings = match self.catalog.recordings_by_reference().await {
            Ok(recordings) => recordings,
            Err(error) => {
                tracing::warn!(error = %crate::output::chain(&error), "the recordings cannot be read");
                return false;
            }
        };
        let mut is_well = true;
        if let Err(error) = self.finish_removals().await {
            is_well = false;
            let error = crate::output::chain(&error);
            tracing::warn!(%error, "what is left of a recording cannot be removed now");
        }
        if let Err(error) = self.shelf.put_away_idle().await {
            is_well = false;
            let error = crate::output::chain(&error);
            tracing::warn!(%error, "tables of recordings that nobody asks stay in the engine's memory");
        }
        for recording in recordings {
            if let Err(error) = self.look_at(&recording, now).await {
                is_well = false;
                let error = crate::output::chain(&error);
                tracing::warn!(recording.name, %error, "a recording cannot be looked after now");
            }
        }
        is_well
    }

    async fn look_at(&self, recording: &Recording, now: Timestamp) -> Result<(), ArchiveError> {
        if recording.slice.arrived.to > now {
            return Ok(());
        }
        let settled = self.settled().get(&recording.number).copied();
        match settled {
            Some(settled) if self.is_due(recording, settled, now)? => {
                self.keep_one(recording.number).await
            }
            Some(_) => Ok(()),
            None if self.is_stored(recording, now).await? => self.settle(recording.number).await,
            None => Ok(()),
        }
    }

    /// One that is over: what it holds is counted, and no more is pinned than it needs.
    async fn settle(&self, number: u32) -> Result<(), ArchiveError> {
        let _alone = self.at_work.lock().await;
        // Somebody may have kept or removed it meanwhile.
        let recording = &self.catalog.recording_by_number(number).await?;
        if recording.state != RecordingState::Referenced {
            return Ok(());
        }
        let first_segment = self.pin_recording(recording).await?;
        let held = self.held(recording).await?;
        if !self.is_stored(recording, clock::now()).await? {
            return Ok(());
        }
        let states = (RecordingState::Referenced, RecordingState::Referenced);
        let to = recording.slice.arrived.to;
        let updated = self
            .catalog
            .update_recording(number, states, to, counts(held));
        updated.await?;
        let stored_since = Timestamp::from_seconds(held.stored_since.into());
        let settled = Settled {
            first_segment,
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
        if !self.is_full()? {
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
        self.end(recording, now).await
    }

    /// Whether all that arrived within a recording is in the store, and as it will stay.
    async fn is_stored(&self, recording: &Recording, now: Timestamp) -> Result<bool, ArchiveError> {
        self.has_stored(recording.slice.arrived, now).await
    }

    /// Whether all that arrived then is in the store, and as it will stay.
    pub(crate) async fn has_stored(
        &self,
        arrived: Window,
        now: Timestamp,
    ) -> Result<bool, ArchiveError> {
        // What has just arrived may not be on tape yet.
        let is_on_its_way = arrived.to + ON_TAPE_AFTER > now;
        let is_changing = self.shared.is_mending() || Unfinished::of(&self.config).is_there();
        if is_on_its_way || is_changing {
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

    /// Whether a recording's rows are as they will stay now, too: who waited for his turn may have waited long.
    pub(super) async fn check_steady(&self, recording: &Recording) -> Result<(), ArchiveError> {
        if self.is_stored(recording, clock::now()).await? {
            return Ok(());
        }
        let why = format!(
            "flows of '{}' are being stored again: try again later",
            recording.name
        );
        Err(ArchiveError::Conflict(why))
    }

    /// Whether the tape wants its segments back, or rows would expire.
    fn is_due(
        &self,
        recording: &Recording,
        settled: Settled,
        now: Timestamp,
    ) -> Result<bool, ArchiveError> {
        let days = self.config.store.retention.flows_days;
        let since = settled.stored_since;
        if since.is_some_and(|since| rows_due(since, days) <= now)
            || is_old(&self.config, recording.slice.arrived.from, now)
        {
            return Ok(true);
        }
        if !self.is_full()? {
            return Ok(false);
        }
        let oldest = first_segment(&self.tape()).map_err(failed("the tape can't be read"))?;
        let first = settled.first_segment;
        Ok(first.is_some_and(|first| oldest.is_none_or(|oldest| first <= oldest)))
    }

    /// Whether the tape begins to let its oldest segments go: by its own size, or as others fill the disk.
    fn is_full(&self) -> Result<bool, ArchiveError> {
        let (_, octets) = self.shared.tape.size();
        let segments = ROOM_SEGMENTS * u64::from(self.config.tape.segment_octets);
        Ok(is_full(&self.config, octets) || self.room()? < segments)
    }

    /// Octets of the disk that the tape does not keep free for others.
    pub(crate) fn room(&self) -> Result<u64, ArchiveError> {
        let disk = nix::sys::statvfs::statvfs(&self.config.data_dir);
        let disk = disk.map_err(failed("the disk's free space can't be read"))?;
        let free = disk.blocks_available() * disk.fragment_size();
        Ok(free.saturating_sub(self.config.tape.min_free_octets))
    }

    /// Whether a copy of a recording fits on the disk beside what receives.
    pub(super) async fn check_room(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let on_tape = self.stretches(recording.slice.arrived).await?;
        let octets = on_tape.iter().map(Stretch::octets);
        let wanted = COPY_TIMES * octets.sum::<u64>().max(recording.counts.octets);
        let room = self.room()?;
        if wanted > room {
            return Err(ArchiveError::Full(format!(
                "a copy of '{}' may take {} MiB, and the disk has {} MiB beside what the tape keeps free",
                recording.name,
                wanted >> 20,
                room >> 20
            )));
        }
        Ok(())
    }

    /// Gives a recording a tape and tables of its own.
    pub(super) async fn keep_one(&self, number: u32) -> Result<(), ArchiveError> {
        self.check_store()?;
        let recording = self.catalog.recording_by_number(number).await?;
        if recording.state == RecordingState::Own {
            return Ok(());
        }
        if standing(&recording, clock::now()) == Standing::Recording {
            let why = format!("'{}' goes on: stop it first", recording.name);
            return Err(ArchiveError::Conflict(why));
        }
        self.wait_until_stored(&recording).await?;
        let _alone = self.at_work.lock().await;
        // Somebody may have done it, or removed it, while this waited.
        let recording = self.catalog.recording_by_number(number).await?;
        if recording.state != RecordingState::Referenced {
            return Ok(());
        }
        self.check_steady(&recording).await?;
        self.check_room(&recording).await?;
        // Of an earlier attempt that failed in the end.
        self.remove_own(number).await?;
        let kept = async {
            let counts = self.copy(&recording).await?;
            self.check_steady(&recording).await?;
            let states = (RecordingState::Referenced, RecordingState::Own);
            let to = recording.slice.arrived.to;
            let updated = self.catalog.update_recording(number, states, to, counts);
            updated.await?;
            self.shelf.are_whole(number);
            Ok(())
        };
        if let Err(error) = kept.await {
            self.remove_own(number).await?;
            return Err(error);
        }
        self.unpin_recording(number).await?;
        self.settled().remove(&number);
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
        let rows = self.shelf.new_rows(recording.number).await?;
        let copied = async {
            rows.copy_from(&self.store, &recording.slice).await?;
            let there = self.store.held(Some(&recording.slice)).await?;
            Ok((rows.held(None).await?, there))
        };
        let (own, there) = copied
            .await
            .map_err(of_store("the rows cannot be copied"))?;
        if (own.flows, own.datagrams) != (there.flows, there.datagrams) {
            return Err(ArchiveError::Conflict(format!(
                "'{}' has {} flows in the store, and {} were copied: try again",
                recording.name, there.flows, own.flows
            )));
        }
        let octets = rows.octets_on_disk().await;
        let octets = octets.map_err(of_store("the tables' size"))?;
        let placed = self.blocking(move || {
            place(&partial(&folder), &folder).map_err(failed("the folder cannot take its place"))
        });
        Ok(RecordingCounts {
            octets: octets + placed.await?,
            ..counts(own)
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
        let cut = self.blocking(move || {
            let failed = |error: anyhow::Error| ArchiveError::Failed {
                what: "the datagrams cannot be copied".to_owned(),
                source: error.into(),
            };
            let made = remove_folder(&folder).map_err(anyhow::Error::from);
            made.and_then(|()| make_private_folder(&folder))
                .and_then(|()| spool(&config, &folder, arrived, places.as_ref(), clock::now()))
                .map_err(failed)
        });
        let read = cut.await?.read;
        if read.damaged + read.missing + read.lost > 0 {
            tracing::warn!(
                recording.name,
                read.damaged,
                read.missing,
                read.lost,
                "the tape lacks datagrams of a recording"
            );
        }
        Ok(())
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
                self.keep_one(recording.number).await?;
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

/// When rows that were stored then have to be copied: a tenth of their time, or a day, before they are gone.
pub(super) fn rows_due(stored_since: Timestamp, days: u32) -> Timestamp {
    const LEFT_MAX: Duration = Duration::from_secs(24 * 3600);
    let kept = Duration::from_secs(u64::from(days) * 86_400);
    stored_since + (kept - (kept / 10).min(LEFT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_copied_a_day_or_a_tenth_before_they_expire() {
        let stored = Timestamp::from_seconds(1_800_000_000);
        let after = |seconds: u64| stored + Duration::from_secs(seconds);
        assert_eq!(rows_due(stored, 30), after(29 * 86_400));
        assert_eq!(rows_due(stored, 1), after(77_760));
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
