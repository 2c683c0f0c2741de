//! Sites: named sets of subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A site and its subnets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The site's name.
    pub name: String,
    /// Its subnets. Where subnets of several sites hold an address, the longest prefix wins.
    #[schema(value_type = Vec<String>)]
    pub subnets: Vec<IpNet>,
}

/// What people call an exporter and its interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExporterName {
    /// The exporter's address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Its name.
    pub name: String,
    /// What to take as its sampling interval where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_interval: Option<u32>,
    /// Names of its interfaces by ifIndex; what the exporter says in options data comes second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceName>,
}

/// What people call an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InterfaceName {
    /// SNMP ifIndex.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// The rules by which flows are named: what a change of them means for new data, and what `reclassify` applies to old.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Applications, first match first.
    #[serde(rename = "application")]
    pub applications: Vec<crate::application::ApplicationRule>,
    /// Sites.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
    /// Exporters and their interfaces.
    #[serde(rename = "exporter")]
    pub exporters: Vec<ExporterName>,
}

impl Rules {
    /// The site that holds an address, by the longest prefix.
    ///
    /// ```
    /// use flow::site::{Rules, Site};
    ///
    /// let site = |name: &str, subnet: &str| Site { name: name.to_owned(), subnets: vec![subnet.parse().unwrap()] };
    /// let sites = vec![site("europe", "10.0.0.0/8"), site("berlin", "10.1.0.0/16")];
    /// let rules = Rules { sites, ..Rules::default() };
    /// assert_eq!(rules.site_of("10.1.2.3".parse().unwrap()), Some("berlin"));
    /// assert_eq!(rules.site_of("192.0.2.1".parse().unwrap()), None);
    /// ```
    pub fn site_of(&self, address: IpAddr) -> Option<&str> {
        let address = address.to_canonical();
        let all = self.sites.iter();
        let subnets = all.flat_map(|site| site.subnets.iter().map(move |subnet| (subnet, site)));
        subnets
            .filter(|(subnet, _)| subnet.contains(&address))
            .max_by_key(|(subnet, _)| subnet.prefix_len())
            .map(|(_, site)| site.name.as_str())
    }
}
