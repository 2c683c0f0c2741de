//! Devices in a tree, the links between them, and the path of a conversation through them.

use std::sync::Arc;

use super::map;

/// A way between two neighbouring devices, or from a device to the hosts behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Its name, by which incidents find it.
    pub name: &'static str,
    /// Usual delay one way, nanoseconds.
    pub delay: i64,
    /// Typical size of the random part of the delay, nanoseconds.
    pub jitter: i64,
    /// The share of packets that it usually loses.
    pub loss: f64,
    /// Bits per second that one conversation gets.
    pub bandwidth: f64,
}

/// A switch or router. The tree's root has no uplink.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub(super) name: &'static str,
    pub(super) parent: Option<usize>,
    /// The link to the parent.
    pub(super) uplink: usize,
    pub(super) exporter: Option<usize>,
}

/// Hosts behind one interface of one device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    pub(super) device: usize,
    /// The link between the device and the hosts.
    pub(super) access: usize,
    pub(super) site: &'static str,
    /// Whether its hosts talk to each other through VXLAN tunnels.
    pub(super) overlay: bool,
}

/// One exporter on a path, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) exporter: usize,
    /// Interface towards the client, ifIndex.
    pub(super) client_side: u16,
    /// Interface towards the server, ifIndex.
    pub(super) server_side: u16,
    /// Routers that a packet from the client has passed before; for the TTL.
    pub(super) routers_before: u8,
    pub(super) routers_after: u8,
    /// Whether it sees the conversation inside a tunnel.
    pub(super) tunnelled: bool,
}

/// The way of a conversation: `legs[i]` leads to `hops[i]`; the last leg leads to the server.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) hops: Vec<Hop>,
    pub(super) legs: Vec<Vec<usize>>,
    /// The narrowest link's share.
    pub(super) bandwidth: f64,
    /// Usual round trip, nanoseconds.
    pub(super) round_trip: i64,
}

/// The whole net.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) links: Vec<Link>,
    pub(super) devices: Vec<Device>,
    pub(super) zones: Vec<Zone>,
    paths: Vec<Option<Arc<Path>>>,
}

impl Network {
    pub(super) fn new(links: Vec<Link>, devices: Vec<Device>, zones: Vec<Zone>) -> Self {
        let pairs = zones.len() * zones.len();
        Self {
            links,
            devices,
            zones,
            paths: vec![None; pairs],
        }
    }

    /// The path between hosts of two zones. Found once, then kept.
    pub(super) fn path(&mut self, client: usize, server: usize) -> Arc<Path> {
        let place = client * self.zones.len() + server;
        if let Some(path) = &self.paths[place] {
            return Arc::clone(path);
        }
        let path = Arc::new(self.find_path(client, server));
        self.paths[place] = Some(Arc::clone(&path));
        path
    }

    fn find_path(&self, client: usize, server: usize) -> Path {
        let (from, to) = (self.zones[client], self.zones[server]);
        let (route, top) = self.route(from.device, to.device);
        let tunnelled = from.overlay && to.overlay && from.device != to.device;
        let mut path = Path {
            hops: Vec::new(),
            legs: vec![vec![from.access]],
            bandwidth: f64::MAX,
            round_trip: 0,
        };
        for (place, device) in route.iter().enumerate() {
            // The switch that joins two tunnel ends only switches the tunnel: it routes, and so exports, nothing.
            let switched_only = tunnelled && place == top;
            if let (Some(exporter), false) = (self.devices[*device].exporter, switched_only) {
                let before = place.checked_sub(1).map(|place| route[place]);
                path.hops.push(Hop {
                    exporter,
                    client_side: self.interface(*device, before, client),
                    server_side: self.interface(*device, route.get(place + 1).copied(), server),
                    routers_before: u8::try_from(place).unwrap_or(u8::MAX),
                    routers_after: u8::try_from(route.len() - 1 - place).unwrap_or(u8::MAX),
                    tunnelled,
                });
                path.legs.push(Vec::new());
            }
            let link = match (place < top, route.get(place + 1)) {
                (true, _) => self.devices[*device].uplink,
                (false, Some(next)) => self.devices[*next].uplink,
                (false, None) => to.access,
            };
            if let Some(leg) = path.legs.last_mut() {
                leg.push(link);
            }
        }
        for link in path.legs.iter().flatten().map(|link| &self.links[*link]) {
            path.bandwidth = path.bandwidth.min(link.bandwidth);
            path.round_trip += 2 * link.delay;
        }
        path
    }

    /// The devices from one to the other, and where in that list the topmost one is.
    fn route(&self, from: usize, to: usize) -> (Vec<usize>, usize) {
        let mut up = self.ancestors(from);
        let down = self.ancestors(to);
        let top = up.iter().position(|one| down.contains(one)).unwrap_or(0);
        up.truncate(top + 1);
        let below = down.iter().take_while(|one| !up.contains(one)).copied();
        let below: Vec<usize> = below.collect();
        up.extend(below.into_iter().rev());
        (up, top)
    }

    fn ancestors(&self, device: usize) -> Vec<usize> {
        std::iter::successors(Some(device), |one| self.devices[*one].parent).collect()
    }

    /// The ifIndex of the interface towards a neighbouring device, or towards a zone if there is none.
    fn interface(&self, device: usize, neighbour: Option<usize>, zone: usize) -> u16 {
        let towards = neighbour.map_or(Neighbour::Zone(zone), Neighbour::Device);
        let all = self.interfaces(device);
        let found = all.iter().find(|interface| interface.towards == towards);
        found.map_or(0, |interface| interface.index)
    }

    /// All interfaces of a device: uplink, devices below, zones.
    pub(super) fn interfaces(&self, device: usize) -> Vec<Interface> {
        let parent = self.devices[device].parent;
        let below = |one: &usize| self.devices[*one].parent == Some(device);
        let devices = parent
            .into_iter()
            .chain((0..self.devices.len()).filter(below));
        let behind = |zone: &usize| self.zones[*zone].device == device;
        let zones = (0..self.zones.len()).filter(behind);
        let neighbours = devices
            .map(Neighbour::Device)
            .chain(zones.map(Neighbour::Zone));
        neighbours
            .enumerate()
            .map(|(place, towards)| {
                let place = u16::try_from(place).unwrap_or(0);
                Interface {
                    index: map::FIRST_IF_INDEX + place,
                    number: place,
                    towards,
                }
            })
            .collect()
    }

    /// What people call a link's other end: for an interface's description.
    pub(super) fn neighbour_name(&self, neighbour: Neighbour) -> &'static str {
        match neighbour {
            Neighbour::Device(device) => self.devices[device].name,
            Neighbour::Zone(zone) => self.links[self.zones[zone].access].name,
        }
    }
}

/// What is at the other end of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Neighbour {
    Device(usize),
    Zone(usize),
}

/// An interface of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) index: u16,
    /// Counted from 0.
    pub(super) number: u16,
    pub(super) towards: Neighbour,
}
