//! The map of the enterprise: links, devices, zones and exporters, as tables.

use std::net::Ipv4Addr;

use super::dialect::Dialect;
use super::network::{Device, Link, Network, Zone};

/// ifIndex of a device's first interface; as on routers that count from somewhere.
pub(super) const FIRST_IF_INDEX: u16 = 10;

const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;

const fn link(name: &'static str, delay: i64, jitter: i64, loss: f64, megabits: f64) -> Link {
    Link {
        name,
        delay,
        jitter,
        loss,
        bandwidth: megabits * 1e6,
    }
}

const CORE_LEAF: usize = 0;
const LEAF_VSWITCH_1: usize = 1;
const LEAF_VSWITCH_2: usize = 2;
const CORE_WAN: usize = 3;
const WAN_HQ: usize = 4;
const HQ_ACCESS: usize = 5;
const WAN_BRANCH_1: usize = 6;
const WAN_BRANCH_2: usize = 7;
const CORE_EDGE: usize = 8;
const EDGE_CLOUD: usize = 9;

/// Links between devices first, then those to the hosts. The bandwidth is what one conversation gets.
const LINKS: &[Link] = &[
    link("core-leaf", 50 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("leaf-vswitch-1", 30 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("leaf-vswitch-2", 30 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("core-wan", MILLI, 50 * MICRO, 0.0, 100.0),
    link("wan-hq", 3 * MILLI, 100 * MICRO, 0.0, 100.0),
    link("hq-router-access", 100 * MICRO, 10 * MICRO, 0.0, 200.0),
    link("wan-branch-1", 9 * MILLI, 300 * MICRO, 0.000_2, 40.0),
    link("wan-branch-2", 16 * MILLI, 500 * MICRO, 0.000_5, 20.0),
    link("core-edge", 100 * MICRO, 10 * MICRO, 0.0, 200.0),
    link("edge-cloud", 12 * MILLI, 300 * MICRO, 0.000_1, 100.0),
    link("hq-desks", 200 * MICRO, 50 * MICRO, 0.0, 200.0),
    link("branch-1-desks", 300 * MICRO, 50 * MICRO, 0.0, 100.0),
    link("branch-2-desks", 300 * MICRO, 50 * MICRO, 0.0, 100.0),
    link("dc-dmz", 40 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("dc-services", 40 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("vm-web", 20 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("vm-app", 20 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("vm-db", 20 * MICRO, 5 * MICRO, 0.0, 400.0),
    link("cloud-hosts", 150 * MICRO, 20 * MICRO, 0.0, 200.0),
    link("internet", 11 * MILLI, 2 * MILLI, 0.000_3, 50.0),
];

const fn device(
    name: &'static str,
    parent: Option<usize>,
    uplink: usize,
    exporter: Option<usize>,
) -> Device {
    Device {
        name,
        parent,
        uplink,
        exporter,
    }
}

const DEVICES: &[Device] = &[
    device("dc-core", None, 0, Some(4)),
    device("dc-leaf", Some(0), CORE_LEAF, Some(5)),
    device("vswitch-1", Some(1), LEAF_VSWITCH_1, Some(6)),
    device("vswitch-2", Some(1), LEAF_VSWITCH_2, Some(7)),
    device("wan", Some(0), CORE_WAN, None),
    device("hq-router", Some(4), WAN_HQ, Some(1)),
    device("hq-access", Some(5), HQ_ACCESS, Some(0)),
    device("branch-1", Some(4), WAN_BRANCH_1, Some(2)),
    device("branch-2", Some(4), WAN_BRANCH_2, Some(3)),
    device("edge", Some(0), CORE_EDGE, Some(8)),
    device("cloud-gw", Some(9), EDGE_CLOUD, Some(9)),
];

/// Where users sit.
pub(super) const HQ: usize = 0;
pub(super) const BRANCH_1: usize = 1;
pub(super) const BRANCH_2: usize = 2;
/// Load balancers.
pub(super) const DMZ: usize = 3;
/// Physical servers: directory, names, mail, files, backup.
pub(super) const SERVICES: usize = 4;
/// Virtual machines on the two virtual switches.
pub(super) const WEB: usize = 5;
pub(super) const APP: usize = 6;
pub(super) const DB: usize = 7;
pub(super) const CLOUD: usize = 8;
pub(super) const INTERNET: usize = 9;

const fn zone(device: usize, access: usize, site: &'static str, overlay: bool) -> Zone {
    Zone {
        device,
        access,
        site,
        overlay,
    }
}

const ZONES: &[Zone] = &[
    zone(6, 10, "headquarters", false),
    zone(7, 11, "branch 1", false),
    zone(8, 12, "branch 2", false),
    zone(1, 13, "data centre", false),
    zone(1, 14, "data centre", false),
    zone(2, 15, "data centre", false),
    zone(2, 16, "data centre", true),
    zone(3, 17, "data centre", true),
    zone(10, 18, "cloud", false),
    zone(9, 19, "internet", false),
];

/// Subnets of each zone, IPv4 and IPv6. The internet has documentation and benchmarking ranges only.
pub(super) const SUBNETS: &[(usize, &str)] = &[
    (HQ, "10.1.0.0/16"),
    (HQ, "fd00:1::/48"),
    (BRANCH_1, "10.2.0.0/20"),
    (BRANCH_1, "fd00:2::/48"),
    (BRANCH_2, "10.3.0.0/20"),
    (BRANCH_2, "fd00:3::/48"),
    (DMZ, "10.20.5.0/24"),
    (SERVICES, "10.20.40.0/24"),
    (SERVICES, "fd00:20:40::/64"),
    // The tunnel ends: no hosts, but sources and destinations of what the first virtual switch reports.
    (SERVICES, "10.20.250.0/24"),
    (WEB, "10.20.10.0/24"),
    (APP, "10.20.20.0/24"),
    (DB, "10.20.30.0/24"),
    (CLOUD, "172.16.8.0/22"),
    (INTERNET, "198.18.0.0/15"),
    (INTERNET, "2001:db8::/32"),
];

/// Addresses of the tunnel ends of the two virtual switches.
pub(super) const TUNNEL_ENDS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(10, 20, 250, 11),
    Ipv4Addr::new(10, 20, 250, 12),
];

/// The overlay's VXLAN network identifier.
pub(super) const VNI: u32 = 5001;

/// An exporter as it is configured, and how wrong its clock is.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExporterPlan {
    pub(super) name: &'static str,
    pub(super) address: Ipv4Addr,
    pub(super) dialect: Dialect,
    pub(super) domain: u32,
    /// Its time of day less true time at the start, milliseconds.
    pub(super) offset_ms: i64,
    /// How much faster its clock runs, parts per million.
    pub(super) skew_ppm: i64,
    /// How long it is up at the start, milliseconds.
    pub(super) uptime_ms: i64,
    pub(super) active_s: i64,
    pub(super) inactive_s: i64,
    /// One packet of this many is looked at.
    pub(super) sampling: u32,
    /// UDP port of its datagrams, and where it sends them.
    pub(super) source_port: u16,
    pub(super) local_port: u16,
    /// From it to the collector, nanoseconds.
    pub(super) to_collector: i64,
}

const DAY_MS: i64 = 86_400_000;
/// 32 bits of milliseconds, less half an hour: this exporter's uptime wraps while one watches.
const SOON_WRAPS_MS: i64 = 4_294_967_296 - 1_800_000;

const fn exporter(
    name: &'static str,
    host: u8,
    dialect: Dialect,
    clock: (i64, i64, i64),
    timeouts: (i64, i64),
    to_collector: i64,
) -> ExporterPlan {
    let (offset_ms, skew_ppm, uptime_ms) = clock;
    ExporterPlan {
        name,
        address: Ipv4Addr::new(10, 250, 0, host),
        dialect,
        domain: dialect.domain(),
        offset_ms,
        skew_ppm,
        uptime_ms,
        active_s: timeouts.0,
        inactive_s: timeouts.1,
        sampling: dialect.sampling(),
        source_port: 50_000 + host as u16,
        local_port: dialect.local_port(),
        to_collector,
    }
}

/// All exporters. Clock: offset (ms), skew (ppm), uptime at the start (ms). Timeouts: active, inactive (s).
pub(super) const EXPORTERS: &[ExporterPlan] = &[
    exporter(
        "hq-access",
        1,
        Dialect::V9Access,
        (140, 12, 31 * DAY_MS),
        (60, 15),
        5 * MILLI,
    ),
    exporter(
        "hq-router",
        2,
        Dialect::V5,
        (-2_300, -25, SOON_WRAPS_MS),
        (60, 15),
        5 * MILLI,
    ),
    exporter(
        "branch-1",
        3,
        Dialect::IpfixBiflow,
        (35, 3, 4 * DAY_MS),
        (120, 30),
        12 * MILLI,
    ),
    exporter(
        "branch-2",
        4,
        Dialect::IpfixNbar,
        (-720, 40, 9 * DAY_MS),
        (60, 15),
        19 * MILLI,
    ),
    exporter(
        "dc-core",
        5,
        Dialect::V9Core,
        (4, 0, 45 * DAY_MS),
        (60, 15),
        MILLI,
    ),
    exporter(
        "dc-leaf",
        6,
        Dialect::V7,
        (61_000, -8, 12 * DAY_MS),
        (60, 20),
        MILLI,
    ),
    exporter(
        "vswitch-1",
        7,
        Dialect::IpfixVmware,
        (12, 5, 2 * DAY_MS),
        (60, 15),
        MILLI,
    ),
    exporter(
        "vswitch-2",
        8,
        Dialect::IpfixOvs,
        (-9, 7, 2 * DAY_MS),
        (60, 15),
        MILLI,
    ),
    exporter(
        "edge",
        9,
        Dialect::V9Sampled,
        (520, -15, 20 * DAY_MS),
        (60, 15),
        MILLI,
    ),
    exporter(
        "cloud-gw",
        10,
        Dialect::IpfixNanos,
        (2, 0, 6 * DAY_MS),
        (60, 15),
        14 * MILLI,
    ),
];

/// The net of this enterprise.
pub(super) fn network() -> Network {
    Network::new(LINKS.to_vec(), DEVICES.to_vec(), ZONES.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(client: usize, server: usize) -> Vec<&'static str> {
        let path = network().path(client, server);
        assert_eq!(path.legs.len(), path.hops.len() + 1);
        assert!(path.legs.iter().all(|leg| !leg.is_empty()));
        let name = |hop: &super::super::network::Hop| EXPORTERS[hop.exporter].name;
        path.hops.iter().map(name).collect()
    }

    #[test]
    fn paths_go_as_drawn() {
        assert_eq!(
            names(HQ, DMZ),
            ["hq-access", "hq-router", "dc-core", "dc-leaf"]
        );
        assert_eq!(
            names(HQ, APP),
            ["hq-access", "hq-router", "dc-core", "dc-leaf", "vswitch-1"]
        );
        assert_eq!(
            names(HQ, CLOUD),
            ["hq-access", "hq-router", "dc-core", "edge", "cloud-gw"]
        );
        assert_eq!(names(BRANCH_2, BRANCH_1), ["branch-2", "branch-1"]);
        assert_eq!(names(DMZ, WEB), ["dc-leaf", "vswitch-1"]);
        assert_eq!(names(WEB, APP), ["vswitch-1"]);
        // The leaf only switches what is in the tunnel.
        assert_eq!(names(APP, DB), ["vswitch-1", "vswitch-2"]);
        assert_eq!(names(INTERNET, DMZ), ["edge", "dc-core", "dc-leaf"]);
    }

    #[test]
    fn interfaces_face_their_neighbours() {
        let path = network().path(HQ, DMZ);
        // hq-access: uplink 10, desks 11. dc-core: leaf 10, wan 11, edge 12. dc-leaf: core 10, vswitches, dmz 13.
        let faces: Vec<(u16, u16)> = path
            .hops
            .iter()
            .map(|hop| (hop.client_side, hop.server_side))
            .collect();
        assert_eq!(faces, [(11, 10), (11, 10), (11, 10), (10, 13)]);
        assert_eq!(
            path.round_trip,
            2 * (200 + 100 + 3000 + 1000 + 50 + 40) * MICRO
        );
    }
}
