//! Where to begin when the checkpoint is lost, or what the store had.
//!
//! Batches are inserted one after the other, so all that was decoded a batch before the last row of the store is stored
//! whole. The tape up to there is decoded once more for what it teaches (templates, names, sequence windows, the books),
//! and nothing of it is inserted; from there on each batch is compared with the store (`mending`).

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use anyhow::Result;
use flow::site::Rules;
use flow::{FlowBatch, TapePosition};
use replay::reader::datagrams_before;
use replay::{Tail, TapeReader};

use super::checkpoint::{Checkpoint, Passed, PipelineState, Search};
use super::decoding::Decoding;
use super::opening;
use super::pipeline::{BATCH_ROWS_MAX, Pipeline, Staged};
use crate::config::Config;

/// Datagrams and octets that are read from tape at a time.
const READ_DATAGRAMS_MAX: usize = 4096;
const READ_OCTETS_MAX: usize = 1 << 20;
/// Records that may lie between the last row of the store and the beginning of its batch: ten times what a batch is cut
/// at, as what one reading and what a datagram releases come on top.
const BATCH_RECORDS_MAX: u64 = 10 * BATCH_ROWS_MAX as u64;
/// Records between two places that may be gone back to.
const PLACE_EVERY: u64 = 2 * BATCH_ROWS_MAX as u64;

/// What the store said, for the decoding thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Nothing is to be searched for.
    AsItIs,
    /// This is, and the last place of which the store has a row of this collector is that.
    Search(Search, Option<TapePosition>),
}

/// What it takes to find the beginning.
pub(crate) struct Searching {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    /// What was known at some place, if anything is.
    pub(crate) state: Option<PipelineState>,
    pub(crate) tail: Tail,
    pub(crate) answer: Receiver<Answer>,
}

/// A place where decoding may begin: everything before it is stored.
struct Place {
    records: u64,
    staged: Staged,
}

impl Searching {
    /// Waits for the store, and gives back the thread at the place where it begins; `None` if the product stops before.
    pub(crate) fn begin(self, mut decoding: Decoding) -> Option<Decoding> {
        let (search, last) = match self.answer.recv().ok()? {
            Answer::AsItIs => return Some(decoding),
            Answer::Search(search, last) => (search, last),
        };
        match self.find(search, last) {
            Ok(Some(begin)) => {
                let begun = self.go_to(begin, &mut decoding);
                match begun {
                    Ok(()) => Some(decoding),
                    Err(error) => give_up(&error),
                }
            }
            Ok(None) => None,
            Err(error) => give_up(&error),
        }
    }

    /// The place to begin at.
    fn find(&self, search: Search, last: Option<TapePosition>) -> Result<Option<Staged>> {
        let state = self.state.clone();
        if let Some(state) = state.filter(|_| search == Search::Checkpoint) {
            tracing::warn!(
                tape.position = %state.position,
                "goes on from the last state that is told; what lies behind it is compared with the store"
            );
            let passed = self.passed_at(&state)?;
            return Ok(Some(beginning(state, passed)));
        }
        let first = self.first()?;
        let Some(last) = last.filter(|_| search != Search::Store) else {
            tracing::warn!(
                datagrams = self.tail.datagrams_total(),
                "all that is on tape is decoded and stored again"
            );
            return Ok(Some(first));
        };
        tracing::warn!(
            tape.last_stored = %last,
            "the tape is decoded up to the last row of the store, for templates and names; nothing of it is stored again"
        );
        self.scan(first, last)
    }

    /// Decodes up to the last row of the store, and gives the last place that is surely before its batch.
    fn scan(&self, first: Staged, last: TapePosition) -> Result<Option<Staged>> {
        let (mut pipeline, mut reader) = self.pipeline_at(&first)?;
        let forgotten = first.passed.forgotten;
        let mut places = VecDeque::from([Place {
            records: 0,
            staged: first,
        }]);
        while reader.position() <= last {
            if self.tail.is_closed() {
                return Ok(None);
            }
            let datagrams = reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX)?;
            if datagrams.is_empty() {
                break;
            }
            let counts = reader.counts();
            let passed = Passed {
                datagrams: reader.next_number().unwrap_or(0),
                expired: counts.missing,
                damaged: counts.damaged,
                lost: counts.lost,
                marks: 0,
                forgotten,
            };
            pipeline.take(&datagrams, reader.position(), passed);
            let records = pipeline.records();
            if places
                .back()
                .is_none_or(|place| records >= place.records + PLACE_EVERY)
            {
                let staged = Staged {
                    batch: FlowBatch::default(),
                    ..pipeline.cut(true, FlowBatch::default())
                };
                places.push_back(Place { records, staged });
                forget(&mut places, records);
            } else {
                // The rows of this stretch are stored.
                pipeline.skip();
            }
        }
        forget(&mut places, pipeline.records());
        Ok(places.pop_front().map(|place| place.staged))
    }

    /// The beginning of the tape, with what is known of templates and names.
    fn first(&self) -> Result<Staged> {
        let forgotten = datagrams_before(&self.config.path("tape"), TapePosition::START)?;
        let passed = Passed {
            datagrams: forgotten.unwrap_or(0),
            forgotten: forgotten.unwrap_or(0),
            ..Passed::default()
        };
        let mut state = PipelineState {
            position: TapePosition::START,
            ..PipelineState::default()
        };
        if let Some(known) = self.state.clone() {
            state.normaliser = known.normaliser;
            state.decoder = known
                .decoder
                .elsewhere()
                .doubted()
                .with_nothing_waiting()
                .with_books(Default::default());
        }
        Ok(beginning(state, passed))
    }

    /// The tape's count at a state's place; one of an earlier version does not tell it.
    fn passed_at(&self, state: &PipelineState) -> Result<Passed> {
        if let Some(passed) = state.passed {
            return Ok(passed);
        }
        let before = datagrams_before(&self.config.path("tape"), state.position)?;
        let datagrams = before.unwrap_or_else(|| self.tail.datagrams_total());
        Ok(Passed {
            datagrams,
            forgotten: datagrams.saturating_sub(state.decoder.books().seen),
            ..Passed::default()
        })
    }

    fn pipeline_at(&self, place: &Staged) -> Result<(Pipeline, TapeReader)> {
        let checkpoint = Checkpoint::at(place.to, place.books.clone(), place.passed);
        let end = self.tail.end();
        let state = place.state.clone();
        let pipeline = opening::pipeline(&self.config, &checkpoint, state, end, &self.rules)?;
        let reader = TapeReader::open(&self.config.path("tape"), place.to, Some(self.tail.clone()))
            .expecting(place.passed.datagrams);
        Ok((pipeline, reader))
    }

    /// Puts the thread there, and tells the writing task.
    fn go_to(&self, begin: Staged, decoding: &mut Decoding) -> Result<()> {
        let (pipeline, reader) = self.pipeline_at(&begin)?;
        decoding.go_to(begin, pipeline, reader);
        Ok(())
    }
}

fn give_up(error: &anyhow::Error) -> Option<Decoding> {
    tracing::error!(error = %crate::output::error_text(error), "where to begin cannot be found out");
    None
}

/// A batch without rows that ends where decoding begins.
fn beginning(state: PipelineState, passed: Passed) -> Staged {
    Staged {
        batch: FlowBatch::default(),
        from: state.position,
        to: state.position,
        books: state.decoder.books().clone(),
        passed,
        feeds: Default::default(),
        state: Some(state),
    }
}

/// Leaves only the last place that is a whole batch before these records, and those behind it.
fn forget(places: &mut VecDeque<Place>, records: u64) {
    while places
        .get(1)
        .is_some_and(|second| second.records + BATCH_RECORDS_MAX <= records)
    {
        places.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_to_go_back_to_is_a_whole_batch_before() {
        let place = |records| Place {
            records,
            staged: beginning(PipelineState::default(), Passed::default()),
        };
        let mut places: VecDeque<Place> = (0..10).map(|n| place(n * 500_000)).collect();
        // A batch may have 250,000 rows, and ten of them may come between.
        forget(&mut places, 4_300_000);
        let left: Vec<u64> = places.iter().map(|place| place.records).collect();
        assert_eq!(left[0], 1_500_000);
        let mut few = VecDeque::from([place(0), place(500_000)]);
        forget(&mut few, 2_900_000);
        assert_eq!(few.len(), 2);
    }
}
