//! Why a capture could not be opened, or not be read to its end.

use std::io;
use std::path::PathBuf;

/// What went wrong, with file and frame or with the interface.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read at all.
    #[error("{}: cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file has no octets.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file.
    #[error("{}: compressed with {by}; unpack it first", path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// What unpacks it.
        by: &'static str,
    },
    /// Not pcap or pcapng, or not a kind of it that libpcap reads.
    #[error("{}: not a capture file that can be read", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// What libpcap said.
        #[source]
        source: pcap::Error,
    },
    /// Frames of a link layer that is not looked into.
    #[error("{place}: frames of link type {name} ({link}) are not read")]
    Link {
        /// The file or interface.
        place: String,
        /// The number of the link type.
        link: i32,
        /// Its name, if libpcap has one.
        name: String,
    },
    /// The file is damaged, or goes on in a way that libpcap does not read (pcapng with interfaces of different link types);
    /// what came before was read.
    #[error("{}: cannot be read beyond frame {frame}", path.display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// The last whole frame, counted from 1; 0 if there was none.
        frame: u64,
        /// What libpcap said.
        #[source]
        source: pcap::Error,
    },
    /// The interface cannot be listened to.
    #[error(
        "interface {interface}: cannot be listened to (it takes the capabilities CAP_NET_RAW and, for promiscuous mode, CAP_NET_ADMIN; `ip link` lists the interfaces)"
    )]
    Interface {
        /// Its name.
        interface: String,
        /// What libpcap said.
        #[source]
        source: pcap::Error,
    },
    /// libpcap does not understand the filter.
    #[error("interface {interface}: filter '{filter}' is not understood")]
    Filter {
        /// The interface.
        interface: String,
        /// The filter.
        filter: String,
        /// What libpcap said.
        #[source]
        source: pcap::Error,
    },
    /// The thread could not be started.
    #[error("interface {interface}: cannot start its thread")]
    Thread {
        /// The interface.
        interface: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A datagram that does not fit into one IP packet.
    #[error("a datagram of {octets} octets from {from} does not fit into one IP packet")]
    TooLarge {
        /// Octets of payload.
        octets: usize,
        /// The datagram's source.
        from: std::net::SocketAddr,
    },
    /// The capture cannot be written.
    #[error("cannot write the capture")]
    Write(#[source] io::Error),
}
