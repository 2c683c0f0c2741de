//! Pictures of real flows, from the real server: what they say is what was sent.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::{Cursor, Read as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use flow::{Timestamp, clock};
use support::{Server, printed};

const UPTIME_MS: u32 = 10_000_000;
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// In ten seconds: 1 Mbit/s.
const OCTETS: u32 = 1_250_000;

/// A flow of NetFlow v5 from `begin` on, ten seconds long: header and record as Cisco lays them out.
fn send_flow(server: &Server, begin: Timestamp) {
    let now = clock::now().seconds();
    let ago_ms = u32::try_from((now - begin.seconds()) * 1000).unwrap();
    let mut datagram = Vec::new();
    // Version, count; uptime, seconds, nanoseconds, sequence; engine type and id, sampling.
    datagram.extend([0, 5, 0, 1]);
    for number in [UPTIME_MS, u32::try_from(now).unwrap(), 0, 0, 0] {
        datagram.extend(number.to_be_bytes());
    }
    datagram.extend([10, 0, 7, 7]);
    datagram.extend(SERVER.octets());
    // Next hop, interfaces.
    datagram.extend([0; 8]);
    let first = UPTIME_MS - ago_ms;
    for number in [1000, OCTETS, first, first + 10_000] {
        datagram.extend(number.to_be_bytes());
    }
    for port in [50_000_u16, 443] {
        datagram.extend(port.to_be_bytes());
    }
    // Padding, flags, TCP, type of service; the rest.
    datagram.extend([0, 0x1b, 6, 0]);
    datagram.extend([0; 8]);
    assert_eq!(datagram.len(), 24 + 48);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&datagram, server.udp()).unwrap();
}

/// Status, type and octets of what is at an address.
fn asked(server: &Server, path: &str) -> (u16, String, Vec<u8>) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent.get(format!("{}{path}", server.url())).call().unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let (status, mut octets) = (answer.status().as_u16(), Vec::new());
    answer
        .into_body()
        .into_reader()
        .read_to_end(&mut octets)
        .unwrap();
    (status, kind, octets)
}

/// The words of a picture.
fn words(octets: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(octets).unwrap();
    let document = roxmltree::Document::parse(text).unwrap();
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| {
            node.text()
                .unwrap()
                .trim_matches('\n')
                .replace('\u{a0}', " ")
        })
        .collect()
}

fn size(octets: &[u8]) -> (u32, u32) {
    let decoder = png::Decoder::new(Cursor::new(octets));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height)
}

fn all_in(words: &[String], expected: &[&str]) {
    for expected in expected {
        assert!(
            words.iter().any(|word| word == expected),
            "{expected}: {words:?}"
        );
    }
}

#[test]
fn pictures_say_what_was_sent() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let minute_ago = clock::now() - Duration::from_secs(60);
    let begin = minute_ago.floor(Duration::from_secs(10));
    send_flow(&server, begin);
    server.wait_for_datagrams(1);
    let [from, to] = [
        begin - Duration::from_secs(10),
        begin + Duration::from_secs(20),
    ];
    let window = format!("from={from}&to={to}");
    over_time(&server, &window);
    largest(&server, &window);
    refused(&server, &window);
    by_command(&server, data.path(), (begin, &window));
}

/// 1 Mbit/s in the middle one of three intervals.
fn over_time(server: &Server, window: &str) {
    let path = format!("/api/v1/series/picture.svg?{window}&step=10s");
    let (status, kind, octets) = asked(server, &path);
    assert_eq!((status, kind.as_str()), (200, "image/svg+xml"));
    let axis = ["0", "0.2", "0.4", "0.6", "0.8", "1", "Mbit/s", "UTC"];
    let shown = words(&octets);
    all_in(&shown, &axis);
    all_in(&shown, &["Traffic", "total", "mean", "333 kbit/s"]);
    let flows = format!("/api/v1/series/picture.svg?{window}&step=10s&unit=flows&title=Seen");
    all_in(&words(&asked(server, &flows).2), &["Seen", "flows/s"]);
    let png = format!("/api/v1/series/picture.png?{window}&width=700&height=300&theme=dark");
    let (status, kind, octets) = asked(server, &png);
    assert_eq!((status, kind.as_str()), (200, "image/png"));
    assert_eq!(size(&octets), (700, 300));
    let nothing = "/api/v1/series/picture.svg?from=2001-01-01&to=2001-01-02";
    all_in(
        &words(&asked(server, nothing).2),
        &["No flows in this time."],
    );
}

/// 1,250,000 octets in half a minute.
fn largest(server: &Server, window: &str) {
    let path = format!("/api/v1/top/servers/picture.svg?{window}&previous=true");
    let (status, _, octets) = asked(server, &path);
    assert_eq!(status, 200);
    all_in(
        &words(&octets),
        &["Traffic by server", "Server", "10.0.0.1", "333 kbit/s"],
    );
    let path = format!("/api/v1/top/clients/picture.png?{window}&unit=packets");
    assert_eq!(size(&asked(server, &path).2), (960, 480));
}

fn refused(server: &Server, window: &str) {
    let wrong = [
        "series/picture.svg?width=100",
        "series/picture.png?height=5000",
        "series/picture.gif?",
        "series/picture.svg?theme=pink",
        "series/picture.svg?unit=bits&by=flows",
        "top/servers/picture.svg?limit=0",
        "top/nothing/picture.svg?",
    ];
    for path in wrong {
        let (status, kind, octets) = asked(server, &format!("/api/v1/{path}&{window}"));
        let said = String::from_utf8_lossy(&octets);
        assert_eq!(
            (status, kind.as_str()),
            (400, "application/json"),
            "{path}: {said}"
        );
    }
    let unknown = "/api/v1/series/picture.svg?recording=nothing";
    assert_eq!(asked(server, unknown).0, 404);
}

fn by_command(server: &Server, folder: &Path, (begin, window): (Timestamp, &str)) {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (svg, png) = (file("a.svg"), file("a.png"));
    let (from, to) = window.split_once('&').unwrap();
    let (from, to) = (&from["from=".len()..], &to["to=".len()..]);
    let ever = ["--from", from, "--to", to];
    let run = |words: &[&str]| printed(&server.cli(words));
    let top = [
        "top",
        "servers",
        "--svg",
        &svg,
        "--title",
        "Busy",
        "--previous",
    ];
    assert_eq!(run(&[&top[..], &ever].concat()), "");
    all_in(
        &words(&std::fs::read(&svg).unwrap()),
        &["Busy", "10.0.0.1", "333 kbit/s"],
    );
    let series = [
        "series", "servers", "--png", &png, "--width", "640", "--theme", "dark",
    ];
    run(&[&series[..], &ever].concat());
    assert_eq!(size(&std::fs::read(&png).unwrap()), (640, 480));
    run(&["recording", "cut", "--name", "fri<day>", "--last", "5m"]);
    let at = (begin + Duration::from_secs(5)).to_string();
    run(&["recording", "note", "fri<day>", "link down", "--at", &at]);
    // What was there is replaced.
    run(&["recording", "show", "fri<day>", "--svg", &svg]);
    let shown = words(&std::fs::read(&svg).unwrap());
    all_in(&shown, &["Traffic by application", "link down", "Mbit/s"]);
    assert!(
        shown
            .iter()
            .any(|word| word.ends_with(" UTC · recording fri<day>")),
        "{shown:?}"
    );
    let lines = ["series", "servers", "--svg", &svg, "--lines"];
    run(&[&lines[..], &ever].concat());
    assert!(!std::fs::read_to_string(&svg).unwrap().contains("<polygon"));
    let both = server.cli(&["top", "servers", "--svg", &svg, "--png", &png]);
    assert_eq!(both.status.code(), Some(2));
}
