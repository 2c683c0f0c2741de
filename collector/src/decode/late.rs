//! Data before its template: what waits, what is decoded after all, and what is given up.

use flow::{DropKind, ExporterId, Feed, FlowBatch, Timestamp};

use super::exporter::StreamKey;
use super::header::Header;
use super::problem::Problem;
use super::sets::{self, Gave, Packet, Rules};
use super::template::be16;
use super::waiting::Waiter;
use super::{Decoder, Fate};

impl Decoder {
    /// Puts Sets without a template to wait, and says what became of the datagram.
    pub(super) fn settle(&mut self, packet: Packet<'_>, gave: &Gave) -> Fate {
        if !gave.waiting.is_empty() {
            let waiter = Waiter {
                datagram: packet.datagram.clone(),
                position: packet.at,
                stream: packet.key,
                sets: gave.waiting.clone(),
                gave: gave.anything(),
            };
            if self.waiting.add(waiter, &self.config) {
                self.version += 1;
                return Fate::Waiting;
            }
            if let Some(exporter) = self.exporters.get_mut(&packet.datagram.exporter()) {
                let stream = exporter.stream(packet.key, &self.config);
                stream.problems.add(Problem::WaitingFull, 1);
            }
            if !gave.anything() {
                return Fate::Dropped(DropKind::NoTemplate);
            }
        }
        if gave.broken && !gave.anything() {
            return Fate::Dropped(DropKind::Malformed);
        }
        Fate::Understood
    }

    /// Decodes what waited for these templates, and keeps the exporter's quota.
    pub(super) fn templates_came(
        &mut self,
        id: ExporterId,
        stream: StreamKey,
        learned: &[u16],
        out: &mut FlowBatch,
    ) {
        for template in learned {
            for (waiter, last) in self.waiting.take(id, stream, *template) {
                self.version += 1;
                self.belated(&waiter, out);
                if last {
                    self.books.waiting -= 1;
                    self.books.understood += 1;
                }
            }
        }
        if let Some(exporter) = self.exporters.get_mut(&id) {
            self.version += u64::from(exporter.keep_quota(&self.config));
        }
    }

    /// Decodes Sets that have waited.
    fn belated(&mut self, waiter: &Waiter, out: &mut FlowBatch) {
        let datagram = &waiter.datagram;
        let (Some(header), Some(exporter)) = (
            Header::read(waiter.stream.version, &datagram.payload),
            self.exporters.get_mut(&datagram.exporter()),
        ) else {
            return;
        };
        let packet = Packet {
            datagram,
            at: waiter.position,
            header,
            key: waiter.stream,
            tick: self.tick,
        };
        let rules = Rules {
            config: &self.config,
            fields: &self.fields,
            away: &self.away,
        };
        let mut gave = Gave::default();
        for set in &waiter.sets {
            let start = usize::from(set.offset);
            let Some(octets) = datagram.payload.get(start + 2..start + 4) else {
                continue;
            };
            let end = start + usize::from(be16(octets, 0));
            if end > datagram.payload.len() || end < start + 4 {
                continue;
            }
            let set = (set.template, start, end);
            sets::data(
                rules,
                exporter,
                packet,
                set,
                out,
                &mut self.scratch,
                &mut gave,
            );
        }
        self.note(&gave);
    }

    pub(super) fn expire(&mut self, feed: Feed, now: Timestamp) {
        if self.waiting.is_empty() {
            return;
        }
        while let Some(waiter) = self.waiting.expire(feed, now, &self.config) {
            self.give_up(&waiter);
        }
    }

    pub(super) fn give_up(&mut self, waiter: &Waiter) {
        self.version += 1;
        self.books.waiting -= 1;
        if waiter.gave {
            self.books.understood += 1;
        } else {
            self.books.drop(DropKind::NoTemplate);
        }
        let sets = waiter.sets.len() as u64;
        match self.exporters.get_mut(&waiter.datagram.exporter()) {
            Some(exporter) => exporter
                .stream(waiter.stream, &self.config)
                .problems
                .add(Problem::WaitingExpired, sets),
            None => self.unplaced.add(Problem::WaitingExpired, sets),
        }
    }
}
