//! What answers may tell of the rows that somebody may see: names that these have, and no more than their sums.

use std::collections::BTreeSet;

use store::question::Dimension;

use super::said::ends;
use crate::rows::Row;

/// Counts of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) octets: u64,
    pub(super) packets: u64,
    pub(super) flows: u64,
    pub(super) clients: u64,
}

/// The most that rows come to.
pub(super) fn sums(rows: &[&Row]) -> Counts {
    let mut sums = Counts::default();
    let mut clients = BTreeSet::new();
    for row in rows {
        let times = u64::from(row.sampling.unwrap_or(1));
        let (octets, packets) = row.reverse.unwrap_or_default();
        sums.octets += (row.octets + octets) * times;
        sums.packets += (row.packets + packets) * times;
        sums.flows += 1;
        clients.insert(ends(row).0);
    }
    sums.clients = clients.len() as u64;
    sums
}

/// The rows of a group, by its names in these dimensions.
pub(super) fn group<'a>(
    rows: &[&'a Row],
    dimensions: &[Dimension],
    names: &[String],
) -> Vec<&'a Row> {
    assert_eq!(dimensions.len(), names.len(), "{names:?}");
    let has_all = |row: &Row| {
        let pairs = std::iter::zip(dimensions, names);
        pairs
            .into_iter()
            .all(|(dimension, name)| names_of(*dimension, row).contains(name))
    };
    rows.iter().copied().filter(|row| has_all(row)).collect()
}

/// What a row is called in a dimension, as people read it.
fn names_of(dimension: Dimension, row: &Row) -> Vec<String> {
    let or_unknown = |name: &str| match name {
        "" => "(unknown)".to_owned(),
        name => name.to_owned(),
    };
    let (client, server) = ends(row);
    let port = match row.src_is_client {
        true => row.destination_port,
        false => row.source_port,
    };
    let protocol = match row.protocol {
        6 => "tcp",
        _ => "udp",
    };
    let exporter = match row.exporter_name {
        "" => row.exporter,
        name => name,
    };
    match dimension {
        Dimension::Applications => vec![or_unknown(row.application)],
        Dimension::Clients => vec![client.to_owned()],
        Dimension::Servers => vec![server.to_owned()],
        Dimension::Conversations => {
            let server = match server.contains(':') {
                true => format!("[{server}]"),
                false => server.to_owned(),
            };
            vec![format!("{client} → {server}:{port}/{protocol}")]
        }
        Dimension::Exporters => vec![exporter.to_owned()],
        Dimension::Interfaces => [("in", row.interfaces.0), ("out", row.interfaces.1)]
            .map(|(way, index)| {
                let index = index.map_or("(unknown)".to_owned(), |index| index.to_string());
                format!("{exporter} / {index} {way}")
            })
            .to_vec(),
        Dimension::Sites => vec![or_unknown(row.sites.0), or_unknown(row.sites.1)],
        Dimension::Protocols => vec![protocol.to_owned()],
        Dimension::Ports => vec![format!("{port}/{protocol}")],
        Dimension::Directions => {
            let all = ["from client", "from server"].map(str::to_owned);
            match (row.reverse, row.src_is_client) {
                (Some(_), _) => all.to_vec(),
                (None, true) => vec![all[0].clone()],
                (None, false) => vec![all[1].clone()],
            }
        }
    }
}
