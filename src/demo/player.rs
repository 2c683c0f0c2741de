//! The enterprise at work: its datagrams go where those of sockets go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use collector::listen::QueueSender;
use flow::{Datagram, Timestamp, clock};
use simulator::enterprise::Enterprise;

/// Datagrams that are handed to the tape at a time.
const BATCH_DATAGRAMS: usize = 512;
/// How often the live enterprise is let on.
const TICK: Duration = Duration::from_millis(200);
/// How far the enterprise goes between two looks whether it shall stop.
const STEP: Duration = Duration::from_secs(60);

/// An enterprise, and the way from it to the tape.
pub(super) struct Player {
    enterprise: Enterprise,
    at: Timestamp,
    wire: QueueSender,
    stopped: Arc<AtomicBool>,
}

impl Player {
    /// `enterprise` is at `at`; it plays until `stopped` is set.
    pub(super) fn new(
        enterprise: Enterprise,
        at: Timestamp,
        wire: QueueSender,
        stopped: Arc<AtomicBool>,
    ) -> Self {
        Self {
            enterprise,
            at,
            wire,
            stopped,
        }
    }

    /// Lets the enterprise go on to `until`; returns how many datagrams it sent.
    ///
    /// # Errors
    ///
    /// It was told to stop, or nobody takes datagrams any more.
    pub(super) fn advance(&mut self, until: Timestamp) -> Result<u64> {
        let mut sent = 0;
        while self.at < until {
            self.at = until.min(self.at + STEP);
            sent += self.step()?;
        }
        Ok(sent)
    }

    fn step(&mut self) -> Result<u64> {
        let (mut sent, mut batch, mut gone) = (0, Vec::new(), false);
        let mut hand_on = |batch: &mut Vec<Datagram>| {
            sent += batch.len() as u64;
            gone = gone
                || self.stopped.load(Ordering::Relaxed)
                || self.wire.send(std::mem::take(batch)).is_err();
        };
        self.enterprise.advance(self.at, &mut |datagram| {
            batch.push(datagram);
            if batch.len() == BATCH_DATAGRAMS {
                hand_on(&mut batch);
            }
        });
        hand_on(&mut batch);
        if gone {
            bail!("the server stopped while the demo played");
        }
        Ok(sent)
    }
}

/// The player's thread, in step with the clock once it is started.
#[derive(Default)]
pub(super) struct Live {
    /// Ends the player, here and before it is here.
    pub(super) stopped: Arc<AtomicBool>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Live {
    pub(super) fn start(&self, mut player: Player) -> Result<()> {
        let work = move || {
            while player.advance(clock::now()).is_ok() {
                std::thread::park_timeout(TICK);
            }
        };
        let thread = std::thread::Builder::new()
            .name("enterprise".to_owned())
            .spawn(work);
        let thread = thread.context("the enterprise's thread cannot be started")?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Waits for the thread: it holds a way into the tape, which the server waits for.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the enterprise's thread panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulator::enterprise::Config;

    #[test]
    fn a_player_that_is_told_to_stop_lets_go_of_the_wire_within_a_step() {
        let begin = Timestamp::from_seconds(1_800_000_000);
        let (wire, tape) = collector::listen::queue(1024, usize::MAX);
        let stopped = Arc::new(AtomicBool::new(false));
        let enterprise = Enterprise::new(Config::new(1, begin));
        let mut player = Player::new(enterprise, begin, wire, stopped.clone());
        let sent = player.advance(begin + 2 * STEP).unwrap();
        let arrived: usize = std::iter::from_fn(|| tape.try_recv().ok())
            .map(|batch| batch.len())
            .sum();
        assert!(sent > 0 && arrived as u64 == sent, "{sent} {arrived}");
        stopped.store(true, Ordering::Relaxed);
        assert!(player.advance(begin + Duration::from_secs(86_400)).is_err());
        assert_eq!(player.at, begin + 3 * STEP);
    }
}
