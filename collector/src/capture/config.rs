//! Which datagrams of a capture count as received.

use flow::Feed;
use serde::{Deserialize, Serialize};

use crate::listen::AllowList;
use crate::listen::config::PORTS;

/// Which datagrams to take, and as whose.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Destination ports; empty takes every port.
    pub ports: Vec<u16>,
    /// Sources that are heard; everybody if `None`.
    pub allow: Option<AllowList>,
    /// What the datagrams are said to come from.
    pub feed: Feed,
}

/// A mirrored interface (SPAN port, tap, virtual switch mirror) and what to take from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorConfig {
    /// The interface's name, or `any`.
    pub interface: String,
    /// UDP destination ports; 2055 and 4739 unless told otherwise.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// A filter in libpcap's language (pcap-filter(7)) instead of the one made from `ports`, for encapsulations that it does
    /// not know. `ports` are checked all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Octets that the kernel holds while the thread is busy.
    #[serde(default = "default_buffer")]
    pub buffer_octets: u32,
    /// Whether to see frames for other machines, as on a mirror port.
    #[serde(default = "default_promiscuous")]
    pub promiscuous: bool,
}

impl MirrorConfig {
    /// An interface with the defaults for the rest.
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            ports: default_ports(),
            filter: None,
            buffer_octets: default_buffer(),
            promiscuous: default_promiscuous(),
        }
    }
}

fn default_ports() -> Vec<u16> {
    PORTS.to_vec()
}

fn default_buffer() -> u32 {
    32 * 1024 * 1024
}

fn default_promiscuous() -> bool {
    true
}

/// A filter that passes whatever may hold a datagram to one of these ports, and as little else as the kernel can tell:
/// later fragments have no ports, and behind IPv6 extension headers the kernel does not look.
///
/// Each `vlan` moves all that stands after it by one tag, so up to two tags are looked behind.
pub(super) fn filter(ports: &[u16], behind_vlan: bool) -> String {
    let ports = match ports {
        [] => "udp".to_owned(),
        some => {
            let each: Vec<_> = some.iter().map(|port| format!("dst port {port}")).collect();
            format!("udp and ({})", each.join(" or "))
        }
    };
    let later_fragment = "ip proto 17 and ip[6:2] & 0x1fff != 0";
    let extension_header = "ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60";
    let plain = format!("({ports}) or ({later_fragment}) or ({extension_header})");
    if behind_vlan {
        format!("{plain} or (vlan and ({plain} or (vlan and ({plain}))))")
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{PacketBuilder, VlanId};
    use pcap::{Capture, Linktype};

    fn passes(program: &str, frame: &[u8]) -> bool {
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        handle.compile(program, true).unwrap().filter(frame)
    }

    fn frame(port: u16, tags: u16) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2; 6], [3; 6]);
        let (source, destination) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let vlan = |number| VlanId::try_new(number).unwrap();
        let ip = match tags {
            0 => ethernet.ipv4(source, destination, 64),
            1 => ethernet.single_vlan(vlan(7)).ipv4(source, destination, 64),
            _ => ethernet
                .double_vlan(vlan(7), vlan(8))
                .ipv4(source, destination, 64),
        };
        let mut octets = Vec::new();
        ip.udp(9, port).write(&mut octets, b"abc").unwrap();
        octets
    }

    #[test]
    fn the_kernels_filter_sees_the_ports_behind_up_to_two_tags() {
        let program = filter(&[2055, 4739], true);
        for tags in 0..3 {
            assert!(passes(&program, &frame(2055, tags)), "{tags} tags");
            assert!(passes(&program, &frame(4739, tags)), "{tags} tags");
            assert!(!passes(&program, &frame(53, tags)), "{tags} tags");
        }
        assert!(!passes(&filter(&[2055], false), &frame(2055, 1)));
        assert!(passes(&filter(&[], true), &frame(53, 2)));
    }

    #[test]
    fn the_kernels_filter_keeps_later_fragments() {
        let mut fragment = frame(2055, 0);
        fragment[14 + 6..14 + 8].copy_from_slice(&[0x00, 0xb9]);
        fragment[34..42].fill(0xee);
        assert!(passes(&filter(&[2055], true), &fragment));
        fragment[14 + 9] = 6;
        assert!(!passes(&filter(&[2055], true), &fragment));
    }
}
