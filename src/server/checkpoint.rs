//! The checkpoint: how far the tape is in the store, and what the decoder knew there.
//!
//! Two kinds of files in `checkpoint/`: `checkpoint.json`, small, replaced before and after every insert, and
//! `state-N.json`, the decoder's and the normaliser's state, written only when it changed. The checkpoint names its state
//! file, so both are always of one moment. The one before stays beside it as `checkpoint.1.json`, with its state: where
//! one file is damaged, the product goes on from there, and where both are, from what tape and store say (`searching`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use collector::decode::{Books, DecoderState};
use collector::normalise::NormaliseState;
use flow::TapePosition;
use serde::{Deserialize, Serialize};

use super::durable::{self, FileError};

/// Written into every checkpoint; a reader refuses a larger one. 2 has a checksum, and [`Mend`].
const FORMAT: u32 = 2;

/// What decoding knew at a position.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PipelineState {
    /// Where it was taken; between changes of what it knows a checkpoint goes on without it.
    pub(crate) position: TapePosition,
    pub(crate) decoder: DecoderState,
    pub(crate) normaliser: NormaliseState,
    /// The tape's own count there, for whoever finds nothing but this file.
    #[serde(default)]
    pub(crate) passed: Option<Passed>,
}

/// How far the tape is in the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    format: u32,
    /// Everything before this position is in the store or counted as dropped.
    pub(crate) position: TapePosition,
    /// The end of the batch that was being inserted: decode again to exactly here, and insert under the same token.
    pub(crate) intent: Option<TapePosition>,
    /// Datagrams appended before that end.
    #[serde(default)]
    pub(crate) intent_datagrams: u64,
    /// The name that rows are stored under; `None` in checkpoints of before it was kept.
    #[serde(default)]
    pub(crate) collector: Option<String>,
    /// Where that name begins: rows of what lies before it bear another.
    #[serde(default)]
    pub(crate) named_from: TapePosition,
    /// Number of the state file of `position`.
    state: Option<u64>,
    /// The decoder's books at `position`.
    pub(crate) books: Books,
    /// What happened to datagrams on tape before `position` without the decoder.
    pub(crate) passed: Passed,
    /// What never reached the tape.
    pub(crate) intake: Intake,
    /// What the store refused.
    pub(crate) refused: Refused,
    /// What was understood while there was no store.
    #[serde(default)]
    pub(crate) not_kept: Refused,
    /// Set while it is not known which rows the store has.
    #[serde(default)]
    pub(crate) mend: Option<Mend>,
}

/// Something was lost: the checkpoint, or what the store had. Every batch up to the tape's end of that time is compared
/// with the store, row by row, before it is inserted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mend {
    /// Batches are compared until this many datagrams of the tape are read; `None` is all that are there at the next start.
    pub(crate) until: Option<u64>,
    /// Where to begin is to be found out yet.
    pub(crate) search: Option<Search>,
    /// Rollups are made anew for all that is compared, not only where the store had rows of a batch already.
    pub(crate) thorough: bool,
    /// The store had nothing of the batch of the intent: it is inserted whole, under its token.
    pub(crate) whole: bool,
    /// Hours of event time whose rollups are to be made anew at the end, each by its start, seconds since 1970.
    pub(crate) hours: BTreeSet<i64>,
    /// Hours of arrival, whose extents are.
    pub(crate) arrivals: BTreeSet<i64>,
}

/// Where to begin is found out by asking the store what it has last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Search {
    /// The store has what it was given; what is known of that is lost.
    Checkpoint,
    /// The store may be of an earlier moment or of a later one than what is known of it: one of them was restored.
    Behind,
    /// The store was emptied: all that is on tape is to come again.
    Store,
}

/// Datagrams of the tape before a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// All that were ever appended before it.
    pub(crate) datagrams: u64,
    /// Those whose segment was gone before they were read.
    pub(crate) expired: u64,
    /// Those whose frame was damaged.
    pub(crate) damaged: u64,
    /// Those that the tape lost with its end, in a power cut.
    #[serde(default)]
    pub(crate) lost: u64,
    /// Marks that an import has ended, which are none.
    pub(crate) marks: u64,
    /// Those that were no longer on tape when the books were lost: stored or dropped, which is not known any more.
    #[serde(default)]
    pub(crate) forgotten: u64,
}

/// What was understood and is not in the store; it is still on tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) datagrams: u64,
    pub(crate) records: u64,
}

/// Datagrams that never reached the tape, since the data directory was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intake {
    pub(crate) not_allowed: u64,
    pub(crate) queue_full: u64,
    pub(crate) tape_failed: u64,
    pub(crate) kernel_drops: u64,
}

/// What the folder holds.
#[derive(Debug)]
pub(crate) struct Found {
    /// The checkpoint to go on from; `None` if there is none that can be used.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// What was known at its position, or at the last one that is still told.
    pub(crate) state: Option<PipelineState>,
    /// What could not be read, if anything.
    pub(crate) trouble: Vec<String>,
    /// Counts of what never reached the tape, from whatever file still tells.
    pub(crate) intake: Intake,
}

/// Why there is no usable checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path}: is missing")]
    Missing { path: PathBuf },
    #[error(
        "{path}: was written by a newer Flowreel (format {found}, this one knows {FORMAT}): install that one"
    )]
    Newer { path: PathBuf, found: u32 },
}

/// One of the two checkpoints on disk, with its state.
type Generation = Result<Option<(Checkpoint, Option<PipelineState>)>, CheckpointError>;

/// The folder of the checkpoint.
#[derive(Debug)]
pub(crate) struct CheckpointFolder {
    folder: PathBuf,
    /// The state file of the checkpoint on disk, and that of the one before.
    state: Option<u64>,
    state_before: Option<u64>,
    /// Whether the checkpoint on disk is one that can be gone on from.
    is_good: bool,
    /// The largest number that any state file has.
    last_number: u64,
}

impl CheckpointFolder {
    /// Opens or makes the folder, and reads what is there.
    pub(crate) fn open(folder: PathBuf) -> Result<(Self, Found), CheckpointError> {
        fs::create_dir_all(&folder).map_err(FileError::io(&folder))?;
        let numbers = state_numbers(&folder)?;
        let mut this = Self {
            folder,
            state: None,
            state_before: None,
            is_good: false,
            last_number: numbers.last().copied().unwrap_or(0),
        };
        let now = this.generation(CURRENT);
        this.is_good = matches!(now, Ok(Some(_)));
        let before = this.generation(PREVIOUS);
        if let Ok(Some((checkpoint, _))) = &before {
            this.state_before = checkpoint.state;
        }
        let found = this.choose(now, before, &numbers)?;
        Ok((this, found))
    }

    /// The newest of two checkpoints that can be used, or what else there is.
    fn choose(
        &mut self,
        now: Generation,
        before: Generation,
        numbers: &BTreeSet<u64>,
    ) -> Result<Found, CheckpointError> {
        let mut trouble = Vec::new();
        let is_first = matches!(now, Ok(None)) && matches!(before, Ok(None));
        for (generation, is_damaged) in [(now, false), (before, true)] {
            match generation {
                Ok(Some((mut checkpoint, state))) => {
                    self.state = checkpoint.state;
                    if is_damaged {
                        checkpoint.distrust();
                    }
                    return Ok(Found {
                        intake: checkpoint.intake,
                        checkpoint: Some(checkpoint),
                        state,
                        trouble,
                    });
                }
                Ok(None) => trouble.push(format!(
                    "{}: is missing",
                    self.folder.join(CURRENT).display()
                )),
                Err(newer @ CheckpointError::Newer { .. }) => return Err(newer),
                Err(error) => trouble.push(crate::output::chain(&error)),
            }
        }
        let intake = [CURRENT, PREVIOUS].into_iter().find_map(|name| {
            let checkpoint = durable::read::<Checkpoint>(&self.folder.join(name)).ok()??;
            Some(checkpoint.intake)
        });
        let state = numbers.iter().rev().find_map(|number| {
            let state = durable::read(&self.state_path(*number)).ok()??;
            self.state = Some(*number);
            Some(state)
        });
        if is_first && numbers.is_empty() {
            trouble.clear();
        }
        Ok(Found {
            checkpoint: None,
            state,
            trouble,
            intake: intake.unwrap_or_default(),
        })
    }

    fn generation(&self, name: &str) -> Generation {
        let path = self.folder.join(name);
        let Some(Format { format }) = durable::read(&path)? else {
            return Ok(None);
        };
        if format > FORMAT {
            let found = format;
            return Err(CheckpointError::Newer { path, found });
        }
        let Some(checkpoint) = durable::read::<Checkpoint>(&path)? else {
            return Ok(None);
        };
        let state = self.read_state(checkpoint.state)?;
        Ok(Some((checkpoint, state)))
    }

    /// Puts a checkpoint on disk; `state` if it is another than the last time.
    pub(crate) fn write(
        &mut self,
        mut checkpoint: Checkpoint,
        state: Option<&PipelineState>,
    ) -> Result<(), CheckpointError> {
        let mut number = self.state;
        if let Some(state) = state {
            self.last_number += 1;
            durable::replace_sealed(&self.state_path(self.last_number), state)?;
            number = Some(self.last_number);
        }
        checkpoint.format = FORMAT;
        checkpoint.state = number;
        let path = self.folder.join(CURRENT);
        if self.is_good {
            durable::keep(&path, &self.folder.join(PREVIOUS))?;
        }
        durable::replace_sealed(&path, &checkpoint)?;
        self.is_good = true;
        let unnamed = self
            .state_before
            .filter(|old| Some(*old) != self.state && Some(*old) != number);
        if let Some(old) = unnamed {
            // Nothing names it any more; if it stays, it only takes room.
            let _ = fs::remove_file(self.state_path(old));
        }
        (self.state_before, self.state) = (self.state, number);
        Ok(())
    }

    /// What was known when it last changed, as it is on disk.
    pub(crate) fn state(&self) -> Result<Option<PipelineState>, CheckpointError> {
        self.read_state(self.state)
    }

    fn read_state(&self, number: Option<u64>) -> Result<Option<PipelineState>, CheckpointError> {
        let Some(number) = number else {
            return Ok(None);
        };
        let path = self.state_path(number);
        match durable::read(&path)? {
            Some(state) => Ok(Some(state)),
            None => Err(CheckpointError::Missing { path }),
        }
    }

    fn state_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("state-{number}.json"))
    }
}

impl Checkpoint {
    /// What came after this checkpoint is not known: the one that was written after it cannot be read.
    ///
    /// If this one has an intent, the other only said that this batch is stored: repeated under its token, it is
    /// recognised. If not, a batch may have been begun of which nobody knows the end.
    fn distrust(&mut self) {
        if self.intent.is_none() {
            self.mend.get_or_insert_default();
        }
    }

    /// One at a place of the tape, with these books.
    pub(crate) fn at(position: TapePosition, books: Books, passed: Passed) -> Self {
        Self {
            position,
            books,
            passed,
            ..Self::default()
        }
    }

    /// A checkpoint for a product that has lost it: where to begin is to be found out.
    pub(crate) fn lost(search: Search, intake: Intake) -> Self {
        Self {
            intake,
            mend: Some(Mend {
                search: Some(search),
                ..Mend::default()
            }),
            ..Self::default()
        }
    }

    /// Whether the store has, or had, anything.
    pub(crate) fn has_stored(&self) -> bool {
        let not_stored = self.refused.records + self.not_kept.records;
        self.books.records > not_stored
    }

    /// What is to be searched for before decoding begins.
    pub(crate) fn search(&self) -> Option<Search> {
        self.mend.as_ref().and_then(|mend| mend.search)
    }
}

const CURRENT: &str = "checkpoint.json";
const PREVIOUS: &str = "checkpoint.1.json";

/// The part of a checkpoint that every version has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Numbers of the state files that are there.
fn state_numbers(folder: &Path) -> Result<BTreeSet<u64>, CheckpointError> {
    let entries = fs::read_dir(folder).map_err(FileError::io(folder))?;
    let number = |name: &str| {
        let name = name.strip_prefix("state-")?;
        name.strip_suffix(".json")?.parse().ok()
    };
    Ok(entries
        .flatten()
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> TapePosition {
        TapePosition { segment: 1, offset }
    }

    fn state(offset: u32) -> PipelineState {
        PipelineState {
            position: at(offset),
            decoder: DecoderState::default(),
            normaliser: NormaliseState::default(),
            passed: None,
        }
    }

    fn checkpoint(offset: u32, intent: Option<TapePosition>) -> Checkpoint {
        Checkpoint {
            position: at(offset),
            intent,
            ..Checkpoint::default()
        }
    }

    /// A folder in which a batch from 64 to 900 was begun, ended, and the next one begun.
    fn written(path: &Path) {
        let (mut folder, found) = CheckpointFolder::open(path.to_owned()).unwrap();
        assert!(found.checkpoint.is_none() && found.trouble.is_empty());
        folder
            .write(checkpoint(64, None), Some(&state(64)))
            .unwrap();
        folder.write(checkpoint(64, Some(at(900))), None).unwrap();
        folder
            .write(checkpoint(900, None), Some(&state(900)))
            .unwrap();
    }

    fn open(path: &Path) -> Found {
        CheckpointFolder::open(path.to_owned()).unwrap().1
    }

    /// What was found, in short: position, intent, whether the store is asked, and the state's position.
    fn short(found: &Found) -> (u32, Option<u32>, bool, Option<u32>) {
        let checkpoint = found.checkpoint.as_ref().unwrap();
        (
            checkpoint.position.offset,
            checkpoint.intent.map(|at| at.offset),
            checkpoint.mend.is_some(),
            found.state.as_ref().map(|state| state.position.offset),
        )
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let found = open(folder.path());
        assert_eq!(short(&found), (900, None, false, Some(900)));
        assert!(found.trouble.is_empty());
    }

    #[test]
    fn a_damaged_checkpoint_leaves_the_one_before_with_its_state() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let file = folder.path().join(CURRENT);
        let text = fs::read_to_string(&file).unwrap();
        // One digit, so that it is a checkpoint still, of another place.
        fs::write(&file, text.replace("\"offset\":900", "\"offset\":400")).unwrap();
        let found = open(folder.path());
        // The batch that ends at 900 is repeated under its token.
        assert_eq!(short(&found), (64, Some(900), false, Some(64)));
        assert_eq!(found.trouble.len(), 1, "{:?}", found.trouble);
        fs::remove_file(&file).unwrap();
        assert_eq!(
            short(&open(folder.path())),
            (64, Some(900), false, Some(64))
        );
    }

    #[test]
    fn without_the_intent_the_store_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let (mut open_folder, _) = CheckpointFolder::open(folder.path().to_owned()).unwrap();
        open_folder
            .write(checkpoint(900, Some(at(1700))), None)
            .unwrap();
        fs::write(folder.path().join(CURRENT), "").unwrap();
        assert_eq!(short(&open(folder.path())), (900, None, true, Some(900)));
    }

    #[test]
    fn a_damaged_state_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        fs::write(folder.path().join("state-2.json"), "{").unwrap();
        assert_eq!(
            short(&open(folder.path())),
            (64, Some(900), false, Some(64))
        );
        fs::remove_file(folder.path().join("state-1.json")).unwrap();
        let found = open(folder.path());
        assert!(found.checkpoint.is_none() && found.state.is_none());
        assert_eq!(found.trouble.len(), 2);
    }

    #[test]
    fn without_any_checkpoint_the_last_state_is_told() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        for name in [CURRENT, PREVIOUS] {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        let found = open(folder.path());
        assert!(found.checkpoint.is_none());
        assert_eq!(found.state.unwrap().position, at(900));
    }

    #[test]
    fn no_more_states_are_kept_than_are_named() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let (mut open_folder, _) = CheckpointFolder::open(folder.path().to_owned()).unwrap();
        for offset in 1000..1010 {
            let next = checkpoint(offset, None);
            open_folder.write(next, Some(&state(offset))).unwrap();
        }
        assert!(state_numbers(folder.path()).unwrap().len() <= 3);
    }

    #[test]
    fn a_newer_one_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let newer = "{\"format\":3,\"what\":\"nobody knows\"}";
        fs::write(folder.path().join(CURRENT), newer).unwrap();
        let error = CheckpointFolder::open(folder.path().to_owned()).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains(
                "checkpoint.json: was written by a newer Flowreel (format 3, this one knows 2)"
            ),
            "{said}"
        );
    }

    #[test]
    fn the_first_format_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let first = r#"{"format":1,"position":{"segment":1,"offset":64},"intent":null,"state":null,
            "books":{"seen":5,"understood":5,"waiting":0,"dropped":{},"records":7,"options_records":0,"records_dropped":{}},
            "passed":{"datagrams":5,"expired":0,"damaged":0,"marks":0},
            "intake":{"not_allowed":0,"queue_full":0,"tape_failed":0,"kernel_drops":0},
            "refused":{"datagrams":0,"records":0}}"#;
        fs::write(folder.path().join(CURRENT), first).unwrap();
        assert_eq!(short(&open(folder.path())), (64, None, false, None));
    }
}
