//! The checkpoint: how far the tape is in the store, and what the decoder knew there.
//!
//! Two kinds of files in `checkpoint/`: `checkpoint.json`, small, replaced before and after every insert, and
//! `state-N.json`, the decoder's and the normaliser's state, written only when it changed. The checkpoint names its state
//! file, so both are always of one moment. The one before stays beside it as `checkpoint.1.json`, with its state: where
//! one file is damaged, the product goes on from there, and where both are, from what tape and store say (`searching`).

mod folder;

use std::collections::BTreeSet;

use collector::decode::{Books, DecoderState};
use collector::normalise::NormaliseState;
use flow::TapePosition;
use serde::{Deserialize, Serialize};

pub(crate) use folder::{CheckpointError, CheckpointFolder, Found};

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
    /// The tape begins behind all places that the store may have of it.
    #[serde(default)]
    pub(crate) is_behind: bool,
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

    /// Whether nobody remembers what was last on tape, and it goes on right there.
    pub(crate) fn is_found_lost(&self) -> bool {
        let mend = self.mend.as_ref();
        mend.is_some_and(|mend| mend.search.is_some() && !mend.is_behind)
    }

    /// What is to be searched for before decoding begins.
    pub(crate) fn search(&self) -> Option<Search> {
        self.mend.as_ref().and_then(|mend| mend.search)
    }
}
