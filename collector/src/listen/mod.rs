//! UDP sockets: receive, stamp, hand on. Nothing here looks into a datagram.
//!
//! One thread per socket takes datagrams from the kernel in batches ([`batch`]), refuses sources that are not on the
//! allow list before anything is allocated for them ([`allow`]), and offers each batch to a bounded queue ([`mod@queue`]). If that is full the
//! socket's receive buffer is the next one, for a while. What the kernel or the queue dropped is counted per socket
//! ([`stats`]).

pub mod allow;
mod batch;
pub mod config;
pub mod error;
mod listener;
pub mod queue;
mod socket;
pub mod stats;

pub use allow::AllowList;
pub use config::ListenConfig;
pub use error::ListenError;
pub use listener::{ListenThreads, Listener};
pub use queue::{QueueReceiver, QueueSender, queue};
pub use stats::{ListenStats, RefusedSource, SocketSnapshot};
