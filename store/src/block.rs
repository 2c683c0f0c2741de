//! Rows of a [`FlowBatch`] as a block of the table `flows`. Columns that no row of the batch has are left out; the
//! table's defaults apply.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::ops::Range;

use flow::batch::{
    ApplicationSource, ClientEvidence, Columns, CounterKind, SamplingSource, TimeKind, TimeQuality,
};
use flow::column::Column;
use flow::measure::MEASURES;
use flow::{FlowBatch, Timestamp};

use crate::native::Block;

/// Who collected the batch and when it goes to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) collector: &'a str,
    pub(crate) stored_at: Timestamp,
}

/// The block of these rows of a batch.
pub(crate) fn block(batch: &FlowBatch, rows: Range<usize>, stamp: Stamp<'_>) -> Block {
    let mut block = Block::new(rows.len());
    let part = Part { batch, rows };
    put_origin(&mut block, &part, stamp);
    put_life(&mut block, &part);
    put_ends(&mut block, &part);
    put_plain(&mut block, &part);
    put_pairs(&mut block, &part);
    put_enrichment(&mut block, &part);
    block
}

/// Some rows of a batch, one after the other.
struct Part<'b> {
    batch: &'b FlowBatch,
    rows: Range<usize>,
}

impl Part<'_> {
    /// Of a column, which may end before the batch does.
    fn of<'c, T>(&self, column: &'c [T]) -> &'c [T] {
        let end = self.rows.end.min(column.len());
        &column[self.rows.start.min(end)..end]
    }

    /// Of pairs by where each row's end: where they end within the part, and which they are.
    fn of_pairs(&self, ends: &[u64]) -> (Vec<u64>, Range<usize>) {
        let before = match self.rows.start {
            0 => 0,
            start => ends.get(start - 1).or(ends.last()).copied().unwrap_or(0),
        };
        let own: Vec<u64> = self.of(ends).iter().map(|end| end - before).collect();
        let place = |end: u64| usize::try_from(end).unwrap_or(usize::MAX);
        let count = own.last().copied().unwrap_or(0);
        (own, place(before)..place(before + count))
    }
}

fn put_origin(block: &mut Block, part: &Part<'_>, stamp: Stamp<'_>) {
    let origin = &part.batch.origin;
    let seconds = u32::try_from(stamp.stored_at.seconds().max(0)).unwrap_or(u32::MAX);
    block.typed_full("stored_at", "DateTime('UTC')", &[], seconds);
    block.constant_text("collector", stamp.collector);
    block.full("received_at", part.of(&origin.received_at), 0);
    block.full("tape_segment", part.of(&origin.tape_segment), 0);
    block.full("tape_offset", part.of(&origin.tape_offset), 0);
    block.full("record_offset", part.of(&origin.record_offset), 0);
    block.full("feed", part.of(&origin.feed), 0);
    block.full("exporter", part.of(&origin.exporter), Ipv6Addr::UNSPECIFIED);
    block.full("domain", part.of(&origin.domain), 0);
    block.full("version", part.of(&origin.version), 0);
    block.full("template", part.of(&origin.template), 0);
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
    let (start, end) = (&part.batch.columns.start, &part.batch.columns.end);
    let lives = part.rows.clone().map(|row| life(part.batch, row));
    let (begins_at, ends_at): (Vec<i64>, Vec<i64>) = lives.unzip();
    block.full("begins_at", &begins_at, 0);
    block.full("ends_at", &ends_at, 0);
    for (name, column) in [("has_start", start), ("has_end", end)] {
        let nulls = part.of(column.nulls());
        let has: Vec<u8> = nulls.iter().map(|null| 1 - null).collect();
        block.full(name, &has, 0);
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
    let src_is_client = &part.batch.enrichment.src_is_client;
    if source.is_absent() && destination.is_absent() {
        return;
    }
    if !part.of(src_is_client).contains(&0) {
        put_column(block, part, client, source);
        put_column(block, part, server, destination);
        return;
    }
    let rows = part.rows.len();
    for (name, if_client, if_server) in
        [(client, source, destination), (server, destination, source)]
    {
        let (mut values, mut nulls) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in part.rows.clone() {
            let from = if src_is_client.get(row) == Some(&0) {
                if_server
            } else {
                if_client
            };
            let value = from.get(row);
            values.push(value.unwrap_or(T::BLANK));
            nulls.push(u8::from(value.is_none()));
        }
        block.nullable_parts(name, T::TYPE, &values, &nulls);
    }
}

macro_rules! plain {
    ($($name:ident: $type:ty,)+) => {
        /// Every column of the vocabulary that is stored as it is.
        fn put_plain(block: &mut Block, part: &Part<'_>) {
            let columns: &Columns = &part.batch.columns;
            $(if !columns.$name.is_absent() && !STORED_APART.contains(&stringify!($name)) {
                put_column(block, part, stringify!($name), &columns.$name);
            })+
        }
    };
}
flow::for_each_column!(plain);

/// Columns that are stored in another form, by [`put_life`] and [`put_ends`].
pub(crate) const STORED_APART: &[&str] = &[
    "start", "end", "src_addr", "dst_addr", "src_port", "dst_port",
];

fn put_column<T: crate::native::Fixed>(
    block: &mut Block,
    part: &Part<'_>,
    name: &'static str,
    column: &Column<T>,
) {
    let type_name = code_type(name).unwrap_or_else(|| T::TYPE.to_owned());
    let (values, nulls) = (part.of(column.values()), part.of(column.nulls()));
    block.nullable_parts(name, &type_name, values, nulls);
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
        let (ends, own) = part.of_pairs(measures.ends());
        let keys = Keys::of(measures.keys()[own.clone()].iter(), |id| {
            MEASURES
                .get(usize::from(**id))
                .map_or("", |known| known.name)
        });
        let names = keys.names.into_iter();
        block.map_keys("measures", "UInt64", &ends, names, keys.places.into_iter());
        block.map_numbers(&measures.values()[own]);
    }
    let extras = &part.batch.extras;
    if !extras.is_absent() {
        let (ends, own) = part.of_pairs(extras.ends());
        let keys = Keys::of(extras.keys()[own.clone()].iter().map(|key| &**key), |key| {
            *key
        });
        let names = keys.names.into_iter();
        block.map_keys("extras", "String", &ends, names, keys.places.into_iter());
        block.map_texts(extras.values()[own].iter().map(String::as_str));
    }
}

/// The keys of pairs as a dictionary of those that occur, and which of them each pair has, from 1.
struct Keys<'k> {
    names: Vec<&'k str>,
    places: Vec<usize>,
}

impl<'k> Keys<'k> {
    fn of<K: Eq + std::hash::Hash>(
        keys: impl Iterator<Item = K>,
        name: impl Fn(&K) -> &'k str,
    ) -> Self {
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let place = |key: K| match numbers.get(&key) {
            Some(number) => *number,
            None => {
                names.push(name(&key));
                numbers.insert(key, names.len());
                names.len()
            }
        };
        let places = keys.map(place).collect();
        Self { names, places }
    }
}

fn put_enrichment(block: &mut Block, part: &Part<'_>) {
    let added = &part.batch.enrichment;
    for (name, flags) in [
        ("src_is_client", &added.src_is_client),
        ("accounting", &added.accounting),
    ] {
        if !flags.is_empty() {
            block.full(name, part.of(flags), 1);
        }
    }
    let evidence = part.of(&added.client_evidence);
    put_codes(block, "client_evidence", evidence, |code| {
        ClientEvidence::from_u8(code).is_some()
    });
    let source = part.of(&added.application_source);
    put_codes(block, "application_source", source, |code| {
        ApplicationSource::from_u8(code).is_some()
    });
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
            block.texts(name, texts.texts(), part.of(texts.rows()));
        }
    }
}

/// Codes without gaps of their own: a number that is no code is a gap.
fn put_codes(block: &mut Block, name: &'static str, codes: &[u8], known: impl Fn(u8) -> bool) {
    if codes.is_empty() {
        return;
    }
    let nulls: Vec<u8> = codes.iter().map(|code| u8::from(!known(*code))).collect();
    let type_name = code_type(name).unwrap_or_default();
    block.nullable_parts(name, &type_name, codes, &nulls);
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
            assert!(FLOWS.contains(&line), "0001_flows.sql lacks {name}");
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
            stored_at: Timestamp::EPOCH,
        };
        let names = block(&batch, 0..1, stamp).names().to_vec();
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
            stored_at: Timestamp::EPOCH,
        };
        let part = block(&whole, 2..4, stamp);
        let alone = block(&tail, 0..2, stamp);
        assert_eq!(part.names(), alone.names());
        assert_eq!(part.finish(), alone.finish());
    }
}
