//! What must come before a recording so that its first datagram can be decoded: of half an hour of tape, each thing once.

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::{Datagram, ExporterId, Version};
use rustc_hash::FxHashMap;

use super::knowledge::{Knowledge, KnownSet, payload};
use crate::decode::DecodeConfig;
use crate::decode::exporter::StreamKey;
use crate::fields::FieldTable;

/// Limits of [`Latest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestConfig {
    /// Sets that are kept.
    pub sets_max: usize,
    /// Octets of them, books included.
    pub octets_max: usize,
}

impl Default for LatestConfig {
    fn default() -> Self {
        Self {
            sets_max: 65_536,
            octets_max: 64 << 20,
        }
    }
}

/// Collects templates and options data, each in its last version.
///
/// A template Set stays if it said anything new when it came: one that only repeats what is known is left out, so that
/// what was sent under a template stays behind it. Options data whose exact octets come again later is left out where it
/// came before; other records of the same template all stay.
///
/// Beyond the limits the oldest options data goes first, then the oldest templates; [`Latest::left_out`] counts the Sets.
#[derive(Debug)]
pub struct Latest {
    knowledge: Knowledge,
    config: LatestConfig,
    templates: BTreeMap<Place, Kept>,
    options: BTreeMap<Place, Kept>,
    /// Where the options data with these octets is.
    places: FxHashMap<(ExporterId, StreamKey, Arc<[u8]>), Place>,
    octets: usize,
    taken: u64,
    left_out: u64,
}

/// The how-manieth datagram, and the how-manieth Set of it.
type Place = (u64, usize);

#[derive(Debug)]
struct Kept {
    /// The datagram that it came in, with the header alone for payload.
    head: Arc<Datagram>,
    version: Version,
    key: StreamKey,
    octets: Arc<[u8]>,
    records: u64,
}

/// A kept Set beside its octets: itself, its datagram and its place in two tables.
const KEPT_OCTETS: usize = size_of::<Kept>() + size_of::<Datagram>() + 192;

impl Kept {
    fn size(&self) -> usize {
        KEPT_OCTETS + self.octets.len()
    }
}

impl Latest {
    /// Has collected nothing.
    pub fn new(decode: DecodeConfig, table: FieldTable, config: LatestConfig) -> Self {
        Self {
            knowledge: Knowledge::new(decode, table),
            config,
            templates: BTreeMap::new(),
            options: BTreeMap::new(),
            places: FxHashMap::default(),
            octets: 0,
            taken: 0,
            left_out: 0,
        }
    }

    /// Takes what the datagram tells about others.
    pub fn take(&mut self, datagram: &Datagram) {
        self.taken += 1;
        let Some((header, key, sets)) = self.knowledge.sets(datagram) else {
            return;
        };
        // A copy, so that the flows beside it are not held.
        let head = bytes::Bytes::copy_from_slice(&datagram.payload[..header.size]);
        let head = Arc::new(Datagram {
            payload: head,
            ..datagram.clone()
        });
        for (
            number,
            KnownSet {
                range,
                records,
                news,
            },
        ) in sets.into_iter().enumerate()
        {
            if news == Some(false) {
                continue;
            }
            let kept = Kept {
                head: Arc::clone(&head),
                version: header.version,
                key,
                octets: datagram.payload[range].into(),
                records,
            };
            self.keep((self.taken, number), kept, news.is_some());
        }
        self.keep_limits();
    }

    fn keep(&mut self, place: Place, kept: Kept, template: bool) {
        self.octets += kept.size();
        if template {
            self.templates.insert(place, kept);
            return;
        }
        let name = (kept.head.exporter(), kept.key, Arc::clone(&kept.octets));
        self.options.insert(place, kept);
        let before = self.places.insert(name, place);
        if let Some(before) = before.and_then(|before| self.options.remove(&before)) {
            self.octets -= before.size();
        }
    }

    fn keep_limits(&mut self) {
        let LatestConfig {
            sets_max,
            octets_max,
        } = self.config;
        while self.options.len() + self.templates.len() > sets_max || self.octets > octets_max {
            let Some((_, gone)) = self
                .options
                .pop_first()
                .or_else(|| self.templates.pop_first())
            else {
                return;
            };
            self.octets -= gone.size();
            self.left_out += 1;
            let name = (gone.head.exporter(), gone.key, gone.octets);
            self.places.remove(&name);
        }
    }

    /// Sets that were left out as there was no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What was collected, in order of arrival.
    pub fn into_prologue(self) -> Vec<Datagram> {
        let mut all = self.templates;
        all.extend(self.options);
        let mut prologue = Vec::new();
        let mut sets = all.into_iter().peekable();
        while let Some(((number, _), first)) = sets.next() {
            let mut of_one = vec![first];
            while let Some((_, more)) = sets.next_if(|((next, _), _)| *next == number) {
                of_one.push(more);
            }
            prologue.extend(together(&of_one));
        }
        prologue
    }
}

/// One datagram of the Sets that came in one.
fn together(sets: &[Kept]) -> Option<Datagram> {
    let Kept { head, version, .. } = sets.first()?;
    let octets = sets.iter().map(|kept| &kept.octets[..]);
    let records = sets.iter().map(|kept| kept.records).sum();
    Some(Datagram {
        payload: payload(*version, &head.payload, octets, records),
        ..Datagram::clone(head)
    })
}
