//! Sends datagrams by UDP, in batches of one system call.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flow::Datagram;
use flow::clock::Stopwatch;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::pace::{Due, Schedule};
use super::sockets::Sockets;
use super::{Lateness, NotKept, Pace, Sources, WireError};

/// Datagrams for one system call.
const BATCH: usize = 128;
/// The longest sleep: how soon a request to stop is heard.
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// Between two calls of the progress callback.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// Tries for one datagram before it is given up.
const TRIES: u32 = 8;

/// How far sending has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Datagrams that the kernel took.
    pub datagrams: u64,
    /// Their payload.
    pub octets: u64,
    /// Times that the target, or a router, said that nobody is there.
    pub refused: u64,
    /// Datagrams given up: larger than the path allows, refused by a firewall, or refused too often.
    pub unsent: u64,
    /// Since the start.
    pub elapsed: Duration,
}

/// How sending went.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// All of it.
    pub progress: Progress,
    /// How long after their due time datagrams were handed to the kernel; empty for [`Pace::AsFastAsPossible`].
    pub lateness: Lateness,
    /// Stopped before the last datagram.
    pub stopped: bool,
    /// Source addresses and ports that datagrams were sent from as recorded.
    pub sources_kept: u64,
    /// Source addresses and ports whose datagrams were sent from an address of this machine. More than 65,536 sources are
    /// sent and not counted.
    pub sources_own: u64,
    /// Why a source was not kept that was to be ([`Sources::Kept`]); the first reason, to be shown once.
    pub not_kept: Option<NotKept>,
}

/// The address of `HOST:PORT`.
///
/// # Errors
///
/// [`WireError::Resolve`]; the caller shows it.
pub fn resolve(target: &str) -> Result<SocketAddr, WireError> {
    let failed = |source| WireError::Resolve {
        target: target.to_owned(),
        source,
    };
    let mut addresses = target
        .to_socket_addrs()
        .map_err(|error| failed(Some(error)))?;
    addresses.next().ok_or_else(|| failed(None))
}

/// Sends datagrams to `to` until there are no more or `stop` is set. Blocks; calls `progress` ten times a second.
///
/// # Errors
///
/// [`WireError::Pace`], or [`WireError::Socket`] if the operating system gives no socket or cannot send at all.
/// A target that refuses is counted and sent to all the same.
pub fn send(
    datagrams: impl IntoIterator<Item = Datagram>,
    to: SocketAddr,
    pace: Pace,
    sources: Sources,
    stop: &AtomicBool,
    mut progress: impl FnMut(&Progress),
) -> Result<Summary, WireError> {
    pace.check()?;
    let mut schedule = Schedule::new(datagrams.into_iter(), pace, BATCH);
    let mut sender = Sender::new(to, sources);
    let mut summary = Summary::default();
    let mut told = Duration::ZERO;
    let watch = Stopwatch::start();
    loop {
        if stop.load(Ordering::Relaxed) {
            summary.stopped = true;
            break;
        }
        match schedule.at(watch.elapsed()) {
            Due::Send(batch) => {
                sender.send(batch, &mut summary.progress)?;
                let sent_at = watch.elapsed();
                if pace != Pace::AsFastAsPossible {
                    for (due, _) in batch {
                        summary.lateness.add(sent_at.saturating_sub(*due));
                    }
                }
            }
            Due::Wait(time) => std::thread::sleep(time.min(SLEEP_MAX)),
            Due::Done => break,
        }
        summary.progress.elapsed = watch.elapsed();
        if summary.progress.elapsed - told >= PROGRESS_INTERVAL {
            told = summary.progress.elapsed;
            progress(&summary.progress);
        }
    }
    (summary.sources_kept, summary.sources_own) = sender.sockets.counts();
    summary.not_kept = sender.sockets.not_kept;
    summary.progress.elapsed = watch.elapsed();
    progress(&summary.progress);
    Ok(summary)
}

struct Sender {
    to: SocketAddr,
    sockets: Sockets,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Sender {
    fn new(to: SocketAddr, sources: Sources) -> Self {
        Self {
            to,
            sockets: Sockets::new(to, sources),
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Sends a batch, in runs of one source.
    fn send(
        &mut self,
        batch: &[(Duration, Datagram)],
        progress: &mut Progress,
    ) -> Result<(), WireError> {
        for run in batch.chunk_by(|(_, one), (_, next)| one.source == next.source) {
            let Some((_, first)) = run.first() else {
                continue;
            };
            let socket = self.sockets.of(first.source)?.as_raw_fd();
            let slices: Vec<[IoSlice<'_>; 1]> = run
                .iter()
                .map(|(_, datagram)| [IoSlice::new(&datagram.payload)])
                .collect();
            self.send_run(socket, &slices, progress)?;
        }
        Ok(())
    }

    fn send_run(
        &mut self,
        socket: i32,
        slices: &[[IoSlice<'_>; 1]],
        progress: &mut Progress,
    ) -> Result<(), WireError> {
        let (mut rest, mut tries, mut cut_short) = (slices, 0, false);
        while !rest.is_empty() {
            let sent = match send_once(socket, &mut self.headers, rest) {
                Ok(sent) => {
                    // The kernel keeps the reason to itself when it sent a part. A datagram that goes through at the
                    // second try was only held up by the answer to an earlier one: nobody is there.
                    progress.refused += u64::from(cut_short);
                    cut_short = sent < rest.len();
                    progress.datagrams += crate::stats::count(sent);
                    let octets: usize = rest.iter().take(sent).map(|slice| slice[0].len()).sum();
                    progress.octets += crate::stats::count(octets);
                    sent
                }
                Err(errno) => {
                    cut_short = false;
                    tries += 1;
                    usize::from(self.give_up(errno, tries, progress)?)
                }
            };
            if sent > 0 {
                tries = 0;
            }
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the datagram that failed is passed over, or tried again.
    fn give_up(
        &self,
        errno: Errno,
        tries: u32,
        progress: &mut Progress,
    ) -> Result<bool, WireError> {
        let mut given_up = tries >= TRIES;
        match errno {
            Errno::EINTR => given_up = false,
            // An earlier datagram was answered by "nobody here"; this one was not sent yet.
            Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH => progress.refused += 1,
            Errno::EMSGSIZE | Errno::EPERM | Errno::EACCES => given_up = true,
            // The device's queue is full.
            Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return Err(self.failed("send to", other.into())),
        }
        progress.unsent += u64::from(given_up);
        Ok(given_up)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> WireError {
        WireError::Socket {
            action,
            to: self.to,
            source,
        }
    }
}

/// One system call; returns how many datagrams the kernel took.
fn send_once<'a>(
    socket: i32,
    headers: &'a mut MultiHeaders<SockaddrStorage>,
    slices: &'a [[IoSlice<'a>; 1]],
) -> Result<usize, Errno> {
    let connected = [None; BATCH];
    let nothing: [ControlMessage<'_>; 0] = [];
    let taken = sendmmsg(
        socket,
        headers,
        slices,
        connected,
        nothing,
        MsgFlags::empty(),
    )?;
    Ok(taken.count())
}
