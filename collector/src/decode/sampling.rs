//! How many packets one stands for: from the record, its sampler's options, the domain's or the header.

use std::collections::BTreeMap;

use flow::batch::{Columns, SamplingSource};
use serde::{Deserialize, Serialize};

use super::cell::{Cells, unsigned};
use super::plan::SamplingPlan;
use super::records::Records;

/// Samplers that are remembered per domain; more would be no router but an attack.
const SAMPLERS_MAX: usize = 4_096;

/// What options data said about one observation domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DomainSampling {
    /// By sampler or selector id.
    pub(crate) samplers: BTreeMap<u64, u32>,
    /// For everything else.
    pub(crate) domain: Option<u32>,
}

impl DomainSampling {
    /// Takes an interval from options data; returns whether it is news.
    pub(crate) fn learn(&mut self, sampler: Option<u64>, interval: u32) -> bool {
        match sampler {
            None => self.domain.replace(interval) != Some(interval),
            Some(id) if self.samplers.contains_key(&id) || self.samplers.len() < SAMPLERS_MAX => {
                self.samplers.insert(id, interval) != Some(interval)
            }
            Some(_) => false,
        }
    }

    /// All intervals that are known, each once.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = u32> {
        self.domain
            .into_iter()
            .chain(self.samplers.values().copied())
    }
}

/// All there is to know outside the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SamplingContext<'a> {
    pub(crate) learned: &'a DomainSampling,
    /// The v5 header's.
    pub(crate) header: Option<u32>,
}

impl SamplingContext<'_> {
    /// What holds for records that say nothing.
    fn general(&self) -> Option<(u32, SamplingSource)> {
        let domain = self.learned.domain.map(|n| (n, SamplingSource::Domain));
        let header = self.header.map(|n| (n, SamplingSource::Header));
        // A domain with one sampler, and records that do not name it: it is meant.
        let only = match self.learned.samplers.iter().next() {
            Some((_, interval)) if self.learned.samplers.len() == 1 => {
                Some((*interval, SamplingSource::Domain))
            }
            _ => None,
        };
        domain.or(only).or(header)
    }
}

impl SamplingPlan {
    /// Writes interval and source of every record.
    pub(crate) fn fill(
        &self,
        records: &Records<'_>,
        context: SamplingContext<'_>,
        row: usize,
        columns: &mut Columns,
    ) {
        let general = context.general();
        if !self.has_interval() && (self.sampler.is_none() || context.learned.samplers.is_empty()) {
            if let Some((interval, source)) = general {
                let rows = records.count();
                columns
                    .sampling_interval
                    .extend_at(row, std::iter::repeat_n(interval, rows));
                columns
                    .sampling_source
                    .extend_at(row, std::iter::repeat_n(source as u8, rows));
            }
            return;
        }
        let samplers = self.sampler.map(|place| records.at(place));
        for index in 0..records.count() {
            let own = self.interval(records, index);
            let sampler = samplers
                .and_then(|cells| unsigned(cells.cell(index)))
                .and_then(|id| context.learned.samplers.get(&id))
                .map(|interval| (*interval, SamplingSource::Sampler));
            let found = own
                .map(|n| (n, SamplingSource::Record))
                .or(sampler)
                .or(general);
            if let Some((interval, source)) = found {
                columns.sampling_interval.set(row + index, interval);
                columns.sampling_source.set(row + index, source as u8);
            }
        }
    }

    /// What record `index` says itself: 34 or 50, 1 in 305 of 305 + 306, 309 of 310, or 1 / 311. 0 is "unknown".
    pub(crate) fn interval(&self, records: &Records<'_>, index: usize) -> Option<u32> {
        let read = |place| unsigned(records.at(place).cell(index)).filter(|value| *value != 0);
        let mut fields = self.interval.iter();
        if let Some((place, interval)) = fields.find_map(|place| Some((place, read(*place)?))) {
            return plausible(interval, records.at(*place).cell(index).len());
        }
        if let Some(space) = self.packet_space {
            let looked_at = self.packet_interval.and_then(read).unwrap_or(1);
            let space = unsigned(records.at(space).cell(index))?;
            return ratio(looked_at.saturating_add(space), looked_at);
        }
        if let (Some(size), Some(population)) = (self.size, self.population) {
            return ratio(read(population)?, read(size)?);
        }
        probability(records.at(self.probability?).cell(index))
    }

    /// The sampler that record `index` names.
    pub(crate) fn sampler(&self, records: &Records<'_>, index: usize) -> Option<u64> {
        unsigned(records.at(self.sampler?).cell(index))
    }
}

/// No device looks at fewer than 1 packet of 16 million: a larger number in four octets was written least significant octet
/// first, and turned round it is the interval. What is too large either way is unknown.
fn plausible(interval: u64, octets: usize) -> Option<u32> {
    const INTERVAL_MAX: u32 = 1 << 24;
    let interval = u32::try_from(interval).ok()?;
    if interval <= INTERVAL_MAX {
        return Some(interval);
    }
    let turned = Some(interval.swap_bytes()).filter(|_| octets == 4);
    turned.filter(|interval| *interval <= INTERVAL_MAX)
}

/// `whole / part`, rounded.
fn ratio(whole: u64, part: u64) -> Option<u32> {
    let rounded = whole.checked_add(part / 2)?.checked_div(part)?;
    u32::try_from(rounded)
        .ok()
        .filter(|interval| *interval != 0)
}

/// 1 / p for an IEEE 754 probability of 4 or 8 octets.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and 0 is left out"
)]
fn probability(octets: &[u8]) -> Option<u32> {
    let p = match octets.len() {
        4 => f64::from(f32::from_be_bytes(octets.try_into().ok()?)),
        8 => f64::from_be_bytes(octets.try_into().ok()?),
        _ => return None,
    };
    (p > 0.0 && p <= 1.0).then(|| (1.0 / p).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_from_their_parts() {
        // 1 packet looked at, 99 not: 1 of 100. 3 of 10: about 1 of 3. p = 0.01: 1 of 100.
        assert_eq!(ratio(100, 1), Some(100));
        assert_eq!(ratio(10, 3), Some(3));
        assert_eq!(ratio(10, 0), None);
        assert_eq!(probability(&0.01_f64.to_be_bytes()), Some(100));
        assert_eq!(probability(&0.0_f64.to_be_bytes()), None);
    }

    #[test]
    fn an_interval_in_the_other_octet_order_is_turned_round() {
        // 100 and 16,000 written least significant octet first; nothing samples 1 of 4 billion.
        assert_eq!(plausible(0x6400_0000, 4), Some(100));
        assert_eq!(plausible(0x803e_0000, 4), Some(16_000));
        assert_eq!(plausible(16_000_000, 4), Some(16_000_000));
        assert_eq!(plausible(0xffff_ffff, 4), None);
        assert_eq!(plausible(0x6400_0000, 8), None);
    }

    #[test]
    fn the_only_sampler_is_meant_where_records_name_none() {
        let mut learned = DomainSampling::default();
        assert!(learned.learn(Some(1), 30_000));
        assert!(!learned.learn(Some(1), 30_000));
        let context = SamplingContext {
            learned: &learned,
            header: Some(5),
        };
        assert_eq!(context.general(), Some((30_000, SamplingSource::Domain)));
    }
}
