//! A mirrored interface: export datagrams on their way to somebody else.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pcap::{Active, Capture, Precision};
use serde::Serialize;

use super::config::{MirrorConfig, Selection, filter};
use super::error::CaptureError;
use super::file::time;
use super::link::Link;
use super::stats::FrameCounts;
use super::unwrap::{Frame, Unwrap};
use crate::listen::queue::{Offering, QueueSender};

/// Frames taken with one call, and so datagrams in a batch.
const BATCH: usize = 64;
/// How long the kernel collects frames before it hands them over, milliseconds.
const COLLECT_MS: i32 = 10;
/// How long the thread rests when there is nothing. libpcap's own waiting does not end while no frame comes, whatever time-out
/// it was given (its issue 1001), so it is not used; what comes meanwhile is stamped and kept by the kernel.
const REST: Duration = Duration::from_millis(10);
/// How long the thread rests when the interface fails.
const REST_FAILED: Duration = Duration::from_millis(100);
/// Octets kept of a frame: the largest IP packet and room for its link layer.
const FRAME_MAX: i32 = 65_535 + 256;

/// An interface that is being listened to; [`open`](Self::open) opens it, [`run`](Self::run) starts its thread.
pub struct Mirror {
    interface: String,
    capture: Capture<Active>,
    unwrap: Unwrap,
    stats: Arc<Mutex<MirrorStats>>,
}

/// What an interface gave and what was lost. The doc comments are the help texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MirrorStats {
    /// What became of the frames.
    #[serde(flatten)]
    pub frames: FrameCounts,
    /// Datagrams dropped because the queue to the tape was full.
    pub queue_full: u64,
    /// Frames that the kernel dropped because its buffer was full.
    pub kernel_drops: u64,
    /// Frames that the interface or its driver dropped.
    pub interface_drops: u64,
    /// Failed reads from the interface.
    pub receive_errors: u64,
}

impl Mirror {
    /// Opens the interface. Takes the capability `CAP_NET_RAW`.
    ///
    /// `selection` restricts sources and names the feed; its ports are replaced by those of `config`.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] with the interface: it does not exist, may not be listened to, has a link layer that is not looked
    /// into, or the filter is not understood. Fatal at start.
    pub fn open(config: &MirrorConfig, mut selection: Selection) -> Result<Self, CaptureError> {
        let interface = config.interface.clone();
        let failed = |source| CaptureError::Interface {
            interface: config.interface.clone(),
            source,
        };
        // Not in immediate mode: there the kernel keeps a place of the largest size for each frame, 512 in 32 MiB.
        let mut capture = Capture::from_device(interface.as_str())
            .map_err(failed)?
            .promisc(config.promiscuous)
            .timeout(COLLECT_MS)
            .snaplen(FRAME_MAX)
            .buffer_size(i32::try_from(config.buffer_octets).unwrap_or(i32::MAX))
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(failed)?;
        let number = capture.get_datalink();
        let link = Link::from_number(number.0).ok_or_else(|| CaptureError::Link {
            place: format!("interface {interface}"),
            link: number.0,
            name: number.get_name().unwrap_or_default(),
        })?;
        set_filter(&mut capture, config)?;
        selection.ports.clone_from(&config.ports);
        Ok(Self {
            interface,
            capture,
            unwrap: Unwrap::new(link, selection),
            stats: Arc::default(),
        })
    }

    /// The counters, brought up to date with every batch.
    pub fn stats(&self) -> Arc<Mutex<MirrorStats>> {
        Arc::clone(&self.stats)
    }

    /// Starts the thread. It ends soon after `stop` is set, or when nobody reads the queue any more.
    ///
    /// When `queue` is full, the same rule is followed as by those who listen: [`queue`](crate::listen::queue()).
    ///
    /// # Errors
    ///
    /// [`CaptureError::Thread`] if it cannot be started.
    pub fn run(
        mut self,
        queue: QueueSender,
        stop: Arc<AtomicBool>,
    ) -> Result<MirrorThread, CaptureError> {
        let interface = self.interface.clone();
        thread::Builder::new()
            .name(format!("mirror-{interface}"))
            .spawn(move || {
                let mut offering = Offering::default();
                while !stop.load(Relaxed) && self.forward(&queue, &mut offering) {}
                self.unwrap.finish();
                self.report(0, false);
            })
            .map(MirrorThread)
            .map_err(|source| CaptureError::Thread { interface, source })
    }

    /// Takes what is there; whether to go on.
    fn forward(&mut self, queue: &QueueSender, offering: &mut Offering) -> bool {
        let mut batch = Vec::new();
        let unwrap = &mut self.unwrap;
        let taken = self.capture.dispatch(Some(BATCH), |packet| {
            batch.extend(unwrap.datagram(Frame {
                at: time(packet.header),
                octets: packet.data,
                cut: packet.header.caplen < packet.header.len,
            }));
        });
        let (mut dropped, mut wanted) = (0, true);
        if !batch.is_empty() {
            let offered = offering.offer(queue, batch, |datagrams| dropped = datagrams);
            wanted = offered.is_continue();
        }
        match taken {
            Ok(0) => thread::park_timeout(REST),
            Ok(_) => {
                self.report(dropped, false);
            }
            Err(error) => self.pause(&error, dropped),
        }
        wanted
    }

    /// An interface that is gone or down must not take the processor: ten tries a second, each counted, the first logged.
    fn pause(&mut self, error: &pcap::Error, dropped: usize) {
        if self.report(dropped, true) == 1 {
            tracing::error!(capture.interface = %self.interface, %error, "cannot receive");
        }
        thread::park_timeout(REST_FAILED);
    }

    /// Brings the counters up to date; returns the failed reads so far.
    fn report(&mut self, dropped: usize, failed: bool) -> u64 {
        let kernel = self.capture.stats().ok();
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.frames = self.unwrap.counts();
        stats.queue_full += u64::try_from(dropped).unwrap_or(u64::MAX);
        stats.receive_errors += u64::from(failed);
        if let Some(kernel) = kernel {
            stats.kernel_drops = u64::from(kernel.dropped);
            stats.interface_drops = u64::from(kernel.if_dropped);
        }
        stats.receive_errors
    }
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror")
            .field("interface", &self.interface)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// The running thread of a mirror.
#[derive(Debug)]
pub struct MirrorThread(JoinHandle<()>);

impl MirrorThread {
    /// Waits until it has ended; set the stop flag first.
    ///
    /// Returns whether it ended well; `false` is a panic, which is a bug.
    pub fn join(self) -> bool {
        self.0.join().is_ok()
    }
}

/// Sets the operator's filter, or one made from the ports.
fn set_filter(capture: &mut Capture<Active>, config: &MirrorConfig) -> Result<(), CaptureError> {
    let (program, result) = match &config.filter {
        Some(program) => (program.clone(), capture.filter(program, true)),
        None => {
            // Some link layers, loopback and `any` among them, have no word `vlan`.
            let program = filter(&config.ports, true);
            let result = capture.filter(&program, true);
            let plain = filter(&config.ports, false);
            (
                plain.clone(),
                result.or_else(|_| capture.filter(&plain, true)),
            )
        }
    };
    result.map_err(|source| CaptureError::Filter {
        interface: config.interface.clone(),
        filter: program,
        source,
    })
}
