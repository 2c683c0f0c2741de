//! The checkpoint's folder: two generations, each with its state, and what is left of others swept away.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::durable::{self, FileError};
use super::{Checkpoint, FORMAT, Intake, PipelineState};

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
        this.sweep(&now, &before, &numbers);
        let found = this.choose(now, before, &numbers)?;
        Ok((this, found))
    }

    /// Removes what a process that died has left: files in the making, and states of which the checkpoint was never written.
    /// Where a checkpoint cannot be read any state may be wanted. What can't be removed only takes room.
    fn sweep(&self, now: &Generation, before: &Generation, numbers: &BTreeSet<u64>) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|it| it == "tmp" || it == "new")
            {
                let _ = fs::remove_file(path);
            }
        }
        let (Ok(Some((now, _))), Ok(before)) = (now, before) else {
            return;
        };
        let named = [now.state, before.as_ref().and_then(|(it, _)| it.state)];
        for number in numbers
            .iter()
            .filter(|number| !named.contains(&Some(**number)))
        {
            let _ = fs::remove_file(self.state_path(*number));
        }
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
    use collector::decode::DecoderState;
    use collector::normalise::NormaliseState;
    use flow::TapePosition;

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

    #[test]
    fn what_a_process_left_that_died_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        for name in ["state-9.json", "state-10.tmp", "checkpoint.new"] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        // It may be the only one that tells anything.
        let current = fs::read(folder.path().join(CURRENT)).unwrap();
        fs::write(folder.path().join(CURRENT), "").unwrap();
        open(folder.path());
        assert!(folder.path().join("state-9.json").exists());
        fs::write(folder.path().join(CURRENT), current).unwrap();
        assert_eq!(short(&open(folder.path())), (900, None, false, Some(900)));
        let entries = fs::read_dir(folder.path()).unwrap().flatten();
        let left: BTreeSet<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let named = [PREVIOUS, CURRENT, "state-1.json", "state-2.json"];
        assert_eq!(Vec::from_iter(left), named);
    }
}
