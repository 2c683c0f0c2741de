//! What is being decoded again, noted on disk before the store forgets its rows: as long as the note is there, the tape
//! keeps the segments and whoever starts goes on with it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use flow::{FlowBatch, TapePosition, Timestamp};
use replay::Pins;
use serde::{Deserialize, Serialize};

use super::durable::{self, FileError};
use super::taping::PIN;
use crate::config::Config;

/// A stretch of tape whose rows are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) begin: TapePosition,
    pub(crate) end: TapePosition,
    /// Hours of event time that the old rows touched.
    pub(crate) hours: BTreeSet<i64>,
    /// How many there were; 0 where it was not known which were.
    pub(crate) rows_before: u64,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    path: PathBuf,
}

impl Noted {
    /// Segments that it takes.
    pub(crate) fn segments(&self) -> RangeInclusive<u32> {
        self.begin.segment..=self.end.segment
    }

    /// Whether a datagram's rows are among those that are replaced.
    pub(crate) fn holds(&self, position: TapePosition, received_at: Timestamp) -> bool {
        (self.begin..self.end).contains(&position) && (self.from..self.to).contains(&received_at)
    }

    /// Takes a batch and leaves it empty; what does not belong to the stretch is dropped.
    pub(crate) fn rows_within(&self, batch: &mut FlowBatch) -> FlowBatch {
        let mut batch = std::mem::take(batch);
        let received_at =
            |batch: &FlowBatch, row: usize| Timestamp::from_nanos(batch.origin.received_at[row]);
        let keep: Vec<bool> = (0..batch.rows())
            .map(|row| self.holds(batch.position(row), received_at(&batch, row)))
            .collect();
        batch.retain(&keep);
        batch.pad();
        batch
    }
}

impl Note {
    /// That of a data directory.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            path: config.path("checkpoint").join("reclassify.json"),
        }
    }

    /// Whether something is noted; also if that cannot be told.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self.path.try_exists(), Ok(false))
    }

    /// What is noted.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it is not known what was being replaced.
    pub(crate) fn read(&self) -> Result<Option<Noted>, FileError> {
        durable::read(&self.path)
    }

    /// Segments that the tape is to keep from its opening on; a note that cannot be read is told when it is gone on with.
    pub(crate) fn pins(&self) -> Pins {
        let mut pins = Pins::default();
        if let Ok(Some(noted)) = self.read() {
            pins.pin(PIN, noted.segments());
        }
        pins
    }

    /// Notes it. To be called where nothing is noted only.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]: nothing may be erased.
    pub(crate) fn write(&self, noted: &Noted) -> Result<(), FileError> {
        durable::replace_sealed(&self.path, noted)
    }

    /// It is done. After a power cut it would be done again otherwise, when the tape may be gone.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]: it is noted still.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(FileError::io(&self.path))?;
        self.force()
    }

    /// It cannot be done: kept under another name, for whoever looks into it, so that others can be noted. Returns that name.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]: it is noted still.
    pub(crate) fn set_aside(&self) -> Result<PathBuf, FileError> {
        let aside = self.path.with_extension("failed.json");
        fs::rename(&self.path, &aside).map_err(FileError::io(&aside))?;
        self.force()?;
        Ok(aside)
    }

    fn force(&self) -> Result<(), FileError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let forced = File::open(folder).and_then(|folder| folder.sync_all());
        forced.map_err(FileError::io(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_there_until_it_is_done_or_set_aside_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        fs::create_dir(config.path("checkpoint")).unwrap();
        let note = Note::of(&config);
        assert!(!note.is_there() && note.read().unwrap().is_none());
        let at = |segment| TapePosition {
            segment,
            offset: 64,
        };
        let noted = Noted {
            from: Timestamp::from_seconds(10),
            to: Timestamp::from_seconds(20),
            begin: at(3),
            end: at(5),
            hours: BTreeSet::from([0]),
            rows_before: 7,
        };
        note.write(&noted).unwrap();
        assert_eq!(note.read().unwrap(), Some(noted.clone()));
        let held = |segment| note.pins().hold(segment);
        assert_eq!([2, 3, 4, 5, 6].map(held), [false, true, true, true, false]);
        note.remove().unwrap();
        assert!(!note.is_there());
        note.write(&noted).unwrap();
        let text = fs::read_to_string(&note.path).unwrap();
        fs::write(&note.path, text.replace("\"segment\":3", "\"segment\":4")).unwrap();
        assert!(matches!(note.read(), Err(FileError::Damaged { .. })));
        let aside = note.set_aside().unwrap();
        assert!(aside.ends_with("checkpoint/reclassify.failed.json") && aside.exists());
        assert!(!note.is_there());
    }
}
