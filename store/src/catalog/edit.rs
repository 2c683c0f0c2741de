//! Changes of rules, without a database: what is allowed, and where things go.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use flow::application::ApplicationRule;
use flow::site::{ExporterName, Rules, Site};

/// Characters of the longest name.
const NAME_CHARACTERS_MAX: usize = 200;
/// The most rules of one kind.
const RULES_MAX: usize = 10_000;
/// The most subnets, ports or interfaces in one rule.
const ENTRIES_MAX: usize = 10_000;

/// What is wrong with rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A name is empty.
    #[error("{0} number {1} has no name")]
    NoName(&'static str, usize),
    /// A name is too long, or would spoil a terminal or a log.
    #[error("the name of {0} {1:?} is longer than 200 characters or has control characters")]
    BadName(&'static str, String),
    /// Two things have one name.
    #[error("{0} '{1}' is there twice")]
    Twice(&'static str, String),
    /// A subnet would be in two sites.
    #[error("subnet {subnet} is in site '{first}' and in site '{second}'")]
    SharedSubnet {
        /// The subnet.
        subnet: ipnet::IpNet,
        /// A site that has it.
        first: String,
        /// Another.
        second: String,
    },
    /// A sampling interval of 0.
    #[error(
        "the sampling interval of exporter {0} can't be 0; 1 means that every packet is looked at"
    )]
    NoSampling(IpAddr),
    /// Too many.
    #[error("too many {0}: at most {1}")]
    TooMany(&'static str, usize),
}

/// Whether rules make sense: names, no exporter or site twice, no subnet in two sites, within the limits.
///
/// # Errors
///
/// The first thing that is wrong; who wrote the rules has to mend it.
pub fn check_rules(rules: &Rules) -> Result<(), RulesError> {
    check_applications(&rules.applications)?;
    check_sites(&rules.sites)?;
    check_exporters(&rules.exporters)
}

fn check_applications(applications: &[ApplicationRule]) -> Result<(), RulesError> {
    check_count("applications", applications.len(), RULES_MAX)?;
    for (position, rule) in applications.iter().enumerate() {
        check_name("application", position, &rule.name)?;
        let entries = rule.servers.len() + rule.ports.len() + rule.clients.len();
        check_count(
            "servers, ports and clients of an application",
            entries,
            ENTRIES_MAX,
        )?;
    }
    Ok(())
}

fn check_sites(sites: &[Site]) -> Result<(), RulesError> {
    check_count("sites", sites.len(), RULES_MAX)?;
    let mut names = HashSet::new();
    let mut owners = HashMap::new();
    for (position, site) in sites.iter().enumerate() {
        check_name("site", position, &site.name)?;
        check_count("subnets of a site", site.subnets.len(), ENTRIES_MAX)?;
        if !names.insert(&site.name) {
            return Err(RulesError::Twice("site", site.name.clone()));
        }
        for subnet in &site.subnets {
            let owner = *owners.entry(subnet.trunc()).or_insert(&site.name);
            if *owner != site.name {
                return Err(RulesError::SharedSubnet {
                    subnet: subnet.trunc(),
                    first: owner.clone(),
                    second: site.name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn check_exporters(exporters: &[ExporterName]) -> Result<(), RulesError> {
    check_count("exporters", exporters.len(), RULES_MAX)?;
    let mut addresses = HashSet::new();
    for (position, exporter) in exporters.iter().enumerate() {
        check_name("exporter", position, &exporter.name)?;
        check_count(
            "interfaces of an exporter",
            exporter.interfaces.len(),
            ENTRIES_MAX,
        )?;
        if !addresses.insert(exporter.address.to_canonical()) {
            return Err(RulesError::Twice("exporter", exporter.address.to_string()));
        }
        if exporter.sampling_interval == Some(0) {
            return Err(RulesError::NoSampling(exporter.address));
        }
        let mut indices = HashSet::new();
        for (position, interface) in exporter.interfaces.iter().enumerate() {
            check_name("interface", position, &interface.name)?;
            if !indices.insert(interface.index) {
                return Err(RulesError::Twice("interface", interface.index.to_string()));
            }
        }
    }
    Ok(())
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), RulesError> {
    if count > max {
        Err(RulesError::TooMany(what, max))
    } else {
        Ok(())
    }
}

fn check_name(what: &'static str, position: usize, name: &str) -> Result<(), RulesError> {
    if name.trim().is_empty() {
        return Err(RulesError::NoName(what, position + 1));
    }
    let is_too_long = name.chars().nth(NAME_CHARACTERS_MAX).is_some();
    if is_too_long || name.chars().any(char::is_control) {
        let shown = name.chars().take(NAME_CHARACTERS_MAX).collect();
        return Err(RulesError::BadName(what, shown));
    }
    Ok(())
}

/// Replaces the rules of this name by one, in the place of the first; at the end if there is none.
pub(super) fn put_application(rules: &mut Rules, rule: ApplicationRule) {
    let applications = &mut rules.applications;
    let place = applications
        .iter()
        .position(|other| other.name == rule.name);
    applications.retain(|other| other.name != rule.name);
    // Nothing before the first of its name was removed, so its place is still right.
    applications.insert(place.unwrap_or(applications.len()), rule);
}

/// Moves the rules of this name, in their order, so that `place` others stand before them; to the end if there are
/// fewer. Whether there are any.
pub(super) fn move_application(rules: &mut Rules, name: &str, place: usize) -> bool {
    let (moved, mut others): (Vec<_>, Vec<_>) = std::mem::take(&mut rules.applications)
        .into_iter()
        .partition(|rule| rule.name == name);
    let is_there = !moved.is_empty();
    let place = place.min(others.len());
    others.splice(place..place, moved);
    rules.applications = others;
    is_there
}

/// Removes the rules of this name. Whether there were any.
pub(super) fn delete_application(rules: &mut Rules, name: &str) -> bool {
    let before = rules.applications.len();
    rules.applications.retain(|rule| rule.name != name);
    rules.applications.len() < before
}

/// Replaces the site of this name, or adds it.
pub(super) fn put_site(rules: &mut Rules, site: Site) {
    match rules.sites.iter_mut().find(|other| other.name == site.name) {
        Some(old) => *old = site,
        None => rules.sites.push(site),
    }
}

/// Removes the site of this name. Whether there was one.
pub(super) fn delete_site(rules: &mut Rules, name: &str) -> bool {
    let before = rules.sites.len();
    rules.sites.retain(|site| site.name != name);
    rules.sites.len() < before
}

/// Replaces what the exporter of this address is called, or adds it.
pub(super) fn put_exporter(rules: &mut Rules, exporter: ExporterName) {
    let address = exporter.address.to_canonical();
    let mut exporters = rules.exporters.iter_mut();
    match exporters.find(|other| other.address.to_canonical() == address) {
        Some(old) => *old = exporter,
        None => rules.exporters.push(exporter),
    }
}

/// Removes the names of the exporter of this address. Whether there were any.
pub(super) fn delete_exporter(rules: &mut Rules, address: IpAddr) -> bool {
    let before = rules.exporters.len();
    rules
        .exporters
        .retain(|other| other.address.to_canonical() != address.to_canonical());
    rules.exporters.len() < before
}
