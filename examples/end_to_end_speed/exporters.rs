//! The sender: exporters on this machine's loopback, each with an address of its own, that send prebuilt datagrams at any
//! rate up to several million flows a second.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::clock::{self, Stopwatch};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use simulator::load::{Load, LoadConfig, LoadShape, Traffic};

/// Exporters, each with an address of its own: as many as a campus has distribution switches.
const EXPORTERS: u8 = 32;
/// Datagrams of one call at most: the kernel's `UDP_MAX_SEGMENTS`, and what fits one IPv4 packet before it is cut up.
const CALL_DATAGRAMS: usize = 64;
const CALL_OCTETS: usize = 65_000;
/// Datagrams that are due in this time go out with one call, as long as the rate allows it.
const CALL_EVERY: Duration = Duration::from_micros(500);
/// Between two sendings of the templates.
const TEMPLATES_EVERY: Duration = Duration::from_secs(20);
/// The longest sleep.
const NAP: Duration = Duration::from_millis(5);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// The kind of datagrams.
    pub(crate) shape: LoadShape,
    /// What the flows are like.
    pub(crate) traffic: Traffic,
    /// Flows a second; `None` as fast as it goes.
    pub(crate) rate: Option<f64>,
    /// How long.
    pub(crate) time: Duration,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Datagrams, those with templates included.
    pub(crate) datagrams: u64,
    /// Flow records.
    pub(crate) flows: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

/// All exporters.
pub(crate) struct Exporters {
    list: Vec<(UdpSocket, Load)>,
    turn: usize,
}

impl Exporters {
    /// Builds what they send, and sends their templates.
    pub(crate) fn start(
        shape: LoadShape,
        traffic: Traffic,
        to: SocketAddr,
    ) -> Result<(Self, Sent)> {
        let mut list = Vec::new();
        for number in 1..=EXPORTERS {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 1, number), 0))?;
            socket.connect(to)?;
            let load = Load::new(LoadConfig {
                traffic,
                addresses: match traffic {
                    Traffic::Office => 750,
                    Traffic::Random => 60_000,
                },
                domain: number.into(),
                ..LoadConfig::new(shape, clock::now())
            });
            list.push((socket, load));
        }
        let mut this = Self { list, turn: 0 };
        let mut sent = Sent::default();
        this.send_templates(&mut sent)?;
        Ok((this, sent))
    }

    /// Sends for a while.
    pub(crate) fn send(&mut self, rate: Option<f64>, time: Duration) -> Result<Sent> {
        let (_, load) = self.list.first().context("no exporters")?;
        let (flows, octets) = (load.records_per_datagram() as u64, load.payload_octets());
        let per_second = rate.map_or(f64::INFINITY, |rate| rate / flows as f64);
        let together = (per_second * CALL_EVERY.as_secs_f64()).clamp(1.0, CALL_DATAGRAMS as f64);
        let together = (1..=CALL_DATAGRAMS)
            .rfind(|count| *count as f64 <= together && count * octets <= CALL_OCTETS)
            .unwrap_or(1);
        let mut sent = Sent::default();
        let (watch, mut templates) = (Stopwatch::start(), Stopwatch::start());
        while watch.elapsed() < time {
            let due = per_second * watch.elapsed().as_secs_f64();
            let ahead = sent.datagrams as f64 + together as f64 - due;
            if ahead > 0.0 {
                std::thread::sleep(Duration::from_secs_f64(ahead / per_second).min(NAP));
                continue;
            }
            if templates.elapsed() > TEMPLATES_EVERY {
                templates = Stopwatch::start();
                self.send_templates(&mut sent)?;
            }
            let count = self.send_turn(together)?;
            sent.datagrams += count;
            sent.flows += count * flows;
        }
        sent.took = watch.elapsed();
        Ok(sent)
    }

    /// One call of the exporter whose turn it is: the kernel cuts what it is given into datagrams (`UDP_SEGMENT`, udp(7)).
    fn send_turn(&mut self, together: usize) -> Result<u64> {
        self.turn = (self.turn + 1) % self.list.len();
        let (socket, load) = &mut self.list[self.turn];
        let each = load.payload_octets();
        let segment = u16::try_from(each)?;
        let payloads = load.next_payloads(together, clock::now());
        loop {
            let parts = [IoSlice::new(payloads)];
            let cut = [ControlMessage::UdpGsoSegments(&segment)];
            let fd = socket.as_raw_fd();
            match sendmsg::<SockaddrStorage>(fd, &parts, &cut, MsgFlags::empty(), None) {
                Ok(_) => return Ok((payloads.len() / each) as u64),
                // The answer to an earlier one, which nobody heard.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                Err(error) => return Err(error).context("sendmsg"),
            }
        }
    }

    fn send_templates(&mut self, sent: &mut Sent) -> Result<()> {
        for (socket, load) in &mut self.list {
            if let Some(template) = load.template(clock::now()) {
                socket.send(&template)?;
                sent.datagrams += 1;
            }
        }
        Ok(())
    }
}

impl Sent {
    /// Adds what was sent after this.
    pub(crate) fn add(&mut self, more: Self) {
        self.datagrams += more.datagrams;
        self.flows += more.flows;
        self.took += more.took;
    }
}

impl Offer {
    /// Sends all of it.
    pub(crate) fn send(&self, to: SocketAddr) -> Result<Sent> {
        let (mut exporters, mut sent) = Exporters::start(self.shape, self.traffic, to)?;
        sent.add(exporters.send(self.rate, self.time)?);
        Ok(sent)
    }
}
