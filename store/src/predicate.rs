//! A filter as SQL: over flow records, or over a rollup where it has the columns.
//!
//! Absent fields are unknown, and so is their `not`, as `flow::filter` has it; ClickHouse's NULL does the same. Names that
//! nobody gave are ''. Conditions are written so that the sort key and the skip indexes see bare columns.

use std::net::Ipv6Addr;

use flow::address::widen;
use flow::filter::{
    Comparison, Condition, Expr, IndexOrName, InterfaceSide, NameOrNet, Number, Side,
};
use ipnet::{IpNet, Ipv6Net};

use crate::sql::Sql;

/// What a filter is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Flow records: every condition can be said.
    Flows,
    /// Rollups by application and site.
    Traffic,
    /// Rollups by exporter and interface.
    Interfaces,
}

/// The filter as a condition on `rows`; `None` if they lack a column that it needs.
pub(crate) fn predicate(expr: &Expr, rows: Rows) -> Option<Sql> {
    expression(expr, rows)
}

/// What a conversation's record matches wherever it was seen: the filter, of whose exporters and interfaces it is at none. `None` if
/// no record does: all that match were seen at a place that the filter names.
pub(crate) fn elsewhere(expr: &Expr) -> Option<Expr> {
    Some(match expr {
        Expr::And(left, right) => {
            Expr::And(Box::new(elsewhere(left)?), Box::new(elsewhere(right)?))
        }
        Expr::Or(left, right) => match (elsewhere(left), elsewhere(right)) {
            (Some(left), Some(right)) => Expr::Or(Box::new(left), Box::new(right)),
            (one, other) => return one.or(other),
        },
        Expr::Not(expr) => match elsewhere(expr) {
            Some(expr) => Expr::Not(Box::new(expr)),
            None => Expr::Any,
        },
        Expr::Is(Condition::Exporter(_) | Condition::Interface(..)) => return None,
        Expr::Is(_) | Expr::Any => expr.clone(),
    })
}

/// Whether a filter says which feed. If not, a recording is of what came by the wire: a capture that is imported later has times of
/// its own, which may lie in the recording's.
pub(crate) fn names_a_feed(expr: &Expr) -> bool {
    match expr {
        Expr::And(left, right) | Expr::Or(left, right) => names_a_feed(left) || names_a_feed(right),
        Expr::Not(expr) => names_a_feed(expr),
        Expr::Is(condition) => matches!(condition, Condition::Number(Number::Feed, ..)),
        Expr::Any => false,
    }
}

fn expression(expr: &Expr, rows: Rows) -> Option<Sql> {
    let inner = |expr: &Expr| expression(expr, rows);
    Some(match expr {
        Expr::Any => Sql::text("1"),
        Expr::And(left, right) => pair(inner(left)?, " AND ", inner(right)?),
        Expr::Or(left, right) => pair(inner(left)?, " OR ", inner(right)?),
        Expr::Not(expr) => Sql::text("NOT ").join(inner(expr)?.parenthesised()),
        Expr::Is(condition) if has_columns(condition, rows) => of(condition),
        Expr::Is(_) => return None,
    })
}

fn has_columns(condition: &Condition, rows: Rows) -> bool {
    match (rows, condition) {
        (Rows::Flows, _) => true,
        (_, Condition::Number(Number::Feed, ..)) => true,
        (Rows::Traffic, Condition::Application(_)) => true,
        (Rows::Traffic, Condition::Site(side, _)) => {
            matches!(side, Side::Either | Side::Client | Side::Server)
        }
        (Rows::Interfaces, Condition::Exporter(_) | Condition::Interface(..)) => true,
        _ => false,
    }
}

fn pair(left: Sql, between: &str, right: Sql) -> Sql {
    left.then(between).join(right).parenthesised()
}

fn of(condition: &Condition) -> Sql {
    match condition {
        Condition::Application(text) => name("application", text),
        Condition::Site(side, text) => site(*side, text),
        Condition::Exporter(NameOrNet::Name(text)) => name("exporter_name", text),
        Condition::Exporter(NameOrNet::Net(net)) => within("exporter", net),
        Condition::Address(side, net) => addresses(*side, std::slice::from_ref(net)),
        Condition::AddressIn(side, nets) => addresses(*side, nets),
        Condition::Port(side, comparison, port) => ports(*side, *comparison, *port),
        Condition::PortIn(side, ranges) => {
            port_columns(*side, |column| port_ranges(column, ranges))
        }
        Condition::Protocol(number) => Sql::with("protocol = ?", u64::from(*number)),
        Condition::TcpFlags { set, unset } => tcp_flags(*set, *unset),
        Condition::Interface(side, interface) => interfaces(*side, interface),
        Condition::As(side, number) => sided(*side, ["src_as", "dst_as"], |column| {
            Sql::with(format!("{column} = ?"), u64::from(*number))
        }),
        Condition::NextHop(net) => within("next_hop", net),
        Condition::Mac(side, bits) => sided(*side, ["src_mac", "dst_mac"], |column| {
            Sql::with(format!("{column} = ?"), *bits)
        }),
        Condition::Icmp { kind, code } => icmp(*kind, *code),
        Condition::Number(number, comparison, value) => {
            let text = format!("{} {} ?", quantity(*number), sign(*comparison));
            Sql::with(text, *value)
        }
        Condition::Family(family) => family_is(*family),
    }
}

/// A name is '' where nobody gave one: it differs from every name, and nothing has the name ''.
fn name(column: &str, text: &str) -> Sql {
    if text.is_empty() {
        return Sql::text("0");
    }
    Sql::with(format!("{column} = ?"), text)
}

fn site(side: Side, text: &str) -> Sql {
    let client = || name("client_site", text);
    let server = || name("server_site", text);
    match side {
        Side::Client => client(),
        Side::Server => server(),
        Side::Either => pair(client(), " OR ", server()),
        Side::Source => name("if(src_is_client = 1, client_site, server_site)", text),
        Side::Destination => name("if(src_is_client = 1, server_site, client_site)", text),
    }
}

/// Client and server columns, for conditions by client, server, source, destination or either.
fn by_role(side: Side, [client, server]: [&str; 2], of: impl Fn(&str) -> Sql) -> Sql {
    let when = |flag: u8, column: &str| {
        Sql::text(format!("(src_is_client = {flag} AND "))
            .join(of(column))
            .then(")")
    };
    match side {
        Side::Client => of(client),
        Side::Server => of(server),
        Side::Either => pair(of(client), " OR ", of(server)),
        Side::Source => pair(when(1, client), " OR ", when(0, server)),
        Side::Destination => pair(when(0, client), " OR ", when(1, server)),
    }
}

const ADDRESSES: [&str; 2] = ["client_addr", "server_addr"];

fn addresses(side: Side, nets: &[IpNet]) -> Sql {
    by_role(side, ADDRESSES, |column| {
        // Single addresses in one IN, which the bloom filter answers; networks as ranges.
        let (hosts, wider): (Vec<&IpNet>, Vec<&IpNet>) = nets
            .iter()
            .partition(|net| net.prefix_len() == net.max_prefix_len());
        let mut parts = Vec::new();
        match hosts[..] {
            [] => {}
            [host] => parts.push(within(column, host)),
            _ => {
                let each = hosts.iter().map(|host| address(widen(host.addr())));
                let list = Sql::list(each, ", ").parenthesised();
                parts.push(Sql::text(format!("{column} IN ")).join(list));
            }
        }
        parts.extend(wider.into_iter().map(|net| within(column, net)));
        match parts.len() {
            0 => Sql::text("0"),
            1 => Sql::list(parts, ""),
            _ => Sql::list(parts, " OR ").parenthesised(),
        }
    })
}

fn address(of: Ipv6Addr) -> Sql {
    Sql::with("toIPv6(?)", of.to_string().as_str())
}

/// The column is in the network. IPv4 lies in ::ffff:0:0/96, which is no IPv6 network's.
fn within(column: &str, net: &IpNet) -> Sql {
    if net.prefix_len() == net.max_prefix_len() {
        return Sql::text(format!("{column} = ")).join(address(widen(net.addr())));
    }
    let range = |first: Ipv6Addr, last: Ipv6Addr| {
        Sql::text(format!("{column} BETWEEN "))
            .join(address(first))
            .then(" AND ")
            .join(address(last))
    };
    let wanted = range(widen(net.network()), widen(net.broadcast()));
    match net {
        IpNet::V6(v6) if v6.contains(&MAPPED) && v6.prefix_len() < 96 => {
            let last = MAPPED.broadcast();
            let mapped = range(MAPPED.network(), last).parenthesised();
            wanted.then(" AND NOT ").join(mapped).parenthesised()
        }
        _ => wanted.parenthesised(),
    }
}

/// Where IPv4 addresses are kept: ::ffff:0:0/96 (RFC 4291 §2.5.5.2).
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// Source and destination columns, for conditions by any side.
fn sided(side: Side, [source, destination]: [&str; 2], of: impl Fn(&str) -> Sql) -> Sql {
    let role = |if_client: &str, if_server: &str| {
        of(&format!("if(src_is_client = 1, {if_client}, {if_server})"))
    };
    match side {
        Side::Source => of(source),
        Side::Destination => of(destination),
        Side::Either => pair(of(source), " OR ", of(destination)),
        Side::Client => role(source, destination),
        Side::Server => role(destination, source),
    }
}

/// Client and server columns where they can be named, for the skip indexes; source and destination are computed.
fn port_columns(side: Side, of: impl Fn(&str) -> Sql) -> Sql {
    match side {
        Side::Source => of("src_port"),
        Side::Destination => of("dst_port"),
        _ => by_role(side, ["client_port", "server_port"], of),
    }
}

fn ports(side: Side, comparison: Comparison, port: u16) -> Sql {
    let compare = |comparison: Comparison| {
        port_columns(side, |column| {
            Sql::with(format!("{column} {} ?", sign(comparison)), u64::from(port))
        })
    };
    match (side, comparison) {
        // Neither of them is.
        (Side::Either, Comparison::NotEqual) => {
            Sql::text("NOT ").join(compare(Comparison::Equal).parenthesised())
        }
        _ => compare(comparison),
    }
}

fn port_ranges(column: &str, ranges: &[(u16, u16)]) -> Sql {
    let each = ranges.iter().map(|(first, last)| match first == last {
        true => Sql::with(format!("{column} = ?"), u64::from(*first)),
        false => {
            Sql::with(format!("{column} BETWEEN ? AND ?"), u64::from(*first)).bind(u64::from(*last))
        }
    });
    Sql::list(each, " OR ").parenthesised()
}

fn tcp_flags(set: u16, unset: u16) -> Sql {
    Sql::with(
        "(bitAnd(tcp_flags, ?) = ? AND bitAnd(tcp_flags, ?) = 0)",
        u64::from(set),
    )
    .bind(u64::from(set))
    .bind(u64::from(unset))
}

fn interfaces(side: InterfaceSide, interface: &IndexOrName) -> Sql {
    let is = |way: &str| match interface {
        IndexOrName::Index(index) => Sql::with(format!("{way}_interface = ?"), u64::from(*index)),
        IndexOrName::Name(text) => name(&format!("{way}_interface_name"), text),
    };
    match side {
        InterfaceSide::In => is("in"),
        InterfaceSide::Out => is("out"),
        InterfaceSide::Either => pair(is("in"), " OR ", is("out")),
    }
}

fn icmp(kind: u8, code: Option<u8>) -> Sql {
    match code {
        Some(code) => Sql::with(
            "icmp_type_code = ?",
            u64::from(u16::from_be_bytes([kind, code])),
        ),
        None => Sql::with("intDiv(icmp_type_code, 256) = ?", u64::from(kind)),
    }
}

fn quantity(number: Number) -> &'static str {
    match number {
        Number::Octets => "(octets + ifNull(reverse_octets, 0))",
        Number::Packets => "(packets + ifNull(reverse_packets, 0))",
        Number::DurationMs => {
            "if(has_start = 1 AND has_end = 1, \
             intDiv(toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at), 1000000), NULL)"
        }
        Number::Tos => "tos",
        Number::Dscp => "intDiv(tos, 4)",
        Number::Vlan => "vlan",
        Number::Vni => "vni",
        Number::Domain => "domain",
        Number::Version => "version",
        Number::Ttl => "min_ttl",
        Number::Sampling => "sampling_interval",
        Number::EndReason => "end_reason",
        Number::FirewallEvent => "firewall_event",
        Number::NatEvent => "nat_event",
        Number::Feed => "feed",
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn family_is(family: u8) -> Sql {
    let not = if family == 4 { "" } else { "NOT " };
    Sql::text(format!("coalesce(src_addr, dst_addr) {not}BETWEEN "))
        .join(address(MAPPED.network()))
        .then(" AND ")
        .join(address(MAPPED.broadcast()))
        .parenthesised()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::Filter;

    fn sql(text: &str, rows: Rows) -> Option<String> {
        let filter = Filter::parse(text).unwrap();
        predicate(filter.expr(), rows).map(|sql| sql.to_string())
    }

    #[test]
    fn values_are_bound_and_columns_bare() {
        let all = [
            r#"app "orders'; DROP" and src net 10.4.0.0/16 and dst port 5432"#,
            "not exporter core-1 and client ip 10.0.0.1",
            "ip in [10.0.0.1, 10.0.0.2, 10.2.0.0/16] and port in [80, 8000-8099]",
            "server site berlin or not site paris",
            "port != 80 and not (octets > 1M or duration >= 5s)",
            "net 2000::/3 and not net ::/0",
            "flags S/SA and if eth0 and in if 3",
            "ipv4 and icmp type 8 and src as 64500 and mac 02:00:5e:10:00:01",
        ];
        let text: Vec<String> = all
            .into_iter()
            .map(|text| format!("{text}\n{}", sql(text, Rows::Flows).unwrap()))
            .collect();
        insta::assert_snapshot!("predicates", text.join("\n"));
    }

    #[test]
    fn rollups_answer_what_they_have_columns_for() {
        assert!(sql("app web and not site berlin and feed 0", Rows::Traffic).is_some());
        assert!(sql("app web and port 80", Rows::Traffic).is_none());
        assert!(sql("app web", Rows::Interfaces).is_none());
        assert!(sql("exporter 10.0.0.0/8 and out if 4", Rows::Interfaces).is_some());
        assert!(sql("", Rows::Interfaces).is_some());
    }

    #[test]
    fn what_is_seen_elsewhere_too_is_the_filter_without_its_places() {
        let left = |text: &str| {
            let expr = elsewhere(Filter::parse(text).unwrap().expr());
            expr.map(|expr| expr.to_string())
        };
        for nothing in ["exporter core-1 and app web", "if 3 or exporter core-1"] {
            assert_eq!(left(nothing), None, "{nothing}");
        }
        let said = |text: &str| left(text).unwrap();
        assert_eq!(said("exporter core-1 or app web"), "app web");
        assert_eq!(
            said("app web and (if 3 or site rome)"),
            "app web and site rome"
        );
        assert_eq!(said("app web and not exporter core-1"), "app web and any");
        assert_eq!(said("app web"), "app web");
    }
}
