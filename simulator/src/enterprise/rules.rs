//! The rules that name this enterprise's applications, sites and exporters.

use flow::application::{ApplicationRule, PortRange};
use flow::site::{ExporterName, InterfaceName, Rules, Site};
use ipnet::IpNet;

use super::application::{Application, ICMP, Servers};
use super::exporter::interface_name;
use super::host::Hosts;
use super::map;
use super::network::Network;

/// Every application by its servers and ports, every site by its subnets, every exporter and interface by its name.
pub(super) fn rules(applications: &[Application], hosts: &Hosts, network: &Network) -> Rules {
    Rules {
        applications: applications
            .iter()
            .map(|one| application(one, hosts))
            .collect(),
        sites: sites(network),
        exporters: map::EXPORTERS
            .iter()
            .map(|plan| exporter(plan, network))
            .collect(),
    }
}

fn application(application: &Application, hosts: &Hosts) -> ApplicationRule {
    let servers = match &application.servers {
        Servers::These(servers) => servers
            .iter()
            .flat_map(|server| {
                let host = hosts.all[*server];
                let v6 = host
                    .v6
                    .map(|address| IpNet::from(std::net::IpAddr::V6(address)));
                [Some(IpNet::from(std::net::IpAddr::V4(host.v4))), v6]
            })
            .flatten()
            .collect(),
        Servers::Internet => subnets(|zone| zone == map::INTERNET),
        Servers::Users => subnets(|zone| zone <= map::BRANCH_2),
    };
    let port = PortRange {
        first: application.port,
        last: application.port,
        protocol: Some(application.protocol),
    };
    // ICMP has no ports, and what exporters send in their place differs.
    let any = PortRange {
        first: 0,
        last: u16::MAX,
        ..port
    };
    ApplicationRule {
        name: application.name.to_owned(),
        servers,
        ports: vec![if application.protocol == ICMP {
            any
        } else {
            port
        }],
        clients: Vec::new(),
    }
}

fn subnets(wanted: impl Fn(usize) -> bool) -> Vec<IpNet> {
    let of_zone = map::SUBNETS.iter().filter(|(zone, _)| wanted(*zone));
    of_zone.filter_map(|(_, net)| net.parse().ok()).collect()
}

fn sites(network: &Network) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for (number, zone) in network.zones.iter().enumerate() {
        if number == map::INTERNET {
            continue;
        }
        let subnets = subnets(|one| one == number);
        match sites.iter_mut().find(|site| site.name == zone.site) {
            Some(site) => site.subnets.extend(subnets),
            None => sites.push(Site {
                name: zone.site.to_owned(),
                subnets,
            }),
        }
    }
    sites
}

fn exporter(plan: &map::ExporterPlan, network: &Network) -> ExporterName {
    let device = network
        .devices
        .iter()
        .position(|device| device.name == plan.name);
    let interfaces = device
        .map(|device| network.interfaces(device))
        .unwrap_or_default();
    ExporterName {
        address: plan.address.into(),
        name: plan.name.to_owned(),
        sampling_interval: None,
        interfaces: interfaces
            .into_iter()
            .map(|interface| InterfaceName {
                index: interface.index.into(),
                name: interface_name(plan.dialect, interface),
            })
            .collect(),
    }
}
