//! Sequence numbers of a recording that is played more than once.

use flow::{Datagram, ExporterId, Version};
use rustc_hash::FxHashMap;

use super::walk::{Part, Walker, What};
use crate::decode::DecodeConfig;
use crate::decode::exporter::StreamKey;
use crate::decode::header::Header;
use crate::fields::FieldTable;

/// Streams (exporter, version, domain; once more by port) of which the span is known. Numbers of more stay as they are.
const STREAMS_MAX: usize = 65_536;
/// How far behind the highest number a late one may be; more is a restart. As the decoder has it.
const LATE_MAX: u32 = 4_096;

/// Lets sequence numbers go on where the last loop ended, so that a collector sees no loss and no duplicates.
///
/// The first loop is learned while it is played as it is; each later one is that span higher. The numbers count what the
/// protocol says: flow records (v5, v7), datagrams (v9), data records (IPFIX). v1 has none. Losses within the recording
/// are lost again in every loop.
#[derive(Debug)]
pub struct Sequences {
    walker: Walker,
    /// With port 0, and with the sender's own: which of them counts is known when the walker has seen all.
    streams: FxHashMap<(ExporterId, StreamKey), Span>,
    left_out: u64,
}

/// The numbers of one stream.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u32,
    /// The number that should come next.
    next: u32,
    /// Whether it began anew in between.
    restarted: bool,
}

impl Span {
    fn new(number: u32, units: u32) -> Self {
        Self {
            first: number,
            next: number.wrapping_add(units),
            restarted: false,
        }
    }

    fn add(&mut self, number: u32, units: u32) {
        let behind = self.next.wrapping_sub(number);
        let late = behind != 0 && behind <= LATE_MAX;
        if !self.restarted && (1..=LATE_MAX).contains(&self.first.wrapping_sub(number)) {
            self.first = number;
        }
        let next = number.wrapping_add(units);
        // A late one may still reach further than what is known.
        if !late || (1..=LATE_MAX).contains(&next.wrapping_sub(self.next)) {
            self.next = next;
        }
        self.restarted |= !late && behind != 0 && behind < u32::MAX / 2;
    }

    /// By how much the numbers of a loop are higher than those of the loop before.
    fn length(self) -> u32 {
        self.next.wrapping_sub(self.first)
    }
}

impl Sequences {
    /// Has learned nothing.
    pub fn new(config: DecodeConfig, table: FieldTable) -> Self {
        Self {
            walker: Walker::new(config, table),
            streams: FxHashMap::default(),
            left_out: 0,
        }
    }

    /// Notes the number of a datagram of the first loop.
    pub fn learn(&mut self, datagram: &Datagram) {
        let mut records = 0_u32;
        let walked = self.walker.walk(datagram, |Part { what, .. }| {
            if let What::Records(known) = what {
                records = records.saturating_add(u32::try_from(known.records.count()).unwrap_or(0));
            }
        });
        let Ok((header, key)) = walked else { return };
        let Some(number) = header.sequence else {
            return;
        };
        let units = match header.version {
            Version::V9 => 1,
            _ => records,
        };
        for port in [0, datagram.source.port()] {
            let name = (datagram.exporter(), StreamKey { port, ..key });
            if let Some(span) = self.streams.get_mut(&name) {
                span.add(number, units);
            } else if self.streams.len() < STREAMS_MAX {
                self.streams.insert(name, Span::new(number, units));
            } else {
                self.left_out += 1;
                return;
            }
        }
    }

    /// The datagram as it is in loop `number`: 0 is the first, which is given back as it is.
    pub fn datagram(&self, datagram: &Datagram, number: u64) -> Datagram {
        let mut datagram = datagram.clone();
        let Some((header, key)) = self.walker.look(&datagram) else {
            return datagram;
        };
        let span = self.streams.get(&(datagram.exporter(), key));
        let (Some(span), Some(sequence), Some(at)) = (span, header.sequence, place(&header)) else {
            return datagram;
        };
        // Numbers wrap, so it is enough to know how often within 2^32.
        let times = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0);
        let sequence = sequence.wrapping_add(span.length().wrapping_mul(times));
        let mut octets = datagram.payload.to_vec();
        if let Some(field) = octets.get_mut(at..at + 4) {
            field.copy_from_slice(&sequence.to_be_bytes());
        }
        datagram.payload = octets.into();
        datagram
    }

    /// Datagrams of which nothing was learned, as there were too many streams.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Where the number is in the header.
fn place(header: &Header) -> Option<usize> {
    match header.version {
        Version::V5 | Version::V7 => Some(16),
        Version::V9 => Some(12),
        Version::Ipfix => Some(8),
        _ => None,
    }
}
