//! What others make of our recordings: nfcapd and nfdump of what is played to them, tshark of the capture, DuckDB of the flows.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flow::clock;
use nix::sys::signal::Signal;
use replay::reel::Reel;
use support::{Server, captures, eventually, flowreel, printed, signal};

/// A capture as a recording's file.
fn reel_of(capture: &Path, folder: &Path) -> PathBuf {
    let server = Server::start(&folder.join("data"), &[]);
    let file = folder.join("recording.reel");
    let url = server.url();
    let import = [
        "recording",
        "import",
        capture.to_str().unwrap(),
        "--name",
        "it",
    ];
    printed(&flowreel(&[&import[..], &["--server", &url]].concat()));
    let export = [
        "recording",
        "export",
        "it",
        "--output",
        file.to_str().unwrap(),
    ];
    printed(&flowreel(&[&export[..], &["--server", &url]].concat()));
    file
}

/// A collector of somebody else's.
struct Nfcapd {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Nfcapd {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("nfcapd")
            .args(["-b", "127.0.0.1", "-p", &port.to_string()])
            .args(["-t", "3600", "-w"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listens = format!(":{port:04X} ");
        eventually("nfcapd listens", || {
            let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
            sockets.contains(&listens).then_some(())
        });
        Self {
            process,
            folder,
            port,
        }
    }

    /// Ends it, and counts what it got: flows, octets, and the first and last second of them.
    fn stop(mut self) -> (u64, u64, Vec<i64>) {
        signal(self.process.id(), Signal::SIGTERM);
        self.process.wait().unwrap();
        let output = Command::new("nfdump")
            .args(["-R", self.folder.path().to_str().unwrap(), "-o", "csv"])
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().unwrap();
        let column = |name: &str| head.iter().position(|title| *title == name).unwrap();
        let (octets, start) = (column("ibyt"), column("ts"));
        let rows: Vec<Vec<&str>> = lines.take_while(|row| row.len() == head.len()).collect();
        let sum = rows
            .iter()
            .map(|row| row[octets].parse::<u64>().unwrap())
            .sum();
        let seconds = rows.iter().map(|row| {
            let at: flow::Timestamp = format!("{}Z", row[start].replace(' ', "T"))
                .parse()
                .unwrap();
            at.seconds()
        });
        (rows.len() as u64, sum, seconds.collect())
    }
}

fn play(what: &Path, to: u16, more: &[&str]) -> String {
    let to = format!("127.0.0.1:{to}");
    let words = ["recording", "play", what.to_str().unwrap(), "--to", &to];
    let output = flowreel(&[&words[..], more].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn nfdump_counts_the_flows_that_are_played_to_nfcapd() {
    let Some(captures) = captures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let reel = reel_of(
        &captures.join("generated/softflowd-v5-synscan.pcap"),
        folder.path(),
    );
    let nfcapd = Nfcapd::start();
    let said = play(&reel, nfcapd.port, &["--rate", "500"]);
    assert!(said.starts_with("69 datagrams sent"), "{said}");
    // The manifest of the captures says so, by tshark and by nfdump.
    let (flows, octets, _) = nfcapd.stop();
    assert_eq!((flows, octets), (2002, 88_518));

    let nfcapd = Nfcapd::start();
    let now = clock::now().seconds();
    play(&reel, nfcapd.port, &["--rate", "500", "--rewrite-time"]);
    let (flows, octets, seconds) = nfcapd.stop();
    assert_eq!((flows, octets), (2002, 88_518));
    // Flows lie where they lay, before the datagram that told of them: this capture's years before, and so many still.
    let before = seconds.iter().map(|second| now - second);
    let (least, most) = (before.clone().min().unwrap(), before.max().unwrap());
    let (arrived, first, last) = (1_795_360_311, 1_278_275_056, 1_278_275_070);
    assert!(
        (arrived - last - 60..=arrived - last + 60).contains(&least),
        "{least}"
    );
    assert!(
        (arrived - first - 60..=arrived - first + 60).contains(&most),
        "{most}"
    );
}

#[test]
fn tshark_decodes_the_records_of_the_capture_that_leaves() {
    let Some(captures) = captures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let url = server.url();
    let capture = captures.join("generated/softflowd-v5-synscan.pcap");
    let import = [
        "recording",
        "import",
        capture.to_str().unwrap(),
        "--name",
        "it",
    ];
    printed(&flowreel(&[&import[..], &["--server", &url]].concat()));
    let file = folder.path().join("it.pcapng");
    let export = [
        "recording",
        "export",
        "it",
        "--pcap",
        "-o",
        file.to_str().unwrap(),
    ];
    printed(&flowreel(&[&export[..], &["--server", &url]].concat()));
    let octets = |file: &Path| -> Vec<u64> {
        let output = Command::new("tshark")
            .args([
                "-r",
                file.to_str().unwrap(),
                "-d",
                "udp.port==1-65535,cflow",
            ])
            .args(["-T", "fields", "-e", "cflow.octets"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers = text.split([',', '\n']).filter(|number| !number.is_empty());
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    let ours = octets(&file);
    assert_eq!((ours.len(), ours.iter().sum::<u64>()), (2002, 88_518));
    assert_eq!(ours, octets(&capture));
}

#[test]
fn duckdb_reads_the_flows() {
    let Some(captures) = captures() else { return };
    let readers = std::env::var_os("FLOWREEL_TOOLS_DIR").map(PathBuf::from);
    let readers = readers.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/flowreel/tools")
    });
    let question = readers.join("readers/question.mjs");
    if !question.is_file() {
        assert!(
            std::env::var_os("CI").is_none(),
            "scripts/install-readers.sh"
        );
        eprintln!("skipped: scripts/install-readers.sh installs DuckDB");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let reel = reel_of(
        &captures.join("generated/softflowd-v5-synscan.pcap"),
        folder.path(),
    );
    let unpacked = Command::new("tar")
        .arg("xf")
        .arg(&reel)
        .arg("-C")
        .arg(folder.path())
        .status();
    assert!(unpacked.unwrap().success());
    let files = folder.path().join("flows/*.parquet");
    let sql = format!(
        "SELECT count(*)::INT AS flows, sum(octets)::INT AS octets, count(DISTINCT server_addr)::INT AS servers, \
         min(client_addr) AS client, bool_and(received_at < TIMESTAMPTZ '2100-01-01') AS timed FROM '{}'",
        files.display()
    );
    let output = Command::new("node")
        .arg(question)
        .arg(sql)
        .output()
        .unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = Reel::open(&reel).unwrap();
    assert_eq!(whole.manifest().counts.flows, 2002);
    assert_eq!(
        (&rows[0]["flows"], &rows[0]["octets"]),
        (&2002.into(), &88_518.into())
    );
    // One host scans another: 64.13.134.52 and 172.16.0.8, by tshark.
    let client = rows[0]["client"].as_str().unwrap();
    assert!(["64.13.134.52", "172.16.0.8"].contains(&client), "{rows}");
    assert_eq!(rows[0]["timed"], true);
}
