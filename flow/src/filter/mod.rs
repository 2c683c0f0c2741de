//! The filter language, as people of this field write it: `app "orders" and src net 10.4.0.0/16 and dst port 5432`.
//!
//! One grammar for the command line, the API and the search box. [`Filter::parse`] gives a tree; what a tree means is
//! up to the reader: the store makes SQL of it, and [`Expr::matches`] holds it against a row of a batch. Both see absent
//! fields as SQL does: a condition on one is *unknown*, so is its `not`, and unknown does not match. Names that nobody gave
//! are not unknown but no name: `not site berlin` matches a flow of no site.
//!
//! | file | holds |
//! |---|---|
//! | `lexer` | text → tokens |
//! | `words` | the vocabulary, one table |
//! | `parser`, `condition`, `value` | tokens → tree |
//! | `print` | tree → canonical text |
//! | `complete` | what could stand at the cursor |
//! | `evaluate` | tree × row → matches or not |

pub mod complete;
mod condition;
mod evaluate;
mod lexer;
mod parser;
mod print;
mod value;
mod words;

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use complete::{Completion, Wanted, What, complete};

/// Octets of the longest text that is read.
pub const OCTETS_MAX: usize = 16 * 1024;
/// How deep `(` and `not` may stand in each other.
pub const DEPTH_MAX: usize = 64;
/// How many conditions a filter may have; lists (`ip in […]`) count once. With [`DEPTH_MAX`] it bounds the depth of the
/// tree, so that its readers can recurse.
pub const CONDITIONS_MAX: usize = 512;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Matches everything: the empty filter, `any`.
    Any,
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// Either.
    Or(Box<Expr>, Box<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// One condition.
    Is(Condition),
}

/// Which end of a flow a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Source or destination. With `!=`: neither of them, as `port != 80` means `not port 80`.
    Either,
    /// `src`.
    Source,
    /// `dst`.
    Destination,
    /// `client`.
    Client,
    /// `server`.
    Server,
}

/// Which interface a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceSide {
    /// `if`: ingress or egress.
    Either,
    /// `in if`.
    In,
    /// `out if`.
    Out,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`, or nothing.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// A number of a flow that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// `octets`, `bytes`: both directions of the record, as exported; absent if the forward counter is.
    Octets,
    /// `packets`: both directions of the record, as exported; absent if the forward counter is.
    Packets,
    /// `duration`: whole milliseconds between first and last packet. Written in seconds, or with `ms`, `s`, `m`, `h`.
    DurationMs,
    /// `tos`.
    Tos,
    /// `dscp`: tos >> 2.
    Dscp,
    /// `vlan`: ingress VLAN.
    Vlan,
    /// `vni`.
    Vni,
    /// `domain`: observation domain.
    Domain,
    /// `version`: 1, 5, 7, 9, 10.
    Version,
    /// `ttl`: smallest TTL.
    Ttl,
    /// `sampling`.
    Sampling,
    /// `end reason`.
    EndReason,
    /// `firewall event`.
    FirewallEvent,
    /// `nat event`.
    NatEvent,
    /// `feed`: 0 for the wire, else the import.
    Feed,
}

/// One condition on a flow record.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `app "orders"`, `application orders`.
    Application(String),
    /// `site berlin`, `client site berlin`: [`Side`] is Either, Client or Server.
    Site(Side, String),
    /// `exporter core-1`, `exporter 10.0.0.1`, `exporter 10.0.0.0/8`: name or address.
    Exporter(NameOrNet),
    /// `ip 10.0.0.1`, `host …`, `src ip …`, `net 10.0.0.0/8`, `client net …`. Networks have no bits past their length,
    /// and mapped IPv4 is IPv4.
    Address(Side, IpNet),
    /// `ip in [10.0.0.1, 10.2.0.0/16]`.
    AddressIn(Side, Vec<IpNet>),
    /// `port 80`, `dst port > 1023`.
    Port(Side, Comparison, u16),
    /// `port in [80, 443, 8000-8099]`.
    PortIn(Side, Vec<(u16, u16)>),
    /// `proto tcp`, `proto 6`, `tcp`. `tcp port 80` is this and a port.
    Protocol(u8),
    /// `flags S`, `flags SA`, `flags 0x12`: all of these are set; and none of the second (`flags S/SA` as in pf).
    TcpFlags {
        /// All of these are set.
        set: u16,
        /// None of these are set.
        unset: u16,
    },
    /// `if 3`, `in if eth0`: ifIndex or name.
    Interface(InterfaceSide, IndexOrName),
    /// `as 64500`, `src as …`.
    As(Side, u32),
    /// `next hop 10.0.0.1`.
    NextHop(IpNet),
    /// `mac 02:00:5e:10:00:01`.
    Mac(Side, u64),
    /// `icmp-type 8`, `icmp-type 3 code 1`, of ICMP or ICMPv6. `icmp type 8` and `icmp6 type 128` are this and the
    /// protocol.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code; any if `None`.
        code: Option<u8>,
    },
    /// `octets > 1M`, `packets >= 10`, `duration > 5s`.
    Number(Number, Comparison, u64),
    /// `ipv4` or `ipv6`: 4 or 6, by the source address, or by the destination's if there is no source.
    Family(u8),
}

/// An exporter as it may be written.
#[derive(Clone, Debug, PartialEq)]
pub enum NameOrNet {
    /// Its name.
    Name(String),
    /// Its address or a subnet of exporters.
    Net(IpNet),
}

/// An interface as it may be written.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexOrName {
    /// ifIndex.
    Index(u32),
    /// Its name.
    Name(String),
}

/// A filter: its tree, and the text that it was written as.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    text: String,
    expr: Expr,
}

/// Why a text is not a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// Column of the first character that is wrong, in characters from 1; one past the last if something is missing.
    pub column: usize,
    /// What is wrong and what could stand there.
    pub message: String,
}

impl Filter {
    /// The filter that matches everything.
    pub fn any() -> Self {
        Self {
            text: String::new(),
            expr: Expr::Any,
        }
    }

    /// Reads a filter. Empty text matches everything.
    ///
    /// # Errors
    ///
    /// [`FilterError`] with the column; show it under the text. Also for a text longer than [`OCTETS_MAX`], deeper than
    /// [`DEPTH_MAX`] or of more conditions than [`CONDITIONS_MAX`].
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > OCTETS_MAX {
            return Err(FilterError {
                column: 1,
                message: format!("too long: a filter has at most {OCTETS_MAX} octets"),
            });
        }
        let tokens = lexer::tokens(text)?;
        Ok(Self {
            text: text.to_owned(),
            expr: parser::Parser::new(&tokens).filter()?,
        })
    }

    /// Flows that both filters match. The text is of both, in parentheses; it may be longer than one that can be parsed.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.expr, other.expr) {
            (Expr::Any, expr) => Self {
                text: other.text,
                expr,
            },
            (expr, Expr::Any) => Self {
                text: self.text,
                expr,
            },
            (left, right) => Self {
                text: format!("({}) and ({})", self.text, other.text),
                expr: Expr::And(Box::new(left), Box::new(right)),
            },
        }
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether it matches everything.
    pub fn is_any(&self) -> bool {
        self.expr == Expr::Any
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::any()
    }
}

/// The canonical text of a tree is its filter's text.
impl From<Expr> for Filter {
    fn from(expr: Expr) -> Self {
        Self {
            text: expr.to_string(),
            expr,
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

/// The text that it was read from.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
