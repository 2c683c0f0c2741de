//! Who is the client of a conversation, from one record.
//!
//! In this order: biflowDirection; SYN without ACK, or a lone SYN with ACK; an ICMP request or reply; the source of a
//! record that holds both directions, unless the ports say that it is the server; then guesses, the higher of two ends
//! being the server: a rule that names the port, a learned service, a well-known port, a registered one, one below the
//! dynamic range; a rule that names the server only; and last whoever was seen first.

use flow::batch::ClientEvidence;

use super::application::{Applications, Endpoint};
use super::conversation::Client;
use super::facts::Facts;
use super::registry::{ICMP, ICMP6, PortRank, TCP};

const SYN: u16 = 0x02;
const ACK: u16 = 0x10;

/// Biflow directions ([RFC 5103 §6.3](https://www.rfc-editor.org/rfc/rfc5103#section-6.3)).
const INITIATOR: u8 = 1;
const REVERSE_INITIATOR: u8 = 2;

/// Evidence of who opened the conversation; `None` if the record has none.
#[inline]
pub(super) fn opener(facts: &Facts, applications: &Applications) -> Option<Client> {
    let found = |is_src, evidence| Some(Client { is_src, evidence });
    match facts.biflow_direction {
        Some(INITIATOR) => return found(true, ClientEvidence::Exporter),
        Some(REVERSE_INITIATOR) => return found(false, ClientEvidence::Exporter),
        _ => {}
    }
    if facts.protocol == TCP
        && let Some(is_src) = by_flags(facts)
    {
        return found(is_src, ClientEvidence::Syn);
    }
    if facts.has_reverse() && !looks_reversed(facts, applications) {
        return found(true, ClientEvidence::Exporter);
    }
    None
}

/// Whether the source sent the SYN. Flags are ORed over a record, so SYN with ACK says something of single packets only:
/// a client that went on to send data shows both too.
fn by_flags(facts: &Facts) -> Option<bool> {
    let flags = |flags: Option<u16>| flags.unwrap_or(0) & (SYN | ACK);
    let (forward, reverse) = (flags(facts.tcp_flags), flags(facts.reverse_tcp_flags));
    let alone = |packets| packets == Some(1);
    let from_src = forward == SYN || (reverse == SYN | ACK && alone(facts.reverse_packets));
    let from_dst = reverse == SYN || (forward == SYN | ACK && alone(facts.packets));
    (from_src != from_dst).then_some(from_src)
}

/// Whether a record of both directions has a service's port at its source and none at its destination: the exporter
/// began to look in the middle, or writes the lower address first.
fn looks_reversed(facts: &Facts, applications: &Applications) -> bool {
    let ports = applications.ports();
    let (source, destination) = (
        ports.rank(facts.src_port, facts.protocol),
        ports.rank(facts.dst_port, facts.protocol),
    );
    source >= PortRank::Registered && destination <= PortRank::Unknown
}

/// The best guess without evidence of the opening.
pub(super) fn guess(facts: &Facts, feed: u32, applications: &mut Applications) -> Client {
    if let Some(is_src) = by_message(facts) {
        return Client {
            is_src,
            evidence: ClientEvidence::Service,
        };
    }
    let source = standing(facts, feed, true, applications);
    let destination = standing(facts, feed, false, applications);
    if source == destination {
        return by_server(facts, applications);
    }
    Client {
        is_src: destination > source,
        evidence: source.max(destination).evidence(),
    }
}

/// What only one side can send or receive: ICMP requests and replies, and whatever goes to many.
fn by_message(facts: &Facts) -> Option<bool> {
    if is_group(facts.dst) {
        return Some(true);
    }
    let kind = facts.icmp? >> 8;
    match (facts.protocol, kind) {
        // Echo, time stamp, information, mask: RFC 792, RFC 950; echo: RFC 4443 §4.
        (ICMP, 8 | 13 | 15 | 17) | (ICMP6, 128) => Some(true),
        (ICMP, 0 | 14 | 16 | 18) | (ICMP6, 129) => Some(false),
        _ => None,
    }
}

/// Whether the address is one of many receivers: multicast, or IPv4's limited broadcast.
fn is_group(address: u128) -> bool {
    match flow::address::narrow(address.into()) {
        std::net::IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        std::net::IpAddr::V6(v6) => v6.is_multicast(),
    }
}

/// How much an end looks like the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Port(PortRank),
    Learned,
    Rule,
}

impl Standing {
    fn evidence(self) -> ClientEvidence {
        match self {
            Self::Port(_) => ClientEvidence::Service,
            Self::Learned | Self::Rule => ClientEvidence::Server,
        }
    }
}

fn standing(facts: &Facts, feed: u32, of_src: bool, applications: &mut Applications) -> Standing {
    let endpoint = Endpoint::of(facts, feed, of_src);
    let peer = if of_src { facts.dst } else { facts.src };
    if applications.rule_names_port(&endpoint, peer) {
        return Standing::Rule;
    }
    let rank = applications.ports().rank(endpoint.port, endpoint.protocol);
    if rank <= PortRank::Unknown && applications.is_learned(&endpoint) {
        return Standing::Learned;
    }
    Standing::Port(rank)
}

fn by_server(facts: &Facts, applications: &Applications) -> Client {
    let (source, destination) = (
        applications.names_server(facts.src),
        applications.names_server(facts.dst),
    );
    let evidence = if source == destination {
        ClientEvidence::FirstSeen
    } else {
        ClientEvidence::Server
    };
    Client {
        is_src: destination || !source,
        evidence,
    }
}
