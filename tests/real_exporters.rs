//! Real exporters, softflowd and fprobe, watch a real transfer between two network namespaces and send to the running
//! server; the totals are those of the interface's own counters.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use store::question::TopRow;
use support::{Server, eventually};

/// Two hosts behind a bridge; taken down at the end of the test.
struct Bench {
    name: String,
}

impl Bench {
    /// `None` if this user may not make networks; in CI that is an error.
    fn build() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "CI runs as root");
            eprintln!("skipped: making networks takes root");
            return None;
        }
        let this = Self {
            name: format!("fr{}", std::process::id() % 10_000),
        };
        let (bridge, east, west) = (
            this.interface("b"),
            this.interface("e"),
            this.interface("w"),
        );
        run(&format!(
            "ip link add {bridge} type bridge mcast_snooping 0"
        ));
        for (side, address, host) in [(&east, "10.255.1.1", "ea"), (&west, "10.255.1.2", "we")] {
            let space = this.interface(host);
            run(&format!("ip netns add {space}"));
            run(&format!(
                "ip link add {side} type veth peer name eth0 netns {space}"
            ));
            run(&format!("ip link set {side} master {bridge}"));
            // Nothing but the transfer shall cross: no neighbour discovery, no ARP.
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{side}/disable_ipv6"), "1").unwrap();
            run(&format!(
                "ip netns exec {space} sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6'"
            ));
            run(&format!(
                "ip netns exec {space} ip address add {address}/24 dev eth0"
            ));
            run(&format!("ip netns exec {space} ip link set lo up"));
            run(&format!("ip netns exec {space} ip link set eth0 up"));
            run(&format!("ip link set {side} up"));
        }
        std::fs::write(
            format!("/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6"),
            "1",
        )
        .unwrap();
        run(&format!("ip link set {bridge} up"));
        this.know_each_other();
        Some(this)
    }

    fn know_each_other(&self) {
        for (here, there, address) in [("ea", "we", "10.255.1.2"), ("we", "ea", "10.255.1.1")] {
            let (here, there) = (self.interface(here), self.interface(there));
            let mac = output(&format!(
                "ip netns exec {there} cat /sys/class/net/eth0/address"
            ));
            let mac = mac.trim();
            run(&format!(
                "ip netns exec {here} ip neighbour add {address} lladdr {mac} dev eth0 nud permanent"
            ));
        }
    }

    /// Packets to nobody: libpcap keeps what it has until a block of its buffer is full.
    fn tick(&self) -> Ticking {
        const TICK: &str = "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n\
            while True:\n for _ in range(20): s.sendto(b'x'*1400,('10.255.1.2',9))\n time.sleep(.05)";
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.interface("ea"),
            "python3",
            "-c",
            TICK,
        ]);
        Ticking(command.spawn().unwrap())
    }

    fn interface(&self, end: &str) -> String {
        format!("{}{end}", self.name)
    }

    /// The interface that the exporters watch.
    fn watched(&self) -> String {
        self.interface("e")
    }

    /// Packets and IP octets that crossed the watched interface: its counters have the Ethernet header of 14 octets too.
    fn crossed(&self) -> (u64, u64) {
        let counter = |name: &str| -> u64 {
            let path = format!("/sys/class/net/{}/statistics/{name}", self.watched());
            std::fs::read_to_string(path)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        };
        let packets = counter("rx_packets") + counter("tx_packets");
        (
            packets,
            counter("rx_bytes") + counter("tx_bytes") - 14 * packets,
        )
    }

    /// A server in the west sends this many octets to each of some clients in the east.
    fn transfer(&self, octets: usize, clients: usize) {
        // In small pieces with pauses: what a probe's own buffer can't hold, it does not report.
        const SERVER: &str = "import socket,sys,time\n\
            s=socket.create_server(('10.255.1.2',8080)); print('up',flush=True)\n\
            for _ in range(int(sys.argv[2])):\n c,_=s.accept(); c.recv(100); n=int(sys.argv[1])\n \
            while n>0:\n  m=min(n,8000); c.sendall(b'x'*m); n-=m; time.sleep(.001)\n c.close()";
        const CLIENT: &str = "import socket,sys\n\
            for _ in range(int(sys.argv[2])):\n c=socket.create_connection(('10.255.1.2',8080)); c.sendall(b'GET'); n=0\n \
            while True:\n  d=c.recv(65536)\n  if not d: break\n  n+=len(d)\n c.close(); assert n==int(sys.argv[1])";
        let python = |space: &str, program: &str| {
            let mut command = Command::new("ip");
            command.args([
                "netns",
                "exec",
                &self.interface(space),
                "python3",
                "-c",
                program,
            ]);
            command.args([octets.to_string(), clients.to_string()]);
            command
        };
        let mut server = python("we", SERVER).stdout(Stdio::piped()).spawn().unwrap();
        let mut up = [0; 2];
        std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut up).unwrap();
        assert!(python("ea", CLIENT).status().unwrap().success());
        assert!(server.wait().unwrap().success());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for end in ["ea", "we"] {
            let _ = Command::new("ip")
                .args(["netns", "delete", &self.interface(end)])
                .status();
        }
        let _ = Command::new("ip")
            .args(["link", "delete", &self.interface("b")])
            .status();
    }
}

fn run(command: &str) {
    output(command);
}

fn output(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

struct Ticking(Child);

impl Drop for Ticking {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An exporter that ends with the test. fprobe goes into the background, so the process is found by its name and
/// interface.
struct Exporter {
    program: &'static str,
    interface: String,
    started: Child,
}

impl Exporter {
    fn start(program: &'static str, interface: &str, args: &[&str]) -> Self {
        let started = Command::new(program)
            .args(["-i", interface])
            .args(args)
            .stdout(Stdio::null())
            .spawn();
        let started =
            started.unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it"));
        Self {
            program,
            interface: interface.to_owned(),
            started,
        }
    }

    /// Its process, once it watches the interface.
    fn watching(&self) -> Option<u32> {
        self.processes()
            .into_iter()
            .find(|pid| has_packet_socket(*pid))
    }

    fn processes(&self) -> Vec<u32> {
        let wanted = format!("{}\0-i\0{}\0", self.program, self.interface);
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers
            .filter(|pid| {
                let line =
                    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.starts_with(&wanted)
            })
            .collect()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        for pid in self.processes() {
            support::signal(pid, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.started.wait();
    }
}

#[test]
fn softflowd_and_fprobe_report_what_crossed_the_interface() {
    let Some(bench) = Bench::build() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let to = server.udp().to_string();
    let watched = bench.watched();
    // softflowd gives its rights away at start: these files lie where anybody may write.
    let name = bench.watched();
    let path = |kind: &str| {
        std::env::temp_dir()
            .join(format!("{name}.{kind}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let softflowd = Exporter::start(
        "softflowd",
        &watched,
        &[
            "-n",
            &to,
            "-v",
            "9",
            "-d",
            "-t",
            "tcp.fin=2",
            "-t",
            "expint=1",
            "-p",
            &path("pid"),
            "-c",
            &path("ctl"),
        ],
    );
    let fprobe = Exporter::start(
        "fprobe",
        &watched,
        &[
            "-f", "ip", "-n", "5", "-s", "1", "-g", "2", "-d", "2", "-e", "4", "-q", "20000", "-l",
            "1", &to,
        ],
    );
    for exporter in [&softflowd, &fprobe] {
        eventually("the exporters watch the interface", || exporter.watching());
    }
    bench.transfer(400_000, 5);
    let (packets, octets) = bench.crossed();
    assert!(octets > 2_000_000);
    let _ticking = bench.tick();
    for version in ["5", "9"] {
        let ask =
            format!("/api/v1/top/exporters?last=1h&filter=version%20{version}%20and%20port%208080");
        let mut reported = (0, 0);
        eventually(
            &format!("version {version} reports {packets} packets and {octets} octets"),
            || {
                run(&format!("softflowctl -c {} expire-all", path("ctl")));
                let rows: Vec<TopRow> = server.get(&ask);
                let sum = |of: fn(&TopRow) -> u64| rows.iter().map(of).sum::<u64>();
                let now = (sum(|row| row.packets), sum(|row| row.octets));
                if now != std::mem::replace(&mut reported, now) {
                    eprintln!("version {version}: {now:?} so far");
                }
                (now == (packets, octets)).then_some(())
            },
        );
    }
    let rows: Vec<TopRow> = server.get("/api/v1/top/servers?last=1h&filter=port%208080");
    assert_eq!(
        rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["10.255.1.2"]
    );
    assert!(server.accounting().datagrams.balances());
}

/// Whether a process has a packet socket: it appears among its files and in the kernel's list.
fn has_packet_socket(pid: u32) -> bool {
    let Ok(list) = std::fs::read_to_string("/proc/net/packet") else {
        return false;
    };
    let inodes: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let Ok(files) = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|target| {
            let target = target.to_string_lossy().into_owned();
            inodes
                .iter()
                .any(|inode| target == format!("socket:[{inode}]"))
        })
}
