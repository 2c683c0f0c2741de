//! The sockets that datagrams go out of: as few as keep exporters apart, and where it is permitted with their addresses.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, Socket, Type};

use super::WireError;

/// Sockets with addresses of this machine at most; sources beyond share.
const OWN_MAX: usize = 128;
/// Sockets with recorded addresses at most: a quarter of the files that this process may open, within these. Beyond, the one
/// that was not used for the longest time is closed, and opened again for the next datagram of its source.
const KEPT_MAX: std::ops::RangeInclusive<usize> = 128..=512;
/// Sources that are remembered and counted at most; those beyond are sent all the same.
const SOURCES_MAX: usize = 65_536;

/// Whose address and port datagrams are sent from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// This machine's: each source address and port has a port of its own, as a collector may have to tell exporters apart
    /// by port when they all come from this machine. The first 128 have; others share.
    #[default]
    Own,
    /// The recorded ones, as if the exporters themselves were sending; IPv4 in IPv6 as IPv4, and port 0 as any port.
    ///
    /// It takes the capability `CAP_NET_RAW` or `CAP_NET_ADMIN` (`IP_TRANSPARENT`), except for addresses of this machine.
    /// What cannot be kept is sent from this machine's address, and [`super::Summary`] says so. Two things to know: answers
    /// go to the exporters, so that nobody hears when a target refuses; and a network that checks whether a source may come
    /// from here (reverse path filters) drops such datagrams on the way.
    Kept,
}

/// Why a source was not kept, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// This process may not.
    #[error(
        "recorded source addresses are not kept: that takes the capability CAP_NET_RAW or CAP_NET_ADMIN"
    )]
    Permission,
    /// IPv4 to an IPv6 target, or the other way.
    #[error("source {0} is not kept: the target's address is of the other IP version")]
    Version(SocketAddr),
    /// No address of one machine: multicast, broadcast, or all zeros.
    #[error("source {0} is not kept: nothing can be sent from that address")]
    Nobody(SocketAddr),
    /// The operating system refuses this one.
    #[error("source {from} is not kept: {}", why.desc())]
    Refused {
        /// The source.
        from: SocketAddr,
        /// What the operating system said.
        why: Errno,
    },
}

/// All sockets towards one target.
#[derive(Debug)]
pub(super) struct Sockets {
    to: SocketAddr,
    sources: Sources,
    /// Whether this process may send from any address, as far as is known.
    permitted: bool,
    own: Own,
    kept: Kept,
    /// Whether a source is kept, for all that were seen.
    seen: HashMap<SocketAddr, bool>,
    pub(super) not_kept: Option<NotKept>,
}

#[derive(Debug, Default)]
struct Own {
    sockets: Vec<UdpSocket>,
    of: HashMap<SocketAddr, usize>,
}

#[derive(Debug)]
struct Kept {
    sockets: HashMap<SocketAddr, (u64, UdpSocket)>,
    sockets_max: usize,
    uses: u64,
}

impl Sockets {
    pub(super) fn new(to: SocketAddr, sources: Sources) -> Self {
        Self {
            to: canonical(to),
            sources,
            permitted: true,
            own: Own::default(),
            kept: Kept::new(),
            seen: HashMap::new(),
            not_kept: None,
        }
    }

    /// The socket to send this source's datagrams from.
    pub(super) fn of(&mut self, source: SocketAddr) -> Result<&UdpSocket, WireError> {
        let source = canonical(source);
        if self.keep(source)
            && let Some(socket) = self.kept.socket(source)
        {
            return Ok(socket);
        }
        let to = self.to;
        self.own
            .socket(source, to)
            .map_err(|source| WireError::Socket {
                action: "open a socket to",
                to,
                source,
            })
    }

    /// How many sources were seen that are kept, and that are not.
    pub(super) fn counts(&self) -> (u64, u64) {
        let kept = self.seen.values().filter(|kept| **kept).count();
        (
            crate::stats::count(kept),
            crate::stats::count(self.seen.len() - kept),
        )
    }

    /// Whether this source goes out under its own address; if so, it has a socket.
    fn keep(&mut self, source: SocketAddr) -> bool {
        let seen = self.seen.get(&source).copied();
        let kept = match (self.sources, seen) {
            (Sources::Own, _) | (Sources::Kept, Some(false)) => false,
            (Sources::Kept, _) if self.kept.sockets.contains_key(&source) => true,
            (Sources::Kept, _) => match self.open(source) {
                Ok(socket) => {
                    self.kept.insert(source, socket);
                    true
                }
                Err(why) => {
                    self.not_kept.get_or_insert(why);
                    false
                }
            },
        };
        if seen != Some(kept) && (seen.is_some() || self.seen.len() < SOURCES_MAX) {
            self.seen.insert(source, kept);
        }
        kept
    }

    /// A socket that sends from an address which need not be this machine's.
    fn open(&mut self, source: SocketAddr) -> Result<UdpSocket, NotKept> {
        if source.is_ipv4() != self.to.is_ipv4() {
            return Err(NotKept::Version(source));
        }
        if is_nobody(source.ip()) {
            return Err(NotKept::Nobody(source));
        }
        let refused = |error: io::Error| NotKept::Refused {
            from: source,
            why: Errno::from_raw(error.raw_os_error().unwrap_or_default()),
        };
        let socket =
            Socket::new(Domain::for_address(source), Type::DGRAM, None).map_err(refused)?;
        if self.permitted {
            let any_address = match source {
                SocketAddr::V4(_) => socket.set_ip_transparent_v4(true),
                SocketAddr::V6(_) => socket.set_ip_transparent_v6(true),
            };
            self.permitted = any_address.is_ok();
        }
        socket
            .bind(&source.into())
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrNotAvailable if !self.permitted => NotKept::Permission,
                _ => refused(error),
            })?;
        socket.connect(&self.to.into()).map_err(refused)?;
        Ok(socket.into())
    }
}

impl Own {
    fn socket(&mut self, source: SocketAddr, to: SocketAddr) -> io::Result<&UdpSocket> {
        let at = match self.of.get(&source) {
            Some(at) => *at,
            // The map stays bounded as well: sources beyond the last socket are not remembered.
            None if self.sockets.len() >= OWN_MAX => {
                usize::from(source.port()) % self.sockets.len()
            }
            None => {
                let any: IpAddr = match to {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = UdpSocket::bind((any, 0))?;
                socket.connect(to)?;
                self.sockets.push(socket);
                self.of.insert(source, self.sockets.len() - 1);
                self.sockets.len() - 1
            }
        };
        Ok(&self.sockets[at])
    }
}

impl Kept {
    fn new() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(files, _)| files);
        let quarter = usize::try_from(files / 4).unwrap_or(usize::MAX);
        Self {
            sockets: HashMap::new(),
            sockets_max: quarter.clamp(*KEPT_MAX.start(), *KEPT_MAX.end()),
            uses: 0,
        }
    }

    fn socket(&mut self, source: SocketAddr) -> Option<&UdpSocket> {
        let (used, socket) = self.sockets.get_mut(&source)?;
        self.uses += 1;
        *used = self.uses;
        Some(socket)
    }

    /// Closes the one that was not used for the longest time if there are too many. What it has sent goes out all the same.
    fn insert(&mut self, source: SocketAddr, socket: UdpSocket) {
        if self.sockets.len() >= self.sockets_max {
            let oldest = self.sockets.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                self.sockets.remove(&oldest);
            }
        }
        self.sockets.insert(source, (self.uses, socket));
    }
}

/// IPv4 in its own form.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            SocketAddr::new(v6.to_canonical(), address.port())
        }
        _ => address,
    }
}

fn is_nobody(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    broadcast || address.is_multicast() || address.is_unspecified()
}
