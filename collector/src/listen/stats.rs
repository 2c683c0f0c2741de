//! What each socket counted. The doc comments are the help texts.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Refused sources that are remembered per socket.
pub const REFUSED_SOURCES_MAX: usize = 16;

/// The counters of all sockets of one listener.
///
/// The counters of one socket agree with each other only once its thread has ended: before that, a datagram may be in
/// `received_datagrams` and not yet in what became of it.
#[derive(Debug, Default)]
pub struct ListenStats {
    sockets: Vec<Arc<SocketStats>>,
}

impl ListenStats {
    pub(super) fn new(sockets: Vec<Arc<SocketStats>>) -> Self {
        Self { sockets }
    }

    /// Each socket, in the order of the configured addresses.
    pub fn snapshot(&self) -> Vec<SocketSnapshot> {
        self.sockets
            .iter()
            .map(|socket| socket.snapshot())
            .collect()
    }

    /// All sockets together.
    pub fn total(&self) -> SocketCounts {
        let mut total = SocketCounts::default();
        for socket in &self.sockets {
            total.add(&socket.counts());
        }
        total
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One socket's counters, written by its thread only.
        #[derive(Debug)]
        pub(super) struct SocketStats {
            address: SocketAddr,
            receive_buffer_octets_asked: u64,
            receive_buffer_octets_got: u64,
            kernel_stamps: bool,
            refused: Mutex<RefusedSources>,
            $(pub(super) $name: AtomicU64,)+
        }

        /// What was counted since start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct SocketCounts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl SocketCounts {
            fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }
        }

        impl SocketStats {
            pub(super) fn new(address: SocketAddr, buffer: ReceiveBuffer, kernel_stamps: bool) -> Self {
                Self {
                    address,
                    receive_buffer_octets_asked: buffer.asked,
                    receive_buffer_octets_got: buffer.got,
                    kernel_stamps,
                    refused: Mutex::default(),
                    $($name: AtomicU64::new(0),)+
                }
            }

            fn counts(&self) -> SocketCounts {
                SocketCounts { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Datagrams that the kernel handed over.
    received_datagrams,
    /// Octets of UDP payload that the kernel handed over.
    received_octets,
    /// Calls that handed over at least one datagram.
    batches,
    /// Datagrams refused because their source is not on the allow list.
    not_allowed,
    /// Datagrams dropped because the queue to the tape was full.
    queue_full,
    /// Datagrams that the kernel dropped because the receive buffer was full or a checksum was wrong. It says so with the
    /// next datagram that it delivers, so drops at the very end may be missing.
    kernel_drops,
    /// Datagrams longer than 65,536 octets, kept without their end.
    truncated,
    /// Failed calls to the kernel.
    receive_errors,
}

/// A receive buffer as asked for and as got, octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveBuffer {
    pub(super) asked: u64,
    pub(super) got: u64,
}

/// One socket at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SocketSnapshot {
    /// The address that it is bound to; the kernel's choice where port 0 was asked for.
    pub address: SocketAddr,
    /// Receive buffer that was asked for, octets.
    pub receive_buffer_octets_asked: u64,
    /// Receive buffer that the kernel granted, in the units of the question: the kernel reports twice this, as it books its
    /// own overhead against the same limit.
    pub receive_buffer_octets_got: u64,
    /// Whether arrival times come from the kernel; if not, from the clock after each batch.
    pub kernel_stamps: bool,
    /// What was counted since start.
    #[serde(flatten)]
    pub counts: SocketCounts,
    /// Who was refused most, most first; at most [`REFUSED_SOURCES_MAX`].
    pub refused: Vec<RefusedSource>,
}

impl SocketStats {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn refuse(&self, source: IpAddr) {
        self.not_allowed.fetch_add(1, Relaxed);
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(source);
    }

    fn snapshot(&self) -> SocketSnapshot {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        SocketSnapshot {
            address: self.address,
            receive_buffer_octets_asked: self.receive_buffer_octets_asked,
            receive_buffer_octets_got: self.receive_buffer_octets_got,
            kernel_stamps: self.kernel_stamps,
            counts: self.counts(),
            refused: refused.most_first(),
        }
    }
}

/// A source that is not on the allow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedSource {
    /// Its address.
    pub address: IpAddr,
    /// Datagrams refused: exact while there were few sources, else at most this many.
    pub datagrams: u64,
}

/// The sources that were refused most: at most [`REFUSED_SOURCES_MAX`].
///
/// When full, a newcomer takes the place of the least one and its count, so a source with more than a sixteenth of all
/// refused datagrams is always in the table, and a flood of invented addresses costs no memory.
#[derive(Debug, Default)]
struct RefusedSources(Vec<RefusedSource>);

impl RefusedSources {
    fn note(&mut self, address: IpAddr) {
        if let Some(known) = self.0.iter_mut().find(|known| known.address == address) {
            known.datagrams += 1;
        } else if self.0.len() < REFUSED_SOURCES_MAX {
            self.0.push(RefusedSource {
                address,
                datagrams: 1,
            });
        } else if let Some(least) = self.0.iter_mut().min_by_key(|known| known.datagrams) {
            least.address = address;
            least.datagrams += 1;
        }
    }

    fn most_first(&self) -> Vec<RefusedSource> {
        let mut sources = self.0.clone();
        sources.sort_by_key(|source| std::cmp::Reverse(source.datagrams));
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_flood_of_invented_sources_does_not_hide_the_loud_one() {
        let mut refused = RefusedSources::default();
        let loud = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
        for number in 0..100_000_u32 {
            refused.note(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number)));
            if number % 10 == 0 {
                refused.note(loud);
            }
        }
        assert_eq!(refused.0.len(), REFUSED_SOURCES_MAX);
        let found = refused.0.iter().find(|source| source.address == loud);
        assert!(found.is_some_and(|source| source.datagrams >= 10_000));
    }

    #[test]
    fn few_sources_are_counted_exactly() {
        let mut refused = RefusedSources::default();
        for (last, times) in [(1, 2), (2, 5)] {
            for _ in 0..times {
                refused.note(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)));
            }
        }
        let counts: Vec<_> = refused.most_first().iter().map(|s| s.datagrams).collect();
        assert_eq!(counts, [5, 2]);
    }
}
