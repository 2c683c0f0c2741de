//! `nfcapd` and `nfdump` on the same datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::Timestamp;
use flow::clock::{self, Stopwatch};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tempfile::TempDir;

use crate::exporters::{Offer, Sent};
use crate::processes::{Running, cpu_seconds, kernel_drops, until};

/// A question to both.
pub(crate) struct Question {
    /// As a path of the API.
    pub(crate) ours: &'static str,
    /// As arguments of `nfdump`.
    theirs: &'static [&'static str],
}

/// The largest unfiltered, and of one address.
pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        ours: "/api/v1/top/servers?last=2h",
        theirs: &["-s", "dstip/bytes"],
    },
    Question {
        ours: "/api/v1/top/applications?last=2h",
        theirs: &["-s", "dstport/bytes"],
    },
    Question {
        ours: "/api/v1/top/clients?last=2h",
        theirs: &["-s", "srcip/bytes"],
    },
    Question {
        ours: "/api/v1/top/conversations?last=2h",
        theirs: &["-A", "srcip,dstip,dstport,proto", "-s", "record/bytes"],
    },
    Question {
        ours: "/api/v1/top/servers?last=2h&filter=ip%2010.1.0.7",
        theirs: &["-s", "dstip/bytes", "ip 10.1.0.7"],
    },
];

/// A running nfcapd. It receives and writes files; it does not index.
pub(crate) struct Peer {
    process: Running,
    to: SocketAddr,
    folder: TempDir,
}

impl Peer {
    /// Starts it with an option for compression; `None` if it is not installed.
    pub(crate) fn start(compression: &str) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let to = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let started = Command::new("nfcapd")
            .args(["-b", "127.0.0.1", "-p", &to.port().to_string()])
            .args(["-t", "3600", "-B", "33554432", compression, "-w"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            println!("  nfcapd is not installed");
            return Ok(None);
        };
        let process = Running(child);
        until("nfcapd listens", || kernel_drops(to.port()))?;
        Ok(Some(Self {
            process,
            to,
            folder,
        }))
    }

    /// The same load as we had.
    pub(crate) fn receive(self, offer: Offer) -> Result<()> {
        let (port, pid) = (self.to.port(), self.process.0.id());
        let before = cpu_seconds(pid)?;
        let sent = offer.send(self.to)?;
        let spent = cpu_seconds(pid)? - before;
        let drops = kernel_drops(port).unwrap_or(0);
        let flows = self.end()?.0;
        println!(
            "  nfcapd, which writes files and no index: CPU s per million flows {:.2}; {flows} of {} flows in its file, \
             kernel drops {drops}",
            spent / (flows as f64 / 1e6),
            sent.flows,
        );
        Ok(())
    }

    /// Octets of its files for each flow, as it wrote them and as `nfdump` compresses them again: with bzip2 it would be too
    /// slow to receive.
    pub(crate) fn size(self, send: &dyn Fn(SocketAddr) -> Result<Sent>) -> Result<()> {
        let sent = send(self.to)?;
        let (flows, folder) = self.end()?;
        let each = |octets: u64| octets as f64 / flows as f64;
        let other = tempfile::tempdir()?;
        let mut sizes = vec![format!("LZ4 {:.1}", each(octets_in(folder.path())?))];
        for (name, option) in [("LZO", "-z"), ("bzip2", "-j")] {
            let file = other.path().join(name);
            nfdump(folder.path(), &[option, "-w", &file.to_string_lossy()])?;
            sizes.push(format!("{name} {:.1}", each(file.metadata()?.len())));
        }
        println!(
            "  nfcapd's files: octets a flow {} ({flows} flows in {} datagrams)",
            sizes.join(", "),
            sent.datagrams,
        );
        Ok(())
    }

    /// The same questions to nfdump.
    pub(crate) fn top(self, offer: Offer) -> Result<()> {
        let sent: Sent = offer.send(self.to)?;
        let (flows, folder) = self.end()?;
        println!("  nfdump over {flows} of {} flows:", sent.flows);
        for question in QUESTIONS {
            let (watch, before) = (Stopwatch::start(), cpu_of_children()?);
            nfdump(folder.path(), &[question.theirs, &["-n", "10"]].concat())?;
            println!(
                "  nfdump {}: {:.3} s, {:.2} CPU s",
                question.theirs.join(" "),
                watch.elapsed().as_secs_f64(),
                cpu_of_children()? - before,
            );
        }
        Ok(())
    }

    /// The nearest job: a question of ten seconds, and all flows sent again from its files.
    pub(crate) fn replay(self, offer: Offer) -> Result<()> {
        let sent: Sent = offer.send(self.to)?;
        let (flows, folder) = self.end()?;
        println!(
            "  nfdump and nfreplay over {flows} of {} flows:",
            sent.flows
        );
        let watch = Stopwatch::start();
        let to = clock::now();
        let window = [to - Duration::from_secs(10), to].map(as_nfdump_writes);
        nfdump(
            folder.path(),
            &["-t", &window.join("-"), "-s", "dstip/bytes", "-n", "10"],
        )?;
        println!(
            "  nfdump -t of ten seconds: {:.3} s",
            watch.elapsed().as_secs_f64()
        );
        let sink = UdpSocket::bind("127.0.0.1:0")?;
        let port = sink.local_addr()?.port().to_string();
        let (watch, before) = (Stopwatch::start(), cpu_of_children()?);
        let file = std::fs::read_dir(folder.path())?
            .flatten()
            .map(|entry| entry.path());
        let file = file
            .filter(|path| path.to_string_lossy().contains("nfcapd.2"))
            .max();
        let replayed = Command::new("nfreplay")
            .args(["-H", "127.0.0.1", "-p", &port, "-v", "9", "-d", "0", "-r"])
            .arg(file.context("nfcapd wrote no file")?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        anyhow::ensure!(replayed.success(), "nfreplay: {replayed}");
        let seconds = watch.elapsed().as_secs_f64();
        println!(
            "  nfreplay, which sends them and stores nothing: {:.0} flows/s; CPU s per million flows {:.2}",
            flows as f64 / seconds,
            (cpu_of_children()? - before) / (flows as f64 / 1e6),
        );
        Ok(())
    }

    /// Ends it and counts the flows in its files.
    fn end(self) -> Result<(u64, TempDir)> {
        drop(self.process);
        let said = nfdump(self.folder.path(), &["-I"])?;
        let flows = said.lines().find_map(|line| line.strip_prefix("Flows: "));
        let flows = flows.context("nfdump -I says no flows")?.trim().parse()?;
        Ok((flows, self.folder))
    }
}

/// `2026/03/01.10:42:00`, in the time zone of the machine.
fn as_nfdump_writes(at: Timestamp) -> String {
    let zoned = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
    let local = zoned.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%Y/%m/%d.%H:%M:%S").to_string()
}

fn nfdump(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("nfdump");
    // A filter stands behind all options.
    let (filter, options): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .partition(|argument| argument.contains(' '));
    let output = command
        .arg("-R")
        .arg(folder)
        .args(options)
        .args(filter)
        .output()?;
    anyhow::ensure!(output.status.success(), "nfdump: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn octets_in(folder: &Path) -> Result<u64> {
    let mut octets = 0;
    for file in std::fs::read_dir(folder)? {
        octets += file?.metadata()?.len();
    }
    Ok(octets)
}

/// User and system time of all children that have ended.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e6)
}
