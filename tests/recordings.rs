//! Network recordings on real servers: cut from what arrived, kept when everything else expires, shared, taken in elsewhere.
//! Expected values are sums of what is sent.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use flow::{Timestamp, clock};
use replay::reel::{Manifest, PartKind, Reel, Staged};
use serde_json::Value;
use support::sql::{ask, number};
use support::{Server, eventually, flowreel, printed};

/// Records of one datagram.
const RECORDS: u32 = 10;
/// Octets and packets of a record.
const OCTETS: u32 = 1000;
const PACKETS: u32 = 4;

/// An exporter of NetFlow v9 that says its template once.
struct Exporter {
    socket: UdpSocket,
    sequence: u32,
}

impl Exporter {
    fn to(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.udp()).unwrap();
        Self {
            socket,
            sequence: 0,
        }
    }

    /// RFC 3954 §5.1: version, count, uptime in ms, seconds, sequence, source id.
    fn send(&mut self, count: u16, sets: &[u8]) {
        let seconds = u32::try_from(clock::now().seconds()).unwrap();
        let mut datagram = Vec::new();
        datagram.extend(9_u16.to_be_bytes());
        datagram.extend(count.to_be_bytes());
        for number in [UPTIME_MS, seconds, self.sequence, 7] {
            datagram.extend(number.to_be_bytes());
        }
        datagram.extend(sets);
        self.socket.send(&datagram).unwrap();
        self.sequence += 1;
    }

    /// IPV4_SRC_ADDR, IPV4_DST_ADDR, L4_SRC_PORT, L4_DST_PORT, PROTOCOL, IN_BYTES, IN_PKTS, FIRST_SWITCHED, LAST_SWITCHED.
    fn template(&mut self) {
        let fields = [8, 12, 7, 11, 4, 1, 2, 22, 21];
        let lengths = [4, 4, 2, 2, 1, 4, 4, 4, 4];
        let mut set = vec![0, 0, 0, 8 + 9 * 4, 1, 0, 0, 9];
        for (field, length) in std::iter::zip(fields, lengths) {
            set.extend([0, field, 0, length]);
        }
        self.send(1, &set);
    }

    /// Ten flows of half a second each, from clients 10.1.0.1 to .10 to a server.
    fn flows(&mut self, server: Ipv4Addr) {
        let mut set = vec![1, 0, 0, 0];
        for client in 1..=10_u8 {
            set.extend([10, 1, 0, client]);
            set.extend(server.octets());
            set.extend(50_000_u16.to_be_bytes());
            set.extend(443_u16.to_be_bytes());
            set.push(6);
            for number in [OCTETS, PACKETS, UPTIME_MS - 600, UPTIME_MS - 100] {
                set.extend(number.to_be_bytes());
            }
        }
        set.resize(set.len().next_multiple_of(4), 0);
        let length = u16::try_from(set.len()).unwrap();
        set[2..4].copy_from_slice(&length.to_be_bytes());
        self.send(10, &set);
    }
}

const UPTIME_MS: u32 = 1_000_000;
const QUIET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BURST: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 9);

fn configured(folder: &Path, config: &str) -> Server {
    let path = folder.join("flowreel.toml");
    std::fs::write(&path, config).unwrap();
    Server::start(&folder.join("data"), &["--config", path.to_str().unwrap()])
}

/// A command of a server's, which succeeds.
fn recording(server: &Server, words: &[&str]) -> Output {
    let output = tried(server, words);
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn tried(server: &Server, words: &[&str]) -> Output {
    let url = server.url();
    let mut all = vec!["recording"];
    all.extend(words);
    all.extend(["--server", &url]);
    flowreel(&all)
}

/// Why it was not done.
fn refusal(server: &Server, words: &[&str]) -> String {
    let output = tried(server, words);
    assert!(!output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shown(server: &Server, name: &str) -> Value {
    server.get(&format!("/api/v1/recordings/{name}"))
}

/// All kinds of answers about a recording.
fn answers(server: &Server, name: &str) -> Vec<Value> {
    let dimensions = [
        "applications",
        "servers",
        "clients",
        "conversations",
        "exporters",
        "ports",
        "sites",
    ];
    let mut answers: Vec<Value> = dimensions
        .iter()
        .map(|of| server.get(&format!("/api/v1/top/{of}?recording={name}")))
        .collect();
    answers.push(server.get(&format!(
        "/api/v1/series?dimension=servers&step=10s&recording={name}"
    )));
    answers.push(server.get(&format!("/api/v1/flows?limit=1000&recording={name}")));
    answers
}

/// What the servers had, by name: octets and flows.
fn servers(answer: &Value) -> Vec<(String, u64, u64)> {
    let rows = answer.as_array().unwrap().iter();
    rows.map(|row| {
        let count = |name: &str| row[name].as_u64().unwrap();
        let name = row["name"].as_str().unwrap().to_owned();
        (name, count("octets"), count("flows"))
    })
    .collect()
}

fn wait_until_stored(server: &Server, datagrams: u64) {
    eventually("all is stored", || {
        (server.accounting().datagrams.stored == datagrams).then_some(())
    });
}

/// A server that has heard a template, quiet traffic, a burst between two instants, and quiet traffic again.
fn incident(folder: &Path, config: &str) -> (Server, Exporter, Timestamp, Timestamp) {
    let server = configured(folder, config);
    let mut exporter = Exporter::to(&server);
    exporter.template();
    exporter.flows(QUIET);
    wait_until_stored(&server, 2);
    let from = clock::now();
    for _ in 0..30 {
        exporter.flows(BURST);
    }
    exporter.flows(QUIET);
    wait_until_stored(&server, 33);
    let to = clock::now();
    exporter.flows(QUIET);
    wait_until_stored(&server, 34);
    (server, exporter, from, to)
}

/// Traffic until the tape has let go of its first segment.
fn push_out(server: &Server, exporter: &mut Exporter) {
    let first = server.data_dir().join("tape/0000000001.tape");
    let gone = || !first.exists() && !first.with_extension("tape.zst").exists();
    eventually("the tape has let go of its first segment", || {
        for _ in 0..200 {
            exporter.flows(QUIET);
        }
        gone().then_some(())
    });
}

/// The engine's own retention takes all that is older than a second.
fn expire(server: &Server) {
    let socket = server.engine_socket();
    for table in ["flows", "long_flows", "extents"] {
        ask(
            &socket,
            &format!("ALTER TABLE flowreel.{table} MODIFY TTL stored_at + toIntervalSecond(1)"),
        );
    }
    eventually("the flows have expired", || {
        let now = "ALTER TABLE flowreel.flows MATERIALIZE TTL SETTINGS mutations_sync = 2";
        ask(&socket, now);
        ask(&socket, "OPTIMIZE TABLE flowreel.flows FINAL");
        (number(&socket, "SELECT count() FROM flowreel.flows") == 0).then_some(())
    });
}

#[test]
fn a_recording_outlives_tape_and_tables_and_goes_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let small = "[tape]\nsegment_octets = 131072\nmax_octets = 524288\nmin_free_octets = 0\ncompress = false\n";
    let (server, mut exporter, from, to) = incident(folder.path(), small);
    let [from, to] = [from, to].map(|at| at.to_string());
    let window = ["--from", &from, "--to", &to];
    recording(
        &server,
        &[&["cut", "--name", "all of it"], &window[..]].concat(),
    );
    recording(
        &server,
        &[
            &["cut", "--name", "burst", "--filter", "dst net 10.0.9.0/24"],
            &window[..],
        ]
        .concat(),
    );
    recording(&server, &["cut", "--name", "last", "--last", "5m"]);

    let all = answers(&server, "all%20of%20it");
    assert_eq!(
        servers(&all[1]),
        [
            ("10.0.9.9".to_owned(), 300_000, 300),
            ("10.0.0.1".to_owned(), 10_000, 10)
        ]
    );
    let burst = answers(&server, "burst");
    assert_eq!(servers(&burst[1]), [("10.0.9.9".to_owned(), 300_000, 300)]);
    let last = answers(&server, "last");
    assert_eq!(servers(&last[1])[1], ("10.0.0.1".to_owned(), 30_000, 30));
    recording(
        &server,
        &["note", "burst", "it <b>began</b> here", "--by", "eve"],
    );

    push_out(&server, &mut exporter);
    for name in ["all of it", "burst", "last"] {
        let name = name.replace(' ', "%20");
        eventually("it has a tape of its own", || {
            (shown(&server, &name)["state"] == "own").then_some(())
        });
    }
    expire(&server);
    let names = ["all%20of%20it", "burst", "last"];
    for (name, before) in std::iter::zip(names, [&all, &burst, &last]) {
        assert_eq!(&answers(&server, name), before, "{name}");
    }
    let live: Value = server.get("/api/v1/flows?last=1h");
    assert_eq!(live["flows"], Value::Array(Vec::new()));

    // Elsewhere nothing but the recordings is there, and of them the same.
    let other_folder = tempfile::tempdir().unwrap();
    let other = configured(other_folder.path(), "");
    for (name, before) in [("all of it", &all), ("burst", &burst)] {
        let file = exported(&server, name, folder.path());
        let digest = Reel::open(&file).unwrap().manifest().flows_sha256.clone();
        recording(&other, &["import", file.to_str().unwrap()]);
        assert_eq!(&answers(&other, &name.replace(' ', "%20")), before);
        let again = exported(&other, name, other_folder.path());
        assert_eq!(Reel::open(&again).unwrap().manifest().flows_sha256, digest);
        let same = refusal(
            &other,
            &["import", file.to_str().unwrap(), "--name", "again"],
        );
        assert!(same.contains("a recording with the id"), "{same}");
    }
    assert_eq!(
        shown(&other, "burst")["notes"][0]["text"],
        "it <b>began</b> here"
    );
    let live: Value = other.get("/api/v1/top/servers?last=1h");
    assert_eq!(live, Value::Array(Vec::new()));

    // The template was said before the recording begins; without it nothing could be decoded.
    let capture = folder.path().join("burst.pcapng");
    let words = [
        "export",
        "burst",
        "--pcap",
        "--output",
        capture.to_str().unwrap(),
    ];
    recording(&other, &words);
    let decoded = flowreel(&["decode", capture.to_str().unwrap()]);
    assert_eq!(printed(&decoded).lines().count(), 300);

    recording(&server, &["delete", "burst"]);
    assert!(refusal(&server, &["show", "burst"]).contains("no recording 'burst'"));
    let socket = server.engine_socket();
    let databases = "SELECT count() FROM system.databases WHERE name LIKE 'flowreel_recording_%'";
    assert_eq!(number(&socket, databases), 2);
}

fn exported(server: &Server, name: &str, folder: &Path) -> PathBuf {
    let file = folder.join(format!("{name}.reel"));
    recording(
        server,
        &["export", name, "--output", file.to_str().unwrap()],
    );
    let verified = flowreel(&["recording", "verify", file.to_str().unwrap()]);
    assert!(printed(&verified).contains(name));
    file
}

#[test]
fn a_recording_goes_on_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut exporter, ..) = incident(folder.path(), "");
    recording(&server, &["cut", "--name", "open", "--open"]);
    assert_eq!(shown(&server, "open")["state"], "recording");
    assert!(refusal(&server, &["export", "open", "-o", "/dev/null"]).contains("goes on"));
    exporter.flows(BURST);
    wait_until_stored(&server, 35);
    let found: Value = server.get("/api/v1/top/servers?recording=open");
    assert_eq!(servers(&found), [("10.0.9.9".to_owned(), 10_000, 10)]);
    recording(&server, &["stop", "open"]);
    exporter.flows(BURST);
    wait_until_stored(&server, 36);
    let found: Value = server.get("/api/v1/top/servers?recording=open");
    assert_eq!(servers(&found), [("10.0.9.9".to_owned(), 10_000, 10)]);
    assert!(refusal(&server, &["stop", "open"]).contains("ended at"));
    recording(&server, &["keep", "open"]);
    assert_eq!(shown(&server, "open")["state"], "own");
    let found: Value = server.get("/api/v1/top/servers?recording=open");
    assert_eq!(servers(&found), [("10.0.9.9".to_owned(), 10_000, 10)]);
}

#[test]
fn as_it_looked_then_and_as_finally_known() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    let words = ["cut", "--name", "friday", "--from", &from, "--to", &to];
    recording(&server, &words);
    let flows: Value = server.get("/api/v1/flows?limit=1000&recording=friday");
    let mut arrivals: Vec<Timestamp> = flows["flows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flow| flow["received_at"].as_str().unwrap().parse().unwrap())
        .collect();
    arrivals.sort_unstable();
    // The tenth datagram: of a hundred records that had arrived by then, all had ended before.
    let then = arrivals[99];
    let asked = |known: &str| -> Vec<(String, u64, u64)> {
        let answer: Value = server.get(&format!(
            "/api/v1/top/servers?recording=friday&last=1h&as_of={then}&known_at={known}"
        ));
        servers(&answer)
    };
    assert_eq!(
        asked("as_of"),
        [("10.0.9.9".to_owned(), 100 * u64::from(OCTETS), 100)]
    );
    let finally: u64 = asked(&to).iter().map(|(_, _, flows)| flows).sum();
    assert_eq!(finally, 31 * u64::from(RECORDS));
}

#[test]
fn what_cannot_be_recorded_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (server, ..) = incident(folder.path(), "[recordings]\nmax_octets = 4000\n");
    let cut = |more: &[&str]| refusal(&server, &[&["cut", "--name", "x"], more].concat());
    let empty = cut(&["--from", "2020-01-01", "--to", "2020-01-02"]);
    assert!(
        empty.contains("nothing that arrived from 2020-01-01"),
        "{empty}"
    );
    assert!(
        empty.contains("the tape holds what arrived from"),
        "{empty}"
    );
    let ahead = cut(&["--from", "2100-01-01", "--to", "2100-01-02"]);
    assert!(ahead.contains("begins by now"), "{ahead}");
    let filter = cut(&["--last", "5m", "--filter", "dst nett 10.0.0.0/8"]);
    assert!(filter.contains("nett"), "{filter}");
    let full = cut(&["--last", "5m"]);
    assert!(full.contains("recordings.max_octets"), "{full}");
    assert!(refusal(&server, &["show", "none"]).contains("no recording 'none'"));
    let no_file = refusal(&server, &["import", "/etc/hostname"]);
    assert!(no_file.contains("/etc/hostname"), "{no_file}");
    let list: Value = server.get("/api/v1/recordings");
    assert_eq!(list, Value::Array(Vec::new()));
}

#[test]
fn a_capture_is_a_recording_of_its_own_time() {
    let Some(captures) = support::captures() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = configured(folder.path(), "");
    let capture = captures.join("generated/softflowd-v5-synscan.pcap");
    recording(
        &server,
        &["import", capture.to_str().unwrap(), "--name", "scan"],
    );
    // By tshark and nfdump: 2002 records with 88,518 octets in 69 datagrams.
    let scan = shown(&server, "scan");
    assert_eq!(scan["counts"]["flows"], 2002);
    assert_eq!(scan["counts"]["datagrams"], 69);
    let rows: Value = server.get("/api/v1/top/exporters?recording=scan");
    assert_eq!(servers(&rows)[0].1, 88_518);
    let live: Value = server.get("/api/v1/top/exporters?from=1970-01-01&to=2200-01-01");
    assert_eq!(live, Value::Array(Vec::new()));
    let torn = folder.path().join("torn.reel");
    let whole = exported(&server, "scan", folder.path());
    let mut octets = std::fs::read(whole).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(&torn, octets).unwrap();
    let told = refusal(
        &server,
        &["import", torn.to_str().unwrap(), "--name", "torn"],
    );
    assert!(
        told.contains("does not have its checksum") || told.contains("do not have its checksum"),
        "{told}"
    );
    let list: Value = server.get("/api/v1/recordings");
    assert_eq!(list.as_array().unwrap().len(), 1);
}

/// When the server is killed: in the middle of it, or behind it. Any moment will do.
const KILLED_AFTER_MS: [u64; 6] = [10, 60, 120, 200, 350, 700];

/// Starts a command of a server's, and kills the server meanwhile.
fn killed(server: Server, words: &[&str], after_ms: u64) {
    let url = server.url();
    let mut at_work = Command::new(support::binary())
        .arg("recording")
        .args(words)
        .args(["--server", &url])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(after_ms));
    server.kill();
    at_work.wait().unwrap();
}

/// Waits until the databases of recordings are those that the catalog knows.
fn wait_until_in_order(server: &Server) -> Vec<Value> {
    eventually("what was half made is removed", || {
        let databases =
            "SELECT count() FROM system.databases WHERE name LIKE 'flowreel_recording_%'";
        let databases = number(&server.engine_socket(), databases);
        let folders = std::fs::read_dir(server.data_dir().join("recordings"))
            .ok()?
            .count();
        let list: Value = server.get("/api/v1/recordings");
        let list = list.as_array().unwrap().clone();
        let own = list.iter().filter(|one| one["state"] == "own").count();
        let is_whole = list
            .iter()
            .all(|one| one["state"] != "making" && one["state"] != "deleting");
        (is_whole && databases == own as u64 && folders == own).then_some(list)
    })
}

#[test]
fn killed_while_it_cuts_keeps_or_deletes_a_recording_it_has_it_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    recording(
        &server,
        &["cut", "--name", "friday", "--from", &from, "--to", &to],
    );
    let before = answers(&server, "friday");
    let again = || configured(folder.path(), "");
    for after_ms in [1, 5, 20] {
        let name = format!("cut{after_ms}");
        let words = ["cut", "--name", &name, "--from", &from, "--to", &to];
        killed(server, &words, after_ms);
        server = again();
        let all = wait_until_in_order(&server);
        if all.iter().any(|one| one["name"] == name.as_str()) {
            assert_eq!(answers(&server, &name), before, "{after_ms} ms");
            recording(&server, &["delete", &name]);
        }
    }
    for after_ms in KILLED_AFTER_MS {
        killed(server, &["keep", "friday"], after_ms);
        server = again();
        wait_until_in_order(&server);
        assert_eq!(answers(&server, "friday"), before, "{after_ms} ms");
    }
    for after_ms in KILLED_AFTER_MS {
        killed(server, &["delete", "friday"], after_ms);
        server = again();
        if wait_until_in_order(&server).is_empty() {
            recording(
                &server,
                &["cut", "--name", "friday", "--from", &from, "--to", &to],
            );
        }
        assert_eq!(answers(&server, "friday"), before, "{after_ms} ms");
    }
}

#[test]
fn killed_while_a_recording_leaves_or_comes_the_file_and_the_recording_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    recording(
        &server,
        &["cut", "--name", "friday", "--from", &from, "--to", &to],
    );
    let before = answers(&server, "friday");
    let whole = exported(&server, "friday", folder.path());
    for after_ms in KILLED_AFTER_MS {
        let file = folder.path().join(format!("{after_ms}.reel"));
        killed(
            server,
            &["export", "friday", "-o", file.to_str().unwrap()],
            after_ms,
        );
        server = configured(folder.path(), "");
        if file.exists() {
            Reel::open(&file).unwrap().verify().unwrap();
        }
        let left = std::fs::read_dir(server.data_dir().join("incoming")).unwrap();
        assert_eq!(left.count(), 0);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    for after_ms in KILLED_AFTER_MS {
        let other = configured(elsewhere.path(), "");
        killed(other, &["import", whole.to_str().unwrap()], after_ms);
        let other = configured(elsewhere.path(), "");
        if wait_until_in_order(&other).len() == 1 {
            assert_eq!(answers(&other, "friday"), before, "{after_ms} ms");
            recording(&other, &["delete", "friday"]);
        }
    }
}

#[test]
fn a_backup_has_the_recordings_that_have_tapes_of_their_own_too() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    for name in ["own", "referenced"] {
        recording(
            &server,
            &["cut", "--name", name, "--from", &from, "--to", &to],
        );
    }
    recording(&server, &["keep", "own"]);
    let before = answers(&server, "own");
    let backup = folder.path().join("backup");
    let restored = tempfile::tempdir().unwrap();
    let data = server.data_dir().to_str().unwrap();
    printed(&flowreel(&[
        "backup",
        backup.to_str().unwrap(),
        "--data-dir",
        data,
    ]));
    let data = restored.path().join("data");
    let words = ["--data-dir", data.to_str().unwrap()];
    printed(&flowreel(
        &[&["restore", backup.to_str().unwrap()], &words[..]].concat(),
    ));
    let server = configured(restored.path(), "");
    eventually("the store is mended", || {
        (server.metric("flowreel_mending") == Some(0)).then_some(())
    });
    assert_eq!(wait_until_in_order(&server).len(), 2);
    for name in ["own", "referenced"] {
        assert_eq!(answers(&server, name), before, "{name}");
    }
    exported(&server, "own", folder.path());
}

/// A record's addresses, as the program decodes them.
fn decoded_addresses(capture: &Path) -> Vec<(String, String)> {
    let decoded = flowreel(&["decode", capture.to_str().unwrap()]);
    let lines = printed(&decoded);
    let mut addresses: Vec<_> = lines.lines().map(addresses_of).collect();
    addresses.sort_unstable();
    addresses
}

fn addresses_of(line: &str) -> (String, String) {
    let record: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| {
        record[name]
            .as_str()
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    };
    (text("src_addr"), text("dst_addr"))
}

#[test]
fn a_recording_for_others_has_other_addresses_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    // The keys of the examples in the draft of ipcrypt: 32 different octets.
    let key: String = (0..32).map(|octet| format!("{octet:02x}")).collect();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, key).unwrap();
    let config = format!(
        "[recordings]\nanonymize_key_file = '{}'\n[[site]]\nname = 'office'\nsubnets = ['10.1.0.0/24']\n",
        key_file.display()
    );
    let (server, _exporter, from, to) = incident(folder.path(), &config);
    let [from, to] = [from, to].map(|at| at.to_string());
    let words = ["cut", "--name", "secret", "--from", &from, "--to", &to];
    recording(
        &server,
        &[&words[..], &["--filter", "net 10.1.0.0/16"]].concat(),
    );
    recording(&server, &["note", "secret", "10.0.9.9 is slow"]);

    let [reel, capture] = ["secret.reel", "secret.pcapng"].map(|name| folder.path().join(name));
    let file = reel.to_str().unwrap();
    recording(&server, &["export", "secret", "-o", file, "--anonymize"]);
    let words = [
        "export",
        "secret",
        "-o",
        capture.to_str().unwrap(),
        "--anonymize",
        "--pcap",
    ];
    recording(&server, &words);
    recording(&server, &["import", file, "--name", "shared"]);
    let shared = shown(&server, "shared");
    assert_eq!(
        (&shared["anonymized"], &shared["filter"]),
        (&true.into(), &"".into())
    );
    assert_eq!(shared.get("notes"), None);

    // Flows and datagrams tell the same, and nothing of what was; but how much stays.
    let flows: Value = server.get("/api/v1/flows?limit=1000&recording=shared");
    let flows = flows["flows"].as_array().unwrap();
    let mut stored: Vec<_> = flows
        .iter()
        .map(|flow| addresses_of(&flow.to_string()))
        .collect();
    stored.sort_unstable();
    assert_eq!(stored, decoded_addresses(&capture));
    let text = format!("{stored:?}");
    assert!(
        !text.contains("\"10.1.0.") && !text.contains("10.0.9.9"),
        "{text}"
    );
    let rows: Value = server.get("/api/v1/top/servers?recording=shared");
    let octets: Vec<u64> = servers(&rows)
        .iter()
        .map(|(_, octets, _)| *octets)
        .collect();
    assert_eq!(octets, [300_000, 10_000]);
    let sites: Value = server.get("/api/v1/top/sites?recording=shared");
    assert!(
        servers(&sites).contains(&("office".to_owned(), 310_000, 310)),
        "{sites}"
    );

    // Ten clients of one /24 are ten of one /24 still, and in the site that the file describes.
    let clients: std::collections::BTreeSet<String> =
        stored.iter().map(|(client, _)| client.clone()).collect();
    assert_eq!(clients.len(), 10);
    let net = |address: &str| address.rsplit_once('.').unwrap().0.to_owned();
    let nets: std::collections::BTreeSet<String> =
        clients.iter().map(|client| net(client)).collect();
    assert_eq!(nets.len(), 1);
    let unpacked = Command::new("tar")
        .args(["xfO", file, "enrichment.json"])
        .output()
        .unwrap();
    let enrichment: Value = serde_json::from_slice(&unpacked.stdout).unwrap();
    let subnet = &enrichment["site"][0]["subnets"][0];
    let subnet = subnet.as_str().unwrap_or_else(|| panic!("{enrichment}"));
    assert_eq!(subnet, format!("{}.0/24", nets.first().unwrap()));
}

#[test]
fn the_same_datagrams_give_the_same_flows_live_across_a_restart_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let begin = clock::now().to_string();
    let (server, mut exporter, ..) = incident(folder.path(), "");
    server.stop();
    let server = configured(folder.path(), "");
    exporter.socket.connect(server.udp()).unwrap();
    // The template is known from before the restart.
    for _ in 0..20 {
        exporter.flows(BURST);
    }
    wait_until_stored(&server, 54);
    recording(&server, &["cut", "--name", "live", "--from", &begin]);
    let live = exported(&server, "live", folder.path());
    let digest = |file: &Path| {
        let manifest = Reel::open(file).unwrap().manifest().clone();
        (manifest.counts.flows, manifest.flows_sha256)
    };
    let expected = digest(&live);
    assert_eq!(expected.0, 53 * u64::from(RECORDS));

    let capture = folder.path().join("live.pcapng");
    let words = ["export", "live", "--pcap", "-o", capture.to_str().unwrap()];
    recording(&server, &words);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = configured(elsewhere.path(), "");
    for name in ["replayed", "again"] {
        let words = ["import", capture.to_str().unwrap(), "--name", name];
        recording(&other, &words);
        let replayed = exported(&other, name, elsewhere.path());
        assert_eq!(digest(&replayed), expected, "{name}");
    }
}

/// Parts of a file, to be put together in another way: with the right checksums, as somebody who means harm would.
struct Parts {
    folder: tempfile::TempDir,
    manifest: Manifest,
    staged: Vec<Staged>,
}

impl Parts {
    fn of(file: &Path) -> Self {
        let reel = Reel::open(file).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut staged = Vec::new();
        for kind in PartKind::ALL {
            for part in reel.parts(kind) {
                let path = folder.path().join(part.to_string());
                let mut out = std::fs::File::create(&path).unwrap();
                reel.extract(part, &mut out).unwrap();
                staged.push(Staged { kind, path });
            }
        }
        Self {
            folder,
            manifest: reel.manifest().clone(),
            staged,
        }
    }

    fn replace(&self, kind: PartKind, octets: &[u8]) {
        let part = self.staged.iter().find(|part| part.kind == kind).unwrap();
        std::fs::write(&part.path, octets).unwrap();
    }

    fn written(&self) -> PathBuf {
        let file = self.folder.path().join("made.reel");
        replay::reel::write(&file, self.manifest.clone(), &self.staged).unwrap();
        file
    }
}

/// How a whole file is made a hostile one, and what is said of it.
type Harm = (&'static str, fn(&mut Parts));

const HARM: [Harm; 10] = [
    ("says 309 flows, and there are 310", |parts| {
        parts.manifest.counts.flows -= 1;
    }),
    ("says 1000000 datagrams, and there are 32", |parts| {
        parts.manifest.counts.datagrams = 1_000_000;
    }),
    ("do not have the checksum", |parts| {
        parts.manifest.flows_sha256 = "0".repeat(64);
    }),
    ("behind its end", |parts| {
        parts.manifest.to = parts.manifest.from + Duration::from_nanos(1);
    }),
    ("the file's filter is wrong", |parts| {
        parts.manifest.filter = "dst nett 10.0.0.0/8".to_owned();
    }),
    ("the file's flows can't be used", |parts| {
        parts.replace(PartKind::Flows, b"PAR1 and nothing of the kind PAR1");
    }),
    ("says 310 flows, and there are 0", |parts| {
        parts.replace(PartKind::Flows, b"");
    }),
    ("says 32 datagrams, and there are 0", |parts| {
        parts.replace(PartKind::Tape, &[0; 4096]);
    }),
    ("the file's enrichment.json can't be used", |parts| {
        parts.replace(PartKind::Enrichment, b"{\"site\": 7}");
    }),
    ("the file's notes.json can't be used", |parts| {
        parts.replace(PartKind::Notes, b"[[[[");
    }),
];

#[test]
fn a_file_that_is_made_to_harm_gets_one_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    let words = ["cut", "--name", "friday", "--from", &from, "--to", &to];
    recording(&server, &words);
    let whole = exported(&server, "friday", folder.path());
    recording(&server, &["delete", "friday"]);
    for (expected, harm) in HARM {
        let mut parts = Parts::of(&whole);
        harm(&mut parts);
        let file = parts.written();
        let said = refusal(&server, &["import", file.to_str().unwrap()]);
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(wait_until_in_order(&server).is_empty(), "{expected}");
        let left = std::fs::read_dir(server.data_dir().join("incoming")).unwrap();
        assert_eq!(left.count(), 0, "{expected}");
    }
    // The engine is the same that it was, and takes the whole file.
    assert_eq!(server.metric("flowreel_engine_starts_total"), Some(1));
    recording(&server, &["import", whole.to_str().unwrap()]);
    let rows: Value = server.get("/api/v1/top/servers?recording=friday");
    assert_eq!(servers(&rows)[0], ("10.0.9.9".to_owned(), 300_000, 300));
}

#[test]
fn a_store_that_is_lost_is_made_again_for_recordings_too() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    for (name, filter) in [("all", ""), ("burst", "dst net 10.0.9.0/24")] {
        let words = ["cut", "--name", name, "--from", &from, "--to", &to];
        recording(&server, &[&words[..], &["--filter", filter]].concat());
        recording(&server, &["keep", name]);
    }
    let digest = |server: &Server, name: &str| {
        let file = exported(server, name, folder.path());
        Reel::open(&file).unwrap().manifest().flows_sha256.clone()
    };
    let before = ["all", "burst"].map(|name| digest(&server, name));
    server.stop();
    std::fs::remove_dir_all(folder.path().join("data/store")).unwrap();
    let server = configured(folder.path(), "");
    eventually("the tables are made again", || {
        let databases =
            "SELECT count() FROM system.databases WHERE name LIKE 'flowreel_recording_%'";
        (number(&server.engine_socket(), databases) == 2).then_some(())
    });
    eventually("all of their rows are there", || {
        let rows = ["all", "burst"].map(|name| digest(&server, name));
        (rows == before).then_some(())
    });
    let rows: Value = server.get("/api/v1/top/servers?recording=burst");
    assert_eq!(servers(&rows), [("10.0.9.9".to_owned(), 300_000, 300)]);
}

#[test]
fn a_recording_of_one_exporter_counts_what_another_counted_first() {
    let folder = tempfile::tempdir().unwrap();
    let (server, ..) = incident(folder.path(), "");
    // The same flows, seen at another place of the path.
    let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
    socket.connect(server.udp()).unwrap();
    let mut second = Exporter {
        socket,
        sequence: 0,
    };
    second.template();
    second.flows(BURST);
    wait_until_stored(&server, 36);
    let filter = "exporter 127.0.0.2";
    recording(
        &server,
        &[
            "cut", "--name", "second", "--last", "5m", "--filter", filter,
        ],
    );
    let before = answers(&server, "second");
    assert_eq!(servers(&before[1]), [("10.0.9.9".to_owned(), 10_000, 10)]);
    recording(&server, &["keep", "second"]);
    assert_eq!(answers(&server, "second"), before);
}

#[test]
fn a_capture_that_is_imported_into_its_time_is_no_part_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _exporter, from, to) = incident(folder.path(), "");
    let [from, to] = [from, to].map(|at| at.to_string());
    let words = ["cut", "--name", "friday", "--from", &from, "--to", &to];
    recording(&server, &words);
    let before = answers(&server, "friday");
    let capture = folder.path().join("friday.pcapng");
    let file = capture.to_str().unwrap();
    recording(&server, &["export", "friday", "--pcap", "-o", file]);
    let url = server.url();
    printed(&flowreel(&["import", file, "--server", &url]));
    let rows: Value = server.get("/api/v1/top/servers?last=1h&filter=feed%201");
    assert_eq!(servers(&rows)[0], ("10.0.9.9".to_owned(), 300_000, 300));
    assert_eq!(answers(&server, "friday"), before);
    recording(&server, &["keep", "friday"]);
    assert_eq!(answers(&server, "friday"), before);
    // One of the import itself says so.
    let words = [
        &words[..2],
        &["imported"],
        &words[3..],
        &["--filter", "feed 1"],
    ]
    .concat();
    recording(&server, &words);
    let rows: Value = server.get("/api/v1/top/servers?recording=imported");
    assert_eq!(servers(&rows), servers(&before[1]));
}

#[test]
fn a_client_that_goes_away_leaves_nothing_half_done() {
    let Some(captures) = support::captures() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = configured(folder.path(), "");
    let capture = captures.join("bundles/ipfixcol-v1-01-odid0.pcap");
    let (url, file) = (server.url(), capture.to_str().unwrap().to_owned());
    for name in ["one", "two", "three"] {
        let words = [
            "recording",
            "import",
            &file,
            "--name",
            name,
            "--server",
            &url,
        ];
        let mut client = Command::new(support::binary())
            .args(words)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        eventually("it is being made, or made", || {
            let list: Value = server.get("/api/v1/recordings");
            let list = list.as_array().unwrap().clone();
            list.iter().any(|one| one["name"] == name).then_some(())
        });
        client.kill().unwrap();
        client.wait().unwrap();
        eventually("it is made all the same", || {
            server
                .try_get::<Value>(&format!("/api/v1/recordings/{name}"))
                .ok()
        });
        // The manifest of the captures, by tshark and nfdump.
        assert_eq!(shown(&server, name)["counts"]["flows"], 4251);
    }
}

#[test]
fn more_recordings_have_tables_than_the_engine_has_memory_for() {
    let folder = tempfile::tempdir().unwrap();
    // Those of eleven are at hand at a time: 32 MiB each.
    let (server, ..) = incident(folder.path(), "engine_memory_octets = 400_000_000\n");
    let name = |number: u32| format!("number-{number}");
    for number in 0..14 {
        recording(&server, &["cut", "--name", &name(number), "--last", "5m"]);
        recording(&server, &["keep", &name(number)]);
    }
    let at_hand = |server: &Server| {
        let asked =
            "SELECT uniqExact(database) FROM system.tables WHERE database LIKE '%_recording_%'";
        number(&server.engine_socket(), asked)
    };
    // Fewer if this takes long, as those that nobody asks for a minute are put away.
    assert!(at_hand(&server) <= 11);
    let before = answers(&server, &name(13));
    assert_eq!(
        answers(&server, &name(0)),
        before,
        "put away, and asked again"
    );
    assert!(at_hand(&server) <= 11);
    recording(&server, &["delete", &name(2)]);

    let restored = tempfile::tempdir().unwrap();
    let (backup, data) = (folder.path().join("backup"), restored.path().join("data"));
    let [backup, data] = [&backup, &data].map(|path| path.to_str().unwrap());
    let from = server.data_dir().to_str().unwrap();
    printed(&flowreel(&["backup", backup, "--data-dir", from]));
    assert!(
        at_hand(&server) <= 11,
        "the backup leaves them where they are"
    );
    printed(&flowreel(&["restore", backup, "--data-dir", data]));
    let server = configured(restored.path(), "");
    assert_eq!(wait_until_in_order(&server).len(), 13);
    assert_eq!(at_hand(&server), 0, "nobody has asked");
    for number in [0, 1, 13] {
        assert_eq!(answers(&server, &name(number)), before, "{number}");
    }
}

/// The folders that the engine keeps tables in.
fn folders_of_tables(server: &Server) -> usize {
    let store = server.data_dir().join("store/clickhouse/store");
    let firsts = std::fs::read_dir(store).unwrap();
    firsts
        .map(|first| std::fs::read_dir(first.unwrap().path()).unwrap().count())
        .sum()
}

#[test]
fn killed_while_tables_are_put_away_a_recording_has_them_and_deleted_it_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let (server, ..) = incident(folder.path(), "");
    recording(&server, &["cut", "--name", "friday", "--last", "30m"]);
    let before = answers(&server, "friday");
    let folders = folders_of_tables(&server);
    recording(&server, &["keep", "friday"]);
    assert!(folders_of_tables(&server) > folders);
    let socket = server.engine_socket();
    let named = "SELECT name FROM system.databases WHERE name LIKE '%_recording_%'";
    let database = ask(&socket, named)[0][0].clone();
    let put_away = |table: &str| {
        let statement = format!("DETACH TABLE {database}.{table} PERMANENTLY SYNC");
        ask(&socket, &statement);
    };
    // In the order in which the engine names them; half of them are away when the end comes.
    for table in ["extents", "flows"] {
        put_away(table);
    }
    server.kill();
    let server = configured(folder.path(), "");
    wait_until_in_order(&server);
    assert_eq!(answers(&server, "friday"), before, "half of them were away");

    let tables = format!("SELECT name FROM system.tables WHERE database = '{database}'");
    for row in ask(&socket, &tables) {
        put_away(&row[0]);
    }
    server.kill();
    let server = configured(folder.path(), "");
    wait_until_in_order(&server);
    assert_eq!(answers(&server, "friday"), before, "all of them were away");
    recording(&server, &["delete", "friday"]);
    eventually("the tables' folders are gone", || {
        (folders_of_tables(&server) == folders).then_some(())
    });

    // One that was cut short before its first table is made again from its tape.
    recording(&server, &["cut", "--name", "friday", "--last", "30m"]);
    recording(&server, &["keep", "friday"]);
    let before = answers(&server, "friday");
    let database = ask(&socket, named)[0][0].clone();
    ask(&socket, &format!("DROP DATABASE {database} SYNC"));
    ask(&socket, &format!("CREATE DATABASE {database}"));
    server.kill();
    let server = configured(folder.path(), "");
    eventually("the recording is made again", || {
        let path = "/api/v1/top/servers?recording=friday";
        (server.try_get::<Value>(path).ok()? == before[1]).then_some(())
    });
    assert_eq!(answers(&server, "friday"), before, "made again");
}
