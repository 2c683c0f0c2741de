//! What is left behind by a process that was killed, or by a store that was lost, put in order at start; and what is deleted.

use api::archive::ArchiveError;
use replay::first_segment;
use store::catalog::{Recording, RecordingCounts, RecordingState};

use super::RunningArchive;
use super::failing::{failed, of_store};
use super::folders::{partial, remove_folder, remove_others};
use crate::config::make_private_folder;

/// No recording's number: what is decoded from its tape, before its filter is asked.
const SCRATCH: u32 = u32::MAX;

impl RunningArchive {
    /// Removes what the catalog does not know of, and looks whether recordings with rows of their own have them.
    pub(super) async fn clean_up(&self) -> Result<(), ArchiveError> {
        make_private_folder(&self.folders()).map_err(|error| ArchiveError::Failed {
            what: "the folder of recordings cannot be made".to_owned(),
            source: error.into(),
        })?;
        let _alone = self.at_work.lock().await;
        let all = self.catalog.recordings().await?;
        let is_own = |recording: &&Recording| recording.state == RecordingState::Own;
        let own: Vec<u32> = all.iter().filter(is_own).map(|own| own.number).collect();
        let cleared = self.store.clear_layout(&self.place).await;
        cleared.map_err(of_store("what was laid out cannot be removed"))?;
        let in_store = self.store.recordings(&self.place).await;
        let in_store = in_store.map_err(of_store("the tables of recordings"))?;
        for number in in_store.iter().filter(|number| !own.contains(number)) {
            self.shelf.remove(*number).await?;
        }
        let removed = remove_others(&self.folders(), &own);
        removed.map_err(failed("what is left of recordings cannot be removed"))?;
        for recording in &all {
            let looked = match recording.state {
                RecordingState::Making | RecordingState::Deleting => {
                    let forgotten = self.catalog.forget_recording(recording.number).await;
                    forgotten.map_err(ArchiveError::from)
                }
                RecordingState::Own => self.check_rows(recording).await,
                RecordingState::Referenced => Ok(()),
            };
            // One that is not well keeps no other waiting.
            if let Err(error) = looked {
                let error = crate::output::chain(&error);
                tracing::error!(recording.name, recording.number, %error, "a recording is not whole");
            }
        }
        Ok(())
    }

    /// If the store was lost the rows of a recording are made anew from its tape, under the names that were in force.
    async fn check_rows(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let trouble = || of_store("the tables of a recording");
        // Only what is whole is put away, and nobody has touched it since.
        let own = self.store.recording(&self.place, recording.number);
        if self.store.is_cramped() && own.is_away().await.map_err(trouble())? {
            return Ok(());
        }
        let rows = self.shelf.new_rows(recording.number).await?;
        let found = rows.inventory().await;
        let found = found.map_err(trouble())?;
        if found.flows >= recording.counts.flows {
            self.shelf.are_whole(recording.number);
            return Ok(());
        }
        tracing::error!(
            recording.name,
            recording.number,
            found.flows,
            "tables of a recording are lost: its tape is decoded again"
        );
        let made = self.make_again(recording, found.flows).await?;
        // As many as there are now: it is not done again at each start.
        let counts = RecordingCounts {
            flows: made.max(found.flows),
            ..recording.counts
        };
        let states = (RecordingState::Own, RecordingState::Own);
        let (number, to) = (recording.number, recording.slice.arrived.to);
        let updated = self.catalog.update_recording(number, states, to, counts);
        updated.await?;
        self.shelf.are_whole(number);
        Ok(())
    }

    /// Decodes a recording's tape again, and takes that if it has more rows than are left.
    async fn make_again(&self, recording: &Recording, left: u64) -> Result<u64, ArchiveError> {
        let number = recording.number;
        let tape = self.folder(number);
        // There may be none: it was cut when the tape had let go of it.
        if !tape.exists() || matches!(first_segment(&tape), Ok(None)) {
            return Ok(0);
        }
        let trouble = || of_store("the tables of a recording");
        // Of another recording that could not be made again.
        self.shelf.remove(SCRATCH).await?;
        let all = self.shelf.new_rows(SCRATCH).await?;
        let rules = self.catalog.recording_by_number(number).await?.enrichment;
        self.decode(&tape, &rules, &all).await?;
        let held = all.held(Some(&recording.slice)).await.map_err(trouble())?;
        if held.flows > left {
            self.shelf.remove(number).await?;
            let rows = self.shelf.new_rows(number).await?;
            let copied = rows.copy_from(&all, &recording.slice).await;
            copied.map_err(trouble())?;
        }
        self.shelf.remove(SCRATCH).await?;
        Ok(held.flows)
    }

    /// Brings to its end what could not be removed when it should have been.
    pub(super) async fn finish_removals(&self) -> Result<(), ArchiveError> {
        if self.catalog.recordings_in_between().await?.is_empty() {
            return Ok(());
        }
        // Nothing is being made or removed while this is held.
        let _alone = self.at_work.lock().await;
        for recording in self.catalog.recordings_in_between().await? {
            self.unpin_recording(recording.number).await?;
            self.remove(recording.number).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_one(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let _alone = self.at_work.lock().await;
        let number = recording.number;
        let recording = self.catalog.recording_by_number(number).await?;
        let states = (recording.state, RecordingState::Deleting);
        let (to, counts) = (recording.slice.arrived.to, recording.counts);
        let updated = self.catalog.update_recording(number, states, to, counts);
        updated.await?;
        self.unpin_recording(number).await?;
        self.remove(number).await?;
        self.settled().remove(&number);
        tracing::info!(recording.name, recording.number, "a recording was deleted");
        Ok(())
    }

    /// Removes all that a recording has of its own, and forgets it.
    pub(super) async fn remove(&self, number: u32) -> Result<(), ArchiveError> {
        self.remove_own(number).await?;
        Ok(self.catalog.forget_recording(number).await?)
    }

    /// Removes all that a recording has of its own.
    pub(super) async fn remove_own(&self, number: u32) -> Result<(), ArchiveError> {
        self.shelf.remove(number).await?;
        let folder = self.folder(number);
        self.blocking(move || {
            for folder in [partial(&folder), folder] {
                remove_folder(&folder).map_err(failed("a recording's folder cannot be removed"))?;
            }
            Ok(())
        })
        .await
    }
}
