//! From a captured frame to the datagram in it.

use std::net::SocketAddr;

use bytes::Bytes;
use etherparse::{IpNumber, LaxIpSlice};
use flow::{Datagram, Timestamp};

use super::config::Selection;
use super::fragments::{Fragment, Reassembly};
use super::link::{Link, Skip};
use super::stats::FrameCounts;

/// Takes frames apart, holds fragments, counts.
#[derive(Debug)]
pub(super) struct Unwrap {
    link: Link,
    selection: Selection,
    reassembly: Reassembly,
    counts: FrameCounts,
}

/// A captured frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) at: Timestamp,
    pub(super) octets: &'a [u8],
    /// Whether the capture kept only its beginning.
    pub(super) cut: bool,
}

const UDP_HEADER_OCTETS: usize = 8;

impl Unwrap {
    pub(super) fn new(link: Link, selection: Selection) -> Self {
        Self {
            link,
            selection,
            reassembly: Reassembly::default(),
            counts: FrameCounts::default(),
        }
    }

    pub(super) fn counts(&self) -> FrameCounts {
        FrameCounts {
            incomplete: self.reassembly.given_up(),
            ..self.counts
        }
    }

    /// Counts the fragments that still wait as incomplete.
    pub(super) fn finish(&mut self) {
        self.reassembly.finish();
    }

    pub(super) fn count_damaged_tail(&mut self) {
        self.counts.damaged_tails += 1;
    }

    /// The datagram in a frame, or the one that this frame's fragment completes. Everything else is counted.
    pub(super) fn datagram(&mut self, frame: Frame<'_>) -> Option<Datagram> {
        self.counts.frames += 1;
        match self.unwrap(frame) {
            Ok(datagram) => {
                self.counts.datagrams += u64::from(datagram.is_some());
                datagram
            }
            Err(skip) => {
                *self.counter(skip, frame.cut) += 1;
                None
            }
        }
    }

    fn counter(&mut self, skip: Skip, cut: bool) -> &mut u64 {
        match skip {
            Skip::NotIp => &mut self.counts.not_ip,
            Skip::NotUdp => &mut self.counts.not_udp,
            Skip::Short if cut => &mut self.counts.cut,
            Skip::Short | Skip::Malformed => &mut self.counts.malformed,
            Skip::NotAllowed => &mut self.counts.not_allowed,
            Skip::OtherPort => &mut self.counts.other_port,
        }
    }

    fn unwrap(&mut self, frame: Frame<'_>) -> Result<Option<Datagram>, Skip> {
        let packet = self.link.packet(frame.octets)?;
        let version = packet.first().ok_or(Skip::Short)? >> 4;
        if version != 4 && version != 6 {
            return Err(Skip::NotIp);
        }
        let (ip, broken) = LaxIpSlice::from_slice(packet).map_err(|error| match error {
            etherparse::err::ip::LaxHeaderSliceError::Len(_) => Skip::Short,
            etherparse::err::ip::LaxHeaderSliceError::Content(_) => Skip::Malformed,
        })?;
        if broken.is_some() {
            return Err(Skip::Short);
        }
        let payload = ip.payload();
        if payload.ip_number != IpNumber::UDP {
            return Err(Skip::NotUdp);
        }
        if payload.incomplete {
            return Err(Skip::Short);
        }
        let source = ip.source_addr().to_canonical();
        if let Some(allow) = &self.selection.allow
            && !allow.allows(source)
        {
            return Err(Skip::NotAllowed);
        }
        match Fragment::of(&ip) {
            None => {
                let udp = Udp::read(payload.payload)?;
                self.select(frame.at, source, udp).map(Some)
            }
            Some(fragment) => {
                self.counts.fragments += 1;
                let Some(whole) = self.reassembly.add(frame.at, fragment) else {
                    return Ok(None);
                };
                self.counts.reassembled += 1;
                // What is wrong with the whole is counted as well; its frame is in `fragments` already.
                self.select(frame.at, source, Udp::read(&whole)?).map(Some)
            }
        }
    }

    fn select(
        &self,
        received_at: Timestamp,
        source: std::net::IpAddr,
        udp: Udp<'_>,
    ) -> Result<Datagram, Skip> {
        let ports = &self.selection.ports;
        if !ports.is_empty() && !ports.contains(&udp.destination_port) {
            return Err(Skip::OtherPort);
        }
        Ok(Datagram {
            received_at,
            source: SocketAddr::new(source, udp.source_port),
            local_port: udp.destination_port,
            feed: self.selection.feed,
            payload: Bytes::copy_from_slice(udp.payload),
        })
    }
}

/// A UDP datagram ([RFC 768](https://www.rfc-editor.org/rfc/rfc768)). The checksum is not looked at: captures on the sending
/// machine have it unfinished.
struct Udp<'a> {
    source_port: u16,
    destination_port: u16,
    payload: &'a [u8],
}

impl<'a> Udp<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, Skip> {
        let (header, _) = octets
            .split_first_chunk::<UDP_HEADER_OCTETS>()
            .ok_or(Skip::Malformed)?;
        let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let length = usize::from(number(4));
        Ok(Self {
            source_port: number(0),
            destination_port: number(2),
            payload: octets
                .get(UDP_HEADER_OCTETS..length)
                .ok_or(Skip::Malformed)?,
        })
    }
}
