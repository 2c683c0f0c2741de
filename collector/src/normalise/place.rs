//! Sites of addresses, and what the operator calls exporters and their interfaces.

use std::net::IpAddr;

use flow::FlowBatch;
use flow::batch::SamplingSource;
use flow::site::{ExporterName, Site};
use rustc_hash::FxHashMap;

use super::names::{NameId, Names, Symbols};
use super::prefix::PrefixMap;
use super::table::{SetTable, words};

/// Sites by subnet, the longest prefix winning; of two sites with the same subnet the first.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    names: Names,
    /// The name's number plus one.
    by_subnet: PrefixMap<u32>,
    /// Addresses that were asked for, and the same.
    known: SetTable<3, 2>,
    clients: Symbols,
    servers: Symbols,
}

impl Sites {
    pub(super) fn new(addresses_max: usize, sites: &[Site]) -> Self {
        let (mut names, mut by_subnet) = (Names::default(), PrefixMap::<u32>::default());
        for site in sites {
            let name = names.add(&site.name);
            for net in &site.subnets {
                let kept = by_subnet.entry(*net);
                if *kept == 0 {
                    *kept = name.0 + 1;
                }
            }
        }
        Self {
            names,
            by_subnet,
            known: SetTable::new(addresses_max),
            clients: Symbols::default(),
            servers: Symbols::default(),
        }
    }

    pub(super) fn begin(&mut self) {
        self.clients.begin();
        self.servers.begin();
    }

    /// Writes the sites of both ends.
    #[inline]
    pub(super) fn write(&mut self, batch: &mut FlowBatch, row: usize, client: u128, server: u128) {
        if self.by_subnet.is_empty() {
            return;
        }
        if let Some(name) = self.site(client) {
            let column = &mut batch.enrichment.client_site;
            self.clients.write(column, row, &self.names, name);
        }
        if let Some(name) = self.site(server) {
            let column = &mut batch.enrichment.server_site;
            self.servers.write(column, row, &self.names, name);
        }
    }

    #[inline]
    fn site(&mut self, address: u128) -> Option<NameId> {
        let [high, low] = words(address);
        let kept = match self.known.find(&[high, low]) {
            Some(slot) => self.known.at(slot)[2],
            None => {
                let found = self.by_subnet.longest(address).copied().unwrap_or(0);
                self.known.push([high, low, u64::from(found)]);
                u64::from(found)
            }
        };
        let number = u32::try_from(kept).ok()?.checked_sub(1)?;
        Some(NameId(number))
    }
}

#[derive(Clone, Debug)]
struct Named {
    name: NameId,
    sampling_interval: Option<u32>,
    interfaces: FxHashMap<u32, NameId>,
}

/// Exporters that the operator named. What they say of themselves in options data comes second.
#[derive(Clone, Debug)]
pub(super) struct Exporters {
    names: Names,
    named: FxHashMap<u128, Named>,
    exporters: Symbols,
    ingress: Symbols,
    egress: Symbols,
}

impl Exporters {
    pub(super) fn new(exporters: &[ExporterName]) -> Self {
        let (mut names, mut named) = (Names::default(), FxHashMap::default());
        for exporter in exporters {
            let address = flow::address::widen(exporter.address).to_bits();
            let interfaces = exporter.interfaces.iter();
            let name = names.add(&exporter.name);
            let interfaces =
                interfaces.map(|interface| (interface.index, names.add(&interface.name)));
            let sampling_interval = exporter.sampling_interval.filter(|interval| *interval > 0);
            let entry = Named {
                name,
                sampling_interval,
                interfaces: interfaces.collect(),
            };
            named.entry(address).or_insert(entry);
        }
        Self {
            names,
            named,
            exporters: Symbols::default(),
            ingress: Symbols::default(),
            egress: Symbols::default(),
        }
    }

    /// What the operator calls an exporter.
    pub(super) fn name(&self, address: IpAddr) -> Option<&str> {
        let named = self.named.get(&flow::address::widen(address).to_bits())?;
        Some(self.names.text(named.name))
    }

    pub(super) fn begin(&mut self) {
        self.exporters.begin();
        self.ingress.begin();
        self.egress.begin();
    }

    /// Writes the names of a row's exporter and interfaces, and the configured sampling interval where none was sent.
    #[inline]
    pub(super) fn write(&mut self, batch: &mut FlowBatch, row: usize) {
        if self.named.is_empty() {
            return;
        }
        let Some(named) = self.named.get(&batch.origin.exporter[row].to_bits()) else {
            return;
        };
        let (columns, enrichment) = (&mut batch.columns, &mut batch.enrichment);
        self.exporters
            .write(&mut enrichment.exporter_name, row, &self.names, named.name);
        let interface = |index: Option<u32>| named.interfaces.get(&index?).copied();
        if let Some(name) = interface(columns.in_interface.get(row)) {
            self.ingress
                .write(&mut enrichment.in_interface_name, row, &self.names, name);
        }
        if let Some(name) = interface(columns.out_interface.get(row)) {
            self.egress
                .write(&mut enrichment.out_interface_name, row, &self.names, name);
        }
        if let Some(interval) = named.sampling_interval
            && columns.sampling_interval.get(row).is_none()
        {
            columns.sampling_interval.set(row, interval);
            columns
                .sampling_source
                .set(row, SamplingSource::Configured as u8);
        }
    }
}
