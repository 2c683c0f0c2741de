//! Puts datagrams back on the wire: to any collector, at their recorded pace or another.
//!
//! | module | holds |
//! |---|---|
//! | [`pace`] | when each datagram is due; a schedule that is told the time |
//! | [`sender`] | batches, and the loop that sleeps |
//! | [`sockets`] | a socket for each exporter, with its own address where that is permitted |
//! | [`looped`] | a recording over and over |
//! | [`lateness`] | how late datagrams went out |

pub mod lateness;
pub mod looped;
pub mod pace;
pub mod sender;
pub mod sockets;

pub use lateness::Lateness;
pub use looped::Looped;
pub use pace::Pace;
pub use sender::{Progress, Summary, resolve, send};
pub use sockets::{NotKept, Sources};

/// Why sending cannot begin or go on. A collector that does not listen is none of these: it is counted.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The target has no address.
    #[error("cannot find the address of '{target}': write HOST:PORT, 127.0.0.1:2055 or [::1]:2055")]
    Resolve {
        /// As it was given.
        target: String,
        /// What the resolver said; `None` if it found nothing.
        source: Option<std::io::Error>,
    },
    /// The pace makes no sense.
    #[error("the pace must be a number greater than 0, not {0}")]
    Pace(f64),
    /// The operating system refused.
    #[error("cannot {action} {to}")]
    Socket {
        /// What was tried: `open a socket to`, `send to`.
        action: &'static str,
        /// The collector.
        to: std::net::SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}
