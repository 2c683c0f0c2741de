//! What is needed to decode others: templates and options data, without the flows.

use std::ops::Range;

use bytes::Bytes;
use flow::{Datagram, Version};

use super::walk::{Part, Walker, What};
use crate::decode::DecodeConfig;
use crate::decode::exporter::StreamKey;
use crate::decode::header::Header;
use crate::fields::FieldTable;

/// Leaves of each datagram what is needed to decode others.
#[derive(Debug)]
pub struct Knowledge {
    walker: Walker,
}

/// A Set that stays.
pub(super) struct KnownSet {
    /// Its octets in the payload.
    pub(super) range: Range<usize>,
    /// Records in it.
    pub(super) records: u64,
    /// Whether it is of templates, and one of them new or changed; `None` for options data.
    pub(super) news: Option<bool>,
}

impl Knowledge {
    /// Knows no template yet.
    pub fn new(config: DecodeConfig, table: FieldTable) -> Self {
        Self {
            walker: Walker::new(config, table),
        }
    }

    /// The datagram with its template Sets and its options data (sampling, names of interfaces and applications …) alone;
    /// `None` if there are none, as in all of v1, v5 and v7.
    ///
    /// Count (v9) and length (IPFIX) in the header are those of what is left; the rest of it, the sequence number too, is as it
    /// was. Options data whose template was not in a datagram before is left out.
    pub fn of(&mut self, datagram: &Datagram) -> Option<Datagram> {
        let (header, _, sets) = self.sets(datagram)?;
        let kept = sets.iter().map(|set| &datagram.payload[set.range.clone()]);
        let records = sets.iter().map(|set| set.records).sum();
        let head = &datagram.payload[..header.size];
        Some(Datagram {
            payload: payload(header.version, head, kept, records),
            ..datagram.clone()
        })
    }

    /// The Sets that stay; `None` if there are none.
    pub(super) fn sets(
        &mut self,
        datagram: &Datagram,
    ) -> Option<(Header, StreamKey, Vec<KnownSet>)> {
        let mut kept = Vec::new();
        let walked = self.walker.walk(datagram, |Part { start, end, what }| {
            let (records, news) = match what {
                What::Templates { records, news, .. } if records > 0 => (records, Some(news)),
                What::Records(known) if known.scope.is_some() && known.fits => {
                    (known.records.count() as u64, None)
                }
                _ => return,
            };
            kept.push(KnownSet {
                range: start..end,
                records,
                news,
            });
        });
        let (header, key) = walked.ok()?;
        (!kept.is_empty()).then_some((header, key, kept))
    }
}

/// A packet of these Sets under the header, whose count or length is made true.
pub(super) fn payload<'a>(
    version: Version,
    head: &[u8],
    sets: impl Iterator<Item = &'a [u8]>,
    records: u64,
) -> Bytes {
    let mut octets = head.to_vec();
    for set in sets {
        let at = octets.len();
        octets.extend(set);
        // The last Set of a packet may claim padding that was never sent.
        put(&mut octets, at + 2, set.len() as u64);
    }
    let length = octets.len() as u64;
    put(
        &mut octets,
        2,
        if version == Version::V9 {
            records
        } else {
            length
        },
    );
    octets.into()
}

fn put(octets: &mut [u8], at: usize, number: u64) {
    let number = u16::try_from(number).unwrap_or(u16::MAX);
    if let Some(field) = octets.get_mut(at..at + 2) {
        field.copy_from_slice(&number.to_be_bytes());
    }
}
