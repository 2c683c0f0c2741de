//! Names that exporters tell in options data: interfaces, applications, VRFs.

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::FlowBatch;
use flow::column::{Column, Symbol, TextColumn};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::config::DecodeConfig;

/// A name beside its letters: its place in a tree that is half empty, and the counts before the letters.
const NAME_OCTETS: usize = 96;

/// Names of one kind, by number: ifIndex, application id as the column has it, VRF id.
type ById = BTreeMap<u64, Arc<str>>;

/// What one exporter told, all its domains together: line cards share interfaces. At most `names_max` of each kind, of at
/// most `text_octets_max` octets each; where there is no room a new one is left out and
/// [`super::Problem::NamesFull`] grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    interfaces: ById,
    applications: ById,
    vrfs: ById,
    /// Octets of all.
    #[serde(skip)]
    octets: usize,
}

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Interface,
    Application,
    Vrf,
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    Known,
    New,
    /// There is no room for more.
    Full,
}

impl Names {
    /// As they were written down, counted again.
    pub(crate) fn restored(self) -> Self {
        let all = [&self.interfaces, &self.applications, &self.vrfs];
        let names = all.into_iter().flat_map(ById::values);
        Self {
            octets: names.map(|name| NAME_OCTETS + name.len()).sum(),
            ..self
        }
    }

    /// Octets of all of them.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Remembers a name that takes at most `room` octets; says whether it had to be cut.
    pub(crate) fn learn(
        &mut self,
        kind: Kind,
        id: u64,
        name: &str,
        room: usize,
        config: &DecodeConfig,
    ) -> (Learned, bool) {
        let names = match kind {
            Kind::Interface => &mut self.interfaces,
            Kind::Application => &mut self.applications,
            Kind::Vrf => &mut self.vrfs,
        };
        let whole = name;
        let name = &whole[..whole.floor_char_boundary(config.text_octets_max)];
        let cut = name.len() < whole.len();
        let known = names.get(&id).map(|known| known.len());
        if names.get(&id).is_some_and(|known| **known == *name) {
            return (Learned::Known, cut);
        }
        let more = match known {
            Some(length) => name.len().saturating_sub(length),
            None => NAME_OCTETS + name.len(),
        };
        if more > room || (known.is_none() && names.len() >= config.names_max) {
            return (Learned::Full, cut);
        }
        names.insert(id, name.into());
        self.octets += match known {
            Some(_) => name.len(),
            None => NAME_OCTETS + name.len(),
        };
        self.octets -= known.unwrap_or(0);
        (Learned::New, cut)
    }

    /// Writes the names of rows `from..` of the batch.
    pub(crate) fn fill(&self, batch: &mut FlowBatch, from: usize) {
        let rows = from..batch.rows();
        let (columns, enrichment) = (&batch.columns, &mut batch.enrichment);
        if !self.interfaces.is_empty() {
            let (into, out) = (&columns.in_interface, &columns.out_interface);
            write(
                &self.interfaces,
                into,
                &mut enrichment.in_interface_name,
                rows.clone(),
            );
            write(
                &self.interfaces,
                out,
                &mut enrichment.out_interface_name,
                rows.clone(),
            );
        }
        if !self.vrfs.is_empty() {
            write(
                &self.vrfs,
                &columns.in_vrf,
                &mut enrichment.in_vrf_name,
                rows.clone(),
            );
        }
        if !self.applications.is_empty() {
            let ids = &columns.exporter_application_id;
            write(
                &self.applications,
                ids,
                &mut enrichment.exporter_application,
                rows,
            );
        }
    }
}

/// Few different ids stand in one Set: each is looked up once.
fn write<T: flow::column::Blank + Into<u64>>(
    names: &ById,
    ids: &Column<T>,
    texts: &mut TextColumn,
    rows: std::ops::Range<usize>,
) {
    let mut symbols: FxHashMap<u64, Option<Symbol>> = FxHashMap::default();
    for row in rows {
        let Some(id) = ids.get(row).map(Into::into) else {
            continue;
        };
        let symbol = *symbols
            .entry(id)
            .or_insert_with(|| names.get(&id).map(|name| texts.intern(name)));
        if let Some(symbol) = symbol
            && texts.get(row).is_none()
        {
            texts.set(row, symbol);
        }
    }
}
