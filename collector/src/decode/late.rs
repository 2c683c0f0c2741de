//! Data before its template: what waits, what is decoded after all, and what is given up.

use flow::{DropKind, ExporterId, Feed, FlowBatch, Timestamp};

use super::exporter::StreamKey;
use super::header::Header;
use super::problem::Problem;
use super::sets::{self, Gave, Packet, Rules};
use super::template::be16;
use super::waiting::{Taken, Waiter};
use super::{Decoder, Fate};

/// Octets of the batch that one template may bring forth of what waited for it: 100,000 records of 300 octets. What
/// would be more (records of an octet each make many rows of few octets) is left out, as if there had been no room for
/// it to wait.
const RELEASED_MAX: usize = 32 << 20;

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

    /// Decodes what waited for these templates.
    pub(super) fn templates_came(
        &mut self,
        id: ExporterId,
        stream: StreamKey,
        learned: &[u16],
        out: &mut FlowBatch,
    ) {
        let before = out.octets();
        for template in learned {
            while let Some(taken) = self.waiting.take(id, stream, *template) {
                self.version += 1;
                if out.octets() > before + RELEASED_MAX {
                    self.leave_out(&taken);
                    continue;
                }
                self.belated(&taken.waiter, out);
                self.waiting.gave(&taken);
                if taken.is_last() {
                    self.books.waiting -= 1;
                    self.books.understood += 1;
                }
            }
        }
    }

    /// What waited for a template that came, and is too much all the same.
    fn leave_out(&mut self, taken: &Taken) {
        let waiter = &taken.waiter;
        if let Some(exporter) = self.exporters.get_mut(&waiter.datagram.exporter()) {
            let stream = exporter.stream(waiter.stream, &self.config);
            let sets = waiter.sets.len() as u64;
            stream.problems.add(Problem::WaitingFull, sets);
        }
        if taken.is_last() {
            self.books.waiting -= 1;
            match waiter.gave {
                true => self.books.understood += 1,
                false => self.books.drop(DropKind::NoTemplate),
            }
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
