//! Taking datagrams from a socket, up to 64 with one call.

use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use flow::{Datagram, Feed, Timestamp};
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg,
};
use nix::sys::time::TimeSpec;
use socket2::Socket;

use super::allow::AllowList;
use super::stats::SocketStats;

/// Datagrams taken with one call.
const BATCH: usize = 64;
/// Octets kept of one datagram. UDP allows 65,507 over IPv4 and 65,527 over IPv6.
const DATAGRAM_MAX: usize = 65_536;
/// Octets from one datagram's place to the next. The rest beyond a power of two keeps the starts of all places, which is
/// all that most datagrams fill, from competing for the same lines of the processor's cache.
const STRIDE: usize = DATAGRAM_MAX + 1_536;

/// The receiving half of a socket's thread: a slab that the kernel writes into, and what was found in it.
pub(super) struct Batches {
    socket: Socket,
    local_port: u16,
    slab: Vec<u8>,
    arrivals: Vec<Arrival>,
    drops: DropCount,
    /// Datagrams that the last call brought.
    taken: usize,
}

/// A datagram in the slab.
struct Arrival {
    start: usize,
    octets: usize,
    source: SocketAddr,
    received_at: Timestamp,
}

impl Batches {
    pub(super) fn new(socket: Socket, local_port: u16) -> Self {
        Self {
            socket,
            local_port,
            slab: vec![0; BATCH * STRIDE],
            arrivals: Vec::with_capacity(BATCH),
            drops: DropCount::default(),
            taken: 0,
        }
    }

    /// Whether the last call left nothing in the socket.
    pub(super) fn took_all(&self) -> bool {
        self.taken < BATCH
    }

    /// From now on [`next`](Self::next) gives what is there and waits for nothing.
    pub(super) fn wait_no_more(&self) -> std::io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Waits for datagrams, at most as long as the socket's receive timeout, and returns those of allowed sources.
    ///
    /// The payloads of a batch share one allocation: it lives as long as any of its datagrams.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if nothing came in time, `EINTR` on a signal; the caller tries again. Anything else is counted by the
    /// caller and tried again after a pause.
    pub(super) fn next(
        &mut self,
        allow: &AllowList,
        stats: &SocketStats,
    ) -> nix::Result<Vec<Datagram>> {
        self.receive(allow, stats)?;
        Ok(self.take())
    }

    fn receive(&mut self, allow: &AllowList, stats: &SocketStats) -> nix::Result<()> {
        self.arrivals.clear();
        self.taken = 0;
        // New for each call: the kernel writes the lengths that it used over those that it was offered, and a header that was
        // used for a message without a drop count would have no room for one ever after.
        let mut headers =
            MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!(TimeSpec, u32)));
        let mut places: Vec<[IoSliceMut<'_>; 1]> = self
            .slab
            .chunks_exact_mut(STRIDE)
            .filter_map(|place| place.get_mut(..DATAGRAM_MAX))
            .map(|place| [IoSliceMut::new(place)])
            .collect();
        let messages = recvmmsg(
            self.socket.as_raw_fd(),
            &mut headers,
            places.iter_mut(),
            MsgFlags::MSG_WAITFORONE,
            None,
        )?;
        let mut clock = None;
        let mut octets = 0;
        for (index, message) in messages.enumerate() {
            self.taken += 1;
            octets += u64::try_from(message.bytes).unwrap_or(u64::MAX);
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                stats.truncated.fetch_add(1, Relaxed);
            }
            let stamp = self.drops.read(&message, stats);
            let Some(source) = source(&message) else {
                continue;
            };
            if !allow.allows(source.ip()) {
                stats.refuse(source.ip());
                continue;
            }
            self.arrivals.push(Arrival {
                start: index * STRIDE,
                octets: message.bytes.min(DATAGRAM_MAX),
                source,
                received_at: stamp.unwrap_or_else(|| *clock.get_or_insert_with(flow::clock::now)),
            });
        }
        let datagrams = u64::try_from(self.taken).unwrap_or(u64::MAX);
        stats.received_datagrams.fetch_add(datagrams, Relaxed);
        stats.received_octets.fetch_add(octets, Relaxed);
        stats.batches.fetch_add(1, Relaxed);
        Ok(())
    }

    fn take(&mut self) -> Vec<Datagram> {
        let total = self.arrivals.iter().map(|arrival| arrival.octets).sum();
        let mut copied = BytesMut::with_capacity(total);
        for arrival in &self.arrivals {
            let end = arrival.start + arrival.octets;
            copied.extend_from_slice(self.slab.get(arrival.start..end).unwrap_or_default());
        }
        let mut rest: Bytes = copied.freeze();
        let local_port = self.local_port;
        let datagrams = self.arrivals.drain(..).map(|arrival| Datagram {
            received_at: arrival.received_at,
            source: arrival.source,
            local_port,
            feed: Feed::WIRE,
            payload: rest.split_to(arrival.octets.min(rest.len())),
        });
        datagrams.collect()
    }
}

/// The sender as exporters are known: IPv4 in its own form, without the scope of an interface.
fn source(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
    let address = message.address?;
    let address: SocketAddr = match address.as_sockaddr_in() {
        Some(v4) => (*v4).into(),
        None => (*address.as_sockaddr_in6()?).into(),
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// The socket's own count of drops, which the kernel sends along as 32 bits that wrap.
#[derive(Default)]
struct DropCount {
    last: u32,
}

impl DropCount {
    /// Reads a message's control data: counts drops, returns the arrival time.
    fn read(
        &mut self,
        message: &RecvMsg<'_, '_, SockaddrStorage>,
        stats: &SocketStats,
    ) -> Option<Timestamp> {
        let mut stamp = None;
        for control in message.cmsgs().ok()? {
            match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    stamp = Some(Timestamp::from_seconds(at.tv_sec()).offset(at.tv_nsec()));
                }
                ControlMessageOwned::RxqOvfl(total) => {
                    stats.kernel_drops.fetch_add(self.grown(total), Relaxed);
                }
                _ => {}
            }
        }
        stamp
    }

    /// How much the count grew. A count that went back a little was stamped on another processor: no growth.
    fn grown(&mut self, total: u32) -> u64 {
        let growth = total.wrapping_sub(self.last);
        if growth > u32::MAX / 2 {
            return 0;
        }
        self.last = total;
        u64::from(growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_counted_over_the_wrap_and_never_backwards() {
        let mut drops = DropCount::default();
        assert_eq!(drops.grown(5), 5);
        assert_eq!(drops.grown(5), 0);
        assert_eq!(drops.grown(3), 0, "stamped on another processor");
        assert_eq!(drops.grown(7), 2);
        drops.last = u32::MAX - 1;
        assert_eq!(drops.grown(3), 5);
    }
}
