//! Opening a UDP socket with all that the kernel can tell about what arrives on it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::error::ListenError;
use super::stats::ReceiveBuffer;

/// How long a thread waits for a datagram before it looks at its stop flag.
pub(super) const WAIT: Duration = Duration::from_millis(100);

/// A bound socket and what the kernel granted it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: Socket,
    pub(super) address: SocketAddr,
    pub(super) buffer: ReceiveBuffer,
    pub(super) kernel_stamps: bool,
}

/// Opens and binds one socket.
///
/// # Errors
///
/// [`ListenError`] with the address; fatal at start.
pub(super) fn open(
    address: SocketAddr,
    shared: bool,
    buffer_octets: usize,
) -> Result<Bound, ListenError> {
    let failed = |doing| {
        move |source| ListenError::Socket {
            address,
            doing,
            source,
        }
    };
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )
    .map_err(|source| match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAFNOSUPPORT) => ListenError::NoIpv6 { address },
        _ => failed("open a socket")(source),
    })?;
    if address.is_ipv6() {
        // Or [::]:2055 would take 0.0.0.0:2055 as well, and IPv4 exporters would have two addresses.
        socket.set_only_v6(true).map_err(failed("keep to IPv6"))?;
    }
    if shared {
        socket
            .set_reuse_port(true)
            .map_err(failed("share the port between threads"))?;
    }
    socket
        .set_read_timeout(Some(WAIT))
        .map_err(failed("set the receive timeout"))?;
    let buffer = grow_buffer(&socket, buffer_octets)
        .map_err(io::Error::from)
        .map_err(failed("set the receive buffer"))?;
    // Both are luxuries: without them the clock stamps, and kernel drops stay unknown.
    let kernel_stamps = setsockopt(&socket, sockopt::ReceiveTimestampns, &true).is_ok();
    let counts_drops = setsockopt(&socket, sockopt::RxqOvfl, &1).is_ok();
    if !(kernel_stamps && counts_drops) {
        tracing::warn!(listen.address = %address, kernel_stamps, counts_drops, "the kernel lacks socket options");
    }
    socket
        .bind(&address.into())
        .map_err(|source| ListenError::bind(address, source))?;
    let address = socket
        .local_addr()
        .map_err(failed("ask for the bound address"))?
        .as_socket()
        .unwrap_or(address);
    Ok(Bound {
        socket,
        address,
        buffer,
        kernel_stamps,
    })
}

/// Asks for a receive buffer, beyond the system's limit where this process may.
fn grow_buffer(socket: &Socket, octets: usize) -> nix::Result<ReceiveBuffer> {
    if setsockopt(socket, sockopt::RcvBufForce, &octets).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &octets)?;
    }
    // The kernel doubles what was asked for to have room for its own books, and reports the double (socket(7)).
    let got = getsockopt(socket, sockopt::RcvBuf)? / 2;
    Ok(ReceiveBuffer {
        asked: u64::try_from(octets).unwrap_or(u64::MAX),
        got: u64::try_from(got).unwrap_or(u64::MAX),
    })
}
