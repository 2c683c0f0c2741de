//! The queue between the sockets and the tape: bounded in batches and in octets.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::mpsc::{SendError, sync_channel};
use std::thread;
use std::time::Duration;

use flow::Datagram;
use flow::clock::Stopwatch;

/// How long the newest batch waits for a place in a full queue. What arrives meanwhile waits in the kernel's buffer.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Between two looks whether there is a place.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A queue of at most `batches` batches that hold at most `octets` of memory; one batch has a place however large it is.
///
/// When it is full, the newest batch waits for two seconds. Then it is dropped and counted as `queue_full`, and so are
/// later ones at once until there is a place again.
pub fn queue(batches: usize, octets: usize) -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = sync_channel(batches.max(1));
    let held = Arc::new(AtomicUsize::new(0));
    let sender = QueueSender {
        sender,
        held: held.clone(),
        octets_max: octets,
    };
    (sender, QueueReceiver { receiver, held })
}

/// Where batches go in.
#[derive(Clone, Debug)]
pub struct QueueSender {
    sender: SyncSender<Vec<Datagram>>,
    held: Arc<AtomicUsize>,
    octets_max: usize,
}

impl QueueSender {
    /// Puts a batch in if there is a place.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the batch: the queue is full in batches or octets, or nobody reads it any more.
    pub fn try_send(&self, batch: Vec<Datagram>) -> Result<(), TrySendError<Vec<Datagram>>> {
        let octets = octets_of(&batch);
        let before = self.held.fetch_add(octets, Relaxed);
        let sent = match before == 0 || before.saturating_add(octets) <= self.octets_max {
            true => self.sender.try_send(batch),
            false => Err(TrySendError::Full(batch)),
        };
        if sent.is_err() {
            self.held.fetch_sub(octets, Relaxed);
        }
        sent
    }

    /// Waits for a place among the batches, whatever they hold: for who makes datagrams and can wait.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the batch if nobody reads any more.
    pub fn send(&self, batch: Vec<Datagram>) -> Result<(), SendError<Vec<Datagram>>> {
        let octets = octets_of(&batch);
        self.held.fetch_add(octets, Relaxed);
        self.sender.send(batch).inspect_err(|_| {
            self.held.fetch_sub(octets, Relaxed);
        })
    }
}

/// Where they come out, in their order for each sender.
#[derive(Debug)]
pub struct QueueReceiver {
    receiver: Receiver<Vec<Datagram>>,
    held: Arc<AtomicUsize>,
}

impl QueueReceiver {
    /// The next batch; waits for it for a time.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_timeout`].
    pub fn recv_timeout(&self, patience: Duration) -> Result<Vec<Datagram>, RecvTimeoutError> {
        let batch = self.receiver.recv_timeout(patience);
        batch.inspect(|batch| self.took(batch))
    }

    /// The next batch, if one is there.
    ///
    /// # Errors
    ///
    /// As [`Receiver::try_recv`].
    pub fn try_recv(&self) -> Result<Vec<Datagram>, TryRecvError> {
        let batch = self.receiver.try_recv();
        batch.inspect(|batch| self.took(batch))
    }

    fn took(&self, batch: &[Datagram]) {
        self.held.fetch_sub(octets_of(batch), Relaxed);
    }
}

/// The rule for a full queue, which is the same for all who receive.
#[derive(Debug, Default)]
pub(crate) struct Offering {
    /// The queue was full for too long, and still is.
    given_up: bool,
}

impl Offering {
    /// Offers a batch; calls `dropped` with the number of its datagrams if there is no place for it. Breaks when nobody
    /// reads any more.
    pub(crate) fn offer(
        &mut self,
        queue: &QueueSender,
        mut batch: Vec<Datagram>,
        dropped: impl FnOnce(usize),
    ) -> ControlFlow<()> {
        let waiting = Stopwatch::start();
        loop {
            match queue.try_send(batch) {
                Ok(()) => {
                    self.given_up = false;
                    return ControlFlow::Continue(());
                }
                Err(TrySendError::Full(back))
                    if !self.given_up && waiting.elapsed() < PLACE_WAIT_MAX =>
                {
                    batch = back;
                    thread::sleep(LOOK_EVERY);
                }
                Err(TrySendError::Full(batch)) => {
                    self.given_up = true;
                    dropped(batch.len());
                    return ControlFlow::Continue(());
                }
                Err(TrySendError::Disconnected(batch)) => {
                    dropped(batch.len());
                    return ControlFlow::Break(());
                }
            }
        }
    }
}

/// Memory of a batch: payloads, and what is kept beside each.
fn octets_of(batch: &[Datagram]) -> usize {
    batch
        .iter()
        .map(|datagram| datagram.payload.len() + size_of::<Datagram>())
        .sum()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flow::{Feed, Timestamp};

    use super::*;

    fn batch(datagrams: usize, octets: usize) -> Vec<Datagram> {
        let datagram = Datagram {
            received_at: Timestamp::EPOCH,
            source: "192.0.2.1:2055".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::from(vec![7; octets]),
        };
        vec![datagram; datagrams]
    }

    #[test]
    fn large_datagrams_fill_it_before_many_batches_do() {
        let (sender, receiver) = queue(1024, 1 << 20);
        let mut sent = 0;
        while sender.try_send(batch(4, 60_000)).is_ok() {
            sent += 1;
        }
        // 1,048,576 / (4 × (60,000 + what is kept beside)) is 4.
        assert_eq!(sent, 4);
        receiver.try_recv().unwrap();
        sender.try_send(batch(4, 60_000)).unwrap();
        assert!(sender.try_send(batch(4, 60_000)).is_err());
        while receiver.try_recv().is_ok() {}
        // One that is larger than all of it has a place where nothing else waits.
        sender.try_send(batch(64, 60_000)).unwrap();
        assert!(sender.try_send(batch(1, 0)).is_err());
    }

    #[test]
    fn batches_are_bounded_by_number_too() {
        let (sender, receiver) = queue(2, usize::MAX);
        for _ in 0..2 {
            sender.try_send(batch(1, 10)).unwrap();
        }
        let full = sender.try_send(batch(1, 10));
        assert!(matches!(full, Err(TrySendError::Full(_))));
        drop(receiver);
        let gone = sender.try_send(batch(1, 10));
        assert!(matches!(gone, Err(TrySendError::Disconnected(_))));
    }
}
