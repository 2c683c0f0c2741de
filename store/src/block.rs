//! Rows of a [`FlowBatch`] as a block of the table `flows`. Columns that no row of the batch has are left out; the
//! table's defaults apply.

use std::net::Ipv6Addr;

use flow::FlowBatch;
use flow::batch::{
    ApplicationSource, ClientEvidence, Columns, CounterKind, Enrichment, SamplingSource, TimeKind,
    TimeQuality,
};
use flow::clock::NANOS_PER_MILLI;
use flow::column::{Column, Symbol};
use flow::measure::MEASURES;

use crate::native::Block;

/// Who collected the batch and when it goes to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) collector: &'a str,
    /// Seconds since 1970.
    pub(crate) stored_at: u32,
}

/// The block of these rows of a batch, in this order.
pub(crate) fn block(batch: &FlowBatch, order: &[u32], stamp: Stamp<'_>) -> Block {
    let mut block = Block::new(order.len(), order.len() * OCTETS_A_ROW);
    let part = Part { batch, order };
    put_origin(&mut block, &part, stamp);
    put_life(&mut block, &part);
    put_ends(&mut block, &part);
    put_plain(&mut block, &part);
    put_boots(&mut block, &part);
    put_rare(&mut block, &part);
    put_pairs(&mut block, &part);
    put_enrichment(&mut block, &part);
    block
}

/// What a row of an ordinary exporter takes: asked for at once, as growing would copy.
const OCTETS_A_ROW: usize = 240;

/// Some rows of a batch, in an order of their own.
struct Part<'b> {
    batch: &'b FlowBatch,
    order: &'b [u32],
}

impl<'b> Part<'b> {
    /// The numbers of the rows in the batch.
    fn rows(&self) -> impl ExactSizeIterator<Item = usize> + Clone + use<'b> {
        self.order.iter().map(|row| *row as usize)
    }

    /// Of a column, which may end before the batch does; then it has `missing`.
    fn of<'c, T: Copy>(
        &self,
        column: &'c [T],
        missing: T,
    ) -> impl ExactSizeIterator<Item = T> + use<'b, 'c, T> {
        self.rows()
            .map(move |row| column.get(row).copied().unwrap_or(missing))
    }
}

fn put_origin(block: &mut Block, part: &Part<'_>, stamp: Stamp<'_>) {
    let origin = &part.batch.origin;
    let stored_at = part.rows().map(|_| stamp.stored_at);
    block.typed_full("stored_at", "DateTime('UTC')", stored_at);
    block.constant_text("collector", stamp.collector);
    block.full("received_at", part.of(&origin.received_at, 0));
    block.full("tape_segment", part.of(&origin.tape_segment, 0));
    block.full("tape_offset", part.of(&origin.tape_offset, 0));
    block.full("record_offset", part.of(&origin.record_offset, 0));
    block.full("feed", part.of(&origin.feed, 0));
    block.full("exporter", part.of(&origin.exporter, Ipv6Addr::UNSPECIFIED));
    block.full("domain", part.of(&origin.domain, 0));
    block.full("version", part.of(&origin.version, 0));
    block.full("template", part.of(&origin.template, 0));
}

/// The first and last instant of a flow's life as the schema wants it, nanoseconds: never absent, never before 1970, never
/// the wrong way round.
pub(crate) fn life(batch: &FlowBatch, row: usize) -> (i64, i64) {
    let (first, last) = (batch.columns.start.get(row), batch.columns.end.get(row));
    let received_at = batch.origin.received_at.get(row).copied();
    let begin = first.or(last).or(received_at).unwrap_or(0).max(0);
    (begin, last.unwrap_or(begin).max(begin))
}

fn put_life(block: &mut Block, part: &Part<'_>) {
    block.full("begins_at", part.rows().map(|row| life(part.batch, row).0));
    block.full("ends_at", part.rows().map(|row| life(part.batch, row).1));
    let (start, end) = (&part.batch.columns.start, &part.batch.columns.end);
    for (name, column) in [("has_start", start), ("has_end", end)] {
        block.full(name, part.of(column.nulls(), 1).map(|null| 1 - null));
    }
}

/// Source and destination, as client and server.
fn put_ends(block: &mut Block, part: &Part<'_>) {
    let columns = &part.batch.columns;
    put_sides(
        block,
        part,
        ["client_addr", "server_addr"],
        [&columns.src_addr, &columns.dst_addr],
    );
    put_sides(
        block,
        part,
        ["client_port", "server_port"],
        [&columns.src_port, &columns.dst_port],
    );
}

fn put_sides<T: crate::native::Fixed>(
    block: &mut Block,
    part: &Part<'_>,
    [client, server]: [&'static str; 2],
    [source, destination]: [&Column<T>; 2],
) {
    if source.is_absent() && destination.is_absent() {
        return;
    }
    let added = &part.batch.enrichment;
    for (name, if_client, if_server) in
        [(client, source, destination), (server, destination, source)]
    {
        let values = part
            .rows()
            .map(|row| side(added, row, [if_client, if_server]));
        block.gaps(name, values);
    }
}

/// What one side has in a row: in the first column if the source is the client, else in the second.
#[inline]
pub(crate) fn side<T: flow::column::Blank>(
    added: &Enrichment,
    row: usize,
    [if_client, if_server]: [&Column<T>; 2],
) -> Option<T> {
    match added.src_is_client.get(row) {
        Some(0) => if_server.get(row),
        _ => if_client.get(row),
    }
}

macro_rules! plain {
    ($($name:ident: $type:ty,)+) => {
        /// Every column of the vocabulary that is stored as it is.
        fn put_plain(block: &mut Block, part: &Part<'_>) {
            let columns: &Columns = &part.batch.columns;
            $(if !columns.$name.is_absent() && !is_stored_apart(stringify!($name)) {
                put_column(block, part, stringify!($name), &columns.$name);
            })+
        }

        /// Those of a batch that are stored as pairs of a map.
        fn rare(columns: &Columns) -> Rare<'_> {
            let mut found = Rare::default();
            $(if !columns.$name.is_absent() && is_rare(stringify!($name)) {
                <$type as Paired>::add(&mut found, stringify!($name), &columns.$name);
            })+
            found
        }
    };
}
flow::for_each_column!(plain);

/// Columns that are stored in another form, by [`put_life`], [`put_boots`] and [`put_ends`].
const STORED_APART: &[&str] = &[
    "start",
    "end",
    "start_uptime_ms",
    "end_uptime_ms",
    "src_addr",
    "dst_addr",
    "src_port",
    "dst_port",
];

/// Columns of numbers that few exporters send. They are pairs of a map: a column costs each insert and each merge of every row
/// (measured: 70 absent columns were half of both).
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

/// As [`RARE_NUMBERS`], of addresses.
pub(crate) const RARE_ADDRESSES: &[&str] = &[
    "bgp_next_hop",
    "nat_src_addr",
    "nat_dst_addr",
    "inner_src_addr",
    "inner_dst_addr",
];

fn is_rare(name: &str) -> bool {
    RARE_NUMBERS.contains(&name) || RARE_ADDRESSES.contains(&name)
}

fn is_stored_apart(name: &str) -> bool {
    is_rare(name) || STORED_APART.contains(&name)
}

/// A column's value in a row.
type ValueOf<'b, T> = Box<dyn Fn(usize) -> Option<T> + 'b>;

/// Rare columns that a batch has.
#[derive(Default)]
struct Rare<'b> {
    numbers: Vec<(&'static str, ValueOf<'b, u64>)>,
    addresses: Vec<(&'static str, ValueOf<'b, Ipv6Addr>)>,
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

fn put_rare(block: &mut Block, part: &Part<'_>) {
    let rare = rare(&part.batch.columns);
    put_map(
        block,
        part,
        ("rare_numbers", "UInt64"),
        &rare.numbers,
        |block, values| {
            block.map_numbers(values);
        },
    );
    put_map(
        block,
        part,
        ("rare_addresses", "IPv6"),
        &rare.addresses,
        |block, values| {
            block.map_addresses(values);
        },
    );
}

/// A map of the columns that a row has; nothing if no row has any.
fn put_map<'b, T: 'b>(
    block: &mut Block,
    part: &Part<'_>,
    (name, value_type): (&'static str, &str),
    columns: &'b [(&'static str, ValueOf<'_, T>)],
    put: impl FnOnce(&mut Block, &mut dyn Iterator<Item = T>),
) {
    if columns.is_empty() {
        return;
    }
    let pairs = |row: usize| {
        let each = columns.iter();
        each.filter_map(move |(name, value)| Some((*name, value(row)?)))
    };
    block.map(name, value_type, part.rows().map(|row| pairs(row).count()));
    block.map_texts(part.rows().flat_map(pairs).map(|(name, _)| name));
    put(
        block,
        &mut part.rows().flat_map(pairs).map(|(_, value)| value),
    );
}

/// When the exporter began, as each of the two stamps has it: what it said is the difference to the flow's life.
fn put_boots(block: &mut Block, part: &Part<'_>) {
    let columns = &part.batch.columns;
    let lives = || part.rows().map(|row| life(part.batch, row));
    put_boot(
        block,
        part,
        "start_boot_ms",
        &columns.start_uptime_ms,
        lives().map(|life| life.0),
    );
    put_boot(
        block,
        part,
        "end_boot_ms",
        &columns.end_uptime_ms,
        lives().map(|life| life.1),
    );
}

fn put_boot(
    block: &mut Block,
    part: &Part<'_>,
    name: &'static str,
    uptimes: &Column<u32>,
    stamps: impl Iterator<Item = i64>,
) {
    if uptimes.is_absent() {
        return;
    }
    let uptime = part.of(uptimes.values(), 0).map(i64::from);
    let boots = stamps
        .zip(uptime)
        .map(|(at, uptime)| at / NANOS_PER_MILLI - uptime);
    block.nullable(name, "Int64", boots, part.of(uptimes.nulls(), 1));
}

fn put_column<T: crate::native::Fixed>(
    block: &mut Block,
    part: &Part<'_>,
    name: &'static str,
    column: &Column<T>,
) {
    let type_name = code_type(name).unwrap_or_else(|| T::TYPE.to_owned());
    let (values, nulls) = (column.values(), column.nulls());
    block.nullable(
        name,
        &type_name,
        part.of(values, T::BLANK),
        part.of(nulls, 1),
    );
}

/// The type of a column of codes: an enumeration of their names.
pub(crate) fn code_type(column: &str) -> Option<String> {
    macro_rules! enumeration {
        ($type:ty) => {
            <$type>::ALL
                .iter()
                .map(|code| format!("'{}' = {}", code.name(), *code as u8))
                .collect()
        };
    }
    let values: Vec<String> = match column {
        "time_kind" => enumeration!(TimeKind),
        "time_quality" => enumeration!(TimeQuality),
        "counter_kind" => enumeration!(CounterKind),
        "sampling_source" => enumeration!(SamplingSource),
        "client_evidence" => enumeration!(ClientEvidence),
        "application_source" => enumeration!(ApplicationSource),
        _ => return None,
    };
    Some(format!("Enum8({})", values.join(", ")))
}

fn put_pairs(block: &mut Block, part: &Part<'_>) {
    let measures = &part.batch.measures;
    if !measures.is_absent() {
        let pairs = || part.rows().flat_map(|row| measures.get(row));
        let name = |id: &u16| {
            MEASURES
                .get(usize::from(*id))
                .map_or("", |known| known.name)
        };
        let counts = part.rows().map(|row| measures.get(row).count());
        block.map("measures", "UInt64", counts);
        block.map_texts(pairs().map(|(id, _)| name(id)));
        block.map_numbers(pairs().map(|(_, value)| *value));
    }
    let extras = &part.batch.extras;
    if !extras.is_absent() {
        let pairs = || part.rows().flat_map(|row| extras.get(row));
        let counts = part.rows().map(|row| extras.get(row).count());
        block.map("extras", "String", counts);
        block.map_texts(pairs().map(|(key, _)| &**key));
        block.map_texts(pairs().map(|(_, text)| text.as_str()));
    }
}

fn put_enrichment(block: &mut Block, part: &Part<'_>) {
    let added = &part.batch.enrichment;
    for (name, flags) in [
        ("src_is_client", &added.src_is_client),
        ("accounting", &added.accounting),
    ] {
        if !flags.is_empty() {
            block.full(name, part.of(flags, 1));
        }
    }
    put_codes(
        block,
        part,
        "client_evidence",
        &added.client_evidence,
        |code| ClientEvidence::from_u8(code).is_some(),
    );
    put_codes(
        block,
        part,
        "application_source",
        &added.application_source,
        |code| ApplicationSource::from_u8(code).is_some(),
    );
    for (name, texts) in [
        ("application", &added.application),
        ("client_site", &added.client_site),
        ("server_site", &added.server_site),
        ("exporter_name", &added.exporter_name),
        ("in_interface_name", &added.in_interface_name),
        ("out_interface_name", &added.out_interface_name),
        ("exporter_application", &added.exporter_application),
        ("in_vrf_name", &added.in_vrf_name),
    ] {
        if !texts.is_absent() {
            let symbols = part.of(texts.rows(), Symbol::default());
            block.texts(name, texts.texts(), symbols);
        }
    }
}

/// Codes without gaps of their own: a number that is no code is a gap.
fn put_codes(
    block: &mut Block,
    part: &Part<'_>,
    name: &'static str,
    codes: &[u8],
    known: impl Fn(u8) -> bool,
) {
    if codes.is_empty() {
        return;
    }
    let nulls = part.of(codes, 0).map(|code| u8::from(!known(code)));
    let type_name = code_type(name).unwrap_or_default();
    block.nullable(name, &type_name, part.of(codes, 0), nulls);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::FLOWS;

    macro_rules! names {
        ($($name:ident: $type:ty,)+) => { [$(stringify!($name)),+] };
    }

    #[test]
    fn the_schema_has_every_column_of_the_vocabulary() {
        for name in flow::for_each_column!(names) {
            let line = format!("\n    {name} ");
            assert!(FLOWS.contains(&line), "0006_flows.sql lacks {name}");
            if let Some(type_name) = code_type(name) {
                assert!(
                    FLOWS.contains(&format!("{name} Nullable({type_name})")),
                    "{type_name}"
                );
            }
        }
        for name in ["client_evidence", "application_source"] {
            let type_name = code_type(name).unwrap();
            assert!(
                FLOWS.contains(&format!("{name} Nullable({type_name})")),
                "{type_name}"
            );
        }
    }

    #[test]
    fn columns_that_nobody_wrote_are_left_out() {
        let mut batch = FlowBatch::default();
        batch.origin.received_at.push(1);
        batch.columns.octets.set(0, 5);
        let stamp = Stamp {
            collector: "here",
            stored_at: 0,
        };
        let names = block(&batch, &[0], stamp).names().to_vec();
        assert!(names.contains(&"octets") && !names.contains(&"packets"));
        assert!(!names.contains(&"client_addr") && !names.contains(&"measures"));
    }

    #[test]
    fn a_part_of_a_batch_is_what_a_batch_of_those_rows_would_be() {
        // Four rows; the last two are those of a batch of their own, gaps and pairs included.
        let row = |batch: &mut FlowBatch, to: usize, number: u32| {
            batch.origin.received_at.push(i64::from(number));
            batch.origin.tape_offset.push(number);
            batch.columns.src_port.set(to, 1000 + 1);
            batch.enrichment.src_is_client.push(u8::from(number != 3));
            batch.enrichment.application.set_text(to, "web");
            if number != 2 {
                batch.columns.octets.set(to, number.into());
                batch.measures.push(to, 1, number.into());
                batch.measures.push(to, 2, 7);
                batch.extras.push(to, "user".into(), number.to_string());
            }
        };
        let (mut whole, mut tail) = (FlowBatch::default(), FlowBatch::default());
        for number in 0..4_u32 {
            row(&mut whole, number as usize, number);
        }
        row(&mut tail, 0, 2);
        row(&mut tail, 1, 3);
        let stamp = Stamp {
            collector: "here",
            stored_at: 0,
        };
        let part = block(&whole, &[2, 3], stamp);
        let alone = block(&tail, &[0, 1], stamp);
        assert_eq!(part.names(), alone.names());
        assert_eq!(part.finish(), alone.finish());
    }
}
