//! The beginning of a sampled packet: its headers stay, with other addresses; what they carry goes.

use std::net::IpAddr;
use std::ops::Range;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::cipher::Cipher;
use crate::decode::frame::{below_cooked, below_mpls};
use crate::fields::Frame;

/// Rewrites the packet in place. What is not understood becomes zeros, all of it where there is no IP header, or options or
/// extensions that hold addresses of their own.
pub(super) fn rewrite(frame: Frame, octets: &mut [u8], cipher: &mut Cipher) {
    match Sketch::of(frame, octets, cipher) {
        Some(sketch) => octets.copy_from_slice(&sketch.made),
        None => octets.fill(0),
    }
}

/// A packet that is made anew: zeros, and what may stay.
struct Sketch<'a> {
    octets: &'a [u8],
    made: Vec<u8>,
    cipher: &'a mut Cipher,
}

impl<'a> Sketch<'a> {
    fn of(frame: Frame, octets: &'a [u8], cipher: &'a mut Cipher) -> Option<Self> {
        const MACS: Range<usize> = 0..12;
        const COOKED_MAC: usize = 6;
        let mut sketch = Self {
            octets,
            made: vec![0; octets.len()],
            cipher,
        };
        let (frame, inside) = match frame {
            Frame::Ip => (frame, octets),
            Frame::Ethernet => {
                if let Some((inner, inside)) = below_mpls(octets) {
                    sketch.keep(MACS.end..sketch.at(inside)?)?;
                    sketch.mac(0)?;
                    sketch.mac(6)?;
                    (inner, inside)
                } else if let Some((inner, inside)) = below_cooked(octets) {
                    sketch.keep(0..sketch.at(inside)?)?;
                    sketch.mac(COOKED_MAC)?;
                    (inner, inside)
                } else {
                    (frame, octets)
                }
            }
        };
        let packet = match frame {
            Frame::Ethernet => LaxSlicedPacket::from_ethernet(inside).ok(),
            Frame::Ip => LaxSlicedPacket::from_ip(inside).ok(),
        };
        sketch.packet(&packet?, sketch.at(inside)?)?;
        Some(sketch)
    }

    /// An IP packet or an Ethernet frame that starts at `start`.
    fn packet(&mut self, packet: &LaxSlicedPacket<'_>, start: usize) -> Option<()> {
        let (header, carried) = match packet.net.as_ref()? {
            LaxNetSlice::Ipv4(ip) => (ip.header().slice(), ip.payload().payload),
            LaxNetSlice::Ipv6(ip) => (ip.header().slice(), ip.payload().payload),
            LaxNetSlice::Arp(_) => return None,
        };
        let at = self.at(header)?;
        if packet.link.is_some() {
            self.keep(start + 12..at)?;
            self.mac(start)?;
            self.mac(start + 6)?;
        }
        if !carried.is_empty() && self.at(carried)? != at + header.len() {
            return None;
        }
        if header.len() == 40 && header[0] >> 4 == 6 {
            self.keep(at..at + 8)?;
            self.address(at + 8, 16)?;
            self.address(at + 24, 16)?;
        } else {
            // Check sums tell of the addresses under them.
            self.keep(at..at + 10)?;
            self.address(at + 12, 4)?;
            self.address(at + 16, 4)?;
        }
        self.transport(packet.transport.as_ref())
    }

    fn transport(&mut self, transport: Option<&TransportSlice<'_>>) -> Option<()> {
        let (slice, stays) = match transport {
            Some(TransportSlice::Tcp(tcp)) => (tcp.slice(), 16),
            Some(TransportSlice::Udp(udp)) => (udp.slice(), 6),
            Some(TransportSlice::Icmpv4(icmp)) => (icmp.slice(), 2),
            Some(TransportSlice::Icmpv6(icmp)) => (icmp.slice(), 2),
            // Group addresses, or nothing.
            Some(TransportSlice::Igmp(_)) | None => return Some(()),
        };
        let at = self.at(slice)?;
        self.keep(at..at + stays)
    }

    /// Where a part of the packet is in it.
    fn at(&self, part: &[u8]) -> Option<usize> {
        let at = part
            .as_ptr()
            .addr()
            .checked_sub(self.octets.as_ptr().addr())?;
        (at + part.len() <= self.octets.len()).then_some(at)
    }

    fn keep(&mut self, range: Range<usize>) -> Option<()> {
        let octets = self.octets.get(range.clone())?;
        self.made.get_mut(range)?.copy_from_slice(octets);
        Some(())
    }

    fn mac(&mut self, at: usize) -> Option<()> {
        let octets = self.octets.get(at..at + 6)?;
        let number = octets
            .iter()
            .fold(0, |bits, octet| bits << 8 | u64::from(*octet));
        let image = self.cipher.mac(number).to_be_bytes();
        self.made.get_mut(at..at + 6)?.copy_from_slice(&image[2..]);
        Some(())
    }

    fn address(&mut self, at: usize, length: usize) -> Option<()> {
        let octets = self.octets.get(at..at + length)?;
        let made = self.made.get_mut(at..at + length)?;
        super::write_address(self.cipher, octets, made);
        Some(())
    }
}

/// The address in octets of either length.
pub(super) fn read_address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}
