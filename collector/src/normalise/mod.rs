//! Who is the client, what is it called, and is it counted: what is added to decoded rows.
//!
//! [`Normaliser`] is a state machine over [`FlowBatch`]es. It asks no clock (time is each row's `received_at`), and what
//! it writes is a function of the rows that it was given, in their order. All that it remembers is bounded
//! ([`NormaliseConfig`]) and all but the learned services ([`NormaliseState`]) is lost in a restart: rows right after one
//! may name another client, or be counted at another observation point, than they would have been. Rows that are decoded
//! a second time keep their place in the store: a batch is recognised by its tape range, not by what was added to it.
//!
//! | question | where |
//! |---|---|
//! | which side is the client | `client`, kept by `conversation` |
//! | is this observation counted | `conversation` |
//! | what is the application | `application`: `rules`, `learned`, `registry` (`services`) |
//! | which site, which name has the exporter | `place` |
//! | what of a row in a tunnel counts: the outside or the inside | `facts` |

mod application;
mod client;
mod config;
mod conversation;
mod facts;
mod learned;
mod names;
mod place;
mod prefix;
mod registry;
mod rules;
mod services;
mod stats;
mod table;

use flow::batch::{ClientEvidence, FlowBatch};
use flow::clock::Timestamp;
use flow::site::Rules;
use serde::{Deserialize, Serialize};

use application::{Applications, Endpoint};
use conversation::{Client, Conversations, Key, Second};
use facts::Facts;
use place::{Exporters, Sites};
use registry::{TCP, UNKNOWN};

pub use config::NormaliseConfig;
pub use learned::LearnedService;
pub use stats::NormaliseStats;

/// Rows that are read before the first of them is worked on, for what they need to come from memory together.
const AHEAD: usize = 32;

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormaliseState {
    /// Learned services, by endpoint.
    #[serde(default)]
    pub learned: Vec<LearnedService>,
}

/// Adds to each row who is the client, its application and sites, the names of exporter and interfaces, and whether
/// views count it.
#[derive(Clone, Debug)]
pub struct Normaliser {
    config: NormaliseConfig,
    applications: Applications,
    conversations: Conversations,
    sites: Sites,
    exporters: Exporters,
    stats: NormaliseStats,
}

impl Normaliser {
    /// A normaliser that has seen nothing.
    pub fn new(config: NormaliseConfig, rules: &Rules) -> Self {
        Self {
            applications: Applications::new(&config, rules),
            conversations: Conversations::new(
                config.conversations_max,
                config.conversation_idle_s,
                config.accounting_idle_s,
            ),
            sites: Sites::new(config.decisions_max, &rules.sites),
            exporters: Exporters::new(&rules.exporters),
            stats: NormaliseStats::default(),
            config,
        }
    }

    /// Other rules for the rows that come from now on. Who is the client of a conversation that goes on, and what was
    /// learned, stay.
    pub fn set_rules(&mut self, rules: &Rules) {
        self.applications.set_rules(rules);
        self.sites = Sites::new(self.config.decisions_max, &rules.sites);
        self.exporters = Exporters::new(&rules.exporters);
    }

    /// Fills the enrichment of the rows from `from_row` on. Each row once, in the order of the tape; how many rows a
    /// call is given makes no difference.
    pub fn normalise(&mut self, batch: &mut FlowBatch, from_row: usize) {
        self.applications.begin();
        self.sites.begin();
        self.exporters.begin();
        let rows = batch.rows();
        let enrichment = &mut batch.enrichment;
        enrichment.src_is_client.resize(rows, 0);
        enrichment.client_evidence.resize(rows, 0);
        enrichment.accounting.resize(rows, 0);
        enrichment.application_source.resize(rows, 0);
        let mut read = [None; AHEAD];
        for first in (from_row..rows).step_by(AHEAD) {
            let read = &mut read[..AHEAD.min(rows - first)];
            self.read_ahead(batch, first, read);
            for (row, read) in (first..).zip(read) {
                self.row(batch, row, read.as_ref());
            }
        }
    }

    /// Reads rows from `first` on, and has their conversations' entries brought from memory all at once.
    fn read_ahead(&self, batch: &FlowBatch, first: usize, read: &mut [Option<(Facts, Key)>]) {
        let mut whereabouts = [0; AHEAD];
        for ((row, read), at) in (first..).zip(read).zip(&mut whereabouts) {
            *read = Facts::read(batch, row).map(|facts| {
                let key = Key::new(batch.origin.feed[row], &facts);
                *at = self.conversations.whereabouts(&key);
                (facts, key)
            });
        }
        let touched = whereabouts
            .iter()
            .fold(0, |all, at| all ^ self.conversations.touch(*at));
        std::hint::black_box(touched);
    }

    /// What is to be kept for the next start.
    pub fn state(&self) -> NormaliseState {
        NormaliseState {
            learned: self.learned(),
        }
    }

    /// Grows whenever [`Normaliser::state`] gains or loses a service; when one was last used does not count.
    pub fn state_version(&self) -> u64 {
        self.applications.version()
    }

    /// Goes on with what another normaliser had learned, in place of what this one has.
    pub fn restore(&mut self, state: &NormaliseState) {
        self.applications.restore(&state.learned);
    }

    /// The services that were learned, by feed and address.
    pub fn learned(&self) -> Vec<LearnedService> {
        self.applications.learned()
    }

    /// What the operator calls an exporter.
    pub fn exporter_name(&self, address: std::net::IpAddr) -> Option<&str> {
        self.exporters.name(address)
    }

    /// Counters since the start.
    pub fn stats(&self) -> NormaliseStats {
        self.stats
    }

    #[inline]
    fn row(&mut self, batch: &mut FlowBatch, row: usize, read: Option<&(Facts, Key)>) {
        self.stats.rows += 1;
        self.exporters.write(batch, row);
        match read {
            Some((facts, key)) => self.conversation(batch, row, facts, key),
            None => self.bare(batch, row),
        }
    }

    /// A row without two addresses: a sampled frame, an event. Nothing else reports it, so it is counted.
    fn bare(&mut self, batch: &mut FlowBatch, row: usize) {
        self.stats.rows_without_conversation += 1;
        let protocol = batch.columns.protocol.get(row).unwrap_or(UNKNOWN);
        let enrichment = &mut batch.enrichment;
        enrichment.src_is_client[row] = 1;
        enrichment.client_evidence[row] = ClientEvidence::FirstSeen as u8;
        enrichment.accounting[row] = 1;
        self.applications.name_bare(enrichment, row, protocol);
    }

    #[inline]
    fn conversation(&mut self, batch: &mut FlowBatch, row: usize, facts: &Facts, key: &Key) {
        let feed = batch.origin.feed[row];
        let received_at = batch.origin.received_at[row];
        let now = Second::of(received_at);
        let opened = self.conversations.open(key, now);
        self.stats.conversations_forgotten += u64::from(opened.forgot);
        let client = self.client(facts, feed, opened.client);
        if opened.client != Some(client) {
            self.conversations.decide(&opened, client);
        }
        // An event without counters takes nothing from those that count the traffic.
        let accounting = !facts.counts || {
            let observer = facts::observer(batch, row);
            self.conversations
                .account(&opened, observer, facts.counts_both(), now)
        };
        self.stats.rows_observed_elsewhere += u64::from(!accounting);
        let server = Endpoint::of(facts, feed, !client.is_src);
        let client_address = if client.is_src { facts.src } else { facts.dst };
        let enrichment = &mut batch.enrichment;
        enrichment.src_is_client[row] = u8::from(client.is_src);
        enrichment.client_evidence[row] = client.evidence as u8;
        enrichment.accounting[row] = u8::from(accounting);
        self.applications
            .name(enrichment, row, &server, client_address);
        self.sites.write(batch, row, client_address, server.address);
        if opened.client.is_none() {
            self.began(facts, feed, client, Timestamp::from_nanos(received_at));
        }
    }

    /// Keeps what was decided, unless this record has evidence of the opening and that was a guess.
    #[inline]
    fn client(&mut self, facts: &Facts, feed: u32, decided: Option<Client>) -> Client {
        match decided {
            Some(decided) if decided.is_certain() => decided,
            Some(decided) => client::opener(facts, &self.applications).unwrap_or(decided),
            None => client::opener(facts, &self.applications)
                .unwrap_or_else(|| client::guess(facts, feed, &mut self.applications)),
        }
    }

    /// Counts a conversation, and its client for its server unless nobody can have answered.
    fn began(&mut self, facts: &Facts, feed: u32, client: Client, at: Timestamp) {
        const ACK: u16 = 0x10;
        self.stats.conversations += 1;
        let flags = facts
            .tcp_flags
            .map(|flags| flags | facts.reverse_tcp_flags.unwrap_or(0));
        let unanswered = facts.protocol == TCP && flags.is_some_and(|flags| flags & ACK == 0);
        if !unanswered {
            self.applications
                .learn(facts, feed, client, at, &mut self.stats);
        }
    }
}
