//! The threads around a tape: one forces it to disk, one compresses sealed segments.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::TapeError;
use crate::tail::Tail;

/// Between two looks for a segment to compress.
const COMPRESS_INTERVAL: Duration = Duration::from_secs(1);
/// After a failed compression, a full disk mostly.
const COMPRESS_PAUSE: Duration = Duration::from_secs(10);

/// Compression takes what processor time nobody else wants.
const NICENESS_MAX: i32 = 19;

/// The running threads. Dropping it stops them, and forces the tape to disk a last time.
#[derive(Debug)]
pub struct Upkeep {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Waits for `time`; `true` if it is time to stop.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Upkeep {
    /// Starts the threads for the tape behind `tail`.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`] if the system gives no thread; the caller does not start.
    pub fn start(tail: &Tail) -> Result<Self, TapeError> {
        let mut upkeep = Self {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        upkeep.spawn("tape-sync", tail, sync_until)?;
        if tail.shared.config.compress {
            upkeep.spawn("tape-compress", tail, compress_until)?;
        }
        Ok(upkeep)
    }

    fn spawn(&mut self, name: &str, tail: &Tail, work: fn(&Tail, &Stop)) -> Result<(), TapeError> {
        let (tail, stop) = (tail.clone(), Arc::clone(&self.stop));
        let dir = tail.shared.dir().to_owned();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&tail, &stop))
            .map_err(TapeError::io("start a thread for", &dir))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Stops the threads and waits for them. A compression that has begun is finished first (well below a second).
    pub fn stop(self) {}
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop.ask();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn sync_until(tail: &Tail, stop: &Stop) {
    let mut failing = false;
    loop {
        let last = stop.wait(tail.shared.config.fsync_interval());
        match tail.sync() {
            Ok(_) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::error!(error = error_text(&error), "cannot force the tape to disk");
            }
            Err(_) => {}
        }
        if last {
            return;
        }
    }
}

fn compress_until(tail: &Tail, stop: &Stop) {
    // Nothing waits for it. On Linux this is the calling thread's niceness alone, and nobody is refused to be nicer.
    let _ = rustix::process::setpriority_process(None, NICENESS_MAX);
    let mut pause = COMPRESS_INTERVAL;
    while !stop.wait(pause) {
        pause = match tail.compress_next() {
            Ok(Some(_)) => Duration::ZERO,
            Ok(None) => COMPRESS_INTERVAL,
            Err(error) => {
                tracing::warn!(error = error_text(&error), "cannot compress a tape segment");
                COMPRESS_PAUSE
            }
        };
    }
}

/// An error with its source, for a log line.
pub(crate) fn error_text(error: &TapeError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
