//! The listener: sockets, a thread for each, and their stop.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flow::Datagram;
use flow::clock::Stopwatch;
use nix::errno::Errno;

use super::allow::AllowList;
use super::batch::Batches;
use super::config::ListenConfig;
use super::error::ListenError;
use super::queue::{Offering, QueueSender};
use super::socket::{self, Bound, WAIT};
use super::stats::{ListenStats, SocketStats};

/// How long a thread that has taken all there was lets more arrive, in the socket's receive buffer: a call then brings many
/// instead of one or two, and so does each write of the tape.
const GATHER: Duration = Duration::from_millis(1);
/// How long a thread that is told to stop takes what the kernel has already. Where more arrives without end, it is that
/// much.
const LAST_WORDS_MAX: Duration = Duration::from_millis(300);

/// All UDP sockets of a collector: [`new`](Self::new) builds, [`bind`](Self::bind) opens the sockets,
/// [`run`](Self::run) starts a thread for each.
#[derive(Debug)]
pub struct Listener {
    config: ListenConfig,
    bound: Vec<(Bound, Arc<SocketStats>)>,
    stats: Arc<ListenStats>,
}

impl Listener {
    /// A listener that has done nothing yet.
    pub fn new(config: ListenConfig) -> Self {
        Self {
            config,
            bound: Vec::new(),
            stats: Arc::default(),
        }
    }

    /// Opens and binds every socket. From here on the kernel keeps what arrives, up to the receive buffer.
    ///
    /// # Errors
    ///
    /// [`ListenError`] with the address, its cause and the option that changes it; no socket stays open. Fatal at start.
    pub fn bind(&mut self) -> Result<(), ListenError> {
        let sockets = self.config.threads_per_address.max(1);
        let mut bound = Vec::new();
        let octets = self.config.receive_buffer_octets;
        for &address in &self.config.addresses {
            let mut address = address;
            for _ in 0..sockets {
                let opened = match socket::open(address, sockets > 1, octets) {
                    Err(ListenError::NoIpv6 { address }) if address.ip().is_unspecified() => {
                        tracing::warn!(listen.address = %address, "this machine has no IPv6, not listening there");
                        break;
                    }
                    opened => opened?,
                };
                // Where the kernel chose the port, the address's other sockets want the same one.
                address = opened.address;
                let stats = SocketStats::new(opened.address, opened.buffer, opened.kernel_stamps);
                bound.push((opened, Arc::new(stats)));
            }
        }
        self.stats = Arc::new(ListenStats::new(
            bound.iter().map(|(_, stats)| Arc::clone(stats)).collect(),
        ));
        self.bound = bound;
        Ok(())
    }

    /// The address of each socket as bound: where port 0 was asked for, with the port that the kernel chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|(bound, _)| bound.address).collect()
    }

    /// The counters; one entry a socket after [`bind`](Self::bind).
    pub fn stats(&self) -> Arc<ListenStats> {
        Arc::clone(&self.stats)
    }

    /// Starts a thread for each bound socket. After `stop` is set they take what the kernel has received already, and end
    /// within 400 ms, two seconds more if the queue is full; or when nobody reads it any more.
    ///
    /// `queue` should hold [`ListenConfig::queue_batches`] batches; its rule for when it is full is told at
    /// [`queue`](super::queue::queue). Meanwhile the socket's receive buffer takes what arrives.
    ///
    /// # Errors
    ///
    /// [`ListenError::Thread`] if a thread cannot be started; `stop` is set then, so that those which were started end.
    pub fn run(
        self,
        queue: &QueueSender,
        stop: &Arc<AtomicBool>,
    ) -> Result<ListenThreads, ListenError> {
        let allow = Arc::new(AllowList::new(self.config.allow));
        let mut threads = Vec::with_capacity(self.bound.len());
        for (bound, stats) in self.bound {
            let address = bound.address;
            let hearing = Hearing {
                batches: Batches::new(bound.socket, address.port()),
                allow: Arc::clone(&allow),
                stats,
                queue: queue.clone(),
                offering: Offering::default(),
                stop: Arc::clone(stop),
            };
            let thread = thread::Builder::new()
                .name(format!("listen-{}", address.port()))
                .spawn(move || hearing.run())
                .map_err(|source| {
                    stop.store(true, Relaxed);
                    ListenError::Thread { address, source }
                })?;
            threads.push(thread);
        }
        Ok(ListenThreads(threads))
    }
}

/// The running threads of a listener.
#[derive(Debug)]
pub struct ListenThreads(Vec<JoinHandle<()>>);

impl ListenThreads {
    /// Waits until all have ended; set the stop flag first.
    ///
    /// Returns how many panicked, which is a bug: 0.
    pub fn join(self) -> usize {
        self.0
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count()
    }
}

/// What one thread does.
struct Hearing {
    batches: Batches,
    allow: Arc<AllowList>,
    stats: Arc<SocketStats>,
    queue: QueueSender,
    offering: Offering,
    stop: Arc<AtomicBool>,
}

impl Hearing {
    fn run(mut self) {
        while !self.stop.load(Relaxed) {
            match self.batches.next(&self.allow, &self.stats) {
                Ok(batch) => {
                    if !batch.is_empty() && self.offer(batch).is_break() {
                        return;
                    }
                    if self.batches.took_all() {
                        thread::sleep(GATHER);
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => self.pause(error),
            }
        }
        self.take_the_rest();
    }

    /// What the kernel took before the stop would be lost with the socket, and no one would count it.
    fn take_the_rest(&mut self) {
        let since = Stopwatch::start();
        if self.batches.wait_no_more().is_err() {
            return;
        }
        while since.elapsed() < LAST_WORDS_MAX {
            match self.batches.next(&self.allow, &self.stats) {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => {
                    if self.offer(batch).is_break() {
                        return;
                    }
                }
                Err(Errno::EINTR) => {}
                // Nothing is left, or the socket fails.
                Err(_) => return,
            }
        }
    }

    fn offer(&mut self, batch: Vec<Datagram>) -> ControlFlow<()> {
        let stats = &self.stats;
        self.offering.offer(&self.queue, batch, |dropped| {
            let dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
            stats.queue_full.fetch_add(dropped, Relaxed);
        })
    }

    /// A socket that fails again and again must not take the processor: ten tries a second, each counted, the first logged.
    fn pause(&self, error: Errno) {
        if self.stats.receive_errors.fetch_add(1, Relaxed) == 0 {
            tracing::error!(listen.address = %self.stats.address(), %error, "cannot receive");
        }
        thread::park_timeout(WAIT);
    }
}
