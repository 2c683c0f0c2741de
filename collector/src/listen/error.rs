//! Why listening could not start.

use std::io;
use std::net::SocketAddr;

/// A socket that could not be had. All of these are fatal at start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "UDP {address} is in use by another program: stop it (`ss -lunp` names it) or choose another address (--listen, listen.addresses)"
    )]
    PortInUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// A port below 1024 without the right to it.
    #[error(
        "UDP {address} may not be used by this user: ports below 1024 take the capability CAP_NET_BIND_SERVICE; choose another address (--listen, listen.addresses)"
    )]
    NotPermitted {
        /// What was asked for.
        address: SocketAddr,
    },
    /// An address that is not one of this machine's.
    #[error(
        "{address} is not an address of this machine: choose another (--listen, listen.addresses)"
    )]
    NotLocal {
        /// What was asked for.
        address: SocketAddr,
    },
    /// An IPv6 address on a machine without IPv6.
    #[error(
        "{address}: this machine has no IPv6; choose another address (--listen, listen.addresses)"
    )]
    NoIpv6 {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Any other refusal of the kernel.
    #[error("UDP {address}: cannot {doing}")]
    Socket {
        /// What was asked for.
        address: SocketAddr,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No thread could be started.
    #[error("UDP {address}: cannot start its thread")]
    Thread {
        /// The socket's address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    /// The error of a failed `bind`, by its cause.
    pub(super) fn bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            io::ErrorKind::AddrNotAvailable => Self::NotLocal { address },
            _ => Self::Socket {
                address,
                doing: "bind",
                source,
            },
        }
    }
}
