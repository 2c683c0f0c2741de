//! The checkpoint: how far the tape is in the store, and what the decoder knew there.
//!
//! Two kinds of files in `checkpoint/`: `checkpoint.json`, small, replaced before every insert, and `state-N.json`, the
//! decoder's and the normaliser's state, written only when it changed. The checkpoint names its state file, so both are
//! always of one moment. Each is written to a temporary name, fsynced, renamed, and the folder fsynced.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use collector::decode::{Books, DecoderState};
use collector::normalise::NormaliseState;
use flow::TapePosition;
use serde::{Deserialize, Serialize};

/// Written into every checkpoint; a reader refuses a larger one.
const FORMAT: u32 = 1;

/// What decoding knew at a position.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PipelineState {
    /// Where it was taken; between changes of what it knows a checkpoint goes on without it.
    pub(crate) position: TapePosition,
    pub(crate) decoder: DecoderState,
    pub(crate) normaliser: NormaliseState,
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

/// A checkpoint, and what was known at its position.
pub(crate) type Found = (Checkpoint, Option<PipelineState>);

/// Why there is no usable checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("{path}: cannot be read or written")]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path}: is missing; take the folder from a backup, as without it what is stored cannot be told"
    )]
    Missing { path: PathBuf },
    #[error(
        "{path}: is damaged; take the folder from a backup, as without it what is stored cannot be told"
    )]
    Damaged {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{path}: was written by a newer Flowreel (format {found}, this one knows {FORMAT})")]
    Newer { path: PathBuf, found: u32 },
}

/// The folder of the checkpoint.
#[derive(Debug)]
pub(crate) struct CheckpointFolder {
    folder: PathBuf,
    state: Option<u64>,
}

impl CheckpointFolder {
    /// Opens or makes the folder, and reads what is there.
    pub(crate) fn open(folder: PathBuf) -> Result<(Self, Option<Found>), CheckpointError> {
        fs::create_dir_all(&folder).map_err(|source| CheckpointError::Io {
            path: folder.clone(),
            source,
        })?;
        let mut this = Self {
            folder,
            state: None,
        };
        let path = this.folder.join("checkpoint.json");
        let Some(checkpoint) = read::<Checkpoint>(&path)? else {
            return Ok((this, None));
        };
        if checkpoint.format > FORMAT {
            return Err(CheckpointError::Newer {
                path,
                found: checkpoint.format,
            });
        }
        this.state = checkpoint.state;
        let state = this.state()?;
        Ok((this, Some((checkpoint, state))))
    }

    /// Puts a checkpoint on disk; `state` if it is another than the last time.
    pub(crate) fn write(
        &mut self,
        mut checkpoint: Checkpoint,
        state: Option<&PipelineState>,
    ) -> Result<(), CheckpointError> {
        let before = self.state;
        if let Some(state) = state {
            let number = before.unwrap_or(0) + 1;
            replace(&self.state_path(number), state)?;
            self.state = Some(number);
        }
        checkpoint.format = FORMAT;
        checkpoint.state = self.state;
        replace(&self.folder.join("checkpoint.json"), &checkpoint)?;
        if let Some(old) = before.filter(|old| Some(*old) != self.state) {
            // Nothing names it any more; if it stays, it only takes room.
            let _ = fs::remove_file(self.state_path(old));
        }
        Ok(())
    }

    /// What was known when it last changed, as it is on disk.
    pub(crate) fn state(&self) -> Result<Option<PipelineState>, CheckpointError> {
        match self.state {
            Some(number) => {
                let path = self.state_path(number);
                let missing = || CheckpointError::Missing { path: path.clone() };
                read(&path)?.map(Some).ok_or_else(missing)
            }
            None => Ok(None),
        }
    }

    fn state_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("state-{number}.json"))
    }
}

/// Puts a value in the place of a file, whole or not at all, also if the power goes.
pub(crate) fn replace(path: &Path, value: &impl Serialize) -> Result<(), CheckpointError> {
    let failed = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_vec(value).map_err(|source| CheckpointError::Damaged {
        path: path.to_owned(),
        source,
    })?;
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary).map_err(failed)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, CheckpointError> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| CheckpointError::Damaged {
                    path: path.to_owned(),
                    source,
                })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CheckpointError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> TapePosition {
        TapePosition { segment: 1, offset }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let (mut written, none) = CheckpointFolder::open(path.clone()).unwrap();
        assert!(none.is_none());
        let checkpoint = Checkpoint {
            position: at(64),
            intent: Some(at(900)),
            ..Checkpoint::default()
        };
        written.write(checkpoint, None).unwrap();
        let (_, read) = CheckpointFolder::open(path).unwrap();
        let (checkpoint, state) = read.unwrap();
        assert_eq!(
            (checkpoint.position, checkpoint.intent),
            (at(64), Some(at(900)))
        );
        assert!(state.is_none());
    }

    #[test]
    fn a_newer_and_a_damaged_one_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let (mut written, _) = CheckpointFolder::open(path.clone()).unwrap();
        written.write(Checkpoint::default(), None).unwrap();
        let file = path.join("checkpoint.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"format\":1", "\"format\":2")).unwrap();
        let newer = CheckpointFolder::open(path.clone()).unwrap_err();
        assert!(
            newer.to_string().contains("newer Flowreel (format 2"),
            "{newer}"
        );
        fs::write(&file, &text[..text.len() / 2]).unwrap();
        let damaged = CheckpointFolder::open(path).unwrap_err();
        assert!(
            damaged.to_string().contains("checkpoint.json: is damaged"),
            "{damaged}"
        );
    }
}
