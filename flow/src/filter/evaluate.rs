//! Holds a filter against a row of a batch, in SQL's three-valued logic, so that the store's answer is the same.

use ipnet::IpNet;

use super::{Comparison, Condition, Expr, IndexOrName, InterfaceSide, NameOrNet, Number, Side};
use crate::FlowBatch;
use crate::address::narrow;
use crate::clock::NANOS_PER_MILLI;
use crate::column::{Blank, Column, TextColumn};

/// So, not so, or `None`: not known, as the record lacks the field.
type Truth = Option<bool>;

impl Expr {
    /// Whether `row` of `batch` matches.
    ///
    /// A condition on a field that the record lacks is unknown, as in SQL: neither it nor its `not` matches, `unknown or
    /// true` does, `unknown and false` does not. Before normalising, client and server are unknown. What was added by
    /// name (application, sites, exporter, interfaces) is never unknown: without a name, `not site berlin` matches. A row
    /// past the end doesn't match.
    pub fn matches(&self, batch: &FlowBatch, row: usize) -> bool {
        row < batch.rows() && self.truth(batch, row) == Some(true)
    }

    fn truth(&self, batch: &FlowBatch, row: usize) -> Truth {
        match self {
            Self::Any => Some(true),
            Self::Is(condition) => condition.truth(batch, row),
            Self::Not(inner) => inner.truth(batch, row).map(|truth| !truth),
            Self::And(left, right) => both(left.truth(batch, row), || right.truth(batch, row)),
            Self::Or(left, right) => either(left.truth(batch, row), || right.truth(batch, row)),
        }
    }
}

/// SQL's AND.
fn both(left: Truth, right: impl FnOnce() -> Truth) -> Truth {
    match left {
        Some(false) => left,
        Some(true) => right(),
        None => right().filter(|right| !right),
    }
}

/// SQL's OR.
fn either(left: Truth, right: impl FnOnce() -> Truth) -> Truth {
    match left {
        Some(true) => left,
        Some(false) => right(),
        None => right().filter(|right| *right),
    }
}

impl Condition {
    fn truth(&self, batch: &FlowBatch, row: usize) -> Truth {
        let (columns, enrichment) = (&batch.columns, &batch.enrichment);
        // A name that nobody gave is no name, as in the store: it differs from every name that can be asked for.
        let text = |column: &TextColumn, name: &str| Some(column.get(row) == Some(name));
        let on = Row { batch, row };
        match self {
            Self::Application(name) => text(&enrichment.application, name),
            Self::Site(side, name) => {
                let client = text(&enrichment.client_site, name);
                let server = || text(&enrichment.server_site, name);
                match side {
                    Side::Client => client,
                    Side::Server => server(),
                    Side::Either => either(client, server),
                    // The parser lets no site have these; a tree made by hand means what it says.
                    Side::Source => on.of_client(client, server()),
                    Side::Destination => on.of_client(server(), client),
                }
            }
            Self::Exporter(NameOrNet::Name(name)) => text(&enrichment.exporter_name, name),
            Self::Exporter(NameOrNet::Net(net)) => Some(holds(net, batch.origin.exporter[row])),
            Self::Address(side, net) => on.addresses(*side, |address| holds(net, address)),
            Self::AddressIn(side, nets) => {
                on.addresses(*side, |address| nets.iter().any(|net| holds(net, address)))
            }
            Self::Port(Side::Either, Comparison::NotEqual, port) => on
                .ports(Side::Either, |other| other == *port)
                .map(|truth| !truth),
            Self::Port(side, comparison, port) => {
                on.ports(*side, |other| comparison.holds(&other, port))
            }
            Self::PortIn(side, ranges) => on.ports(*side, |port| {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&port))
            }),
            Self::Protocol(number) => columns.protocol.get(row).map(|other| other == *number),
            Self::TcpFlags { set, unset } => {
                let flags = columns.tcp_flags.get(row);
                flags.map(|flags| flags & set == *set && flags & unset == 0)
            }
            Self::Interface(side, interface) => on.interface(*side, interface),
            Self::As(side, number) => on.sided(*side, &columns.src_as, &columns.dst_as, |other| {
                other == *number
            }),
            Self::NextHop(net) => columns.next_hop.get(row).map(|address| holds(net, address)),
            Self::Mac(side, bits) => on.sided(*side, &columns.src_mac, &columns.dst_mac, |other| {
                other == *bits
            }),
            Self::Icmp { kind, code } => columns.icmp_type_code.get(row).map(|type_code| {
                let [its_kind, its_code] = type_code.to_be_bytes();
                its_kind == *kind && code.is_none_or(|code| code == its_code)
            }),
            Self::Number(number, comparison, value) => on
                .number(*number)
                .map(|other| comparison.holds(&other, value)),
            Self::Family(family) => {
                let address = columns
                    .src_addr
                    .get(row)
                    .or_else(|| columns.dst_addr.get(row));
                address.map(|address| narrow(address).is_ipv4() == (*family == 4))
            }
        }
    }
}

impl Comparison {
    /// Whether `left` compares so to `right`.
    pub fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

fn holds(net: &IpNet, address: std::net::Ipv6Addr) -> bool {
    net.contains(&narrow(address))
}

#[derive(Clone, Copy)]
struct Row<'b> {
    batch: &'b FlowBatch,
    row: usize,
}

impl Row<'_> {
    fn addresses(self, side: Side, test: impl Fn(std::net::Ipv6Addr) -> bool) -> Truth {
        let columns = &self.batch.columns;
        self.sided(side, &columns.src_addr, &columns.dst_addr, test)
    }

    fn ports(self, side: Side, test: impl Fn(u16) -> bool) -> Truth {
        let columns = &self.batch.columns;
        self.sided(side, &columns.src_port, &columns.dst_port, test)
    }

    fn sided<T: Blank>(
        self,
        side: Side,
        source: &Column<T>,
        destination: &Column<T>,
        test: impl Fn(T) -> bool,
    ) -> Truth {
        let source = source.get(self.row).map(&test);
        let destination = destination.get(self.row).map(&test);
        match side {
            Side::Source => source,
            Side::Destination => destination,
            Side::Either => either(source, || destination),
            Side::Client => self.of_client(source, destination),
            Side::Server => self.of_client(destination, source),
        }
    }

    /// The first if the source is the client, the second if it is the server.
    fn of_client(self, if_source: Truth, if_destination: Truth) -> Truth {
        match self.batch.enrichment.src_is_client.get(self.row)? {
            0 => if_destination,
            _ => if_source,
        }
    }

    fn interface(self, side: InterfaceSide, interface: &IndexOrName) -> Truth {
        let (columns, enrichment) = (&self.batch.columns, &self.batch.enrichment);
        let is = |index: &Column<u32>, name: &TextColumn| match interface {
            IndexOrName::Index(wanted) => index.get(self.row).map(|index| index == *wanted),
            IndexOrName::Name(wanted) => Some(name.get(self.row) == Some(wanted)),
        };
        let input = || is(&columns.in_interface, &enrichment.in_interface_name);
        let output = || is(&columns.out_interface, &enrichment.out_interface_name);
        match side {
            InterfaceSide::In => input(),
            InterfaceSide::Out => output(),
            InterfaceSide::Either => either(input(), output),
        }
    }

    fn number(self, number: Number) -> Option<u64> {
        let (origin, columns, row) = (&self.batch.origin, &self.batch.columns, self.row);
        let octet = |column: &Column<u8>| column.get(row).map(u64::from);
        // Without a forward counter there is no sum; without a reverse one it is the forward one.
        let both_ways = |forward: &Column<u64>, reverse: &Column<u64>| {
            Some(
                forward
                    .get(row)?
                    .saturating_add(reverse.get(row).unwrap_or(0)),
            )
        };
        match number {
            Number::Octets => both_ways(&columns.octets, &columns.reverse_octets),
            Number::Packets => both_ways(&columns.packets, &columns.reverse_packets),
            Number::DurationMs => {
                let nanos = columns
                    .end
                    .get(row)?
                    .saturating_sub(columns.start.get(row)?);
                Some(u64::try_from(nanos / NANOS_PER_MILLI).unwrap_or(0))
            }
            Number::Tos => octet(&columns.tos),
            Number::Dscp => octet(&columns.tos).map(|tos| tos >> 2),
            Number::Vlan => columns.vlan.get(row).map(u64::from),
            Number::Vni => columns.vni.get(row),
            Number::Domain => Some(origin.domain[row].into()),
            Number::Version => Some(origin.version[row].into()),
            Number::Ttl => octet(&columns.min_ttl),
            Number::Sampling => columns.sampling_interval.get(row).map(u64::from),
            Number::EndReason => octet(&columns.end_reason),
            Number::FirewallEvent => octet(&columns.firewall_event),
            Number::NatEvent => octet(&columns.nat_event),
            Number::Feed => Some(origin.feed[row].into()),
        }
    }
}
