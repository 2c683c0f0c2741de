//! Captures out: datagrams as UDP packets in a pcap file that every tool reads.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use flow::clock::NANOS_PER_SECOND;
use flow::{Datagram, Timestamp};

use super::error::CaptureError;

/// What stands around the IP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Nothing (LINKTYPE_RAW).
    #[default]
    Raw,
    /// Ethernet, with invented addresses, for tools that read nothing else.
    Ethernet,
}

/// Writes datagrams into a pcap file with nanoseconds
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>).
///
/// Source, destination port, time and payload are the datagram's own, and IP and UDP checksums are right. The destination
/// address is loopback, as a datagram does not keep it. Written here and not by libpcap, whose writer does not say when the
/// disk is full.
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    out: W,
    framing: Framing,
    packet: Vec<u8>,
}

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
/// More than any frame: 65,535 octets of IP and its link layer.
const SNAPSHOT_OCTETS: u32 = 262_144;
const LINKTYPE_ETHERNET: u32 = 1;
const LINKTYPE_RAW: u32 = 101;
/// Locally administered addresses ([RFC 9542 §2.1](https://www.rfc-editor.org/rfc/rfc9542#section-2.1)).
const MAC_EXPORTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_COLLECTOR: [u8; 6] = [2, 0, 0, 0, 0, 2];
const TTL: u8 = 64;

impl<W: Write> CaptureWriter<W> {
    /// Writes the file's header. `out` should be buffered.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Write`]; the caller gives the file up.
    pub fn new(mut out: W, framing: Framing) -> Result<Self, CaptureError> {
        let link = match framing {
            Framing::Raw => LINKTYPE_RAW,
            Framing::Ethernet => LINKTYPE_ETHERNET,
        };
        let mut header = Vec::with_capacity(24);
        header.extend(MAGIC_NANOSECONDS.to_le_bytes());
        header.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
        header.extend([0; 8]);
        header.extend(SNAPSHOT_OCTETS.to_le_bytes());
        header.extend(link.to_le_bytes());
        out.write_all(&header).map_err(CaptureError::Write)?;
        Ok(Self {
            out,
            framing,
            packet: Vec::new(),
        })
    }

    /// Writes one datagram. Times before 1970 or after 2106 become those years: the format has no others.
    ///
    /// # Errors
    ///
    /// [`CaptureError::TooLarge`] if the payload is longer than an IP packet can hold (65,507 octets for IPv4), and nothing is
    /// written; [`CaptureError::Write`], and the caller gives the file up.
    pub fn write(&mut self, datagram: &Datagram) -> Result<(), CaptureError> {
        self.build(datagram)?;
        let too_large = |_| too_large(datagram);
        let length = u32::try_from(self.packet.len()).map_err(too_large)?;
        let (seconds, nanos) = stamp(datagram.received_at);
        let mut header = [0; 16];
        for (place, number) in header
            .chunks_exact_mut(4)
            .zip([seconds, nanos, length, length])
        {
            place.copy_from_slice(&number.to_le_bytes());
        }
        self.out
            .write_all(&header)
            .and_then(|()| self.out.write_all(&self.packet))
            .map_err(CaptureError::Write)
    }

    /// Flushes and returns what was written into.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Write`]; the file may lack its end.
    pub fn finish(mut self) -> Result<W, CaptureError> {
        self.out.flush().map_err(CaptureError::Write)?;
        Ok(self.out)
    }

    fn build(&mut self, datagram: &Datagram) -> Result<(), CaptureError> {
        self.packet.clear();
        let (from, port) = (datagram.source.port(), datagram.local_port);
        let source = datagram.source.ip();
        let udp = match self.framing {
            Framing::Ethernet => {
                let ethernet = PacketBuilder::ethernet2(MAC_EXPORTER, MAC_COLLECTOR);
                match source {
                    IpAddr::V4(v4) => ethernet.ipv4(v4.octets(), Ipv4Addr::LOCALHOST.octets(), TTL),
                    IpAddr::V6(v6) => ethernet.ipv6(v6.octets(), Ipv6Addr::LOCALHOST.octets(), TTL),
                }
            }
            Framing::Raw => match source {
                IpAddr::V4(v4) => {
                    PacketBuilder::ipv4(v4.octets(), Ipv4Addr::LOCALHOST.octets(), TTL)
                }
                IpAddr::V6(v6) => {
                    PacketBuilder::ipv6(v6.octets(), Ipv6Addr::LOCALHOST.octets(), TTL)
                }
            },
        };
        udp.udp(from, port)
            .write(&mut self.packet, &datagram.payload)
            .map_err(|_| too_large(datagram))
    }
}

/// Writing to memory fails for one reason only.
fn too_large(datagram: &Datagram) -> CaptureError {
    CaptureError::TooLarge {
        octets: datagram.payload.len(),
        from: datagram.source,
    }
}

/// Seconds and nanoseconds as the format has them: 32 bits each, without a sign.
fn stamp(at: Timestamp) -> (u32, u32) {
    let Ok(seconds) = u32::try_from(at.seconds().max(0)) else {
        return (u32::MAX, 0);
    };
    let nanos = at.nanos().max(0) % NANOS_PER_SECOND;
    (seconds, u32::try_from(nanos).unwrap_or_default())
}
