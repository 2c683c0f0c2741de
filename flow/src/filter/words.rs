//! The words of the language: one table for the parser, its messages and the completion.

use super::{InterfaceSide, Number, Side};
use crate::application::{PROTOCOLS, protocol_number};

/// What a word at the start of a condition leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head {
    Any,
    Side(Side),
    InterfaceSide(InterfaceSide),
    Interface,
    Application,
    Site,
    Exporter,
    /// `ip`: one address or a prefix.
    Address,
    /// `net`: the same, and `net 10.0.0.0 255.0.0.0`.
    Net,
    Port,
    PortRange,
    As,
    Mac,
    Protocol,
    /// A protocol's own name.
    Named(u8),
    Flags,
    NextHop,
    IcmpType,
    Number(Number),
    Family(u8),
    /// The first of two words, the second, and what both lead to.
    Pair(&'static str, &'static Head),
}

/// Spellings and what they lead to; the first spelling is the one that messages and completion show.
const HEADS: &[(&[&str], Head)] = &[
    (&["app", "application"], Head::Application),
    (&["ip", "host", "addr", "address"], Head::Address),
    (&["net", "network"], Head::Net),
    (&["port"], Head::Port),
    (&["portrange"], Head::PortRange),
    (&["src", "source"], Head::Side(Side::Source)),
    (
        &["dst", "dest", "destination"],
        Head::Side(Side::Destination),
    ),
    (&["client"], Head::Side(Side::Client)),
    (&["server"], Head::Side(Side::Server)),
    (&["site"], Head::Site),
    (&["exporter", "router"], Head::Exporter),
    (&["proto", "protocol"], Head::Protocol),
    (&["if", "interface"], Head::Interface),
    (
        &["in", "input", "ingress"],
        Head::InterfaceSide(InterfaceSide::In),
    ),
    (
        &["out", "output", "egress"],
        Head::InterfaceSide(InterfaceSide::Out),
    ),
    (&["flags"], Head::Flags),
    (&["octets", "bytes"], Head::Number(Number::Octets)),
    (&["packets"], Head::Number(Number::Packets)),
    (&["duration"], Head::Number(Number::DurationMs)),
    (&["as", "asn"], Head::As),
    (&["next"], Head::Pair("hop", &Head::NextHop)),
    (&["next-hop", "nexthop"], Head::NextHop),
    (&["mac"], Head::Mac),
    (&["icmp-type"], Head::IcmpType),
    (&["tos"], Head::Number(Number::Tos)),
    (&["dscp"], Head::Number(Number::Dscp)),
    (&["vlan"], Head::Number(Number::Vlan)),
    (&["vni"], Head::Number(Number::Vni)),
    (&["domain"], Head::Number(Number::Domain)),
    (&["version"], Head::Number(Number::Version)),
    (&["ttl"], Head::Number(Number::Ttl)),
    (&["sampling"], Head::Number(Number::Sampling)),
    (
        &["end"],
        Head::Pair("reason", &Head::Number(Number::EndReason)),
    ),
    (&["end-reason"], Head::Number(Number::EndReason)),
    (
        &["firewall"],
        Head::Pair("event", &Head::Number(Number::FirewallEvent)),
    ),
    (&["firewall-event"], Head::Number(Number::FirewallEvent)),
    (
        &["nat"],
        Head::Pair("event", &Head::Number(Number::NatEvent)),
    ),
    (&["nat-event"], Head::Number(Number::NatEvent)),
    (&["feed"], Head::Number(Number::Feed)),
    (&["ipv4", "inet"], Head::Family(4)),
    (&["ipv6", "inet6"], Head::Family(6)),
    (&["any"], Head::Any),
];

/// Protocols that completion offers without `proto` before them.
const OFFERED_PROTOCOLS: &[&str] = &["tcp", "udp", "icmp", "icmp6"];

/// What `word` leads to at the start of a condition.
pub(super) fn head(word: &str) -> Option<Head> {
    let lower = word.to_ascii_lowercase();
    let listed = HEADS
        .iter()
        .find(|(spellings, _)| spellings.contains(&lower.as_str()))
        .map(|(_, head)| *head);
    listed.or_else(|| bare_protocol(&lower).map(Head::Named))
}

/// A protocol by its name alone. `ipv6` is not here: alone it is the family, `proto ipv6` is 41.
fn bare_protocol(lower: &str) -> Option<u8> {
    if lower.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    protocol(lower)
}

/// A protocol after `proto`: its name or its number.
pub(super) fn protocol(word: &str) -> Option<u8> {
    match word.to_ascii_lowercase().as_str() {
        "icmpv6" | "ipv6-icmp" => Some(58),
        lower => protocol_number(lower),
    }
}

/// The name under which a protocol can stand alone.
pub(super) fn bare_protocol_name(number: u8) -> Option<&'static str> {
    let (_, name) = PROTOCOLS.iter().find(|(known, _)| *known == number)?;
    (head(name) == Some(Head::Named(number))).then_some(*name)
}

/// Every word that may begin a condition, in the order of the table, one spelling each.
pub(super) fn starters() -> impl Iterator<Item = &'static str> {
    let listed = HEADS
        .iter()
        .map(|(spellings, _)| spellings[0])
        .filter(|word| !word.contains('-'));
    listed.chain(OFFERED_PROTOCOLS.iter().copied())
}

/// The word that `wrong` was probably meant to be: one letter too much, too few, another, or two swapped.
pub(super) fn meant(wrong: &str) -> Option<&'static str> {
    const CHARACTERS_MAX: usize = 20;
    let wrong = wrong.to_ascii_lowercase();
    if wrong.len() > CHARACTERS_MAX || wrong.len() < 3 {
        return None;
    }
    starters().find(|word| is_one_slip_away(wrong.as_bytes(), word.as_bytes()))
}

fn is_one_slip_away(wrong: &[u8], right: &[u8]) -> bool {
    let same = wrong.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (wrong, right) = (&wrong[same..], &right[same..]);
    match (wrong, right) {
        ([a, b, wrong @ ..], [c, d, right @ ..]) if (a, b) == (d, c) && wrong == right => true,
        ([_, rest @ ..], right) if rest == right => true,
        (wrong, [_, rest @ ..]) if wrong == rest => true,
        ([_, wrong @ ..], [_, right @ ..]) => wrong == right,
        _ => false,
    }
}

/// How a number is called.
pub(super) const fn number_name(number: Number) -> &'static str {
    match number {
        Number::Octets => "octets",
        Number::Packets => "packets",
        Number::DurationMs => "duration",
        Number::Tos => "tos",
        Number::Dscp => "dscp",
        Number::Vlan => "vlan",
        Number::Vni => "vni",
        Number::Domain => "domain",
        Number::Version => "version",
        Number::Ttl => "ttl",
        Number::Sampling => "sampling",
        Number::EndReason => "end reason",
        Number::FirewallEvent => "firewall event",
        Number::NatEvent => "nat event",
        Number::Feed => "feed",
    }
}

/// The largest value that the field can hold.
pub(super) const fn number_max(number: Number) -> u64 {
    match number {
        Number::Octets | Number::Packets | Number::DurationMs | Number::Vni => u64::MAX,
        Number::Dscp => 63,
        Number::Tos
        | Number::Version
        | Number::Ttl
        | Number::EndReason
        | Number::FirewallEvent
        | Number::NatEvent => u8::MAX as u64,
        Number::Vlan => u16::MAX as u64,
        Number::Domain | Number::Sampling | Number::Feed => u32::MAX as u64,
    }
}

/// Words that stand for a number: flow end reasons (IE 136), firewall events (IE 233), the version of IPFIX.
pub(super) const fn number_words(number: Number) -> &'static [(&'static str, u64)] {
    match number {
        Number::EndReason => &[
            ("idle", 1),
            ("active", 2),
            ("end", 3),
            ("forced", 4),
            ("resources", 5),
        ],
        Number::FirewallEvent => &[
            ("created", 1),
            ("deleted", 2),
            ("denied", 3),
            ("alert", 4),
            ("update", 5),
        ],
        Number::Version => &[("ipfix", 10)],
        _ => &[],
    }
}
