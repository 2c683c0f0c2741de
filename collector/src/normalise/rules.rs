//! The operator's rules for applications, indexed so that ten thousand of them cost what ten do.

use std::collections::BTreeMap;

use flow::application::{ApplicationRule, PortRange};

use super::names::{NameId, Names};
use super::prefix::PrefixMap;

/// A range of more ports than this is looked at for every new endpoint rather than indexed.
const NARROW_PORTS: u16 = 1024;

/// A subnet of more rules than this is no index: its rules with ports are found by these.
const RULES_OF_A_SUBNET: usize = 32;

/// A subnets condition; an absent one holds every address.
type Subnets = Option<PrefixMap<()>>;

#[derive(Clone, Debug)]
struct Rule {
    name: NameId,
    servers: Subnets,
    ports: Vec<PortRange>,
    clients: Subnets,
}

/// A rule that matches an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The application.
    pub(super) name: NameId,
    /// Whether the rule names the port, and not only the server.
    pub(super) names_port: bool,
}

/// What the rules say of a server endpoint before the client is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same for every client.
    Same(Option<Match>),
    /// Ask [`RuleBook::of_client`].
    ByClient,
}

/// All rules, in their order.
///
/// A rule is found by its servers' subnets, or by its ports, or is one of those that are looked at each time; what is
/// found is then held against all its conditions, in the order of the rules.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleBook {
    rules: Vec<Rule>,
    by_server: PrefixMap<Vec<u32>>,
    by_port: PortSegments,
    always: Vec<u32>,
    /// Servers that are named without a port.
    servers_only: PrefixMap<()>,
    found: Vec<u32>,
}

impl RuleBook {
    /// Compiles the rules; their names are added to `names`.
    pub(super) fn new(rules: &[ApplicationRule], names: &mut Names) -> Self {
        let mut crowd = PrefixMap::<usize>::default();
        for net in rules.iter().flat_map(|rule| &rule.servers) {
            *crowd.entry(*net) += 1;
        }
        let mut book = Self::default();
        let mut ranges = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            book.file(index, rule, &crowd, &mut ranges);
            book.rules.push(Rule {
                name: names.add(&rule.name),
                servers: subnets(&rule.servers),
                ports: rule.ports.clone(),
                clients: subnets(&rule.clients),
            });
        }
        book.by_port = PortSegments::new(&ranges);
        book
    }

    /// Puts a rule where it will be found.
    fn file(
        &mut self,
        index: u32,
        rule: &ApplicationRule,
        crowd: &PrefixMap<usize>,
        ranges: &mut Vec<(u16, u16, u32)>,
    ) {
        if rule.ports.is_empty() {
            for net in &rule.servers {
                *self.servers_only.entry(*net) = ();
            }
        }
        let narrow = !rule.ports.is_empty()
            && rule
                .ports
                .iter()
                .all(|range| range.last - range.first < NARROW_PORTS);
        let alone = |net| {
            crowd
                .exact(net)
                .is_none_or(|rules| *rules <= RULES_OF_A_SUBNET)
        };
        let own_subnets = !rule.servers.is_empty() && rule.servers.iter().all(|net| alone(*net));
        if own_subnets || (!rule.servers.is_empty() && !narrow) {
            for net in &rule.servers {
                self.by_server.entry(*net).push(index);
            }
        } else if narrow {
            ranges.extend(
                rule.ports
                    .iter()
                    .map(|range| (range.first, range.last, index)),
            );
        } else {
            self.always.push(index);
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say of a server endpoint.
    pub(super) fn of_server(&mut self, server: u128, port: u16, protocol: u8) -> Verdict {
        self.find(server, port, protocol);
        match self
            .found
            .first()
            .and_then(|index| self.rules.get(*index as usize))
        {
            None => Verdict::Same(None),
            Some(rule) if rule.clients.is_none() => Verdict::Same(Some(rule.matched())),
            Some(_) => Verdict::ByClient,
        }
    }

    /// What the rules say of a server endpoint and a client.
    pub(super) fn of_client(
        &mut self,
        server: u128,
        port: u16,
        protocol: u8,
        client: u128,
    ) -> Option<Match> {
        self.find(server, port, protocol);
        let rules = self
            .found
            .iter()
            .filter_map(|index| self.rules.get(*index as usize));
        rules
            .filter(|rule| holds(&rule.clients, client))
            .map(Rule::matched)
            .next()
    }

    /// Whether some rule names this server without a port.
    pub(super) fn names_server(&self, server: u128) -> bool {
        !self.servers_only.is_empty() && self.servers_only.longest(server).is_some()
    }

    /// Leaves in `found` the rules whose servers and ports match, in order.
    fn find(&mut self, server: u128, port: u16, protocol: u8) {
        let found = &mut self.found;
        found.clear();
        found.extend(self.by_server.holding(server).flatten());
        found.extend(self.by_port.of(port));
        found.extend(&self.always);
        let rules = &self.rules;
        found.retain(|index| {
            rules
                .get(*index as usize)
                .is_some_and(|rule| rule.serves(server, port, protocol))
        });
        found.sort_unstable();
        found.dedup();
    }
}

impl Rule {
    fn serves(&self, server: u128, port: u16, protocol: u8) -> bool {
        let port_fits = self.ports.is_empty()
            || self
                .ports
                .iter()
                .any(|range| range.contains(port, protocol));
        port_fits && holds(&self.servers, server)
    }

    fn matched(&self) -> Match {
        Match {
            name: self.name,
            names_port: !self.ports.is_empty(),
        }
    }
}

fn subnets(nets: &[ipnet::IpNet]) -> Subnets {
    (!nets.is_empty()).then(|| {
        let mut map = PrefixMap::default();
        for net in nets {
            *map.entry(*net) = ();
        }
        map
    })
}

fn holds(subnets: &Subnets, address: u128) -> bool {
    subnets
        .as_ref()
        .is_none_or(|map| map.longest(address).is_some())
}

/// Rules by port: the port range is cut where a rule's range begins or ends.
#[derive(Clone, Debug, Default)]
struct PortSegments {
    /// First port of each piece, ascending.
    starts: Vec<u16>,
    rules: Vec<Vec<u32>>,
}

impl PortSegments {
    fn new(ranges: &[(u16, u16, u32)]) -> Self {
        // What begins and ends at each port; a range that ends at 65535 never does.
        let mut edges = BTreeMap::<u16, Vec<(u32, bool)>>::new();
        for (first, last, rule) in ranges {
            edges.entry(*first).or_default().push((*rule, true));
            if let Some(after) = last.checked_add(1) {
                edges.entry(after).or_default().push((*rule, false));
            }
        }
        let mut open = BTreeMap::<u32, usize>::new();
        let mut segments = Self::default();
        for (port, edges) in edges {
            for (rule, begins) in edges {
                let ranges = open.entry(rule).or_default();
                *ranges = if begins {
                    *ranges + 1
                } else {
                    ranges.saturating_sub(1)
                };
                if *ranges == 0 {
                    open.remove(&rule);
                }
            }
            segments.starts.push(port);
            segments.rules.push(open.keys().copied().collect());
        }
        segments
    }

    fn of(&self, port: u16) -> &[u32] {
        let after = self.starts.partition_point(|start| *start <= port);
        after
            .checked_sub(1)
            .and_then(|at| self.rules.get(at))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> u128 {
        flow::address::widen(text.parse().unwrap()).to_bits()
    }

    fn rule(name: &str, servers: &[&str], ports: &[&str], clients: &[&str]) -> ApplicationRule {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        ApplicationRule {
            name: name.into(),
            servers: nets(servers),
            ports: ports.iter().map(|text| text.parse().unwrap()).collect(),
            clients: nets(clients),
        }
    }

    fn named(rules: &[ApplicationRule], server: &str, port: u16, client: &str) -> Option<String> {
        let mut names = Names::default();
        let mut book = RuleBook::new(rules, &mut names);
        let server = bits(server);
        let matched = match book.of_server(server, port, 6) {
            Verdict::Same(matched) => {
                assert_eq!(book.of_client(server, port, 6, bits(client)), matched);
                matched
            }
            Verdict::ByClient => book.of_client(server, port, 6, bits(client)),
        };
        matched.map(|matched| names.text(matched.name).to_owned())
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let rules = [
            rule(
                "branch-orders",
                &["10.1.0.0/16"],
                &["5432"],
                &["10.9.0.0/16"],
            ),
            rule("orders", &["10.1.2.3/32"], &["5432/tcp"], &[]),
            rule("databases", &["10.1.0.0/16"], &[], &[]),
            rule("wide", &[], &["1024-65535"], &[]),
            rule("udp-only", &[], &["53/udp"], &[]),
            rule("everything-else", &[], &[], &["192.168.0.0/16"]),
        ];
        for (server, port, client, name) in [
            ("10.1.2.3", 5432, "10.9.1.1", Some("branch-orders")),
            ("10.1.2.3", 5432, "10.8.1.1", Some("orders")),
            ("10.1.2.4", 5432, "10.8.1.1", Some("databases")),
            ("10.1.2.4", 22, "10.8.1.1", Some("databases")),
            ("10.2.0.1", 8080, "10.8.1.1", Some("wide")),
            ("10.2.0.1", 53, "10.8.1.1", None),
            ("10.2.0.1", 53, "192.168.1.1", Some("everything-else")),
        ] {
            assert_eq!(
                named(&rules, server, port, client).as_deref(),
                name,
                "{server} {port}"
            );
        }
    }

    #[test]
    fn rules_of_a_crowded_subnet_are_found_by_their_ports() {
        let rules: Vec<_> = (0..200_u16)
            .map(|n| {
                rule(
                    &format!("app-{n}"),
                    &["10.0.0.0/8"],
                    &[&(7000 + n).to_string()],
                    &[],
                )
            })
            .collect();
        let mut names = Names::default();
        let book = RuleBook::new(&rules, &mut names);
        assert!(book.by_server.is_empty() && book.always.is_empty());
        assert_eq!(
            named(&rules, "10.1.1.1", 7042, "10.2.2.2").as_deref(),
            Some("app-42")
        );
        assert_eq!(named(&rules, "11.1.1.1", 7042, "10.2.2.2"), None);
        assert_eq!(named(&rules, "10.1.1.1", 7200, "10.2.2.2"), None);
    }

    #[test]
    fn overlapping_port_ranges_are_cut_where_they_begin_and_end() {
        let segments =
            PortSegments::new(&[(10, 20, 0), (15, 30, 1), (15, 15, 1), (65535, 65535, 2)]);
        assert!(segments.of(9).is_empty());
        assert_eq!(segments.of(10), [0]);
        assert_eq!(segments.of(15), [0, 1]);
        assert_eq!(segments.of(16), [0, 1]);
        assert_eq!(segments.of(21), [1]);
        assert!(segments.of(31).is_empty());
        assert_eq!(segments.of(65535), [2]);
    }
}
