//! One set of rules from two: what people said in the product comes before what the config file says.

use std::collections::HashSet;

use flow::site::Rules;

/// The rules in force: the catalog's, then those of the config file that the catalog doesn't replace.
///
/// The catalog is what people change through the API and the command line while the product runs, so it wins: an
/// application or a site of the config file goes if the catalog has one of its name, an exporter if the catalog names its
/// address. The catalog's application rules are tried first. A subnet that a site of the catalog has is taken out of the
/// config file's sites, so that none is in two.
pub fn merge(catalog: &Rules, config: &Rules) -> Rules {
    let mut merged = catalog.clone();
    let applications: HashSet<&str> = catalog
        .applications
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    let sites: HashSet<&str> = catalog
        .sites
        .iter()
        .map(|site| site.name.as_str())
        .collect();
    let subnets: HashSet<_> = catalog
        .sites
        .iter()
        .flat_map(|site| &site.subnets)
        .map(ipnet::IpNet::trunc)
        .collect();
    let exporters: HashSet<_> = catalog
        .exporters
        .iter()
        .map(|exporter| exporter.address.to_canonical())
        .collect();

    let others = config.applications.iter();
    merged.applications.extend(
        others
            .filter(|rule| !applications.contains(rule.name.as_str()))
            .cloned(),
    );
    for site in config
        .sites
        .iter()
        .filter(|site| !sites.contains(site.name.as_str()))
    {
        let mut site = site.clone();
        site.subnets
            .retain(|subnet| !subnets.contains(&subnet.trunc()));
        merged.sites.push(site);
    }
    let others = config.exporters.iter();
    merged.exporters.extend(
        others
            .filter(|exporter| !exporters.contains(&exporter.address.to_canonical()))
            .cloned(),
    );
    merged
}
