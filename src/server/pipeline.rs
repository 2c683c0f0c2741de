//! From the tape to batches of flows: decode, normalise, cut.
//!
//! A plain state machine: it is given datagrams and gives batches. What a batch holds depends on nothing but the state at
//! its start and the datagrams in it, so a batch that was cut short by a crash is made again exactly as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use collector::decode::{Books, Decoder, Holdings};
use collector::normalise::{LearnedService, NormaliseStats, Normaliser};
use flow::clock::Stopwatch;
use flow::site::Rules;
use flow::{Datagram, Feed, FlowBatch, TapePosition, Timestamp};

use super::checkpoint::{Passed, PipelineState};

/// A batch on its way to the store, and all that its checkpoint needs.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) batch: FlowBatch,
    /// Where the batch begins.
    pub(crate) from: TapePosition,
    /// Where it ends: the position after its last datagram.
    pub(crate) to: TapePosition,
    /// What was known at `to`, if it is another than at `from`.
    pub(crate) state: Option<PipelineState>,
    /// The decoder's books at `to`.
    pub(crate) books: Books,
    /// The tape's own count at `to`.
    pub(crate) passed: Passed,
    /// What each import has brought up to `to`.
    pub(crate) feeds: BTreeMap<Feed, FeedProgress>,
}

/// A batch is cut when it has this many rows …
pub(crate) const BATCH_ROWS_MAX: usize = 250_000;
/// … or, of rows with long texts, octets. What one reading of the tape gives may come on top, and 32 MiB that waited for
/// a template.
const BATCH_OCTETS_MAX: usize = 64 << 20;

/// Whether a batch is to be cut.
pub(crate) fn is_full(batch: &FlowBatch) -> bool {
    batch.rows() >= BATCH_ROWS_MAX || batch.octets() >= BATCH_OCTETS_MAX
}

/// What is known goes with every batch as long as taking it down takes less than this.
const STATE_IS_CHEAP: Duration = Duration::from_millis(5);

/// And it goes with one at least this often: who of the exporters was heard, and when, is no news, and the longest silent
/// are forgotten a minute after they were heard last where the table is full.
const STATE_AGE_MAX: Duration = Duration::from_secs(20);

/// What an import brought so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedProgress {
    pub(crate) records: u64,
    /// First and last event time.
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

/// The decoder, the normaliser, and the batch that they fill.
pub(crate) struct Pipeline {
    decoder: Decoder,
    normaliser: Normaliser,
    batch: FlowBatch,
    from: TapePosition,
    to: TapePosition,
    passed: Passed,
    marks: u64,
    /// How long it took to write down what is known, the last time.
    state_took: Duration,
    /// Since when it was written down last.
    state_since: Stopwatch,
    versions: (u64, u64),
    feeds: BTreeMap<Feed, FeedProgress>,
}

impl Pipeline {
    /// At `position`, with what was known there.
    pub(crate) fn new(
        decoder: Decoder,
        normaliser: Normaliser,
        position: TapePosition,
        passed: Passed,
    ) -> Self {
        let versions = (decoder.state_version(), normaliser.state_version());
        Self {
            decoder,
            normaliser,
            batch: FlowBatch::default(),
            from: position,
            to: position,
            passed,
            marks: passed.marks,
            state_took: Duration::ZERO,
            state_since: Stopwatch::start(),
            versions,
            feeds: BTreeMap::new(),
        }
    }

    /// Decodes datagrams that follow each other on tape, up to `end`.
    pub(crate) fn take(
        &mut self,
        datagrams: &[(TapePosition, Datagram)],
        end: TapePosition,
        passed: Passed,
    ) {
        let first_row = self.batch.rows();
        for (position, datagram) in datagrams {
            if datagram.is_end_of_feed() {
                self.decoder.end_feed(datagram.feed);
                self.marks += 1;
            } else {
                self.decoder.decode(datagram, *position, &mut self.batch);
            }
        }
        self.normaliser.normalise(&mut self.batch, first_row);
        self.note_feeds(first_row);
        self.to = end;
        self.passed = Passed {
            marks: self.marks,
            ..passed
        };
    }

    /// Whether the batch should be cut, however young it is.
    pub(crate) fn is_full(&self) -> bool {
        is_full(&self.batch)
    }

    /// Whether anything was read since the last cut.
    pub(crate) fn has_moved(&self) -> bool {
        self.from != self.to
    }

    /// Cuts the batch here. What is known goes with it if it has changed, if this is the last one, if it is old or small: then
    /// a restart goes on exactly where this one ended, sequence windows and running totals included. `next` is empty and is
    /// filled from here on.
    pub(crate) fn cut(&mut self, last: bool, next: FlowBatch) -> Staged {
        let versions = (
            self.decoder.state_version(),
            self.normaliser.state_version(),
        );
        let is_due = is_due(self.state_took, self.state_since.elapsed());
        let wanted = last || versions != self.versions || is_due;
        let state = wanted.then(|| {
            let watch = Stopwatch::start();
            let state = self.state();
            self.state_took = watch.elapsed();
            self.state_since = Stopwatch::start();
            state
        });
        self.versions = versions;
        let mut batch = std::mem::replace(&mut self.batch, next);
        batch.pad();
        let staged = Staged {
            batch,
            from: self.from,
            to: self.to,
            state,
            books: self.decoder.books().clone(),
            passed: self.passed,
            feeds: self.feeds.clone(),
        };
        self.from = self.to;
        staged
    }

    /// Flow records decoded since the data directory was made.
    pub(crate) fn records(&self) -> u64 {
        self.decoder.books().records
    }

    /// Leaves out what was decoded since the last cut: the store has it.
    pub(crate) fn skip(&mut self) {
        self.batch.clear();
        self.from = self.to;
    }

    /// What is known here.
    pub(crate) fn state(&self) -> PipelineState {
        PipelineState {
            position: self.to,
            decoder: self.decoder.state(),
            normaliser: self.normaliser.state(),
            passed: Some(self.passed),
        }
    }

    /// Names what comes from now on by other rules.
    pub(crate) fn set_rules(&mut self, rules: &Rules) {
        self.normaliser.set_rules(rules);
    }

    /// What is known of each exporter.
    pub(crate) fn exporters(&self) -> Vec<flow::health::ExporterHealth> {
        let mut exporters = self.decoder.exporters();
        for exporter in &mut exporters {
            exporter.name = self
                .normaliser
                .exporter_name(exporter.address)
                .map(str::to_owned);
        }
        exporters
    }

    /// How full the decoder's tables are.
    pub(crate) fn holdings(&self) -> Holdings {
        self.decoder.holdings()
    }

    /// What the normaliser counted since the start.
    pub(crate) fn normalised(&self) -> NormaliseStats {
        self.normaliser.stats()
    }

    /// The decoder's books.
    pub(crate) fn books(&self) -> &Books {
        self.decoder.books()
    }

    /// Services that were learned.
    pub(crate) fn learned(&self) -> Vec<LearnedService> {
        self.normaliser.learned()
    }

    /// Every problem that the decoder met, counted by kind.
    pub(crate) fn problems(&self) -> Vec<(&'static str, u64)> {
        self.decoder
            .problems()
            .iter()
            .map(|(problem, count)| (problem.name(), count))
            .collect()
    }

    fn note_feeds(&mut self, first_row: usize) {
        for row in first_row..self.batch.rows() {
            let feed = self.batch.feed(row);
            if feed == Feed::WIRE {
                continue;
            }
            let progress = self.feeds.entry(feed).or_default();
            progress.records += 1;
            let start = self.batch.columns.start.get(row).map(Timestamp::from_nanos);
            let end = self
                .batch
                .columns
                .end
                .get(row)
                .map(Timestamp::from_nanos)
                .or(start);
            progress.first = [progress.first, start].into_iter().flatten().min();
            progress.last = progress.last.max(end);
        }
    }
}

/// Whether what is known should be written down though nothing of it is news.
fn is_due(took: Duration, age: Duration) -> bool {
    took < STATE_IS_CHEAP || age >= STATE_AGE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_written_down_before_a_minute_of_silence_could_be_read_out_of_it() {
        let seconds = Duration::from_secs;
        assert!(is_due(Duration::from_millis(1), seconds(0)));
        assert!(!is_due(Duration::from_millis(300), seconds(19)));
        assert!(is_due(Duration::from_millis(300), seconds(20)));
    }
}
