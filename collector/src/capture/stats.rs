//! What became of each frame. The doc comments are the help texts.

use serde::Serialize;

macro_rules! frame_counts {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Each frame and each datagram that was put together from fragments is in exactly one of the counters from
        /// `datagrams` to `other_port`: see [`balances`](Self::balances).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct FrameCounts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl FrameCounts {
            /// Every counter with its name, in the order above.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

frame_counts! {
    /// Frames read.
    frames,
    /// Datagrams handed on.
    datagrams,
    /// IP fragments of UDP datagrams.
    fragments,
    /// Frames that hold no IP packet.
    not_ip,
    /// IP packets that hold no UDP.
    not_udp,
    /// Datagrams that the capture cut short (snapshot length), so that their end is unknown.
    cut,
    /// Frames whose lengths contradict each other.
    malformed,
    /// Datagrams refused because their source is not on the allow list.
    not_allowed,
    /// Datagrams to a port that was not selected.
    other_port,
    /// Datagrams that were put together from fragments.
    reassembled,
    /// Datagrams given up because a fragment did not come in time, or too many others were incomplete.
    incomplete,
    /// Files that end within a frame: what came before was read.
    damaged_tails,
}

impl FrameCounts {
    /// Whether everything that was read became something: frames + reassembled = datagrams + fragments + Σ skipped.
    pub fn balances(&self) -> bool {
        let skipped = self.not_ip
            + self.not_udp
            + self.cut
            + self.malformed
            + self.not_allowed
            + self.other_port;
        self.frames + self.reassembled == self.datagrams + self.fragments + skipped
    }
}
