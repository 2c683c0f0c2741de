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
