//! Captures out: datagrams as UDP packets in a pcap or pcapng file that every tool reads.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use flow::Datagram;

use super::error::CaptureError;

mod pcap;
mod pcapng;

/// Which kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// pcap with nanoseconds (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>), which all tools read. Times
    /// before 1970 or after 2106 become those years: the format has no others.
    #[default]
    Pcap,
    /// pcapng with nanoseconds (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>): one section with one
    /// interface. Times before 1970 become 1970; all later ones are exact.
    Pcapng,
}

/// What stands around the IP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Nothing (LINKTYPE_RAW).
    #[default]
    Raw,
    /// Ethernet, with invented addresses, for tools that read nothing else.
    Ethernet,
}

/// Writes datagrams into a capture file.
///
/// Source, destination port, time and payload are the datagram's own, and IP and UDP checksums are right. The destination
/// address is loopback, as a datagram does not keep it. Written here and not by libpcap, whose writer does not say when the
/// disk is full.
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    out: W,
    format: Format,
    framing: Framing,
    /// A packet with what the format puts around it.
    record: Vec<u8>,
}

/// More than any frame: 65,535 octets of IP and its link layer.
const SNAPSHOT_OCTETS: u32 = 262_144;
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
    pub fn new(mut out: W, format: Format, framing: Framing) -> Result<Self, CaptureError> {
        let header = match format {
            Format::Pcap => pcap::header(link_type(framing)),
            Format::Pcapng => pcapng::header(link_type(framing)),
        };
        out.write_all(&header).map_err(CaptureError::Write)?;
        Ok(Self {
            out,
            format,
            framing,
            record: Vec::new(),
        })
    }

    /// Writes one datagram.
    ///
    /// # Errors
    ///
    /// [`CaptureError::TooLarge`] if the payload is longer than an IP packet can hold (65,507 octets for IPv4), and nothing is
    /// written; [`CaptureError::Write`], and the caller gives the file up.
    pub fn write(&mut self, datagram: &Datagram) -> Result<(), CaptureError> {
        let head = match self.format {
            Format::Pcap => pcap::HEAD_OCTETS,
            Format::Pcapng => pcapng::HEAD_OCTETS,
        };
        self.record.clear();
        self.record.resize(head, 0);
        self.build(datagram)?;
        let length = self.record.len() - head;
        let length = u32::try_from(length).map_err(|_| too_large(datagram))?;
        match self.format {
            Format::Pcap => pcap::complete(&mut self.record, datagram.received_at, length),
            Format::Pcapng => pcapng::complete(&mut self.record, datagram.received_at, length),
        }
        self.out
            .write_all(&self.record)
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

    /// Adds the packet to what is in the record.
    fn build(&mut self, datagram: &Datagram) -> Result<(), CaptureError> {
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
            .write(&mut self.record, &datagram.payload)
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

/// What stands around the packets, as a file says it (<https://www.tcpdump.org/linktypes.html>).
fn link_type(framing: Framing) -> u16 {
    match framing {
        Framing::Ethernet => 1,
        Framing::Raw => 101,
    }
}

/// Puts 32-bit numbers at the start of a record, in the byte order that the file's magic number tells.
fn fill(record: &mut [u8], numbers: &[u32]) {
    for (place, number) in record.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}
