//! Columns that few exporters send, as pairs of two maps of the table `flows`: a column of its own costs each insert and each
//! merge of every row (measured: 70 absent columns were half of both).

use std::net::Ipv6Addr;

use flow::FlowBatch;
use flow::batch::Columns;
use flow::column::Column;

use crate::native::{Block, Fixed};

/// Those of numbers.
pub(crate) const RARE_NUMBERS: &[&str] = &[
    "reverse_start",
    "reverse_end",
    "reverse_tcp_flags",
    "icmp_type_code",
    "post_vlan",
    "src_mac",
    "dst_mac",
    "biflow_direction",
    "min_ttl",
    "max_ttl",
    "forwarding_status",
    "firewall_event",
    "nat_event",
    "nat_src_port",
    "nat_dst_port",
    "vni",
    "inner_src_port",
    "inner_dst_port",
    "inner_protocol",
    "in_vrf",
    "out_vrf",
    "mpls_label",
    "flow_label",
    "flow_id",
    "dropped_octets",
    "dropped_packets",
    "exporter_application_id",
];

/// Those of addresses.
pub(crate) const RARE_ADDRESSES: &[&str] = &[
    "bgp_next_hop",
    "nat_src_addr",
    "nat_dst_addr",
    "inner_src_addr",
    "inner_dst_addr",
];

/// Whether a column is one of them.
pub(crate) fn is_rare(name: &str) -> bool {
    RARE_NUMBERS.contains(&name) || RARE_ADDRESSES.contains(&name)
}

/// A column's value in a row.
type ValueOf<'b, T> = Box<dyn Fn(usize) -> Option<T> + Send + Sync + 'b>;

/// Columns of one kind, by name.
type Pairs<'b, T> = Vec<(&'static str, ValueOf<'b, T>)>;

/// Rare columns that a batch has.
#[derive(Default)]
pub(crate) struct Rare<'b> {
    numbers: Pairs<'b, u64>,
    addresses: Pairs<'b, Ipv6Addr>,
}

macro_rules! rare {
    ($($name:ident: $type:ty,)+) => {
        impl<'b> Rare<'b> {
            /// Those of a batch.
            pub(crate) fn of(batch: &'b FlowBatch) -> Self {
                let columns: &Columns = &batch.columns;
                let mut found = Self::default();
                $(if !columns.$name.is_absent() && is_rare(stringify!($name)) {
                    <$type as Paired>::add(&mut found, stringify!($name), &columns.$name);
                })+
                found
            }
        }
    };
}
flow::for_each_column!(rare);

impl Rare<'_> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len() + self.addresses.len()
    }

    /// Adds both maps, as far as there is something for them.
    pub(crate) fn put<'v>(
        &'v self,
        block: &mut Block<'v>,
        rows: impl Iterator<Item = usize> + Clone + Send + 'v,
    ) {
        put_map(
            block,
            rows.clone(),
            ("rare_numbers", "UInt64"),
            &self.numbers,
        );
        put_map(block, rows, ("rare_addresses", "IPv6"), &self.addresses);
    }
}

/// A map of the columns that a row has; nothing if no row has any.
fn put_map<'v, T: Fixed>(
    block: &mut Block<'v>,
    rows: impl Iterator<Item = usize> + Clone + Send + 'v,
    (name, value_type): (&'static str, &str),
    columns: &'v Pairs<'_, T>,
) {
    if columns.is_empty() {
        return;
    }
    let pairs = |row: usize| {
        let each = columns.iter();
        each.filter_map(move |(name, value)| Some((*name, value(row)?)))
    };
    let counts = rows.clone().map(move |row| pairs(row).count());
    block.map(name, value_type, counts);
    block.map_texts(rows.clone().flat_map(pairs).map(|(name, _)| name));
    block.map_values(rows.flat_map(pairs).map(|(_, value)| value));
}

/// A type whose values can be pairs of a map.
trait Paired: Sized {
    fn add<'b>(to: &mut Rare<'b>, name: &'static str, column: &'b Column<Self>);
}

macro_rules! paired {
    ($($type:ty),+) => {
        $(impl Paired for $type {
            fn add<'b>(to: &mut Rare<'b>, name: &'static str, column: &'b Column<Self>) {
                to.numbers.push((name, Box::new(|row| column.get(row).map(u64::from))));
            }
        })+
    };
}
paired!(u8, u16, u32, u64);

impl Paired for i64 {
    fn add<'b>(to: &mut Rare<'b>, name: &'static str, column: &'b Column<Self>) {
        let value = |row| column.get(row).map(i64::cast_unsigned);
        to.numbers.push((name, Box::new(value)));
    }
}

impl Paired for Ipv6Addr {
    fn add<'b>(to: &mut Rare<'b>, name: &'static str, column: &'b Column<Self>) {
        to.addresses.push((name, Box::new(|row| column.get(row))));
    }
}
