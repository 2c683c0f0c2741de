//! The tape thread: puts every datagram on tape before anything looks at it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use collector::listen::QueueReceiver;
use flow::clock::{self, Stopwatch};
use flow::{Datagram, TapePosition};
use replay::{Pins, TapeWriter};

use super::shared::Shared;

/// How long the thread waits for datagrams from the wire before it looks at imports, the clock and the stop sign.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long it lets batches gather in the queue when it has emptied it: one write and one wake-up of the decoding thread
/// for all of them.
const GATHER: Duration = Duration::from_millis(1);
/// Datagrams that are put on tape with one call; those of the last batch may go beyond.
const APPEND_MAX: usize = 4096;
/// How often old segments are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(5);

/// What others ask of the tape thread, and where to say that it is done.
pub(crate) enum Request {
    /// Put an import's datagrams on tape.
    Append {
        datagrams: Vec<Datagram>,
        answer: SyncSender<Put>,
    },
    /// Keep these segments for somebody, whatever their age and the tape's size, and not those that were kept for them before.
    Pin {
        name: String,
        segments: RangeInclusive<u32>,
        answer: SyncSender<()>,
    },
    /// Keep nothing for them any more.
    Unpin {
        name: String,
        answer: SyncSender<()>,
    },
}

/// Who pins a stretch that is decoded again: at most one at a time.
pub(crate) const PIN: &str = "reclassify";

/// What became of an import's batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put {
    /// Datagrams on tape, from the first on; fewer than were sent if the tape can't be written.
    pub(crate) written: u64,
    /// The end of the tape behind them.
    pub(crate) end: TapePosition,
}

/// The thread's state.
pub(crate) struct Taping {
    pub(crate) writer: TapeWriter,
    /// Batches from the sockets; when it is full the listeners count `queue_full`.
    pub(crate) wire: QueueReceiver,
    /// Imports and others, who wait for the answer.
    pub(crate) requests: Receiver<Request>,
    pub(crate) pins: Pins,
    pub(crate) shared: Arc<Shared>,
}

impl Taping {
    /// Runs until every listener is gone. Dropping the writer then closes the tape.
    pub(crate) fn run(mut self) {
        // The tape learns what is pinned before it makes room for the first time.
        self.retain();
        let mut retained = Stopwatch::start();
        let mut import_ready = false;
        loop {
            let patience = if import_ready {
                Duration::ZERO
            } else {
                PATIENCE
            };
            match self.wire.recv_timeout(patience) {
                Ok(datagrams) => self.append(datagrams),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            import_ready = match self.requests.try_recv() {
                Ok(request) => {
                    self.serve(request);
                    true
                }
                Err(_) => false,
            };
            if retained.elapsed() >= RETAIN_EVERY {
                self.retain();
                retained = Stopwatch::start();
            }
        }
    }

    /// Puts a batch on tape, and those behind it in the queue.
    fn append(&mut self, mut datagrams: Vec<Datagram>) {
        let mut emptied = false;
        while !emptied && datagrams.len() < APPEND_MAX {
            match self.wire.try_recv() {
                Ok(more) => datagrams.extend(more),
                Err(_) => emptied = true,
            }
        }
        let appended = self.writer.append(&datagrams, clock::now());
        self.shared.note_appended(&appended);
        if emptied {
            std::thread::sleep(GATHER);
        }
    }

    /// Whoever asked may have gone; then nobody waits for the answer.
    fn serve(&mut self, request: Request) {
        match request {
            Request::Append { datagrams, answer } => {
                let appended = self.writer.append(&datagrams, clock::now());
                let put = Put {
                    written: appended.written,
                    end: self.writer.end(),
                };
                let _ = answer.try_send(put);
            }
            Request::Pin {
                name,
                segments,
                answer,
            } => {
                self.pins.pin(&name, segments);
                self.retain();
                let _ = answer.try_send(());
            }
            Request::Unpin { name, answer } => {
                self.pins.unpin(&name);
                let _ = answer.try_send(());
            }
        }
    }

    fn retain(&mut self) {
        let stored_up_to = self.shared.stored_up_to();
        if let Err(error) = self.writer.retain(clock::now(), stored_up_to, &self.pins) {
            self.shared.report_tape_error(&error);
        }
    }
}
