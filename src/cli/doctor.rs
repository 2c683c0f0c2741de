//! `flowreel doctor`: what is missing or badly set on this machine, and what to do about it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use collector::listen::{ListenConfig, Listener};
use flow::Timestamp;

use super::DoctorArgs;
use crate::config::Config;
use crate::open_files::ENOUGH;
use crate::output::{print_text, si};
use crate::server::Running;
use crate::server::outgoing::mailing::Mailer;

/// A finding: what was looked at, how it is, and what to do if it is not right.
struct Finding {
    part: &'static str,
    state: State,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// It works, but not as well as it could.
    Poor,
    /// `serve` would not work.
    Bad,
}

/// Looks at everything, prints it, and fails if `serve` would.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<()> {
    let config = Config::load(&args.config)?;
    let running = Running::in_data_dir(&config).filter(|running| is_alive(running.pid));
    let is_ours = |address: &SocketAddr| {
        let running = running.as_ref();
        running.is_some_and(|it| it.http == *address || it.listen.contains(address))
    };
    let mut findings = vec![engine(&config), receive_buffer(&config)];
    let addresses = config.listen.addresses.iter();
    findings.extend(addresses.map(|address| udp_port(*address, is_ours(address))));
    findings.push(http_port(config.http, is_ours(&config.http)));
    findings.push(disk(&config.data_dir));
    findings.push(open_files());
    findings.push(mail(&config)?);
    findings.push(clock(flow::clock::now(), synchronised()));
    print_text(report(&findings))?;
    let bad = findings
        .iter()
        .filter(|finding| finding.state == State::Bad)
        .count();
    if bad > 0 {
        bail!(
            "{bad} of {} things must be mended before `flowreel serve` can work",
            findings.len()
        );
    }
    Ok(())
}

fn report(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let mark = match finding.state {
            State::Good => "ok  ",
            State::Poor => "poor",
            State::Bad => "BAD ",
        };
        let _ = writeln!(text, "{mark}  {:<16}{}", finding.part, finding.text);
        text
    })
}

fn engine(config: &Config) -> Finding {
    let part = "engine library";
    if config.store.engine != store::config::Engine::Embedded {
        let text = match config.store.engine {
            store::config::Engine::None => "not needed: nothing is stored".to_owned(),
            _ => "not needed: the store is a ClickHouse server".to_owned(),
        };
        return Finding {
            part,
            state: State::Good,
            text,
        };
    }
    match engine::locate() {
        Ok(path) => Finding {
            part,
            state: State::Good,
            text: path.display().to_string(),
        },
        Err(error) => Finding {
            part,
            state: State::Bad,
            text: crate::output::chain(&error),
        },
    }
}

/// Opens a socket as `serve` does: the kernel caps what it may ask for, except for those with CAP_NET_ADMIN (socket(7),
/// SO_RCVBUFFORCE).
fn receive_buffer(config: &Config) -> Finding {
    let wanted = config.listen.receive_buffer_octets;
    let mut listener = Listener::new(ListenConfig {
        addresses: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        threads_per_address: 1,
        ..config.listen.clone()
    });
    let got = listener
        .bind()
        .map(|()| listener.stats().snapshot()[0].receive_buffer_octets_got);
    let (state, text) = match got {
        Ok(got) if got >= wanted as u64 => {
            (State::Good, format!("{wanted} octets for each socket"))
        }
        Ok(got) => (
            State::Poor,
            format!(
                "{wanted} octets are wanted, the kernel gives {got}; as root: sysctl -w net.core.rmem_max={wanted}"
            ),
        ),
        Err(error) => (State::Bad, crate::output::chain(&error)),
    };
    Finding {
        part: "receive buffer",
        state,
        text,
    }
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn udp_port(address: SocketAddr, is_ours: bool) -> Finding {
    let bound = UdpSocket::bind(address).map(drop);
    port(
        "UDP port",
        (address, is_ours),
        bound,
        "others with --listen",
    )
}

fn http_port(address: SocketAddr, is_ours: bool) -> Finding {
    let bound = TcpListener::bind(address).map(drop);
    port(
        "HTTP port",
        (address, is_ours),
        bound,
        "another with --http",
    )
}

fn port(
    part: &'static str,
    (address, is_ours): (SocketAddr, bool),
    bound: std::io::Result<()>,
    other: &str,
) -> Finding {
    let (state, text) = match bound {
        Ok(()) => (State::Good, format!("{address} is free")),
        Err(_) if is_ours => (
            State::Good,
            format!("{address} is this data directory's own, which is being served"),
        ),
        Err(error) => (
            State::Bad,
            format!("{address}: {error}; end what uses it, or choose {other}"),
        ),
    };
    Finding { part, state, text }
}

/// Room for a day of a small network; below it retention starts to bite at once.
const ROOM_MIN: u64 = 10 << 30;

fn disk(data_dir: &Path) -> Finding {
    let part = "disk";
    // The folder may not exist yet; then its nearest ancestor says which disk it will be on.
    let existing = data_dir
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("/"));
    let finding = |state, text| Finding { part, state, text };
    if nix::unistd::access(existing, nix::unistd::AccessFlags::W_OK).is_err() {
        return finding(
            State::Bad,
            format!(
                "{}: cannot be written; choose another --data-dir",
                existing.display()
            ),
        );
    }
    match nix::sys::statvfs::statvfs(existing) {
        Ok(room) => {
            let free = room.blocks_available().saturating_mul(room.fragment_size());
            let text = format!(
                "{}octets free for {}",
                si(super::ask::approximate(free)) + " ",
                data_dir.display()
            );
            finding(
                if free < ROOM_MIN {
                    State::Poor
                } else {
                    State::Good
                },
                text,
            )
        }
        Err(error) => finding(State::Poor, format!("{}: {error}", existing.display())),
    }
}

/// `serve` takes what the hard limit gives; only that can be too low.
fn open_files() -> Finding {
    let finding = |state, text| Finding {
        part: "open files",
        state,
        text,
    };
    match crate::open_files::allowed() {
        Ok(limit) if limit.most >= ENOUGH => {
            finding(State::Good, format!("{} at most", limit.most))
        }
        Ok(limit) => finding(
            State::Poor,
            format!(
                "{} at most; {ENOUGH} are wanted: LimitNOFILE= of the service, or ulimit -Hn",
                limit.most
            ),
        ),
        Err(error) => finding(State::Poor, format!("the limit cannot be read: {error}")),
    }
}

/// Whether the mail server takes our name; nothing is sent. Without it tickets are taken all the same.
fn mail(config: &Config) -> Result<Finding> {
    let finding = |state, text| Finding {
        part: "mail",
        state,
        text,
    };
    let Some(mail) = &config.mail else {
        return Ok(finding(
            State::Good,
            "not set up: nobody is told by mail".to_owned(),
        ));
    };
    let place = format!("{}:{}", mail.host, mail.port());
    let reached = super::serve::runtime()?.block_on(async { Mailer::new(mail)?.reach().await });
    Ok(match reached {
        Ok(()) => finding(State::Good, format!("{place} takes it")),
        Err(error) => finding(
            State::Poor,
            format!("{place}: {}", crate::output::error_text(&error)),
        ),
    })
}

/// Whether the system says that its clock is kept by a time service; `None` if it doesn't say.
fn synchronised() -> Option<bool> {
    let answer = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()?;
    match answer.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn clock(now: Timestamp, synchronised: Option<bool>) -> Finding {
    /// 2025-01-01T00:00:00Z: no build of this program is older.
    const EARLIEST: Timestamp = Timestamp::from_seconds(1_735_689_600);
    let (state, text) = match synchronised {
        _ if now < EARLIEST => (State::Bad, format!("it is {now} here: set the clock")),
        Some(true) => (State::Good, format!("{now}, kept by a time service")),
        Some(false) => (
            State::Poor,
            format!("{now}, not kept by a time service: start chrony or systemd-timesyncd"),
        ),
        None => (
            State::Good,
            format!("{now}; whether a time service keeps it can't be told"),
        ),
    };
    Finding {
        part: "clock",
        state,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_bad_and_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let finding = udp_port(address, false);
        assert!(
            finding.state == State::Bad && finding.text.contains("--listen"),
            "{}",
            finding.text
        );
        assert!(udp_port(address, true).state == State::Good);
    }

    #[test]
    fn the_receive_buffer_is_asked_of_the_kernel() {
        let with = |receive_buffer_octets| {
            let mut config = Config::default();
            config.listen.receive_buffer_octets = receive_buffer_octets;
            receive_buffer(&config)
        };
        assert!(with(8192).state == State::Good);
        // More than the kernel can note for a socket: it keeps a signed 32-bit number of twice the size.
        let finding = with(2_000_000_000);
        assert!(finding.state == State::Poor, "{}", finding.text);
    }

    #[test]
    fn a_clock_before_this_program_was_made_is_bad() {
        assert!(clock(Timestamp::from_seconds(0), Some(true)).state == State::Bad);
        assert!(clock(Timestamp::from_seconds(1_800_000_000), Some(false)).state == State::Poor);
    }
}
