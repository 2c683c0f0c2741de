//! Rollups as blocks of the engine.

use std::net::Ipv6Addr;

use flow::column::{Symbol, TextColumn};
use flow::{FlowBatch, Timestamp};

use super::cells::{Cells, Family};
use super::{Extent, Interfaces, Rollups, Traffic, days, lived};
use crate::block::side;
use crate::native::Block;

/// Buckets of one block, at most. The engine makes a set of clients of each.
///
/// Measured with an engine of 1 GB, where a statement has 334 MiB: 500,000 are too many.
const CELLS_MAX: usize = 100_000;
/// What a bucket takes without its clients.
const OCTETS_A_CELL: usize = 96;

/// A block, the table that it is for, and its name among those of the same rows.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) table: &'static str,
    pub(crate) name: String,
    pub(crate) block: Block,
}

/// All blocks, in an order and under names that the rows alone decide.
pub(crate) fn parts(made: &Rollups<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |table, number: usize, block| {
        let name = format!("{table}.{number}");
        parts.push(Part { table, name, block });
    };
    for (number, cells) in chunks(&made.traffic).enumerate() {
        add("traffic_intake", number, traffic(made, &cells));
    }
    for (number, cells) in chunks(&made.interfaces).enumerate() {
        add("interfaces_intake", number, interfaces(made, &cells));
    }
    if !made.extents.is_empty() {
        add("extents", 0, extents(&made.extents));
    }
    if !made.long.is_empty() {
        add("long_flows", 0, long_flows(made.batch, &made.long));
    }
    parts
}

/// Some buckets of one width.
struct Chunk<'c> {
    cells: &'c Cells,
    from: usize,
    to: usize,
}

/// The buckets of both widths, in chunks of at most [`CELLS_MAX`]. In most batches it is one of each.
fn chunks<K>(family: &Family<K>) -> impl Iterator<Item = Vec<Chunk<'_>>> {
    let (mut found, mut open, mut room) = (Vec::new(), Vec::new(), CELLS_MAX);
    for cells in [&family.tens, &family.minutes] {
        let mut from = 0;
        while from < cells.sums.len() {
            let to = cells.sums.len().min(from + room);
            open.push(Chunk { cells, from, to });
            room -= to - from;
            from = to;
            if room == 0 {
                found.push(std::mem::take(&mut open));
                room = CELLS_MAX;
            }
        }
    }
    if !open.is_empty() {
        found.push(open);
    }
    found.into_iter()
}

impl<'c> Chunk<'c> {
    /// Its clients: cell and client.
    fn clients(&self) -> &'c [(u32, u32)] {
        let clients = &self.cells.clients;
        let before = |place: usize| clients.partition_point(|(cell, _)| (*cell as usize) < place);
        &clients[before(self.from)..before(self.to)]
    }
}

/// The part that both families have: bucket, sums and clients; `groups` writes the rest, a group a row.
fn bucketed(
    made: &Rollups<'_>,
    chunks: &[Chunk<'_>],
    groups: impl FnOnce(&mut Block, &[u32]),
) -> Block {
    let rows: usize = chunks.iter().map(|chunk| chunk.to - chunk.from).sum();
    let clients: Vec<(u32, u32)> = chunks.iter().flat_map(Chunk::clients).copied().collect();
    let mut block = Block::new(rows, rows * OCTETS_A_CELL + clients.len() * 17);
    let places = chunks.iter().flat_map(|chunk| {
        let places = &chunk.cells.places.values[chunk.from..chunk.to];
        places.iter().map(|place| (chunk.cells.width_s, *place))
    });
    let width = |seconds: i64| u16::try_from(seconds).unwrap_or(u16::MAX);
    block.full("width", places.clone().map(|(width_s, _)| width(width_s)));
    let buckets = places.clone().map(|(_, (bucket_s, _))| bucket_s);
    block.typed_full("bucket", "DateTime64(0, 'UTC')", buckets);
    let sums = chunks
        .iter()
        .flat_map(|chunk| &chunk.cells.sums[chunk.from..chunk.to]);
    block.full("octets", sums.clone().map(|sums| sums.octets));
    block.full("packets", sums.clone().map(|sums| sums.packets));
    block.full("flows", sums.clone().map(|sums| sums.flows));
    block.full("begun", sums.clone().map(|sums| sums.begun));
    block.typed_full(
        "stored_at",
        "DateTime('UTC')",
        sums.map(|sums| sums.stored_at),
    );
    let addresses = clients
        .iter()
        .map(|(_, client)| Ipv6Addr::from_bits(made.clients.values[*client as usize]));
    block.sets("clients", sizes(chunks).into_iter(), addresses);
    let numbers: Vec<u32> = places.map(|(_, (_, group))| group).collect();
    groups(&mut block, &numbers);
    block
}

/// How many clients each bucket has.
fn sizes(chunks: &[Chunk<'_>]) -> Vec<usize> {
    let mut sizes = Vec::new();
    for chunk in chunks {
        let start = sizes.len();
        sizes.resize(start + chunk.to - chunk.from, 0);
        for (cell, _) in chunk.clients() {
            sizes[start + *cell as usize - chunk.from] += 1;
        }
    }
    sizes
}

/// A column of names, and a group's symbol in it.
type Texts<'b, K> = (&'static str, &'b TextColumn, fn(&K) -> Symbol);

fn traffic(made: &Rollups<'_>, chunks: &[Chunk<'_>]) -> Block {
    let added = &made.batch.enrichment;
    bucketed(made, chunks, |block, numbers| {
        let groups = || {
            numbers
                .iter()
                .map(|number| &made.traffic.groups.values[*number as usize])
        };
        block.full("feed", groups().map(|group| group.feed));
        block.typed_full("day", "Date", groups().map(|group| group.day));
        let symbol: [Texts<'_, Traffic>; 3] = [
            ("application", &added.application, |group| group.application),
            ("client_site", &added.client_site, |group| group.client_site),
            ("server_site", &added.server_site, |group| group.server_site),
        ];
        for (name, column, symbol) in symbol {
            block.texts(name, column.texts(), groups().map(symbol));
        }
    })
}

fn interfaces(made: &Rollups<'_>, chunks: &[Chunk<'_>]) -> Block {
    let added = &made.batch.enrichment;
    bucketed(made, chunks, |block, numbers| {
        let groups = || {
            numbers
                .iter()
                .map(|number| &made.interfaces.groups.values[*number as usize])
        };
        block.full("feed", groups().map(|group| group.feed));
        block.typed_full("day", "Date", groups().map(|group| group.day));
        block.full(
            "exporter",
            groups().map(|group| Ipv6Addr::from_bits(group.exporter)),
        );
        block.gaps("in_interface", groups().map(|group| group.in_interface));
        block.gaps("out_interface", groups().map(|group| group.out_interface));
        let symbol: [Texts<'_, Interfaces>; 3] = [
            ("exporter_name", &added.exporter_name, |group| {
                group.exporter_name
            }),
            ("in_interface_name", &added.in_interface_name, |group| {
                group.in_interface_name
            }),
            ("out_interface_name", &added.out_interface_name, |group| {
                group.out_interface_name
            }),
        ];
        for (name, column, symbol) in symbol {
            block.texts(name, column.texts(), groups().map(symbol));
        }
    })
}

fn extents(extents: &[Extent]) -> Block {
    let mut block = Block::new(extents.len(), extents.len() * 40);
    let seconds = |seconds: i64| u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
    let arrivals = extents.iter().map(|extent| seconds(extent.arrival_s));
    block.typed_full("arrival", "DateTime('UTC')", arrivals);
    let months = extents.iter().map(|extent| {
        let arrival = Timestamp::from_seconds(extent.arrival_s);
        days(arrival.start_of_month().seconds())
    });
    block.typed_full("month", "Date", months);
    block.full("flows", extents.iter().map(|extent| extent.flows));
    block.full("begins_at", extents.iter().map(|extent| extent.first));
    block.full("ends_at", extents.iter().map(|extent| extent.last));
    let stored_at = extents.iter().map(|extent| extent.stored_at);
    block.typed_full("stored_at", "DateTime('UTC')", stored_at);
    block
}

fn long_flows(batch: &FlowBatch, rows: &[(u32, u32)]) -> Block {
    let (origin, columns, added) = (&batch.origin, &batch.columns, &batch.enrichment);
    let mut block = Block::new(rows.len(), rows.len() * 160);
    let places = || rows.iter().map(|(row, _)| *row as usize);
    let lives = || {
        rows.iter()
            .map(|(row, stored_at)| lived(batch, *row as usize, *stored_at))
    };
    block.full("received_at", places().map(|row| origin.received_at[row]));
    block.typed_full(
        "stored_at",
        "DateTime('UTC')",
        lives().map(|life| life.stored_at),
    );
    block.full(
        "feed",
        places().map(|row| origin.feed.get(row).copied().unwrap_or(0)),
    );
    let accounting = |row: usize| added.accounting.get(row).copied().unwrap_or(1);
    block.full("accounting", places().map(accounting));
    block.full("begins_at", lives().map(|life| life.first));
    block.full("ends_at", lives().map(|life| life.last));
    block.full("total_octets", lives().map(|life| life.octets));
    block.full("total_packets", lives().map(|life| life.packets));
    block.full(
        "exporter",
        places().map(|row| {
            origin
                .exporter
                .get(row)
                .copied()
                .unwrap_or(Ipv6Addr::UNSPECIFIED)
        }),
    );
    block.gaps(
        "in_interface",
        places().map(|row| columns.in_interface.get(row)),
    );
    block.gaps(
        "out_interface",
        places().map(|row| columns.out_interface.get(row)),
    );
    let client = |row| side(added, row, [&columns.src_addr, &columns.dst_addr]);
    block.gaps("client_addr", places().map(client));
    for (name, column) in [
        ("application", &added.application),
        ("client_site", &added.client_site),
        ("server_site", &added.server_site),
        ("exporter_name", &added.exporter_name),
        ("in_interface_name", &added.in_interface_name),
        ("out_interface_name", &added.out_interface_name),
    ] {
        let symbols = places().map(|row| column.rows().get(row).copied().unwrap_or_default());
        block.texts(name, column.texts(), symbols);
    }
    block
}
