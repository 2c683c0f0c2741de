//! Who exports: newcomers are admitted or refused, the silent and the ended go, and all are told of.

use flow::health::ExporterHealth;
use flow::{Datagram, ExporterId, Feed};

use super::Decoder;
use super::exporter::Exporter;
use super::problem::Problems;

impl Decoder {
    /// Makes sure that the exporter has a place in the table.
    pub(super) fn admit(&mut self, datagram: &Datagram) -> bool {
        const SEARCH_EVERY_S: i64 = 60;
        let id = datagram.exporter();
        if self.exporters.contains_key(&id) {
            return true;
        }
        if self.exporters.len() >= self.config.exporters_max {
            let now = datagram.received_at.seconds();
            if now - self.searched_at.seconds() < SEARCH_EVERY_S {
                return false;
            }
            self.searched_at = datagram.received_at;
            let silence = i64::from(self.config.exporter_silence_s);
            let silent = self
                .exporters
                .iter()
                .map(|(id, exporter)| (exporter.last_seen, *id))
                .min()
                .filter(|(seen, _)| now - seen.seconds() > silence);
            match silent {
                Some((_, silent)) => self.remove(silent),
                None => return false,
            }
        }
        self.exporters.insert(id, Exporter::default());
        true
    }

    pub(super) fn remove(&mut self, id: ExporterId) {
        let Some(exporter) = self.exporters.remove(&id) else {
            return;
        };
        self.version += 1;
        for stream in exporter.streams.values() {
            self.unplaced.merge(&stream.problems);
        }
    }

    /// Ends an import: nothing more comes of it, so what waits for a template is given up, and of its exporters only what
    /// [`Decoder::exporters`] tells is kept: of the last 1,000, until this decoder goes.
    pub fn end_feed(&mut self, feed: Feed) {
        while let Some(waiter) = self.waiting.end(feed) {
            self.give_up(&waiter);
        }
        let mut gone: Vec<_> = self
            .exporters
            .keys()
            .filter(|id| id.feed == feed)
            .copied()
            .collect();
        gone.sort_unstable();
        for id in gone {
            if let Some(exporter) = self.exporters.get(&id) {
                let health = exporter.health(id, &self.fields, &self.waiting);
                health.for_each(|health| self.ended.add(health));
            }
            self.remove(id);
        }
    }

    /// Every problem that was met, all exporters together.
    pub fn problems(&self) -> Problems {
        let mut problems = self.unplaced.clone();
        for exporter in self.exporters.values() {
            for stream in exporter.streams.values() {
                problems.merge(&stream.problems);
            }
        }
        problems
    }

    /// What is known of each exporter and domain, in the order of feed and address; those of imports that ended too.
    pub fn exporters(&self) -> Vec<ExporterHealth> {
        let now = self
            .exporters
            .iter()
            .flat_map(|(id, exporter)| exporter.health(*id, &self.fields, &self.waiting));
        let mut all: Vec<_> = now.chain(self.ended.iter().cloned()).collect();
        // Streams of one exporter come in their order, which a stable sort keeps.
        all.sort_by_key(|health| (health.feed, health.address));
        all
    }
}
