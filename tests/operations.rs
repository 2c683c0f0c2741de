//! What an operator meets: readiness, metrics, limits, an end in time whatever the engine does.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use api::plant::{ImportState, ImportStatus};
use nix::sys::signal::Signal;
use support::http::status_of;
use support::{Running, Server, binary, captures, eventually, flowreel, signal};

fn send(capture: &Path, server: &Server, times: usize) {
    let to = server.udp().to_string();
    for _ in 0..times {
        let output = flowreel(&[
            "send",
            capture.to_str().unwrap(),
            "--to",
            &to,
            "--rate",
            "5000",
        ]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_server_whose_engine_hangs_ends_in_time_and_nothing_is_lost() {
    let Some(folder) = captures() else { return };
    let capture = folder.join("generated/softflowd-v5-synscan.pcap");
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    // By tshark: 69 datagrams with 2002 records.
    send(&capture, &server, 1);
    server.wait_for_datagrams(69);
    signal(server.engine(), Signal::SIGSTOP);
    send(&capture, &server, 5);
    eventually("all is on tape", || {
        (server.accounting().datagrams.received == 6 * 69).then_some(())
    });
    let took = server.stop();
    assert!(took.as_millis() < 5500, "{took:?}");
    let server = Server::start(data.path(), &[]);
    let books = server.wait_for_datagrams(6 * 69);
    assert!(
        books.datagrams.balances() && books.records.balances(),
        "{books:?}"
    );
    assert_eq!(
        (books.records.stored, books.datagrams.dropped_total()),
        (6 * 2002, 0)
    );
    let rows: Vec<store::question::TopRow> =
        server.get("/api/v1/top/exporters?from=1970-01-01&to=2200-01-01");
    assert_eq!(rows.iter().map(|row| row.flows).sum::<u64>(), 6 * 2002);
}

#[test]
fn readiness_says_when_the_engine_is_away() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let url = format!("{}/readyz", server.url());
    let ready = || {
        ureq::get(&url)
            .call()
            .map(|answer| answer.status().as_u16())
    };
    assert_eq!(ready().unwrap(), 200);
    signal(server.engine(), Signal::SIGKILL);
    eventually("it is not ready", || {
        matches!(ready(), Err(ureq::Error::StatusCode(503))).then_some(())
    });
    eventually("it is ready again", || ready().ok());
}

#[test]
fn metrics_count_what_a_capture_holds() {
    let Some(folder) = captures() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    send(
        &folder.join("generated/softflowd-v5-synscan.pcap"),
        &server,
        1,
    );
    server.wait_for_datagrams(69);
    assert_eq!(server.metric("flowreel_received_datagrams_total"), Some(69));
    assert_eq!(server.metric("flowreel_received_records_total"), Some(2002));
    assert_eq!(server.metric("flowreel_engine_starts_total"), Some(1));
    let address = server.udp();
    let buffer =
        format!("flowreel_collector_socket_receive_buffer_octets_got{{address=\"{address}\"}}");
    assert!(server.metric(&buffer).unwrap() > 0);
}

#[test]
fn an_upload_that_breaks_off_leaves_no_file() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut stream = TcpStream::connect(server.running.http).unwrap();
    let head = b"POST /api/v1/imports?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbegin";
    stream.write_all(head).unwrap();
    eventually("the file is there", || {
        (uploads(data.path()) == 1).then_some(())
    });
    drop(stream);
    eventually("the file is gone", || {
        (uploads(data.path()) == 0).then_some(())
    });
}

#[test]
fn an_upload_that_the_disk_cannot_hold_beside_the_tape_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("flowreel.toml");
    // No disk leaves this much free.
    std::fs::write(&config, "[tape]\nmin_free_octets = 1000000000000000\n").unwrap();
    let server = Server::start(
        &data.path().join("data"),
        &["--config", config.to_str().unwrap()],
    );
    let upload =
        b"POST /api/v1/imports?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24\r\n\r\n";
    assert_eq!(status_of(server.running.http, upload), 507);
}

fn uploads(data: &Path) -> usize {
    std::fs::read_dir(data.join("incoming")).unwrap().count()
}

/// A configuration with this data directory.
fn data_in(folder: &Path) -> String {
    format!("data_dir = {:?}\n", folder.join("data"))
}

/// Starts `flowreel serve` without waiting until it is ready, as it may never be.
fn spawn(data: &Path, http: &str, config: &str) -> Child {
    std::fs::create_dir_all(data).unwrap();
    let file = data.join("test.toml");
    std::fs::write(&file, config).unwrap();
    Command::new(binary())
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--http",
            http,
            "--i-know-there-is-no-sign-on",
            "--config",
        ])
        .arg(&file)
        .env("XDG_RUNTIME_DIR", data)
        .env("FLOWREEL_SIGN_ON", "off")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_store_of_a_newer_program_ends_the_server_with_that_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let statement = "INSERT INTO flowreel.schema_versions (version, name) VALUES (99, 'tomorrow')";
    let mut engine = UnixStream::connect(data.join("engine.sock")).unwrap();
    let length = statement.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{statement}"
    );
    engine.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    engine.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop();
    let ended = spawn(folder.path(), "127.0.0.1:0", &data_in(folder.path()))
        .wait_with_output()
        .unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(
        last.starts_with("flowreel: the database has schema version 99"),
        "{last}"
    );
}

#[test]
fn without_its_store_the_server_receives_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // Port 9 of this machine: nobody listens there.
    let store = "[store]\nengine = 'clickhouse'\nurl = 'http://127.0.0.1:9'\n";
    let config = data_in(folder.path()) + store;
    let mut child = spawn(folder.path(), "127.0.0.1:0", &config);
    let running: Running = eventually("the server is ready to receive", || {
        let text = std::fs::read(folder.path().join("data/running.json")).ok()?;
        serde_json::from_slice(&text).ok()
    });
    let asked = |method: &str, path: &str| {
        let mut stream = TcpStream::connect(running.http).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let readiness = eventually("the trouble is known", || {
        let answer = asked("GET", "/readyz");
        answer.contains("cannot be reached").then_some(answer)
    });
    assert!(readiness.starts_with("HTTP/1.1 503"), "{readiness}");
    let refused = asked("POST", "/api/v1/reclassify?last=1h");
    assert!(refused.contains("the store is not ready yet"), "{refused}");
    signal(running.pid, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_import_that_a_crash_interrupted_fails_and_its_feed_ends_once() {
    let data = tempfile::tempdir().unwrap();
    Server::start(data.path(), &[]).stop();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // What a process leaves that died while it read a file.
    runtime.block_on(async {
        let catalog = store::catalog::Catalog::open(&data.path().join("catalog.db"))
            .await
            .unwrap();
        catalog
            .begin_import("half.pcap", flow::clock::now())
            .await
            .unwrap();
        catalog.close().await;
    });
    for marks in [1, 0] {
        let server = Server::start(data.path(), &[]);
        let imports: Vec<ImportStatus> = server.get("/api/v1/imports");
        assert_eq!(imports[0].state, ImportState::Failed);
        assert!(
            imports[0]
                .error
                .as_ref()
                .unwrap()
                .starts_with("interrupted")
        );
        assert_eq!(
            server.metric("flowreel_replay_appended_datagrams_total"),
            Some(marks)
        );
        // Until the decoder has passed it, it is counted as one that waits on tape.
        eventually("the mark is passed and is no datagram", || {
            (server.accounting().datagrams.received == 0).then_some(())
        });
        server.stop();
    }
}

#[test]
fn a_third_upload_at_once_is_told_to_come_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let head =
        b"POST /api/v1/imports?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    let upload = || {
        let mut stream = TcpStream::connect(server.running.http).unwrap();
        stream.write_all(head).unwrap();
        stream
    };
    let slow = [upload(), upload()];
    eventually("two uploads have begun", || {
        (uploads(data.path()) == 2).then_some(())
    });
    assert_eq!(status_of(server.running.http, head), 429);
    drop(slow);
}

#[test]
fn another_machine_may_read_and_change_nothing() {
    // The address that this machine has for others; nothing is sent (RFC 5737 §3).
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let Ok(address) = probe
        .connect("192.0.2.1:9")
        .and_then(|()| probe.local_addr())
    else {
        assert!(std::env::var_os("CI").is_none(), "CI has a network");
        eprintln!("skipped: this machine has no address but its own");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn(folder.path(), "0.0.0.0:0", &data_in(folder.path()));
    let running: Running = eventually("the server is ready to receive", || {
        let text = std::fs::read(folder.path().join("data/running.json")).ok()?;
        serde_json::from_slice(&text).ok()
    });
    let url = |ip: std::net::IpAddr| format!("http://{ip}:{}/api/v1/rules", running.http.port());
    let put = |ip| {
        let answer = ureq::put(url(ip)).send_json(serde_json::json!({}));
        match answer {
            Ok(answer) => answer.status().as_u16(),
            Err(ureq::Error::StatusCode(status)) => status,
            Err(error) => panic!("{error}"),
        }
    };
    let read = ureq::get(url(address.ip())).call().unwrap();
    assert_eq!(read.status(), 200);
    assert_eq!(put(address.ip()), 403);
    assert_eq!(put(std::net::Ipv4Addr::LOCALHOST.into()), 200);
    signal(running.pid, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_deep_data_directory_has_its_socket_elsewhere_for_this_user_only() {
    let folder = tempfile::tempdir().unwrap();
    // unix(7): the address of a socket is at most 107 octets long.
    let data = folder.path().join("d".repeat(120));
    let mut child = spawn(
        folder.path(),
        "127.0.0.1:0",
        &format!("data_dir = {data:?}"),
    );
    let running: Running = eventually("the server is ready to receive", || {
        serde_json::from_slice(&std::fs::read(data.join("running.json")).ok()?).ok()
    });
    eventually("the engine answers", || {
        ureq::get(format!("http://{}/readyz", running.http))
            .call()
            .ok()
    });
    let made = || {
        let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("flowreel-"))
            .map(|entry| entry.metadata().unwrap().permissions().mode() & 0o777)
            .collect::<Vec<_>>()
    };
    assert_eq!(made(), [0o700]);
    signal(child.id(), Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
    assert!(made().is_empty());
}
