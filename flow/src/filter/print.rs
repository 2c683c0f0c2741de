//! Writes a tree as text: one canonical form that reads back as the same tree.

use std::fmt;

use ipnet::IpNet;

use super::condition::is_digits;
use super::lexer::is_word_character;
use super::value::{duration_text, flags_text, net};
use super::words::{bare_protocol_name, number_name};
use super::{Comparison, Condition, Expr, IndexOrName, InterfaceSide, NameOrNet, Number, Side};

/// The canonical text. [`super::Filter::parse`] reads it as the same tree, if the tree is one that can be written:
/// names not empty, networks without bits past their length, values within their fields, and within the limits.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Is(condition) => condition.fmt(f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.fmt_inside(f, matches!(**inner, Self::And(..) | Self::Or(..)))
            }
            Self::And(left, right) => {
                left.fmt_inside(f, matches!(**left, Self::Or(..)))?;
                f.write_str(" and ")?;
                right.fmt_inside(f, matches!(**right, Self::And(..) | Self::Or(..)))
            }
            Self::Or(left, right) => {
                left.fmt(f)?;
                f.write_str(" or ")?;
                right.fmt_inside(f, matches!(**right, Self::Or(..)))
            }
        }
    }
}

impl Expr {
    fn fmt_inside(&self, f: &mut fmt::Formatter<'_>, needs_parentheses: bool) -> fmt::Result {
        if needs_parentheses {
            write!(f, "({self})")
        } else {
            fmt::Display::fmt(self, f)
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(name) => write!(f, "app {}", Name(name)),
            Self::Site(side, name) => write!(f, "{}site {}", side.prefix(), Name(name)),
            Self::Exporter(NameOrNet::Net(net)) => write!(f, "exporter {}", Net(net)),
            Self::Exporter(NameOrNet::Name(name)) => {
                f.write_str("exporter ")?;
                fmt_name(f, name, net(name).is_some())
            }
            Self::Address(side, net) if is_host(net) => {
                write!(f, "{}ip {}", side.prefix(), net.addr())
            }
            Self::Address(side, net) => write!(f, "{}net {net}", side.prefix()),
            Self::AddressIn(side, nets) => {
                write!(f, "{}ip in ", side.prefix())?;
                fmt_list(f, nets.iter().map(Net))
            }
            Self::Port(side, comparison, port) => {
                write!(f, "{}port {}{port}", side.prefix(), comparison.written())
            }
            Self::PortIn(side, ranges) => {
                write!(f, "{}port in ", side.prefix())?;
                fmt_list(f, ranges.iter().map(Range))
            }
            Self::Protocol(number) => match bare_protocol_name(*number) {
                Some(name) => f.write_str(name),
                None => write!(f, "proto {number}"),
            },
            Self::TcpFlags { set, unset: 0 } => write!(f, "flags {}", flags_text(*set)),
            Self::TcpFlags { set, unset } => {
                write!(f, "flags {}/{}", flags_text(*set), flags_text(set | unset))
            }
            Self::Interface(side, interface) => fmt_interface(f, *side, interface),
            Self::As(side, number) => write!(f, "{}as {number}", side.prefix()),
            Self::NextHop(net) => write!(f, "next hop {}", Net(net)),
            Self::Mac(side, bits) => {
                let [_, _, a, b, c, d, e, g] = bits.to_be_bytes();
                let prefix = side.prefix();
                write!(
                    f,
                    "{prefix}mac {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"
                )
            }
            Self::Icmp { kind, code } => {
                write!(f, "icmp-type {kind}")?;
                code.map_or(Ok(()), |code| write!(f, " code {code}"))
            }
            Self::Number(Number::DurationMs, comparison, ms) => {
                write!(f, "duration {}{}", comparison.written(), duration_text(*ms))
            }
            Self::Number(number, comparison, value) => {
                write!(
                    f,
                    "{} {}{value}",
                    number_name(*number),
                    comparison.written()
                )
            }
            Self::Family(family) => write!(f, "ipv{family}"),
        }
    }
}

impl Side {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Either => "",
            Self::Source => "src ",
            Self::Destination => "dst ",
            Self::Client => "client ",
            Self::Server => "server ",
        }
    }
}

impl Comparison {
    /// The sign.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The sign and a space; nothing for equality, which needs no sign.
    const fn written(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::NotEqual => "!= ",
            Self::Less => "< ",
            Self::LessOrEqual => "<= ",
            Self::Greater => "> ",
            Self::GreaterOrEqual => ">= ",
        }
    }
}

struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_name(f, self.0, false)
    }
}

/// Plain where that reads back as the same name, else in quotes.
fn fmt_name(f: &mut fmt::Formatter<'_>, name: &str, means_something_else: bool) -> fmt::Result {
    const RESERVED: [&str; 4] = ["and", "or", "not", "in"];
    let is_reserved = RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word));
    let is_plain = !name.is_empty() && name.chars().all(is_word_character);
    if is_plain && !is_reserved && !means_something_else {
        return f.write_str(name);
    }
    f.write_str("\"")?;
    for character in name.chars() {
        if matches!(character, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{character}")?;
    }
    f.write_str("\"")
}

fn fmt_interface(
    f: &mut fmt::Formatter<'_>,
    side: InterfaceSide,
    interface: &IndexOrName,
) -> fmt::Result {
    f.write_str(match side {
        InterfaceSide::Either => "if ",
        InterfaceSide::In => "in if ",
        InterfaceSide::Out => "out if ",
    })?;
    match interface {
        IndexOrName::Index(index) => write!(f, "{index}"),
        IndexOrName::Name(name) => fmt_name(f, name, is_digits(name)),
    }
}

/// An address where the prefix has full length.
struct Net<'a>(&'a IpNet);

impl fmt::Display for Net<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_host(self.0) {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

fn is_host(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

struct Range<'a>(&'a (u16, u16));

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

fn fmt_list(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    f.write_str("[")?;
    for (position, item) in items.enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        write!(f, "{separator}{item}")?;
    }
    f.write_str("]")
}
