//! Who exports: newcomers are admitted or refused, the silent and the ended go, and all are told of.

use flow::health::ExporterHealth;
use flow::{Datagram, ExporterId, Feed, Timestamp};

use super::Decoder;
use super::exporter::{Exporter, Told};
use super::holding::{Account, STREAM_OCTETS};
use super::problem::Problems;

/// How full a decoder's tables are. Their bounds are in [`super::DecodeConfig`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Exporters in the table.
    pub exporters: usize,
    /// Octets of what is kept for them: templates, names, samplers, running totals.
    pub octets: usize,
    /// Datagrams that wait for a template.
    pub waiting: usize,
    /// Octets of them.
    pub waiting_octets: usize,
}

impl Decoder {
    /// Makes sure that the exporter has a place in the table.
    pub(super) fn admit(&mut self, datagram: &Datagram) -> bool {
        let id = datagram.exporter();
        if self.exporters.contains_key(&id) {
            return true;
        }
        let full = |decoder: &Self| {
            decoder.exporters.len() >= decoder.config.exporters_max
                || decoder.held + STREAM_OCTETS > decoder.config.octets_max
        };
        if full(self) {
            self.forget_silent(datagram);
            if full(self) {
                return false;
            }
        }
        let newcomer = self.newcomer(datagram.received_at);
        self.exporters.insert(id, newcomer);
        true
    }

    /// An exporter that nothing is known of.
    pub(super) fn newcomer(&self, now: Timestamp) -> Exporter {
        Exporter {
            since: now,
            account: Account::new(&self.watchers),
            ..Exporter::default()
        }
    }

    /// Forgets exporters of the datagram's feed that were silent for longer than they had been heard before: a minute at
    /// least, `exporter_silence_s` at most. So whoever is heard for long can't be pushed out by who was never heard, and
    /// invented senders are gone soon after they end. Searches every ten seconds.
    fn forget_silent(&mut self, datagram: &Datagram) {
        const SEARCH_EVERY_S: u64 = 10;
        const SILENCE_MIN_S: i64 = 60;
        let (feed, now) = (datagram.feed, datagram.received_at.seconds());
        let searched = self.searched_at.get(&feed);
        if searched.is_some_and(|at| now.abs_diff(at.seconds()) < SEARCH_EVERY_S) {
            return;
        }
        self.searched_at.insert(feed, datagram.received_at);
        let silence_max = i64::from(self.config.exporter_silence_s).max(SILENCE_MIN_S);
        let is_gone = |exporter: &Exporter| {
            let heard_s = exporter.last_seen.seconds() - exporter.since.seconds();
            now - exporter.last_seen.seconds() > heard_s.clamp(SILENCE_MIN_S, silence_max)
        };
        let mut gone: Vec<_> = self
            .exporters
            .iter()
            .filter(|(id, exporter)| id.feed == feed && is_gone(exporter))
            .map(|(id, _)| *id)
            .collect();
        gone.sort_unstable();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Has the exporter of the datagram at hand give up what is too much.
    pub(super) fn keep_quota(&mut self) {
        let Some((id, stream)) = self.touched.take() else {
            return;
        };
        if let Some(exporter) = self.exporters.get_mut(&id) {
            self.version += u64::from(exporter.keep_quota(stream, &self.config));
            let (now, before) = exporter.tell();
            self.held = self.held - before + now;
        }
    }

    pub(super) fn remove(&mut self, id: ExporterId) {
        let Some(exporter) = self.exporters.remove(&id) else {
            return;
        };
        self.version += 1;
        self.held -= exporter.account.told();
        self.unplaced.merge(&exporter.problems());
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
                let told = Told::new();
                let health = exporter.health(id, &self.fields, &self.waiting, &told);
                health.for_each(|health| self.ended.add(health));
            }
            self.remove(id);
        }
        self.searched_at.remove(&feed);
    }

    /// Every problem that was met, all exporters together.
    pub fn problems(&self) -> Problems {
        let mut problems = self.unplaced.clone();
        for exporter in self.exporters.values() {
            problems.merge(&exporter.problems());
        }
        problems
    }

    /// How full its tables are.
    pub fn holdings(&self) -> Holdings {
        let (waiting, waiting_octets) = self.waiting.size();
        Holdings {
            exporters: self.exporters.len(),
            octets: self.held,
            waiting,
            waiting_octets,
        }
    }

    /// What is known of each exporter and domain, in the order of feed and address; those of imports that ended too. Of
    /// very many templates those of the exporters that were heard first.
    pub fn exporters(&self) -> Vec<ExporterHealth> {
        let told = &Told::new();
        let mut by_age: Vec<_> = self.exporters.iter().collect();
        by_age.sort_unstable_by_key(|(id, exporter)| (exporter.since, **id));
        let now = by_age
            .into_iter()
            .flat_map(|(id, exporter)| exporter.health(*id, &self.fields, &self.waiting, told));
        let mut all: Vec<_> = now.chain(self.ended.iter().cloned()).collect();
        // Streams of one exporter come in their order, which a stable sort keeps.
        all.sort_by_key(|health| (health.feed, health.address));
        all
    }
}
