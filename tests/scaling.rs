//! Several collectors side by side into one store: each with its own tape and name, sums equal to what was sent.
//!
//! The store is an engine of its own behind TCP, and the server or cluster that `FLOWREEL_TEST_CLICKHOUSE_URL` names if it is
//! set (`FLOWREEL_TEST_CLICKHOUSE_USER`, `FLOWREEL_TEST_CLICKHOUSE_CLUSTER`).

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use store::question::TopRow;
use support::http::exchange;
use support::sql::ask;
use support::{Launch, Server, binary, eventually};

/// Records of a datagram.
const RECORDS: u16 = 30;
/// Datagrams that fit any receive buffer.
const BURST: u32 = 20;

/// A store that several collectors reach.
struct Shared {
    folder: tempfile::TempDir,
    engine: Option<Child>,
    settings: String,
}

impl Shared {
    /// An engine, and what the environment names.
    fn all() -> Vec<Self> {
        let mut found: Vec<Self> = Self::engine().into_iter().collect();
        if let Ok(url) = std::env::var("FLOWREEL_TEST_CLICKHOUSE_URL") {
            let mut settings = format!("url = '{url}'\n");
            for (key, variable) in [
                ("user", "FLOWREEL_TEST_CLICKHOUSE_USER"),
                ("cluster", "FLOWREEL_TEST_CLICKHOUSE_CLUSTER"),
            ] {
                if let Ok(value) = std::env::var(variable) {
                    settings += &format!("{key} = '{value}'\n");
                }
            }
            found.push(Self {
                folder: tempfile::tempdir().unwrap(),
                engine: None,
                settings,
            });
        }
        found
    }

    /// `None` where no library is installed, which is an error in CI.
    fn engine() -> Option<Self> {
        let library = match engine::locate() {
            Ok(library) => library,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "{error}");
                eprintln!("skipped: {error}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = Command::new(binary())
            .args(["engine", "--memory", "1500000000", "--library"])
            .arg(library)
            .arg("--data-dir")
            .arg(folder.path().join("store"))
            .arg("--socket")
            .arg(&socket)
            // It ends when this is closed.
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("the engine answers", || UnixStream::connect(&socket).ok());
        let address = passed_on_from(socket);
        Some(Self {
            folder,
            engine: Some(engine),
            settings: format!("url = 'http://{address}'\n"),
        })
    }

    /// How a collector is started that writes here.
    fn launch(&self, name: &str, more: &str) -> Launch {
        let config = self.folder.path().join(format!("{name}.toml"));
        let database = format!("flowreel_test_scaling_{}", std::process::id());
        let text = format!(
            "[store]\nengine = 'clickhouse'\ndatabase = '{database}'\n{}{more}",
            self.settings
        );
        std::fs::write(&config, text).unwrap();
        let mut launch = Launch::of(&self.data_dir(name));
        launch.more = vec!["--config".to_owned(), config.to_str().unwrap().to_owned()];
        launch
    }

    fn data_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, name: &str) -> Server {
        let server = Server::receiving(&self.launch(name, ""), "127.0.0.1:0");
        server.wait_until_ready();
        server
    }

    /// Asks past Flowreel, where that can be done.
    fn ask(&self, statement: &str) -> Option<Vec<Vec<String>>> {
        self.engine.as_ref()?;
        let database = format!("flowreel_test_scaling_{}", std::process::id());
        let statement = statement.replace("DATABASE", &database);
        Some(ask(&self.folder.path().join("engine.sock"), &statement))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }
}

/// A TCP port whose connections end at a Unix socket.
fn passed_on_from(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(engine) = UnixStream::connect(&socket) {
                pass(client, engine);
            }
        }
    });
    address
}

fn pass(client: TcpStream, engine: UnixStream) {
    let (mut to_client, mut from_engine) =
        (client.try_clone().unwrap(), engine.try_clone().unwrap());
    let (mut from_client, mut to_engine) = (client, engine);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

/// An exporter of version 5 that knows what it sent.
struct Exporter {
    address: Ipv4Addr,
    socket: UdpSocket,
    datagrams: u32,
    records: u64,
    octets: u64,
    packets: u64,
}

impl Exporter {
    fn new(number: u8) -> Self {
        let address = Ipv4Addr::new(127, 0, 0, number);
        Self {
            address,
            socket: UdpSocket::bind((address, 0)).unwrap(),
            datagrams: 0,
            records: 0,
            octets: 0,
            packets: 0,
        }
    }

    /// Sends so many datagrams, and waits until the server has them.
    fn send(&mut self, server: &Server, datagrams: u32) {
        let before = server.accounting().datagrams.received;
        for burst in 0..datagrams.div_ceil(BURST) {
            let sent = (burst * BURST + BURST).min(datagrams);
            for _ in burst * BURST..sent {
                let datagram = self.datagram();
                self.socket.send_to(&datagram, server.udp()).unwrap();
            }
            eventually("the server has what was sent", || {
                let received = server.accounting().datagrams.received;
                (received >= before + u64::from(sent)).then_some(())
            });
        }
    }

    /// A header of 24 octets and records of 48, all fields in network order.
    fn datagram(&mut self) -> Vec<u8> {
        const UPTIME_MS: u32 = 3_600_000;
        let now = u32::try_from(flow::clock::now().seconds()).unwrap();
        let sequence = self.datagrams * u32::from(RECORDS);
        let mut octets = Vec::new();
        for half in [5, RECORDS] {
            octets.extend(half.to_be_bytes());
        }
        for word in [UPTIME_MS, now, 0, sequence, 0] {
            octets.extend(word.to_be_bytes());
        }
        for number in 0..RECORDS {
            let count = self.datagrams + u32::from(number);
            let own = self.address.octets()[3];
            let client = Ipv4Addr::new(10, own, 1, u8::try_from(count % 200).unwrap());
            octets.extend(client.octets());
            octets.extend([10, own, 2, 1, 0, 0, 0, 0]);
            octets.extend([0, 1, 0, 2]);
            for word in [
                1 + count % 9,
                1000 + count,
                UPTIME_MS - 2000,
                UPTIME_MS - 1000,
            ] {
                octets.extend(word.to_be_bytes());
            }
            octets.extend((40_000 + number).to_be_bytes());
            octets.extend(443_u16.to_be_bytes());
            octets.extend([0, 0x18, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
            self.records += 1;
            self.packets += u64::from(1 + count % 9);
            self.octets += u64::from(1000 + count);
        }
        self.datagrams += 1;
        octets
    }
}

type Sums = BTreeMap<String, (u64, u64, u64)>;

fn truth(exporters: &[&Exporter]) -> Sums {
    let sums = |one: &&Exporter| {
        let sums = (one.records, one.octets, one.packets);
        (one.address.to_string(), sums)
    };
    exporters.iter().map(sums).collect()
}

fn answered(server: &Server) -> Sums {
    let rows: Vec<TopRow> = server.get("/api/v1/top/exporters?from=1970-01-01&to=2200-01-01");
    let sums = |row: TopRow| (row.name, (row.flows, row.octets, row.packets));
    rows.into_iter().map(sums).collect()
}

/// Nothing twice in the records, and the rollups say the same.
fn check_store(shared: &Shared, records: u64) {
    let records = records.to_string();
    let Some(rows) = shared.ask(
        "SELECT count(), uniqExact(collector, tape_segment, tape_offset, record_offset) FROM DATABASE.flows",
    ) else {
        return;
    };
    assert_eq!(rows, [[records.clone(), records.clone()]]);
    for table in [
        "interfaces_10s",
        "interfaces_1m",
        "interfaces_1h",
        "traffic_10s",
        "traffic_1h",
    ] {
        let sums = shared
            .ask(&format!("SELECT sum(begun) FROM DATABASE.{table}"))
            .unwrap();
        assert_eq!(sums, [[records.clone()]], "{table}");
    }
}

fn readiness(server: &Server) -> String {
    exchange(server.running.http, "GET", "/readyz", &[], &[]).text
}

fn copy_folder(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}

#[test]
fn two_collectors_one_killed_again_and_again_and_sums_are_equal() {
    for shared in Shared::all() {
        // Both make the schema, at the same time.
        let mut first = Server::receiving(&shared.launch("first", ""), "127.0.0.1:0");
        let second = Server::receiving(&shared.launch("second", ""), "127.0.0.1:0");
        first.wait_until_ready();
        second.wait_until_ready();
        let (mut one, mut other) = (Exporter::new(41), Exporter::new(42));
        for round in 0..4 {
            one.send(&first, 40 + 30 * round);
            other.send(&second, 60);
            // Whatever it is doing right now.
            first.kill();
            other.send(&second, 20);
            first = shared.start("first");
        }
        one.send(&first, 25);
        first.wait_for_datagrams(u64::from(one.datagrams));
        second.wait_for_datagrams(u64::from(other.datagrams));
        // Whoever is asked knows of both.
        let truth = truth(&[&one, &other]);
        assert_eq!(answered(&first), truth);
        assert_eq!(answered(&second), truth);
        for server in [&first, &second] {
            let books = server.accounting();
            assert!(books.datagrams.balances() && books.records.balances());
            assert_eq!(books.datagrams.dropped_total(), 0);
        }
        check_store(&shared, one.records + other.records);
        if let Some(names) = shared.ask("SELECT uniqExact(collector) FROM DATABASE.flows") {
            assert_eq!(names, [["2"]]);
        }
    }
}

#[test]
fn a_copied_data_directory_tapes_but_does_not_write_until_it_has_a_name_of_its_own() {
    for shared in Shared::all() {
        let original = shared.start("original");
        let (mut one, mut other) = (Exporter::new(43), Exporter::new(44));
        one.send(&original, 30);
        original.wait_for_datagrams(30);
        original.stop();
        copy_folder(&shared.data_dir("original"), &shared.data_dir("copy"));
        // In its own place it need not wait.
        let original = shared.start("original");
        let copy = Server::receiving(&shared.launch("copy", ""), "127.0.0.1:0");
        eventually("the copy says why it does not write", || {
            readiness(&copy)
                .contains("another process, on ")
                .then_some(())
        });
        one.send(&original, 30);
        other.send(&copy, 40);
        original.wait_for_datagrams(60);
        assert_eq!(copy.accounting().datagrams.on_tape, 40);
        assert_eq!(answered(&original), truth(&[&one]));
        copy.kill();
        let copy = Server::receiving(
            &shared.launch("copy", "collector = 'copy'\n"),
            "127.0.0.1:0",
        );
        copy.wait_until_ready();
        copy.wait_for_datagrams(70);
        assert_eq!(answered(&copy), truth(&[&one, &other]));
        check_store(&shared, one.records + other.records);
    }
}

#[test]
fn an_older_program_beside_a_newer_schema_is_refused_with_a_sentence() {
    for shared in Shared::all() {
        let newer = shared.start("newer");
        if shared
            .ask("INSERT INTO DATABASE.schema_versions (version, name) SELECT 4000, 'of 2031'")
            .is_none()
        {
            continue;
        }
        let mut command = shared.launch("older", "").command("127.0.0.1:0");
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(
            said.contains(
                "the database has schema version 4000, this program knows versions up to"
            ),
            "{said}"
        );
        // The one that runs goes on.
        let mut one = Exporter::new(45);
        one.send(&newer, 10);
        newer.wait_for_datagrams(10);
        assert_eq!(answered(&newer), truth(&[&one]));
    }
}
