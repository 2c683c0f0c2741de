//! Decoded flow records, column by column.
//!
//! | file | holds |
//! |---|---|
//! | `columns` | the columns in which a row may be absent, as one table |
//! | `codes` | the meaning of columns that hold a code |
//! | `row` | one row for people |

mod codes;
mod columns;
mod row;

use std::net::Ipv6Addr;

use crate::column::{Pairs, TextColumn, retain};
use crate::datagram::{Datagram, Feed, TapePosition};

pub use codes::{
    ApplicationSource, ClientEvidence, CounterKind, SamplingSource, TimeKind, TimeQuality,
};
pub use columns::Columns;

/// What each row must have: where it came from and when. Plain vectors, one entry a row.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// When the datagram arrived, nanoseconds since the epoch: *knowledge time*.
    pub received_at: Vec<i64>,
    /// Tape segment of the datagram.
    pub tape_segment: Vec<u32>,
    /// Offset of the datagram in its segment.
    pub tape_offset: Vec<u32>,
    /// Octets from the start of the datagram's payload to the record. With the tape position it names a row for ever.
    pub record_offset: Vec<u16>,
    /// The wire, or which import.
    pub feed: Vec<u32>,
    /// The exporter's address.
    pub exporter: Vec<Ipv6Addr>,
    /// v9 source id, IPFIX observation domain id, v5 engine type and id (`type << 8 | id`); 0 for v1 and v7.
    pub domain: Vec<u32>,
    /// 1, 5, 7, 9 or 10.
    pub version: Vec<u8>,
    /// The template that described the record; 0 for the fixed versions.
    pub template: Vec<u16>,
}

/// What the normaliser adds to a row.
#[derive(Clone, Debug, Default)]
pub struct Enrichment {
    /// 1 if the source is the client. Empty until normalised.
    pub src_is_client: Vec<u8>,
    /// How the client was told: a [`ClientEvidence`]. Empty until normalised.
    pub client_evidence: Vec<u8>,
    /// 1 if views count this row; 0 if the same traffic was counted at another observation point. Empty until normalised.
    pub accounting: Vec<u8>,
    /// The application's name.
    pub application: TextColumn,
    /// Who said so: an [`ApplicationSource`]. Empty until normalised.
    pub application_source: Vec<u8>,
    /// The client's site.
    pub client_site: TextColumn,
    /// The server's site.
    pub server_site: TextColumn,
    /// The exporter's name.
    pub exporter_name: TextColumn,
    /// The ingress interface's name.
    pub in_interface_name: TextColumn,
    /// The egress interface's name.
    pub out_interface_name: TextColumn,
    /// The application as the exporter names it: NBAR, App-ID, DPI.
    pub exporter_application: TextColumn,
    /// The VRF's name at ingress.
    pub in_vrf_name: TextColumn,
}

/// A batch of flow records, column by column; what one part of the tape meant.
///
/// Columns may be shorter than the batch: what is missing is absent. [`FlowBatch::pad`] evens them out.
#[derive(Clone, Debug, Default)]
pub struct FlowBatch {
    /// Where each row came from.
    pub origin: Origin,
    /// What the record said.
    pub columns: Columns,
    /// Vendors' performance elements as sent: index into [`crate::measure::MEASURES`] and raw value.
    pub measures: Pairs<u16, u64>,
    /// Texts and operator-named fields that have no column.
    pub extras: Pairs<std::sync::Arc<str>, String>,
    /// What was added to it.
    pub enrichment: Enrichment,
}

impl FlowBatch {
    /// Rows in the batch.
    pub fn rows(&self) -> usize {
        self.origin.received_at.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.origin.received_at.is_empty()
    }

    /// Adds a row's origin, by which it exists; returns its number. Columns are written by it.
    pub fn push_row(
        &mut self,
        datagram: &Datagram,
        at: TapePosition,
        described: Described,
        record_offset: u16,
    ) -> usize {
        let row = self.rows();
        self.push_rows(datagram, at, described, std::iter::once(record_offset));
        row
    }

    /// Adds rows of one datagram and one template, one for each octet offset in the payload.
    pub fn push_rows(
        &mut self,
        datagram: &Datagram,
        at: TapePosition,
        described: Described,
        record_offsets: impl ExactSizeIterator<Item = u16>,
    ) {
        let added = record_offsets.len();
        let rows = self.rows() + added;
        let origin = &mut self.origin;
        origin
            .received_at
            .resize(rows, datagram.received_at.nanos());
        origin.tape_segment.resize(rows, at.segment);
        origin.tape_offset.resize(rows, at.offset);
        origin.record_offset.extend(record_offsets);
        origin.feed.resize(rows, datagram.feed.0);
        // As one number: an address is copied octet by octet otherwise.
        let exporter = crate::address::widen(datagram.source.ip()).to_bits();
        let exporters = std::iter::repeat_n(exporter, added).map(Ipv6Addr::from_bits);
        origin.exporter.extend(exporters);
        origin.domain.resize(rows, described.domain);
        origin.version.resize(rows, described.version);
        origin.template.resize(rows, described.template);
    }

    /// Makes every column that has a row as long as the batch; wholly absent ones stay empty.
    pub fn pad(&mut self) {
        let rows = self.rows();
        self.columns.pad(rows);
        if !self.measures.is_absent() {
            self.measures.pad(rows);
        }
        if !self.extras.is_absent() {
            self.extras.pad(rows);
        }
        for text in self.enrichment.texts_mut() {
            if !text.is_absent() {
                text.pad(rows);
            }
        }
    }

    /// Cuts off every row from `rows` on: what a malformed message had begun to add.
    pub fn truncate(&mut self, rows: usize) {
        let origin = &mut self.origin;
        origin.received_at.truncate(rows);
        origin.tape_segment.truncate(rows);
        origin.tape_offset.truncate(rows);
        origin.record_offset.truncate(rows);
        origin.feed.truncate(rows);
        origin.exporter.truncate(rows);
        origin.domain.truncate(rows);
        origin.version.truncate(rows);
        origin.template.truncate(rows);
        self.columns.truncate(rows);
        self.measures.truncate(rows);
        self.extras.truncate(rows);
        let enrichment = &mut self.enrichment;
        enrichment.src_is_client.truncate(rows);
        enrichment.client_evidence.truncate(rows);
        enrichment.accounting.truncate(rows);
        enrichment.application_source.truncate(rows);
        for text in enrichment.texts_mut() {
            text.truncate(rows);
        }
    }

    /// Keeps the rows of which `keep`, one entry a row, says so.
    pub fn retain(&mut self, keep: &[bool]) {
        let origin = &mut self.origin;
        retain(&mut origin.received_at, keep);
        retain(&mut origin.tape_segment, keep);
        retain(&mut origin.tape_offset, keep);
        retain(&mut origin.record_offset, keep);
        retain(&mut origin.feed, keep);
        retain(&mut origin.exporter, keep);
        retain(&mut origin.domain, keep);
        retain(&mut origin.version, keep);
        retain(&mut origin.template, keep);
        self.columns.retain(keep);
        self.measures.retain(keep);
        self.extras.retain(keep);
        let enrichment = &mut self.enrichment;
        retain(&mut enrichment.src_is_client, keep);
        retain(&mut enrichment.client_evidence, keep);
        retain(&mut enrichment.accounting, keep);
        retain(&mut enrichment.application_source, keep);
        for text in enrichment.texts_mut() {
            text.retain(keep);
        }
    }

    /// Empties the batch and keeps its memory, except that of columns that it did not use.
    pub fn clear(&mut self) {
        let origin = &mut self.origin;
        origin.received_at.clear();
        origin.tape_segment.clear();
        origin.tape_offset.clear();
        origin.record_offset.clear();
        origin.feed.clear();
        origin.exporter.clear();
        origin.domain.clear();
        origin.version.clear();
        origin.template.clear();
        self.columns.clear();
        self.measures.clear();
        self.extras.clear();
        let enrichment = &mut self.enrichment;
        enrichment.src_is_client.clear();
        enrichment.client_evidence.clear();
        enrichment.accounting.clear();
        enrichment.application_source.clear();
        for text in enrichment.texts_mut() {
            text.clear();
        }
    }

    /// Octets of everything in it, a function of what it holds. The allocator was asked for at most twice as many, as
    /// vectors double. Costs about as much as a row.
    pub fn octets(&self) -> usize {
        let enrichment = &self.enrichment;
        self.rows() * ORIGIN_OCTETS
            + self.columns.octets()
            + self.measures.octets()
            + self.extras.octets()
            + enrichment.src_is_client.len() * ENRICHMENT_CODES
            + enrichment
                .texts()
                .map(TextColumn::octets)
                .iter()
                .sum::<usize>()
    }

    /// For how many rows it has memory, at least.
    pub fn room(&self) -> usize {
        self.origin.received_at.capacity()
    }

    /// The tape position of `row`'s datagram.
    pub fn position(&self, row: usize) -> TapePosition {
        TapePosition {
            segment: self.origin.tape_segment[row],
            offset: self.origin.tape_offset[row],
        }
    }

    /// The feed of `row`.
    pub fn feed(&self, row: usize) -> Feed {
        Feed(self.origin.feed[row])
    }
}

/// Octets of a row's [`Origin`].
const ORIGIN_OCTETS: usize = 45;
/// Columns of an octet each in [`Enrichment`].
const ENRICHMENT_CODES: usize = 4;

impl Enrichment {
    fn texts(&self) -> [&TextColumn; 8] {
        [
            &self.application,
            &self.client_site,
            &self.server_site,
            &self.exporter_name,
            &self.in_interface_name,
            &self.out_interface_name,
            &self.exporter_application,
            &self.in_vrf_name,
        ]
    }

    fn texts_mut(&mut self) -> [&mut TextColumn; 8] {
        [
            &mut self.application,
            &mut self.client_site,
            &mut self.server_site,
            &mut self.exporter_name,
            &mut self.in_interface_name,
            &mut self.out_interface_name,
            &mut self.exporter_application,
            &mut self.in_vrf_name,
        ]
    }
}

/// What described a row: the header's version and domain, and the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// 1, 5, 7, 9 or 10.
    pub version: u8,
    /// See [`Origin::domain`].
    pub domain: u32,
    /// See [`Origin::template`].
    pub template: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use bytes::Bytes;

    fn datagram() -> Datagram {
        Datagram {
            received_at: Timestamp::from_seconds(100),
            source: "10.0.0.1:2055".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::new(),
        }
    }

    #[test]
    fn a_row_is_what_was_written_and_absent_otherwise() {
        let mut batch = FlowBatch::default();
        let described = Described {
            version: 9,
            domain: 4,
            template: 256,
        };
        let at = TapePosition {
            segment: 1,
            offset: 64,
        };
        batch.push_rows(&datagram(), at, described, [24_u16, 52].into_iter());
        batch.columns.octets.set(1, 1500);
        batch.columns.src_mac.set(1, 0x0000_0200_5e10_0001);
        batch.pad();
        assert_eq!(batch.rows(), 2);
        let record = batch.record(1);
        assert_eq!(record.octets, Some(1500));
        assert_eq!(record.src_mac.as_deref(), Some("02:00:5e:10:00:01"));
        assert_eq!((record.packets, batch.record(0).octets), (None, None));
        assert_eq!(record.tape_position, "1:64");
        // Two origins of 8 + 4 + 4 + 2 + 4 + 16 + 4 + 1 + 2 octets, and two columns of 8 + 1 each.
        assert_eq!(batch.octets(), 2 * 45 + 2 * 2 * 9);
        let mut second = batch.clone();
        second.retain(&[false, true]);
        assert_eq!((second.rows(), second.record(0)), (1, record));
        let mut named = batch.clone();
        named.enrichment.application.set_text(1, "web");
        named.extras.push(1, "userName".into(), "alice".to_owned());
        // Two symbols and one text; two ends, a name's pointer, a text and the room that it takes.
        let more = 2 * 4 + 96 + 3 + 2 * 8 + 16 + 24 + 32;
        assert_eq!(named.octets(), 2 * 45 + 2 * 2 * 9 + more);
        batch.truncate(1);
        assert_eq!((batch.rows(), batch.columns.octets.values().len()), (1, 1));
    }
}
