//! Link layers: from a frame to the IP packet in it.

/// A link layer that can be looked into, by its number in libpcap (DLT) and in files (LINKTYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Ethernet II, with any number of VLAN tags.
    Ethernet,
    /// Four octets of address family, in the byte order of whoever captured: BSD loopback.
    Loopback,
    /// IP without a link layer.
    Raw,
    /// Linux cooked capture: interface `any`.
    Cooked,
    /// Linux cooked capture, version 2.
    Cooked2,
}

/// Why a frame gives no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    NotIp,
    NotUdp,
    /// Shorter than its headers say.
    Short,
    /// Lengths that contradict each other.
    Malformed,
    NotAllowed,
    OtherPort,
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and two numbers that switches used before that was written.
const ETHERTYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
const VLAN_TAG_OCTETS: usize = 4;

impl Link {
    /// The link layer of this number (<https://www.tcpdump.org/linktypes.html>), if it is one that is looked into.
    pub(super) fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            // Raw IP was given three numbers by three systems; the last two name the version.
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            _ => None,
        }
    }

    /// The IP packet in a frame, with whatever the link layer padded it with.
    pub(super) fn packet(self, frame: &[u8]) -> Result<&[u8], Skip> {
        let (ethertype_at, header_octets) = match self {
            Self::Raw => return Ok(frame),
            // The version in the packet says what the family says, and in the same way on every system.
            Self::Loopback => return frame.get(4..).ok_or(Skip::Short),
            Self::Ethernet => (12, 14),
            Self::Cooked => (14, 16),
            Self::Cooked2 => (0, 20),
        };
        let ethertype = number_at(frame, ethertype_at).ok_or(Skip::Short)?;
        behind_tags(ethertype, frame.get(header_octets..).ok_or(Skip::Short)?)
    }
}

fn behind_tags(mut ethertype: u16, mut rest: &[u8]) -> Result<&[u8], Skip> {
    while ETHERTYPES_VLAN.contains(&ethertype) {
        ethertype = number_at(rest, 2).ok_or(Skip::Short)?;
        rest = rest.get(VLAN_TAG_OCTETS..).ok_or(Skip::Short)?;
    }
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(rest),
        _ => Err(Skip::NotIp),
    }
}

fn number_at(octets: &[u8], at: usize) -> Option<u16> {
    let octets = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes(octets.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `parts`, one after the other, with "IP" as the packet.
    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        [&parts.concat()[..], b"IP"].concat()
    }

    #[test]
    fn tags_may_be_stacked() {
        let addresses = [0; 12];
        let service: &[u8] = &[0x88, 0xa8, 0x00, 0x64];
        let customer: &[u8] = &[0x81, 0x00, 0xe0, 0x0a];
        for tags in [
            vec![],
            vec![customer],
            vec![service, customer],
            vec![&[0x91, 0x00, 0, 1], customer, customer],
        ] {
            let octets = frame(&[&addresses, &tags.concat(), &[0x86, 0xdd]]);
            assert_eq!(Link::Ethernet.packet(&octets), Ok(&b"IP"[..]));
        }
    }

    #[test]
    fn cooked_captures_have_their_protocol_in_different_places() {
        // <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>: type, device type, address length, address, protocol.
        let cooked = frame(&[&[0, 0, 0, 1, 0, 6], &[9; 8], &[0x08, 0x00]]);
        assert_eq!(Link::Cooked.packet(&cooked), Ok(&b"IP"[..]));
        // <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>: protocol, reserved, interface, device type, packet type,
        // address length, address.
        let cooked2 = frame(&[&[0x08, 0x00, 0, 0], &[0, 0, 0, 3, 0, 1, 4, 6], &[9; 8]]);
        assert_eq!(Link::Cooked2.packet(&cooked2), Ok(&b"IP"[..]));
        let tagged = frame(&[
            &[0x81, 0x00, 0, 0],
            &[0, 0, 0, 3, 0, 1, 4, 6],
            &[9; 8],
            &[0, 5, 0x86, 0xdd],
        ]);
        assert_eq!(Link::Cooked2.packet(&tagged), Ok(&b"IP"[..]));
    }

    #[test]
    fn what_is_not_ip_or_too_short_is_told_apart() {
        let arp = frame(&[&[0; 12], &[0x08, 0x06]]);
        assert_eq!(Link::Ethernet.packet(&arp), Err(Skip::NotIp));
        let length_field = frame(&[&[0; 12], &[0x00, 0x26]]);
        assert_eq!(Link::Ethernet.packet(&length_field), Err(Skip::NotIp));
        for octets in 0..14 {
            assert_eq!(
                Link::Ethernet.packet(&vec![0; octets]),
                Err(Skip::Short),
                "{octets}"
            );
        }
        assert_eq!(Link::Loopback.packet(&[2, 0, 0]), Err(Skip::Short));
        assert_eq!(Link::Loopback.packet(b"\x02\0\0\0IP"), Ok(&b"IP"[..]));
    }
}
