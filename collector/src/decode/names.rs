//! Names that exporters tell in options data: interfaces, applications, VRFs.

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::FlowBatch;
use flow::column::{Column, Symbol, TextColumn};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// What one exporter told, all its domains together: line cards share interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    /// By ifIndex.
    pub(crate) interfaces: BTreeMap<u64, Arc<str>>,
    /// By application id, as the column has it.
    pub(crate) applications: BTreeMap<u64, Arc<str>>,
    /// By VRF id.
    pub(crate) vrfs: BTreeMap<u64, Arc<str>>,
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    Known,
    New,
    /// There is no room for more.
    Full,
}

/// Remembers a name.
pub(crate) fn learn(
    names: &mut BTreeMap<u64, Arc<str>>,
    id: u64,
    name: &str,
    max: usize,
) -> Learned {
    if names.get(&id).is_some_and(|known| **known == *name) {
        return Learned::Known;
    }
    if names.len() >= max && !names.contains_key(&id) {
        return Learned::Full;
    }
    names.insert(id, name.into());
    Learned::New
}

impl Names {
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
    names: &BTreeMap<u64, Arc<str>>,
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
