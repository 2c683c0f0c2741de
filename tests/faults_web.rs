//! Case 52 of the field's faults, as far as there is a web: forged requests, foreign pages, answers that are too long, and
//! names that are meant to be taken for something else. Floods are in `faults_flood.rs`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::net::UdpSocket;

use flow::clock;
use serde_json::{Value, json};
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use simulator::encode::{Field, Message, Protocol, Stamp, Template, element};
use support::http::{exchange, status_of};
use support::{Server, eventually, printed};

fn server() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

#[test]
fn case_52_no_path_leads_past_the_routes() {
    let (_data, server) = server();
    let http = server.running.http;
    assert_eq!(
        exchange(http, "GET", "/api/v1/accounting", &[], b"").status,
        200
    );
    for path in [
        "//api/v1/accounting",
        "/api//v1/accounting",
        "/api%2fv1%2faccounting",
        "/api/v1%2faccounting",
        "/api/v1/../v1/accounting",
        "/api/v1/%2e%2e/v1/accounting",
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/imports/..%2f..%2fcatalog.db",
        "/api/v1/imports/%00",
        "/api/v1/imports/99999999999999999999",
        "/api/v1/imports/-1",
        "/api/v1/top/..%2faccounting",
        "/api/v1/top/%3Cscript%3E",
        "/catalog.db",
        "/running.json",
        "/.",
        "/API/V1/ACCOUNTING",
        "/api/v1/accounting/",
    ] {
        let answer = exchange(http, "GET", path, &[], b"");
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.text
        );
        assert!(!answer.text.contains("root:"), "{path}");
        let body: Value = serde_json::from_str(answer.body())
            .unwrap_or_else(|_| panic!("{path}: {}", answer.text));
        assert!(body["error"].is_string(), "{path}: {body}");
        assert!(
            answer
                .text
                .to_lowercase()
                .contains("content-type: application/json"),
            "{path}"
        );
    }
    // The names of uploaded files are never part of a path.
    let name = "/api/v1/imports?name=..%2f..%2f..%2fevil.pcap";
    let answer = exchange(http, "POST", name, &[], b"no capture");
    assert!([202, 400].contains(&answer.status), "{}", answer.text);
}

#[test]
fn case_52_a_request_that_names_another_host_is_refused() {
    let (_data, server) = server();
    let http = server.running.http;
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "evil.example:80",
        "xn--localhost-evil",
        "[::1].evil.example",
    ] {
        for method in ["GET", "PUT"] {
            let answer = exchange(http, method, "/api/v1/rules", &[("Host", host)], b"{}");
            assert!(
                [400, 403].contains(&answer.status),
                "{method} {host}: {}",
                answer.text
            );
        }
    }
    // Two of them, or another one in the request line, as proxies and servers have taken different ones for true.
    for request in [
        "GET /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /api/v1/rules HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n",
        "GET http://evil.example/api/v1/rules HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let status = status_of(http, request.as_bytes());
        assert!([400, 403].contains(&status), "{request:?}: {status}");
    }
}

#[test]
fn case_52_nobody_is_somebody_by_a_header() {
    let (_data, server) = server();
    let http = server.running.http;
    // There is no sign-on: these change nothing, neither to more rights nor to fewer.
    let claims = [
        ("Remote-User", "admin"),
        ("X-Forwarded-User", "admin"),
        ("X-Remote-User", "admin"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("Forwarded", "for=127.0.0.1;host=localhost"),
        ("Authorization", "Basic YWRtaW46YWRtaW4="),
    ];
    for claim in claims {
        let foreign = [claim, ("Origin", "https://evil.example")];
        assert_eq!(
            exchange(http, "PUT", "/api/v1/rules", &foreign, b"{}").status,
            403,
            "{claim:?}"
        );
        let rebound = [claim, ("Host", "evil.example")];
        assert_eq!(
            exchange(http, "GET", "/api/v1/rules", &rebound, b"").status,
            403,
            "{claim:?}"
        );
        assert_eq!(
            exchange(http, "GET", "/api/v1/rules", &[claim], b"").status,
            200,
            "{claim:?}"
        );
    }
}

#[test]
fn case_52_a_page_of_another_site_changes_nothing() {
    let (_data, server) = server();
    let http = server.running.http;
    let rules = json!({"application": [{"name": "stolen", "ports": [1]}]}).to_string();
    let own = format!("http://{http}");
    let other_port = "http://localhost:3000".to_owned();
    // What forms and scripts of other pages can send without being asked first.
    for content in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        for origin in [
            "https://evil.example",
            "null",
            &other_port,
            "http://localhost.evil.example",
        ] {
            let headers = [("Origin", origin), ("Content-Type", content)];
            for (method, path) in [
                ("POST", "/api/v1/imports?name=x"),
                ("PUT", "/api/v1/rules"),
                ("POST", "/api/v1/reclassify?last=1h"),
            ] {
                let answer = exchange(http, method, path, &headers, rules.as_bytes());
                assert_eq!(
                    answer.status, 403,
                    "{method} {path} {headers:?}: {}",
                    answer.text
                );
            }
        }
    }
    let headers = [("Sec-Fetch-Site", "cross-site")];
    assert_eq!(
        exchange(http, "POST", "/api/v1/reclassify?last=1h", &headers, b"").status,
        403
    );
    // An answer that a script of another page could read would say so.
    let answer = exchange(
        http,
        "GET",
        "/api/v1/rules",
        &[("Origin", "https://evil.example")],
        b"",
    );
    assert!(
        !answer
            .text
            .to_lowercase()
            .contains("access-control-allow-origin"),
        "{}",
        answer.text
    );
    let answer = exchange(
        http,
        "OPTIONS",
        "/api/v1/rules",
        &[
            ("Origin", "https://evil.example"),
            ("Access-Control-Request-Method", "PUT"),
        ],
        b"",
    );
    assert!(
        !answer.text.to_lowercase().contains("access-control-allow"),
        "{}",
        answer.text
    );
    // A body of rules that is not called JSON is not taken, from nobody.
    let headers = [
        ("Host", own.trim_start_matches("http://")),
        ("Origin", &own),
        ("Content-Type", "text/plain"),
    ];
    assert_eq!(
        exchange(http, "PUT", "/api/v1/rules", &headers, rules.as_bytes()).status,
        400
    );
    assert!(
        !server
            .get::<Value>("/api/v1/rules")
            .to_string()
            .contains("stolen")
    );
    let imports: Vec<Value> = server.get("/api/v1/imports");
    assert!(imports.is_empty());
}

#[test]
fn case_52_a_body_that_is_too_deep_or_too_large_is_refused() {
    let (data, server) = server();
    let http = server.running.http;
    let json = [("Content-Type", "application/json")];
    let put = |body: &[u8]| exchange(http, "PUT", "/api/v1/rules", &json, body).status;
    let deep = "[".repeat(500_000);
    assert_eq!(put(deep.as_bytes()), 400);
    assert_eq!(put("{\"application\":".repeat(100_000).as_bytes()), 400);
    let balanced = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(put(balanced.as_bytes()), 400);
    for wrong in [
        "",
        "{",
        "null",
        "[]",
        "1e999999999",
        "{\"application\": [{\"name\": \"a\", \"ports\": [1e99]}]}",
        "\"\\ud800\"",
        "{\"application\":[{\"name\":\"\\u0000\"}]}",
    ] {
        assert_eq!(put(wrong.as_bytes()), 400, "{wrong}");
    }
    // One octet more than is taken, of three MiB that are announced.
    let mut rules = b"PUT /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 3145728\r\n\r\n".to_vec();
    rules.extend(std::iter::repeat_n(b' ', (2 << 20) + 1));
    assert_eq!(status_of(http, &rules), 413);
    // 17 GiB are refused before the first octet of them, and leave no file.
    let upload = b"POST /api/v1/imports?name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18253611008\r\n\r\n";
    assert_eq!(status_of(http, upload), 413);
    assert_eq!(
        std::fs::read_dir(data.path().join("incoming"))
            .unwrap()
            .count(),
        0
    );
    // Lines that never end, and more of them than anybody needs.
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(1 << 20)
    );
    assert!([400, 414, 431].contains(&status_of(http, long.as_bytes())));
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X-A: b\r\n".repeat(10_000)
    );
    assert!([400, 431].contains(&status_of(http, many.as_bytes())));
    let filter = format!("/api/v1/flows?filter={}", "(".repeat(30_000));
    assert_eq!(exchange(http, "GET", &filter, &[], b"").status, 400);
    let filter = format!("/api/v1/flows?filter={}port%201", "not%20".repeat(8_000));
    assert!([200, 400].contains(&exchange(http, "GET", &filter, &[], b"").status));
    assert_eq!(exchange(http, "GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn case_52_an_answer_of_a_million_rows_is_not_given() {
    let (_data, server) = server();
    let http = server.running.http;
    for question in [
        "/api/v1/flows?limit=1000000",
        "/api/v1/flows?limit=0",
        "/api/v1/flows?limit=-1",
        "/api/v1/flows?limit=99999999999999999999",
        "/api/v1/top/clients?limit=1000000",
        "/api/v1/series?from=1970-01-01&to=2200-01-01&step=1s",
        "/api/v1/series?dimension=clients&limit=100000",
    ] {
        let answer = exchange(http, "GET", question, &[], b"");
        assert_eq!(answer.status, 400, "{question}: {}", answer.text);
        let body: Value = serde_json::from_str(answer.body()).unwrap();
        assert!(body["error"].is_string(), "{question}");
    }
    let most = exchange(http, "GET", "/api/v1/flows?limit=100000", &[], b"");
    assert_eq!(most.status, 200);
}

/// What a name may be that is meant for a page or a terminal.
const EVIL: &str = "<script>alert(1)</script>\u{1b}[2J\u{7}\"'&\u{202e}\n";

#[test]
fn case_52_names_from_the_network_come_back_as_data() {
    let (_data, server) = server();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // RFC 5610-like options: a name for interface 7, then a flow through it.
    let names = Template::options(
        400,
        [Field::iana(element::IN_INTERFACE, 4)],
        [Field::iana(element::INTERFACE_NAME, 64)],
    );
    let flows = Template::data(
        401,
        [
            Field::iana(element::SRC_V4, 4),
            Field::iana(element::DST_V4, 4),
            Field::iana(element::IN_INTERFACE, 4),
            Field::iana(element::OCTETS, 4),
            Field::iana(element::PACKETS, 4),
        ],
    );
    let mut message = Message::new(Protocol::Ipfix, 1);
    message.template(&names).template(&flows);
    message.record(&names, &[7_u32.into(), EVIL.into()]);
    let [one, other] = [1, 2].map(|last| std::net::Ipv4Addr::new(10, 0, 0, last));
    message.record(
        &flows,
        &[
            one.into(),
            other.into(),
            7_u32.into(),
            4000_u32.into(),
            4_u32.into(),
        ],
    );
    let stamp = Stamp {
        unix_seconds: u32::try_from(clock::now().seconds()).unwrap(),
        ..Stamp::default()
    };
    socket
        .send_to(&message.finish(stamp), server.udp())
        .unwrap();
    server.wait_for_datagrams(1);
    let answer = exchange(
        server.running.http,
        "GET",
        "/api/v1/top/interfaces",
        &[],
        b"",
    );
    let head = answer.text.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    let rows: Vec<Value> = serde_json::from_str(answer.body()).unwrap();
    let name = rows
        .iter()
        .find_map(|row| row["name"].as_str().filter(|name| name.contains("script")));
    assert!(name.is_some(), "{rows:?}");
    // As text of JSON nothing of it is a control character; as a cell of a table neither.
    assert!(!answer.body().contains('\u{1b}'));
    let table = printed(&server.cli(&["top", "interfaces"]));
    assert!(table.contains("script"), "{table}");
    let control = |text: &str| text.chars().any(|one| one.is_control() && one != '\n');
    assert!(!control(&table) && !table.contains('\u{202e}'), "{table:?}");
    let csv = printed(&server.cli(&["top", "interfaces", "--format", "csv"]));
    assert!(!csv.contains('\u{1b}'), "{csv:?}");
}

#[test]
fn case_52_names_of_applications_come_back_as_data() {
    let (_data, server) = server();
    let name = "<img src=x onerror=alert(1)>";
    let rules = json!({"application": [{"name": name, "ports": [4711]}]});
    ureq::put(format!("{}/api/v1/rules", server.url()))
        .send_json(&rules)
        .unwrap();
    let control = json!({"application": [{"name": "a\u{1b}[2Jb", "ports": [4712]}]}).to_string();
    let json = [("Content-Type", "application/json")];
    let refused = exchange(
        server.running.http,
        "PUT",
        "/api/v1/rules",
        &json,
        control.as_bytes(),
    );
    assert_eq!(refused.status, 400, "{}", refused.text);
    let record = FixedRecord {
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, 2].into(),
        src_port: 50_000,
        dst_port: 4711,
        protocol: 6,
        octets: 900,
        packets: 3,
        ..FixedRecord::default()
    };
    let header = FixedHeader {
        unix_seconds: u32::try_from(clock::now().seconds()).unwrap(),
        ..FixedHeader::default()
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sequence = 0;
    // The names apply to what arrives a little later.
    let answer = eventually("the name is given", || {
        let header = FixedHeader { sequence, ..header };
        socket
            .send_to(&datagram(FixedVersion::V5, header, &[record]), server.udp())
            .unwrap();
        sequence += 1;
        let answer = exchange(
            server.running.http,
            "GET",
            "/api/v1/top/applications",
            &[],
            b"",
        );
        answer.text.contains("onerror").then_some(answer)
    });
    let rows: Vec<Value> = serde_json::from_str(answer.body()).unwrap();
    assert!(rows.iter().any(|row| row["name"] == name), "{rows:?}");
    let table = printed(&server.cli(&["top", "applications"]));
    assert!(table.contains(name), "{table:?}");
}
