//! A [`FlowBatch`] as a block of the table `flows`. Columns that no row has are left out; the table's defaults apply.

use std::collections::HashMap;
use std::net::Ipv6Addr;

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

/// The block of a batch.
pub(crate) fn block(batch: &FlowBatch, stamp: Stamp<'_>) -> Block {
    let mut block = Block::new(batch.rows());
    put_origin(&mut block, batch, stamp);
    put_life(&mut block, batch);
    put_ends(&mut block, batch);
    put_plain(&mut block, &batch.columns);
    put_pairs(&mut block, batch);
    put_enrichment(&mut block, batch);
    block
}

fn put_origin(block: &mut Block, batch: &FlowBatch, stamp: Stamp<'_>) {
    let origin = &batch.origin;
    let seconds = u32::try_from(stamp.stored_at.seconds().max(0)).unwrap_or(u32::MAX);
    block.typed_full("stored_at", "DateTime('UTC')", &[], seconds);
    block.constant_text("collector", stamp.collector);
    block.full("received_at", &origin.received_at, 0);
    block.full("tape_segment", &origin.tape_segment, 0);
    block.full("tape_offset", &origin.tape_offset, 0);
    block.full("record_offset", &origin.record_offset, 0);
    block.full("feed", &origin.feed, 0);
    block.full("exporter", &origin.exporter, Ipv6Addr::UNSPECIFIED);
    block.full("domain", &origin.domain, 0);
    block.full("version", &origin.version, 0);
    block.full("template", &origin.template, 0);
}

/// The flow's life as the schema wants it: never absent, never before 1970, never the wrong way round.
fn put_life(block: &mut Block, batch: &FlowBatch) {
    let (start, end) = (&batch.columns.start, &batch.columns.end);
    let mut begins_at = Vec::with_capacity(batch.rows());
    let mut ends_at = Vec::with_capacity(batch.rows());
    for (row, received_at) in batch.origin.received_at.iter().enumerate() {
        let (first, last) = (start.get(row), end.get(row));
        let begin = first.or(last).unwrap_or(*received_at).max(0);
        begins_at.push(begin);
        ends_at.push(last.unwrap_or(begin).max(begin));
    }
    block.full("begins_at", &begins_at, 0);
    block.full("ends_at", &ends_at, 0);
    for (name, column) in [("has_start", start), ("has_end", end)] {
        let has: Vec<u8> = column.nulls().iter().map(|null| 1 - null).collect();
        block.full(name, &has, 0);
    }
}

/// Source and destination, as client and server.
fn put_ends(block: &mut Block, batch: &FlowBatch) {
    let columns = &batch.columns;
    let sides = &batch.enrichment.src_is_client;
    put_sides(
        block,
        ["client_addr", "server_addr"],
        [&columns.src_addr, &columns.dst_addr],
        sides,
    );
    put_sides(
        block,
        ["client_port", "server_port"],
        [&columns.src_port, &columns.dst_port],
        sides,
    );
}

fn put_sides<T: crate::native::Fixed>(
    block: &mut Block,
    [client, server]: [&'static str; 2],
    [source, destination]: [&Column<T>; 2],
    src_is_client: &[u8],
) {
    if source.is_absent() && destination.is_absent() {
        return;
    }
    if !src_is_client.contains(&0) {
        block.nullable(client, source);
        block.nullable(server, destination);
        return;
    }
    let rows = source.values().len().max(destination.values().len());
    for (name, if_client, if_server) in
        [(client, source, destination), (server, destination, source)]
    {
        let (mut values, mut nulls) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows {
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
        fn put_plain(block: &mut Block, columns: &Columns) {
            $(put_column(block, stringify!($name), &columns.$name);)+
        }
    };
}
flow::for_each_column!(plain);

/// Columns that are stored in another form, by [`put_life`] and [`put_ends`].
pub(crate) const STORED_APART: &[&str] = &[
    "start", "end", "src_addr", "dst_addr", "src_port", "dst_port",
];

fn put_column<T: crate::native::Fixed>(block: &mut Block, name: &'static str, column: &Column<T>) {
    if column.is_absent() || STORED_APART.contains(&name) {
        return;
    }
    match code_type(name) {
        Some(type_name) => {
            block.nullable_parts(name, &type_name, column.values(), column.nulls());
        }
        None => block.nullable(name, column),
    }
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

fn put_pairs(block: &mut Block, batch: &FlowBatch) {
    let measures = &batch.measures;
    if !measures.is_absent() {
        // Only the keys that occur, so that the dictionary stays small.
        let mut numbers = HashMap::new();
        let mut names = Vec::new();
        for id in measures.keys() {
            numbers.entry(*id).or_insert_with(|| {
                names.push(
                    MEASURES
                        .get(usize::from(*id))
                        .map_or("", |measure| measure.name),
                );
                names.len()
            });
        }
        let keys = measures.keys().iter().map(|id| numbers[id]);
        block.map_keys(
            "measures",
            "UInt64",
            measures.ends(),
            names.iter().copied(),
            keys,
        );
        block.map_numbers(measures.values());
    }
    let extras = &batch.extras;
    if !extras.is_absent() {
        let mut numbers = HashMap::new();
        let mut names = Vec::new();
        for key in extras.keys() {
            numbers.entry(&**key).or_insert_with(|| {
                names.push(&**key);
                names.len()
            });
        }
        let keys = extras.keys().iter().map(|key| numbers[&**key]);
        block.map_keys(
            "extras",
            "String",
            extras.ends(),
            names.iter().copied(),
            keys,
        );
        block.map_texts(extras.values().iter().map(String::as_str));
    }
}

fn put_enrichment(block: &mut Block, batch: &FlowBatch) {
    let added = &batch.enrichment;
    for (name, flags) in [
        ("src_is_client", &added.src_is_client),
        ("accounting", &added.accounting),
    ] {
        if !flags.is_empty() {
            block.full(name, flags, 1);
        }
    }
    put_codes(block, "client_evidence", &added.client_evidence, |code| {
        ClientEvidence::from_u8(code).is_some()
    });
    put_codes(
        block,
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
            block.texts(name, texts);
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
        let names = block(&batch, stamp).names().to_vec();
        assert!(names.contains(&"octets") && !names.contains(&"packets"));
        assert!(!names.contains(&"client_addr") && !names.contains(&"measures"));
    }
}
