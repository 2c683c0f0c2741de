//! Sends datagrams by UDP, in batches of one system call.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flow::Datagram;
use flow::clock::Stopwatch;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use super::pace::{Due, Schedule};
use super::{Lateness, Pace, WireError};

/// Datagrams for one system call.
const BATCH: usize = 128;
/// Sockets at most: one for each source address and port of the datagrams, so that exporters stay apart.
const SOCKETS_MAX: usize = 128;
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
/// Each source address and port of the datagrams gets a socket of its own (the first 128; others share), as a collector
/// may have to tell exporters apart by port when they all come from this machine.
///
/// # Errors
///
/// [`WireError::Pace`], or [`WireError::Socket`] if the operating system gives no socket or cannot send at all.
/// A target that refuses is counted and sent to all the same.
pub fn send(
    datagrams: impl IntoIterator<Item = Datagram>,
    to: SocketAddr,
    pace: Pace,
    stop: &AtomicBool,
    mut progress: impl FnMut(&Progress),
) -> Result<Summary, WireError> {
    pace.check()?;
    let mut schedule = Schedule::new(datagrams.into_iter(), pace, BATCH);
    let mut sockets = Sockets::new(to);
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
                sockets.send(batch, &mut summary.progress)?;
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
    summary.progress.elapsed = watch.elapsed();
    progress(&summary.progress);
    Ok(summary)
}

struct Sockets {
    to: SocketAddr,
    sockets: Vec<UdpSocket>,
    of: HashMap<SocketAddr, usize>,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Sockets {
    fn new(to: SocketAddr) -> Self {
        Self {
            to,
            sockets: Vec::new(),
            of: HashMap::new(),
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
            let socket = self.socket_for(first.source)?;
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
        socket: usize,
        slices: &[[IoSlice<'_>; 1]],
        progress: &mut Progress,
    ) -> Result<(), WireError> {
        let socket = self.sockets[socket].as_raw_fd();
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

    fn socket_for(&mut self, source: SocketAddr) -> Result<usize, WireError> {
        if let Some(found) = self.of.get(&source) {
            return Ok(*found);
        }
        if self.sockets.len() >= SOCKETS_MAX {
            // The map stays bounded as well: sources beyond the last socket are not remembered.
            return Ok(usize::from(source.port()) % self.sockets.len());
        }
        let any: SocketAddr = match self.to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)
            .and_then(|socket| socket.connect(self.to).map(|()| socket))
            .map_err(|error| self.failed("open a socket to", error))?;
        self.sockets.push(socket);
        let new = self.sockets.len() - 1;
        self.of.insert(source, new);
        Ok(new)
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
