//! What was recorded or simulated, sent so that each exporter keeps an address of its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use collector::capture::{CaptureFile, Selection};
use flow::Datagram;
use flow::clock::{self, Stopwatch};
use simulator::enterprise::{Config, Enterprise};

use crate::exporters::Sent;

/// Datagrams a second: slow enough for any receiver.
const RATE: f64 = 20_000.0;
/// How much of the enterprise's life.
const SIMULATED: Duration = Duration::from_secs(3600);
/// Captures of other people's equipment, beside the checkout.
const CAPTURES: &str = "../shared/captures";

/// Where datagrams come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// An hour of the simulated enterprise.
    Enterprise,
    /// All captures beside the checkout.
    Captures,
}

impl Source {
    /// A name for tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enterprise => "an hour of the simulated enterprise",
            Self::Captures => "all captures",
        }
    }

    /// Sends all of it.
    pub(crate) fn send(self, to: SocketAddr) -> Result<Sent> {
        let mut sender = Sender::new(to);
        match self {
            Self::Enterprise => {
                let start = clock::now() - SIMULATED;
                let mut enterprise = Enterprise::new(Config::new(1, start));
                let mut outcome = Ok(());
                enterprise.advance(start + SIMULATED, &mut |datagram| {
                    if outcome.is_ok() {
                        outcome = sender.send(&datagram, 0);
                    }
                });
                outcome?;
            }
            Self::Captures => {
                for (world, path) in (0..).zip(captures(Path::new(CAPTURES))?) {
                    // What is no capture is in the folder too.
                    let Ok(file) = CaptureFile::open(&path, Selection::default()) else {
                        continue;
                    };
                    for datagram in file.map_while(Result::ok) {
                        sender.send(&datagram, world)?;
                    }
                }
            }
        }
        Ok(sender.sent)
    }
}

/// Sockets bound to loopback addresses, one for each exporter of each capture.
struct Sender {
    to: SocketAddr,
    sockets: HashMap<(u32, IpAddr), UdpSocket>,
    watch: Stopwatch,
    sent: Sent,
}

impl Sender {
    fn new(to: SocketAddr) -> Self {
        Self {
            to,
            sockets: HashMap::new(),
            watch: Stopwatch::start(),
            sent: Sent::default(),
        }
    }

    fn send(&mut self, datagram: &Datagram, world: u32) -> Result<()> {
        let number = u32::try_from(self.sockets.len())?;
        let place = (world, datagram.source.ip());
        if !self.sockets.contains_key(&place) {
            let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
            self.sockets.insert(place, UdpSocket::bind((address, 0))?);
        }
        let socket = self.sockets.get(&place).context("its socket")?;
        socket.send_to(&datagram.payload, self.to)?;
        self.sent.datagrams += 1;
        self.sent.took = self.watch.elapsed();
        let due = Duration::from_secs_f64(self.sent.datagrams as f64 / RATE);
        if let Some(early) = due.checked_sub(self.sent.took) {
            std::thread::sleep(early);
        }
        Ok(())
    }
}

fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(captures(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
