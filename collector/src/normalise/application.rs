//! The application of a row: rules, the exporter, learned services, the registry, the protocol.

use flow::Timestamp;
use flow::batch::{ApplicationSource, Enrichment};
use flow::column::{Symbol, TextColumn};
use flow::site::Rules;

use super::config::NormaliseConfig;
use super::conversation::Client;
use super::facts::Facts;
use super::learned::{LearnedService, Learner, Renamed};
use super::names::{NameId, Names, Symbols};
use super::registry::{PortRank, Ports, SCTP, TCP, UDP};
use super::rules::{Match, RuleBook, Verdict};
use super::stats::NormaliseStats;
use super::table::{SetTable, words};

/// What exporters call an application that they don't know: NBAR, App-ID, nDPI.
const NOT_A_NAME: &[&str] = &[
    "",
    "-",
    "n/a",
    "none",
    "unknown",
    "unclassified",
    "not-applicable",
    "incomplete",
    "insufficient-data",
    "unknown-tcp",
    "unknown-udp",
    "unknown-p2p",
];

/// One end of a conversation, taken for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Endpoint {
    pub(super) feed: u32,
    pub(super) address: u128,
    pub(super) port: u16,
    pub(super) protocol: u8,
}

impl Endpoint {
    /// The source's or the destination's end.
    #[inline]
    pub(super) fn of(facts: &Facts, feed: u32, of_src: bool) -> Self {
        let (address, port) = if of_src {
            (facts.src, facts.src_port)
        } else {
            (facts.dst, facts.dst_port)
        };
        Self {
            feed,
            address,
            port,
            protocol: facts.protocol,
        }
    }

    /// All but the address, and never 0.
    #[inline]
    pub(super) fn word(&self) -> u64 {
        let feed = u64::from(self.feed & 0xff_ffff);
        1 << 63 | feed << 32 | u64::from(self.protocol) << 16 | u64::from(self.port)
    }

    #[inline]
    fn key(&self) -> [u64; 5] {
        let [high, low] = words(self.address);
        [high, low, 0, 0, self.word()]
    }

    #[inline]
    fn key_with(&self, client: u128) -> [u64; 5] {
        let ([high, low], [a, b]) = (words(self.address), words(client));
        [high, low, a, b, self.word() | 1 << 62]
    }
}

/// What an endpoint is called, whatever its exporter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    name: Option<NameId>,
    source: ApplicationSource,
    /// A rule about clients may know better.
    by_client: bool,
    /// The source is a rule that names the port.
    names_port: bool,
}

impl Decision {
    const BY_CLIENT: u64 = 1 << 40;
    const NAMES_PORT: u64 = 1 << 41;
    const NAMED: u64 = 1 << 42;

    fn pack(self) -> u64 {
        let name = self.name.map_or(0, |id| u64::from(id.0) | Self::NAMED);
        let flag = |is: bool, bit| if is { bit } else { 0 };
        name | u64::from(self.source as u8) << 32
            | flag(self.by_client, Self::BY_CLIENT)
            | flag(self.names_port, Self::NAMES_PORT)
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        let [_, _, _, source, a, b, c, d] = word.to_be_bytes();
        let id = NameId(u32::from_be_bytes([a, b, c, d]));
        Self {
            name: (word & Self::NAMED != 0).then_some(id),
            source: ApplicationSource::from_u8(source).unwrap_or(ApplicationSource::Protocol),
            by_client: word & Self::BY_CLIENT != 0,
            names_port: word & Self::NAMES_PORT != 0,
        }
    }

    fn rule(matched: Option<Match>) -> Self {
        Self {
            name: matched.map(|matched| matched.name),
            source: ApplicationSource::Rule,
            by_client: false,
            names_port: matched.is_some_and(|matched| matched.names_port),
        }
    }
}

/// Names servers' applications; remembers what it decided.
#[derive(Clone, Debug)]
pub(super) struct Applications {
    names: Names,
    symbols: Symbols,
    ports: Ports,
    rules: RuleBook,
    learner: Learner,
    /// Decisions by endpoint, and by endpoint and client where a rule asks for the client.
    decisions: SetTable<6, 5>,
    /// What the exporters' names of this call are as applications, by symbol; `None` is "not asked yet".
    exporters: Vec<Option<Symbol>>,
}

impl Applications {
    pub(super) fn new(config: &NormaliseConfig, rules: &Rules) -> Self {
        let mut names = Names::default();
        let (ports, rules) = compile(rules, &mut names);
        Self {
            names,
            symbols: Symbols::default(),
            ports,
            rules,
            learner: Learner::new(config),
            decisions: SetTable::new(config.decisions_max),
            exporters: Vec::new(),
        }
    }

    /// Other rules from now on. Learned services stay.
    pub(super) fn set_rules(&mut self, rules: &Rules) {
        self.names = Names::default();
        (self.ports, self.rules) = compile(rules, &mut self.names);
        self.learner.rename(&mut self.names);
        self.symbols.clear();
        self.decisions.clear();
    }

    /// See [`Learner::services`].
    pub(super) fn learned(&self) -> Vec<LearnedService> {
        self.learner.services()
    }

    /// See [`Learner::version`].
    pub(super) fn version(&self) -> u64 {
        self.learner.version()
    }

    /// See [`Learner::restore`].
    pub(super) fn restore(&mut self, services: &[LearnedService]) {
        self.learner.restore(services, &mut self.names);
        self.symbols.clear();
        self.decisions.clear();
    }

    /// What is known of ports.
    #[inline]
    pub(super) fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Whether a rule names this very port of the endpoint.
    pub(super) fn rule_names_port(&mut self, endpoint: &Endpoint, client: u128) -> bool {
        if !self.ports.named_by_rule(endpoint.port, endpoint.protocol) {
            return false;
        }
        let decision = self.decision(endpoint);
        if decision.by_client {
            self.decision_for(endpoint, client).names_port
        } else {
            decision.names_port
        }
    }

    /// Whether the endpoint is a learned service.
    pub(super) fn is_learned(&self, endpoint: &Endpoint) -> bool {
        self.learner.service(endpoint).is_some()
    }

    /// See [`RuleBook::names_server`].
    pub(super) fn names_server(&self, server: u128) -> bool {
        self.rules.names_server(server)
    }

    /// Rows of one call follow.
    pub(super) fn begin(&mut self) {
        self.symbols.begin();
        self.exporters.clear();
    }

    /// Names a row that has a conversation.
    #[inline]
    pub(super) fn name(
        &mut self,
        enrichment: &mut Enrichment,
        row: usize,
        server: &Endpoint,
        client: u128,
    ) {
        let decision = self.decision(server);
        if decision.by_client {
            let ruled = self.decision_for(server, client);
            if ruled.name.is_some() {
                return self.write(enrichment, row, ruled);
            }
        }
        if decision.source != ApplicationSource::Rule && self.name_by_exporter(enrichment, row) {
            return;
        }
        self.write(enrichment, row, decision);
    }

    /// Names a row without a conversation: by its exporter, or its protocol if it says one.
    pub(super) fn name_bare(&mut self, enrichment: &mut Enrichment, row: usize, protocol: u8) {
        if !self.name_by_exporter(enrichment, row) {
            let decision = Decision {
                name: self.ports.protocol(protocol),
                source: ApplicationSource::Protocol,
                by_client: false,
                names_port: false,
            };
            self.write(enrichment, row, decision);
        }
    }

    /// A conversation began: its server may be a service. If the client was only seen first, either end may be.
    pub(super) fn learn(
        &mut self,
        facts: &Facts,
        feed: u32,
        client: Client,
        at: Timestamp,
        stats: &mut NormaliseStats,
    ) {
        self.watch(facts, feed, !client.is_src, at, stats);
        if client.evidence == flow::batch::ClientEvidence::FirstSeen {
            self.watch(facts, feed, client.is_src, at, stats);
        }
    }

    fn watch(
        &mut self,
        facts: &Facts,
        feed: u32,
        of_src: bool,
        at: Timestamp,
        stats: &mut NormaliseStats,
    ) {
        let endpoint = Endpoint::of(facts, feed, of_src);
        let has_ports = matches!(endpoint.protocol, TCP | UDP | SCTP) && endpoint.port != 0;
        let nameless = self.ports.rank(endpoint.port, endpoint.protocol) <= PortRank::Unknown
            && self
                .ports
                .service(endpoint.port, endpoint.protocol)
                .is_none();
        let ruled = self.ports.named_by_rule(endpoint.port, endpoint.protocol)
            && self.decision(&endpoint).source == ApplicationSource::Rule;
        if !has_ports || !nameless || ruled {
            return;
        }
        let peer = if of_src { facts.dst } else { facts.src };
        let renamed = self
            .learner
            .saw(&endpoint, peer, at, &mut self.names, stats);
        match renamed {
            Renamed::None => return,
            Renamed::One(endpoint) => self.decisions.forget(&endpoint.key()),
            Renamed::Many => self.decisions.clear(),
        }
        // A number may stand for another service's name now.
        self.symbols.begin();
    }

    fn write(&mut self, enrichment: &mut Enrichment, row: usize, decision: Decision) {
        if let Some(name) = decision.name {
            self.symbols
                .write(&mut enrichment.application, row, &self.names, name);
        }
        enrichment.application_source[row] = decision.source as u8;
    }

    /// Takes the exporter's name, if it knows one.
    #[inline]
    fn name_by_exporter(&mut self, enrichment: &mut Enrichment, row: usize) -> bool {
        let said = enrichment.exporter_application.rows().get(row);
        let Some(place) = said.and_then(|symbol| (symbol.0 as usize).checked_sub(1)) else {
            return false;
        };
        if place >= self.exporters.len() {
            self.exporters.resize(place + 1, None);
        }
        let symbol = match self.exporters[place] {
            Some(symbol) => symbol,
            None => {
                let said = enrichment.exporter_application.texts().get(place);
                let symbol = taken_over(said.map_or("", |text| text), &mut enrichment.application);
                self.exporters[place] = Some(symbol);
                symbol
            }
        };
        if symbol == Symbol::default() {
            return false;
        }
        enrichment.application.set(row, symbol);
        enrichment.application_source[row] = ApplicationSource::Exporter as u8;
        true
    }

    #[inline]
    fn decision(&mut self, endpoint: &Endpoint) -> Decision {
        let key = endpoint.key();
        if let Some(slot) = self.decisions.find(&key) {
            return Decision::unpack(self.decisions.at(slot)[5]);
        }
        let decision = self.decide(endpoint);
        self.remember(key, decision);
        decision
    }

    fn decide(&mut self, endpoint: &Endpoint) -> Decision {
        let Endpoint {
            address,
            port,
            protocol,
            ..
        } = *endpoint;
        let verdict = if self.rules.is_empty() {
            Verdict::Same(None)
        } else {
            self.rules.of_server(address, port, protocol)
        };
        if let Verdict::Same(matched @ Some(_)) = verdict {
            return Decision::rule(matched);
        }
        let (name, source) = if let Some(name) = self.learner.service(endpoint) {
            (Some(name), ApplicationSource::Learned)
        } else if let Some(name) = self.ports.service(port, protocol) {
            (Some(name), ApplicationSource::Registry)
        } else {
            (self.ports.protocol(protocol), ApplicationSource::Protocol)
        };
        Decision {
            name,
            source,
            by_client: verdict == Verdict::ByClient,
            names_port: false,
        }
    }

    /// What the rules say where the client counts; without a name if none matches.
    fn decision_for(&mut self, endpoint: &Endpoint, client: u128) -> Decision {
        let key = endpoint.key_with(client);
        if let Some(slot) = self.decisions.find(&key) {
            return Decision::unpack(self.decisions.at(slot)[5]);
        }
        let Endpoint {
            address,
            port,
            protocol,
            ..
        } = *endpoint;
        let decision = Decision::rule(self.rules.of_client(address, port, protocol, client));
        self.remember(key, decision);
        decision
    }

    fn remember(&mut self, key: [u64; 5], decision: Decision) {
        let [a, b, c, d, e] = key;
        self.decisions.push([a, b, c, d, e, decision.pack()]);
    }
}

fn compile(rules: &Rules, names: &mut Names) -> (Ports, RuleBook) {
    let named = rules.applications.iter().flat_map(|rule| &rule.ports);
    let ports = Ports::new(names, named);
    (ports, RuleBook::new(&rules.applications, names))
}

/// The exporter's name as an application, or the absent symbol if it is none.
fn taken_over(said: &str, applications: &mut TextColumn) -> Symbol {
    let said = said.trim();
    if NOT_A_NAME
        .iter()
        .any(|none| said.eq_ignore_ascii_case(none))
    {
        return Symbol::default();
    }
    applications.intern(said)
}
