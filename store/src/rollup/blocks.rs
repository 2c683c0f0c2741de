//! Rollups as blocks of the engine.

use std::net::Ipv6Addr;

use flow::{FlowBatch, Timestamp};

use super::cells::{Cells, Family, Numbers};
use super::{Extent, Rollups, days, lived};
use crate::block::side;
use crate::native::{Block, Encoded};

/// Buckets of one block, at most. The engine makes a set of clients of each.
///
/// Measured with an engine of 1 GB, where a statement has 334 MiB: 500,000 are too many.
const CELLS_MAX: usize = 100_000;

/// A block, the table that it is for, and its name among those of the same rows.
#[derive(Debug)]
pub(crate) struct SumBlock {
    pub(crate) table: &'static str,
    pub(crate) name: String,
    pub(crate) block: Encoded,
}

/// All blocks, in an order and under names that the rows alone decide.
pub(crate) fn parts(made: &Rollups<'_>) -> Vec<SumBlock> {
    let mut parts = Vec::new();
    let mut add = |table, number: usize, block| {
        let name = format!("{table}.{number}");
        parts.push(SumBlock { table, name, block });
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

/// Buckets as rows of a block.
struct Rows<'c> {
    chunks: &'c [Chunk<'c>],
    /// Cell and client.
    clients: Vec<(u32, u32)>,
    /// How many clients each bucket has.
    sizes: Vec<usize>,
}

impl<'c> Rows<'c> {
    fn of(chunks: &'c [Chunk<'c>]) -> Self {
        let clients = chunks.iter().flat_map(Chunk::clients).copied().collect();
        let mut sizes = Vec::new();
        for chunk in chunks {
            let start = sizes.len();
            sizes.resize(start + chunk.to - chunk.from, 0);
            for (cell, _) in chunk.clients() {
                sizes[start + *cell as usize - chunk.from] += 1;
            }
        }
        Self {
            chunks,
            clients,
            sizes,
        }
    }

    /// Width, start and group of each.
    fn places(&self) -> impl Iterator<Item = (i64, (i64, u32))> + Clone + use<'c> {
        self.chunks.iter().flat_map(|chunk| {
            let places = &chunk.cells.places.values[chunk.from..chunk.to];
            places.iter().map(|place| (chunk.cells.width_s, *place))
        })
    }

    /// The group of each.
    fn groups<K>(
        &self,
        groups: &'c Numbers<K>,
    ) -> impl Iterator<Item = &'c K> + Clone + use<'c, K> {
        self.places()
            .map(|(_, (_, group))| &groups.values[group as usize])
    }

    /// The part that both families have: bucket, sums and clients.
    fn block<'v>(&'v self, made: &'v Rollups<'_>) -> Block<'v> {
        let mut block = Block::new(self.sizes.len());
        let width = |seconds: i64| u16::try_from(seconds).unwrap_or(u16::MAX);
        let widths = self.places().map(move |(width_s, _)| width(width_s));
        block.full("width", widths);
        let buckets = self.places().map(|(_, (bucket_s, _))| bucket_s);
        block.typed_full("bucket", "DateTime64(0, 'UTC')", buckets);
        let sums = self
            .chunks
            .iter()
            .flat_map(|chunk| &chunk.cells.sums[chunk.from..chunk.to]);
        block.full("octets", sums.clone().map(|sums| sums.octets));
        block.full("packets", sums.clone().map(|sums| sums.packets));
        block.full("flows", sums.clone().map(|sums| sums.flows));
        block.full("begun", sums.clone().map(|sums| sums.begun));
        let stored_at = sums.map(|sums| sums.stored_at);
        block.typed_full("stored_at", "DateTime('UTC')", stored_at);
        let addresses = self
            .clients
            .iter()
            .map(|(_, client)| Ipv6Addr::from_bits(made.clients.values[*client as usize]));
        block.sets("clients", self.sizes.iter().copied(), addresses);
        block
    }
}

fn traffic(made: &Rollups<'_>, chunks: &[Chunk<'_>]) -> Encoded {
    let added = &made.batch.enrichment;
    let rows = Rows::of(chunks);
    let groups = || rows.groups(&made.traffic.groups);
    let mut block = rows.block(made);
    block.full("feed", groups().map(|group| group.feed));
    block.typed_full("day", "Date", groups().map(|group| group.day));
    let applications = groups().map(|group| group.application);
    block.texts("application", added.application.texts(), applications);
    let sites = groups().map(|group| group.client_site);
    block.texts("client_site", added.client_site.texts(), sites);
    let sites = groups().map(|group| group.server_site);
    block.texts("server_site", added.server_site.texts(), sites);
    block.encode()
}

fn interfaces(made: &Rollups<'_>, chunks: &[Chunk<'_>]) -> Encoded {
    let added = &made.batch.enrichment;
    let rows = Rows::of(chunks);
    let groups = || rows.groups(&made.interfaces.groups);
    let mut block = rows.block(made);
    block.full("feed", groups().map(|group| group.feed));
    block.typed_full("day", "Date", groups().map(|group| group.day));
    let exporters = groups().map(|group| Ipv6Addr::from_bits(group.exporter));
    block.full("exporter", exporters);
    block.gaps("in_interface", groups().map(|group| group.in_interface));
    block.gaps("out_interface", groups().map(|group| group.out_interface));
    let names = groups().map(|group| group.exporter_name);
    block.texts("exporter_name", added.exporter_name.texts(), names);
    let names = groups().map(|group| group.in_interface_name);
    block.texts("in_interface_name", added.in_interface_name.texts(), names);
    let names = groups().map(|group| group.out_interface_name);
    block.texts(
        "out_interface_name",
        added.out_interface_name.texts(),
        names,
    );
    block.encode()
}

fn extents(extents: &[Extent]) -> Encoded {
    let mut block = Block::new(extents.len());
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
    block.encode()
}

fn long_flows(batch: &FlowBatch, rows: &[(u32, u32)]) -> Encoded {
    let (origin, columns, added) = (&batch.origin, &batch.columns, &batch.enrichment);
    let mut block = Block::new(rows.len());
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
        let symbols = places().map(move |row| column.rows().get(row).copied().unwrap_or_default());
        block.texts(name, column.texts(), symbols);
    }
    block.encode()
}
