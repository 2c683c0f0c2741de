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

use crate::native::{Block, Fixed};
use crate::rare::{Rare, is_rare};

/// Who collected the batch and when it goes to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) collector: &'a str,
    /// Seconds since 1970.
    pub(crate) stored_at: u32,
}

/// Some rows of a batch, in an order of their own.
pub(crate) struct RowBlock<'b> {
    batch: &'b FlowBatch,
    order: Vec<u32>,
    rare: Rare<'b>,
}

impl<'b> RowBlock<'b> {
    pub(crate) fn of(batch: &'b FlowBatch, order: Vec<u32>) -> Self {
        Self {
            batch,
            order,
            rare: Rare::of(batch),
        }
    }

    /// Its columns, which are written when it is sent.
    pub(crate) fn block<'v>(&'v self, stamp: Stamp<'_>) -> Block<'v> {
        let mut block = Block::new(self.order.len());
        put_origin(&mut block, self, stamp);
        put_life(&mut block, self);
        put_ends(&mut block, self);
        put_plain(&mut block, self);
        put_boots(&mut block, self);
        self.rare.put(&mut block, self.rows());
        put_pairs(&mut block, self);
        put_enrichment(&mut block, self);
        block
    }

    /// The numbers of the rows in the batch.
    fn rows<'v>(&'v self) -> impl ExactSizeIterator<Item = usize> + Clone + Send + use<'v, 'b> {
        self.order.iter().map(|row| *row as usize)
    }

    /// Of a column, which may end before the batch does; then it has `missing`.
    fn of_column<'v, T: Copy + Send + Sync>(
        &'v self,
        column: &'v [T],
        missing: T,
    ) -> impl ExactSizeIterator<Item = T> + Send + use<'v, 'b, T> {
        self.rows()
            .map(move |row| column.get(row).copied().unwrap_or(missing))
    }
}

fn put_origin<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>, stamp: Stamp<'_>) {
    let origin = &part.batch.origin;
    let stored_at = std::iter::repeat_n(stamp.stored_at, part.order.len());
    block.typed_full("stored_at", "DateTime('UTC')", stored_at);
    block.constant_text("collector", stamp.collector);
    block.full("received_at", part.of_column(&origin.received_at, 0));
    block.full("tape_segment", part.of_column(&origin.tape_segment, 0));
    block.full("tape_offset", part.of_column(&origin.tape_offset, 0));
    block.full("record_offset", part.of_column(&origin.record_offset, 0));
    block.full("feed", part.of_column(&origin.feed, 0));
    block.full(
        "exporter",
        part.of_column(&origin.exporter, Ipv6Addr::UNSPECIFIED),
    );
    block.full("domain", part.of_column(&origin.domain, 0));
    block.full("version", part.of_column(&origin.version, 0));
    block.full("template", part.of_column(&origin.template, 0));
}

/// The first and last instant of a flow's life as the schema wants it, nanoseconds: never absent, never before 1970, never
/// the wrong way round.
pub(crate) fn life(batch: &FlowBatch, row: usize) -> (i64, i64) {
    let (first, last) = (batch.columns.start.get(row), batch.columns.end.get(row));
    let received_at = batch.origin.received_at.get(row).copied();
    let begin = first.or(last).or(received_at).unwrap_or(0).max(0);
    (begin, last.unwrap_or(begin).max(begin))
}

fn put_life<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
    block.full("begins_at", part.rows().map(|row| life(part.batch, row).0));
    block.full("ends_at", part.rows().map(|row| life(part.batch, row).1));
    let (start, end) = (&part.batch.columns.start, &part.batch.columns.end);
    for (name, column) in [("has_start", start), ("has_end", end)] {
        block.full(name, part.of_column(column.nulls(), 1).map(|null| 1 - null));
    }
}

/// Source and destination, as client and server.
fn put_ends<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
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

fn put_sides<'v, T: Fixed>(
    block: &mut Block<'v>,
    part: &'v RowBlock<'_>,
    [client, server]: [&'static str; 2],
    [source, destination]: [&'v Column<T>; 2],
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
            .map(move |row| side(added, row, [if_client, if_server]));
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
        fn put_plain<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
            let columns: &Columns = &part.batch.columns;
            $(if !columns.$name.is_absent() && !is_stored_apart(stringify!($name)) {
                put_column(block, part, stringify!($name), &columns.$name);
            })+
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

fn is_stored_apart(name: &str) -> bool {
    is_rare(name) || STORED_APART.contains(&name)
}

/// When the exporter began, as each of the two stamps has it: what it said is the difference to the flow's life.
fn put_boots<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
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

fn put_boot<'v>(
    block: &mut Block<'v>,
    part: &'v RowBlock<'_>,
    name: &'static str,
    uptimes: &'v Column<u32>,
    stamps: impl Iterator<Item = i64> + Send + 'v,
) {
    if uptimes.is_absent() {
        return;
    }
    let uptime = part.of_column(uptimes.values(), 0).map(i64::from);
    let boots = stamps
        .zip(uptime)
        .map(|(at, uptime)| at / NANOS_PER_MILLI - uptime);
    block.nullable(name, "Int64", boots, part.of_column(uptimes.nulls(), 1));
}

fn put_column<'v, T: Fixed>(
    block: &mut Block<'v>,
    part: &'v RowBlock<'_>,
    name: &'static str,
    column: &'v Column<T>,
) {
    let type_name = code_type(name).unwrap_or_else(|| T::TYPE.to_owned());
    let (values, nulls) = (column.values(), column.nulls());
    block.nullable(
        name,
        &type_name,
        part.of_column(values, T::BLANK),
        part.of_column(nulls, 1),
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

fn put_pairs<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
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
        block.map_texts(pairs().map(move |(id, _)| name(id)));
        block.map_values(pairs().map(|(_, value)| *value));
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

fn put_enrichment<'v>(block: &mut Block<'v>, part: &'v RowBlock<'_>) {
    let added = &part.batch.enrichment;
    for (name, flags) in [
        ("src_is_client", &added.src_is_client),
        ("accounting", &added.accounting),
    ] {
        if !flags.is_empty() {
            block.full(name, part.of_column(flags, 1));
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
            let symbols = part.of_column(texts.rows(), Symbol::default());
            block.texts(name, texts.texts(), symbols);
        }
    }
}

/// Codes without gaps of their own: a number that is no code is a gap.
fn put_codes<'v>(
    block: &mut Block<'v>,
    part: &'v RowBlock<'_>,
    name: &'static str,
    codes: &'v [u8],
    known: fn(u8) -> bool,
) {
    if codes.is_empty() {
        return;
    }
    let nulls = part
        .of_column(codes, 0)
        .map(move |code| u8::from(!known(code)));
    let type_name = code_type(name).unwrap_or_default();
    block.nullable(name, &type_name, part.of_column(codes, 0), nulls);
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
        let part = RowBlock::of(&batch, vec![0]);
        let names = part.block(stamp).names().to_vec();
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
        let part = RowBlock::of(&whole, vec![2, 3]);
        let alone = RowBlock::of(&tail, vec![0, 1]);
        let (part, alone) = (part.block(stamp).encode(), alone.block(stamp).encode());
        assert_eq!(part.names, alone.names);
        assert_eq!(part.octets, alone.octets);
    }
}
