//! What truly happened, and what the exporters said of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use flow::Timestamp;
use serde::Serialize;

use super::talk::{Crossing, Talk};
use super::train::{Direction, Traffic, Train};

/// The books of a simulated enterprise since its start.
///
/// What crossed the network is booked when a conversation begins, with all its packets, also those to come; what
/// exporters reported is booked when the datagram leaves. After [`finish`](super::Enterprise::finish) both are whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// By application.
    pub applications: BTreeMap<String, ApplicationTruth>,
    /// By exporter.
    pub exporters: BTreeMap<IpAddr, ExporterTruth>,
}

/// What an application did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplicationTruth {
    /// Conversations that were tried.
    pub conversations: u64,
    /// Those that never got an answer, or a refusal.
    pub failed: u64,
    /// From clients to servers.
    pub to_server: WayTruth,
    /// From servers to clients.
    pub to_client: WayTruth,
}

/// What was put on the wire at one end, and what came out at the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WayTruth {
    /// Sent, repeats included.
    pub sent: Traffic,
    /// Received at the far end.
    pub delivered: Traffic,
}

/// What passed an exporter and what it made of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExporterTruth {
    /// Its name.
    pub name: String,
    /// NetFlow version, 10 for IPFIX.
    pub version: u16,
    /// One packet of this many is looked at.
    pub sampling: u32,
    /// Everything that passed, whether it can see it or not (v5 and v7 are blind for IPv6).
    pub passed: Traffic,
    /// What it looked at: unsampled and seen, equal to `reported` once all is exported.
    pub observed: Traffic,
    /// Sums over the records that it sent, both directions of biflows.
    pub reported: Traffic,
    /// The same by application.
    pub reported_by_application: BTreeMap<String, Traffic>,
    /// Flow records sent.
    pub records: u64,
    /// Options data records sent, repeats included.
    pub options_records: u64,
    /// Templates sent, repeats included.
    pub templates: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Octets of their payload.
    pub payload_octets: u64,
}

/// Every packet of one conversation. Kept if [`Config::keep_conversations`](super::Config::keep_conversations) is on.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversationTruth {
    /// The application.
    pub application: &'static str,
    /// The client's address.
    pub client: IpAddr,
    /// The server's address.
    pub server: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// When the client sent its first packet.
    pub started: Timestamp,
    /// The exporters on the way, from the client on.
    pub exporters: Vec<IpAddr>,
    /// Everything that was sent, in the order in which it was thought of.
    pub sent: Vec<(Direction, Train)>,
    /// By exporter: everything that passed it.
    pub passed: Vec<Vec<(Direction, Train)>>,
    /// One-way delays of the client's first packet, nanoseconds: to the first exporter, …, to the server.
    pub forward_delays: Vec<i64>,
    /// One-way delays of the server's first packet, nanoseconds, in the same order: client's leg first.
    pub reverse_delays: Vec<i64>,
}

impl ConversationTruth {
    /// The round trip of the opening packets between two exporters of the path, nanoseconds; `None` for places that
    /// the path does not have, or where the server never answered.
    pub fn round_trip(&self, nearer: usize, farther: usize) -> Option<i64> {
        let forward = self.forward_delays.get(nearer + 1..=farther)?;
        let reverse = self.reverse_delays.get(nearer + 1..=farther)?;
        Some(forward.iter().chain(reverse).sum())
    }

    /// What its ends sent within `[from, until)`, to the server and to the client.
    pub fn sent_within(&self, from: Timestamp, until: Timestamp) -> [Traffic; 2] {
        let mut sums = [Traffic::default(); 2];
        for (direction, train) in &self.sent {
            sums[direction.index()] += train.within(from.nanos(), until.nanos());
        }
        sums
    }
}

/// What one conversation adds.
pub(super) fn book(truth: &mut ApplicationTruth, talk: &Talk, succeeded: bool) {
    truth.conversations += 1;
    truth.failed += u64::from(!succeeded);
    for (way, direction) in [
        (&mut truth.to_server, Direction::ToServer),
        (&mut truth.to_client, Direction::ToClient),
    ] {
        way.sent += talk.sent[direction.index()];
        way.delivered += talk.delivered[direction.index()];
    }
}

/// Everything of one conversation.
pub(super) fn keep(
    application: &'static str,
    talk: &mut Talk,
    exporters: Vec<IpAddr>,
) -> ConversationTruth {
    let plain = |crossings: &[Crossing]| {
        crossings
            .iter()
            .map(|one| (one.direction, one.train))
            .collect::<Vec<_>>()
    };
    let sent = plain(&talk.kept.take().unwrap_or_default());
    let [forward_delays, mut reverse_delays] = std::mem::take(&mut talk.opening);
    reverse_delays.reverse();
    ConversationTruth {
        application,
        client: talk.ends.client,
        server: talk.ends.server,
        client_port: talk.ends.client_port,
        server_port: talk.ends.server_port,
        protocol: talk.ends.protocol,
        started: Timestamp::from_nanos(sent.first().map_or(0, |(_, train)| train.at)),
        exporters,
        sent,
        passed: talk.seen.iter().map(|seen| plain(seen)).collect(),
        forward_delays,
        reverse_delays,
    }
}
