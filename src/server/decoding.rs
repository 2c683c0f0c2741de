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
/// A batch is cut when it is this old and the store has room, or full: arriving flows are visible within a second of it, and what
/// the store is behind with goes in large batches, which cost it less.
const BATCH_AGE_MIN: Duration = Duration::from_millis(300);
/// How long the thread waits for the tape to grow before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often what is known of the exporters is published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct Decoding {
    pub(crate) pipeline: Pipeline,
    pub(crate) reader: TapeReader,
    pub(crate) tail: Tail,
    /// Batches on their way to the store.
    pub(crate) staged: mpsc::Sender<Staged>,
    /// Batches that were stored and emptied. One is handed over for one that comes back, so there are never more than were in
    /// here at first, and the one that is filled: when it is full this thread waits, and what arrives meanwhile stays on tape.
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
            // After reading: what arrived after the rules were put is named by them.
            if let Some(rules) = self.shared.take_new_rules() {
                self.pipeline.set_rules(&rules);
            }
            let idle = datagrams.is_empty();
            let (mut due, mut next) = (false, None);
            if !idle {
                if !self.pipeline.has_moved() {
                    batch_since = Stopwatch::start();
                }
                (held, due) = self.take(datagrams);
            }
            // An interrupted batch ends where it ended, however old or large it is.
            if self.intent.is_none() && self.pipeline.has_moved() {
                if batch_since.elapsed() >= BATCH_AGE_MIN {
                    next = self.emptied.try_recv().ok();
                }
                due |= self.pipeline.is_full() || next.is_some();
            }
            if due && self.cut(false, next).is_err() {
                return;
            }
            if idle && closed {
                self.publish();
                if self.intent.is_none() {
                    // If the writer is gone there is nobody left who could keep it.
                    let _ = self.cut(true, None);
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

    /// Hands the batch over, as soon as there is one to be filled next. An error means that the writer is gone.
    fn cut(&mut self, last: bool, next: Option<FlowBatch>) -> Result<(), ()> {
        let next = match next {
            Some(next) => next,
            None => self.emptied.recv().map_err(drop)?,
        };
        let staged = self.pipeline.cut(last, next);
        self.staged.blocking_send(staged).map_err(drop)
    }

    /// Begins where a batch ends that is made elsewhere and goes to the writer first.
    pub(crate) fn go_to(&mut self, begin: Staged, pipeline: Pipeline, reader: TapeReader) {
        (self.pipeline, self.reader) = (pipeline, reader);
        (self.passed, self.intent) = (begin.passed, None);
        // If the writing task is gone, so is the product.
        if self.emptied.recv().is_ok() {
            let _ = self.staged.blocking_send(begin);
        }
    }

    fn publish(&mut self) {
        self.shared.publish(Published {
            exporters: Arc::new(self.pipeline.exporters()),
            problems: self.pipeline.problems(),
            learned: self.pipeline.learned(),
            holdings: self.pipeline.holdings(),
            normalised: self.pipeline.normalised(),
        });
    }
}

#[cfg(test)]
mod tests {
    use collector::decode::{DecodeConfig, Decoder};
    use collector::normalise::{NormaliseConfig, Normaliser};
    use flow::clock;
    use replay::{TapeConfig, TapeWriter};

    use super::super::checkpoint::Checkpoint;
    use super::*;

    /// Runs the thread from a place to the end of a tape that is closed; its batches, and the tape's count behind each.
    fn batches(
        folder: &std::path::Path,
        tail: &Tail,
        (from, passed): (TapePosition, Passed),
        intent: Option<TapePosition>,
    ) -> Vec<(TapePosition, Passed)> {
        let fields = crate::config::field_table(None).unwrap();
        let (staged, mut to_store) = mpsc::channel(16);
        let (stored, emptied) = std::sync::mpsc::sync_channel(16);
        for _ in 0..16 {
            stored.send(FlowBatch::default()).unwrap();
        }
        let rules = flow::site::Rules::default();
        let decoding = Decoding {
            pipeline: Pipeline::new(
                Decoder::new(DecodeConfig::default(), fields),
                Normaliser::new(NormaliseConfig::default(), &rules),
                from,
                passed,
            ),
            reader: TapeReader::open(folder, from, Some(tail.clone())).expecting(passed.datagrams),
            tail: tail.clone(),
            staged,
            emptied,
            intent,
            passed,
            shared: Arc::new(Shared::new(
                Checkpoint::default(),
                Arc::default(),
                Vec::new(),
                tail.clone(),
            )),
        };
        decoding.run();
        let staged = std::iter::from_fn(|| to_store.try_recv().ok());
        staged.map(|staged| (staged.to, staged.passed)).collect()
    }

    /// A thread at the beginning of a tape of eight datagrams that is closed, and both ends of its channels.
    fn thread(
        folder: &std::path::Path,
    ) -> (
        Decoding,
        mpsc::Receiver<Staged>,
        std::sync::mpsc::SyncSender<FlowBatch>,
    ) {
        let tail = tape_of_eight(folder);
        let fields = crate::config::field_table(None).unwrap();
        let (staged, to_store) = mpsc::channel(1);
        let (stored, emptied) = std::sync::mpsc::sync_channel(1);
        let rules = flow::site::Rules::default();
        let decoding = Decoding {
            pipeline: Pipeline::new(
                Decoder::new(DecodeConfig::default(), fields),
                Normaliser::new(NormaliseConfig::default(), &rules),
                TapePosition::START,
                Passed::default(),
            ),
            reader: TapeReader::open(folder, TapePosition::START, Some(tail.clone())),
            tail: tail.clone(),
            staged,
            emptied,
            intent: None,
            passed: Passed::default(),
            shared: Arc::new(Shared::new(
                Checkpoint::default(),
                Arc::default(),
                Vec::new(),
                tail,
            )),
        };
        (decoding, to_store, stored)
    }

    fn tape_of_eight(folder: &std::path::Path) -> Tail {
        let config = TapeConfig {
            dir: folder.to_owned(),
            min_free_octets: 0,
            ..TapeConfig::default()
        };
        let (mut writer, _) = TapeWriter::open(config, clock::now()).unwrap();
        let datagram = Datagram {
            received_at: clock::now(),
            source: "192.0.2.1:2055".parse().unwrap(),
            local_port: 2055,
            feed: flow::Feed::WIRE,
            payload: vec![7; 40].into(),
        };
        writer.append(&vec![datagram; 8], clock::now());
        writer.tail()
    }

    #[test]
    fn a_batch_waits_until_the_one_before_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let (decoding, mut to_store, stored) = thread(folder.path());
        let running = std::thread::spawn(|| decoding.run());
        // Nobody has given back a batch, so none goes, not even the last.
        assert!(to_store.try_recv().is_err());
        stored.send(FlowBatch::default()).unwrap();
        let staged = to_store.blocking_recv().unwrap();
        assert_eq!(staged.passed.datagrams, 8);
        running.join().unwrap();
        assert!(to_store.try_recv().is_err());
    }

    #[test]
    fn the_thread_ends_with_the_writing_task() {
        let folder = tempfile::tempdir().unwrap();
        let (decoding, to_store, stored) = thread(folder.path());
        drop((to_store, stored));
        decoding.run();
    }

    #[test]
    fn what_is_missing_behind_an_intent_is_counted_once() {
        const HEADER: u32 = 64;
        const FRAME: u32 = 52 + 40;
        let folder = tempfile::tempdir().unwrap();
        let tail = tape_of_eight(folder.path());
        let file = std::fs::read_dir(folder.path()).unwrap().flatten();
        let mut files = file.map(|entry| entry.path());
        let path = files.find(|path| path.extension().is_some_and(|it| it == "tape"));
        let path = path.unwrap();
        let mut octets = std::fs::read(&path).unwrap();
        octets[(HEADER + 5 * FRAME + 60) as usize] ^= 1;
        std::fs::write(&path, octets).unwrap();

        // A batch of two was begun; the sixth of eight is damaged.
        let intent = TapePosition {
            segment: 1,
            offset: HEADER + 2 * FRAME,
        };
        let start = (TapePosition::START, Passed::default());
        let first = batches(folder.path(), &tail, start, Some(intent));
        let (to, passed) = first[0];
        assert_eq!((to, passed.datagrams, passed.damaged), (intent, 2, 0));
        let last = first.last().unwrap().1;
        assert_eq!((last.datagrams, last.damaged), (8, 1));
        // The product dies behind each of its batches.
        for place in first {
            let again = batches(folder.path(), &tail, place, None);
            assert_eq!(again.last().map_or(place.1, |it| it.1), last, "{place:?}");
        }
    }
}
