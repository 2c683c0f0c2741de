//! Scopes and filters by chance: as they are written, and what they mean of a plain row. Nothing of the product's own evaluation.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;

use super::traffic::{CLIENTS, EXPORTERS, INTERFACES, NAMES_OF_APPLICATIONS, NAMES_OF_SITES};
use crate::rows::Row;

/// A scope or a filter.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Site(&'static str),
    ClientSite(&'static str),
    Application(&'static str),
    Host(&'static str),
    /// Written with this prefix, which matches what begins with this text.
    Net(&'static str, &'static str),
    ServerNet(&'static str, &'static str),
    Exporter(&'static str),
    ExporterAt(&'static str),
    Interface(u32),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

use Said::{
    And, Application, ClientSite, Exporter, ExporterAt, Host, Interface, Net, Not, Or, ServerNet,
    Site,
};

const NETS: [(&str, &str); 3] = [
    ("10.1.0.0/24", "10.1.0."),
    ("10.2.0.0/16", "10.2."),
    ("2001:db8::/32", "2001:db8:"),
];

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Site(name) => write!(f, "site {name}"),
            ClientSite(name) => write!(f, "client site {name}"),
            Application(name) => write!(f, "app {name}"),
            Host(address) => write!(f, "ip {address}"),
            Net(net, _) => write!(f, "net {net}"),
            ServerNet(net, _) => write!(f, "server net {net}"),
            Exporter(name) | ExporterAt(name) => write!(f, "exporter {name}"),
            Interface(index) => write!(f, "if {index}"),
            Not(said) => write!(f, "not ({said})"),
            And(one, other) => write!(f, "({one}) and ({other})"),
            Or(one, other) => write!(f, "({one}) or ({other})"),
        }
    }
}

impl Said {
    /// Whether it shows a row. Neither a condition on a field that is not there nor its contrary does.
    pub(super) fn shows(&self, row: &Row) -> bool {
        self.holds(row) == Some(true)
    }

    fn holds(&self, row: &Row) -> Option<bool> {
        let (client, server) = ends(row);
        let is_in = |within: &str| client.starts_with(within) || server.starts_with(within);
        Some(match self {
            Site(name) => row.sites.0 == *name || row.sites.1 == *name,
            ClientSite(name) => row.sites.0 == *name,
            Application(name) => row.application == *name,
            Host(address) => client == *address || server == *address,
            Net(_, within) => is_in(within),
            ServerNet(_, within) => server.starts_with(within),
            Exporter(name) => row.exporter_name == *name,
            ExporterAt(address) => row.exporter == *address,
            Interface(index) => match row.interfaces {
                (one, other) if one == Some(*index) || other == Some(*index) => true,
                (Some(_), Some(_)) => false,
                _ => return None,
            },
            Not(said) => !said.holds(row)?,
            And(one, other) => match (one.holds(row), other.holds(row)) {
                (Some(false), _) | (_, Some(false)) => false,
                (one, other) => one? && other?,
            },
            Or(one, other) => match (one.holds(row), other.holds(row)) {
                (Some(true), _) | (_, Some(true)) => true,
                (one, other) => one? || other?,
            },
        })
    }
}

/// Client and server.
pub(super) fn ends(row: &Row) -> (&'static str, &'static str) {
    match row.src_is_client {
        true => (row.source, row.destination),
        false => (row.destination, row.source),
    }
}

/// One by chance: a few conditions, joined in every way.
pub(super) fn said() -> impl Strategy<Value = Said> {
    let named: Vec<&str> = EXPORTERS.map(|(_, name)| name).to_vec();
    let named = named.into_iter().filter(|name| !name.is_empty());
    let at = EXPORTERS.map(|(address, _)| address);
    let one = prop_oneof![
        select(NAMES_OF_SITES[1..].to_vec()).prop_map(Site),
        select(NAMES_OF_SITES[1..].to_vec()).prop_map(ClientSite),
        select(NAMES_OF_APPLICATIONS[1..].to_vec()).prop_map(Application),
        select(CLIENTS.to_vec()).prop_map(Host),
        select(NETS.to_vec()).prop_map(|(net, within)| Net(net, within)),
        select(NETS.to_vec()).prop_map(|(net, within)| ServerNet(net, within)),
        select(named.collect::<Vec<_>>()).prop_map(Exporter),
        select(at.to_vec()).prop_map(ExporterAt),
        select(INTERFACES.to_vec()).prop_map(Interface),
    ];
    one.prop_recursive(3, 6, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        let boxed = |(one, other)| (Box::new(one), Box::new(other));
        prop_oneof![
            inner.prop_map(|said| Not(Box::new(said))),
            two.clone()
                .prop_map(boxed)
                .prop_map(|(one, other)| And(one, other)),
            two.prop_map(boxed).prop_map(|(one, other)| Or(one, other)),
        ]
    })
}
