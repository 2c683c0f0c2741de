//! The decoding thread: follows the end of the tape and hands batches to the store's writer.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::{Datagram, FlowBatch, TapePosition};
use replay::{Tail, TapeReader};
use tokio::sync::mpsc;

use super::checkpoint::Passed;
use super::pipeline::{Pipeline, Staged};
use super::shared::{Published, Shared};

/// Datagrams and octets that are read from tape at a time: few, as a batch is cut between two readings only, and records
/// of an octet each take a hundred times as much room in it.
const READ_DATAGRAMS_MAX: usize = 4096;
const READ_OCTETS_MAX: usize = 256 << 10;
/// A batch is cut when it is full, or this old: arriving flows are visible within a second of it.
const BATCH_AGE_MAX: Duration = Duration::from_millis(300);
/// How long the thread waits for the tape to grow before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often what is known of the exporters is published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct Decoding {
    pub(crate) pipeline: Pipeline,
    pub(crate) reader: TapeReader,
    pub(crate) tail: Tail,
    /// Batches on their way to the store: at most as many as the channel holds. When it is full this thread waits, and
    /// what arrives meanwhile stays on tape.
    pub(crate) staged: mpsc::Sender<Staged>,
    /// Batches that were stored and emptied: what is filled again needs no fresh memory, which the kernel would have to clear.
    pub(crate) emptied: Receiver<FlowBatch>,
    /// The end of the batch that was being inserted when the last run ended.
    pub(crate) intent: Option<TapePosition>,
    /// The tape's count where the reader started.
    pub(crate) passed: Passed,
    pub(crate) shared: Arc<Shared>,
}

impl Decoding {
    /// Runs until told to stop and the tape's end is reached, or the writer is gone.
    pub(crate) fn run(mut self) {
        let mut batch_since = Stopwatch::start();
        let mut published = Stopwatch::start();
        let mut held: Vec<(TapePosition, Datagram)> = Vec::new();
        loop {
            // Asked before reading: what is appended before the tape closes is read in the next round.
            let closed = self.tail.is_closed();
            let datagrams = if held.is_empty() {
                self.read()
            } else {
                std::mem::take(&mut held)
            };
            let idle = datagrams.is_empty();
            let mut due = false;
            if !idle {
                if !self.pipeline.has_moved() {
                    batch_since = Stopwatch::start();
                }
                (held, due) = self.take(datagrams);
            }
            // An interrupted batch ends where it ended, however old or large it is.
            if self.intent.is_none() && self.pipeline.has_moved() {
                due |= self.pipeline.is_full() || batch_since.elapsed() >= BATCH_AGE_MAX;
            }
            if due && self.cut(false).is_err() {
                return;
            }
            if idle && closed {
                self.publish();
                if self.intent.is_none() {
                    // If the writer is gone there is nobody left who could keep it.
                    let _ = self.cut(true);
                }
                return;
            }
            if published.elapsed() >= PUBLISH_EVERY {
                self.publish();
                published = Stopwatch::start();
            }
            if idle {
                self.tail.wait_past(self.reader.position(), PATIENCE);
            }
        }
    }

    fn read(&mut self) -> Vec<(TapePosition, Datagram)> {
        match self.reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX) {
            Ok(datagrams) => datagrams,
            Err(error) => {
                self.shared.report_tape_error(&error);
                // The tape's end is ahead, so waiting for it would not wait at all.
                std::thread::park_timeout(PATIENCE);
                Vec::new()
            }
        }
    }

    /// Decodes, up to the end of an interrupted batch if that is among them. Gives back what lies beyond it, and
    /// whether it was reached: the batch must be cut there.
    fn take(
        &mut self,
        mut datagrams: Vec<(TapePosition, Datagram)>,
    ) -> (Vec<(TapePosition, Datagram)>, bool) {
        let mut end = self.reader.position();
        let mut rest = Vec::new();
        let reached = self.intent.take_if(|intent| end >= *intent);
        if let Some(intent) = reached {
            let split = datagrams.partition_point(|(position, _)| *position < intent);
            rest = datagrams.split_off(split);
            end = intent;
        }
        let passed = self.passed(rest.len());
        self.pipeline.take(&datagrams, end, passed);
        (rest, reached.is_some())
    }

    /// The tape's count at the reader's position, less what was given back.
    fn passed(&self, given_back: usize) -> Passed {
        let counts = self.reader.counts();
        let read = self.reader.next_number().unwrap_or(self.passed.datagrams);
        Passed {
            datagrams: read - given_back as u64,
            expired: self.passed.expired + counts.missing,
            damaged: self.passed.damaged + counts.damaged,
            lost: self.passed.lost + counts.lost,
            // The pipeline counts these.
            marks: 0,
            forgotten: self.passed.forgotten,
        }
    }

    fn cut(&mut self, last: bool) -> Result<(), ()> {
        let next = self.emptied.try_recv().unwrap_or_default();
        let staged = self.pipeline.cut(last, next);
        self.staged.blocking_send(staged).map_err(drop)
    }

    fn publish(&mut self) {
        if let Some(rules) = self.shared.take_new_rules() {
            self.pipeline.set_rules(&rules);
        }
        self.shared.publish(Published {
            exporters: Arc::new(self.pipeline.exporters()),
            problems: self.pipeline.problems(),
            learned: self.pipeline.learned(),
            holdings: self.pipeline.holdings(),
        });
    }
}
