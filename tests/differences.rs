//! Two recordings side by side with the real binary: captures that the test writes, differences that were made on paper.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;

use collector::capture::{CaptureWriter, Format, Framing};
use flow::{Datagram, Feed, Timestamp};
use serde_json::Value;
use simulator::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};
use store::compare::{Comparison, Difference, Verdict};
use support::{Server, printed};

/// 2026-03-01T10:00:00Z.
const MONDAY_S: i64 = 1_772_359_200;
const DAY_S: i64 = 86_400;
/// From one datagram to the next.
const TICK_S: u32 = 60;

/// What every datagram reports of a server: its last octet, flows, octets of each, their life.
type Talk = (u8, u8, u32, u32);

/// Eleven datagrams in 600 seconds.
const BEFORE: &[Talk] = &[
    (1, 1, 60_000, 50),
    (2, 1, 6_000, 50),
    (3, 1, 60_000, 50),
    (4, 1, 30_000, 50),
    (6, 2, 1_000, 100),
];
/// Six datagrams in 300 seconds.
const AFTER: &[Talk] = &[
    (1, 1, 60_000, 50),
    (2, 1, 60_000, 50),
    (3, 1, 6_000, 50),
    (5, 1, 30_000, 50),
    (6, 2, 1_000, 400),
];

/// Writes a capture of an exporter: a v5 datagram every [`TICK_S`] seconds, whose flows have ended a second before.
fn capture(path: &Path, from_s: i64, datagrams: u32, talks: &[Talk]) {
    let out = File::create_new(path).unwrap();
    let mut capture = CaptureWriter::new(out, Format::Pcap, Framing::Raw).unwrap();
    let mut sequence = 0;
    for number in 0..datagrams {
        let at_s = from_s + i64::from(number * TICK_S);
        let uptime_ms = 3_600_000 + number * TICK_S * 1000;
        let records: Vec<FixedRecord> = talks
            .iter()
            .flat_map(|talk| (0..talk.1).map(|flow| record(talk, flow, number, uptime_ms)))
            .collect();
        let header = FixedHeader {
            uptime_ms,
            unix_seconds: u32::try_from(at_s).unwrap(),
            sequence,
            ..FixedHeader::default()
        };
        sequence += u32::try_from(records.len()).unwrap();
        let datagram = Datagram {
            received_at: Timestamp::from_seconds(at_s),
            source: "192.0.2.1:9000".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: fixed::datagram(FixedVersion::V5, header, &records),
        };
        capture.write(&datagram).unwrap();
    }
    capture.finish().unwrap();
}

fn record(
    &(server, _, octets, life_ms): &Talk,
    flow: u8,
    number: u32,
    uptime_ms: u32,
) -> FixedRecord {
    FixedRecord {
        src: Ipv4Addr::new(10, 1, 0, 1),
        dst: Ipv4Addr::new(10, 2, 0, server),
        src_port: 50_000 + u16::try_from(number).unwrap() * 10 + u16::from(flow),
        dst_port: 443,
        protocol: 6,
        packets: octets / 500,
        octets,
        first_ms: uptime_ms - 1000 - life_ms,
        last_ms: uptime_ms - 1000,
        ..FixedRecord::default()
    }
}

/// A server with both captures as recordings.
fn with_recordings(folder: &Path) -> Server {
    let server = Server::start(&folder.join("data"), &[]);
    let (monday, tuesday) = (folder.join("monday.pcap"), folder.join("tuesday.pcap"));
    capture(&monday, MONDAY_S, 11, BEFORE);
    capture(&tuesday, MONDAY_S + DAY_S, 6, AFTER);
    for file in [&monday, &tuesday] {
        printed(&server.cli(&["recording", "import", file.to_str().unwrap()]));
    }
    server
}

/// The comparison of servers.
fn differences(server: &Server, args: &[&str]) -> Comparison {
    let args = [
        &["recording", "diff"],
        args,
        &["--by", "servers", "--format", "json"],
    ]
    .concat();
    serde_json::from_str(&printed(&server.cli(&args))).unwrap()
}

fn table(server: &Server, args: &[&str]) -> String {
    printed(&server.cli(&[&["recording", "diff"], args, &["--by", "servers"]].concat()))
}

fn row<'a>(found: &'a Comparison, name: &str) -> &'a Difference {
    found.rows.iter().find(|row| row.name == name).unwrap()
}

/// Octets per second on both sides, in whole ones: a capture lasts a nanosecond longer than from its first datagram to its last.
fn rates(row: &Difference) -> [Option<f64>; 2] {
    [&row.before, &row.after].map(|group| group.as_ref().map(|group| group.octets_per_s.round()))
}

#[test]
fn two_recordings_differ_as_was_made_on_paper() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_recordings(folder.path());
    let found = differences(&server, &["monday", "tuesday"]);

    // 11 x (60,000 + 6,000 + 60,000 + 30,000 + 2 x 1,000) octets and 11 x 6 flows; 6 x the same in another order.
    assert_eq!((found.before.octets, found.before.flows), (1_738_000, 66));
    assert_eq!((found.after.octets, found.after.flows), (948_000, 36));
    assert_eq!((found.changed, found.same, found.untold), (5, 1, 0));
    let names: Vec<(&str, &[Verdict])> = found
        .rows
        .iter()
        .map(|row| (&*row.name, &*row.verdicts))
        .collect();
    // Of 3,160 octets a second 1,090 more, 980 less, 600 new, 550 gone; and three fifths of the time of flows is added.
    let expected: &[(&str, &[Verdict])] = &[
        ("10.2.0.6", &[Verdict::Slower]),
        ("10.2.0.2", &[Verdict::Larger]),
        ("10.2.0.3", &[Verdict::Smaller]),
        ("10.2.0.5", &[Verdict::New]),
        ("10.2.0.4", &[Verdict::Gone]),
        ("10.2.0.1", &[Verdict::Same]),
    ];
    assert_eq!(names, expected);
    // 660,000 octets in 600 s and 360,000 in 300 s.
    assert_eq!(rates(row(&found, "10.2.0.1")), [Some(1100.0), Some(1200.0)]);
    assert_eq!(rates(row(&found, "10.2.0.2")), [Some(110.0), Some(1200.0)]);
    assert_eq!(rates(row(&found, "10.2.0.3")), [Some(1100.0), Some(120.0)]);
    assert_eq!(rates(row(&found, "10.2.0.4")), [Some(550.0), None]);
    assert_eq!(rates(row(&found, "10.2.0.5")), [None, Some(600.0)]);

    let slow = row(&found, "10.2.0.6");
    assert_eq!(slow.change_duration_ms, Some(300.0));
    let ended = |group: &Option<store::compare::Group>| group.as_ref().unwrap().ended_flows;
    assert_eq!((ended(&slow.before), ended(&slow.after)), (22, 12));
    // After, in 300 s: 12 flows of 0.4 s and 4 x 6 of 0.05 s; 12 x 0.3 s are added.
    assert!((slow.weight - 3.6 / (4.8 + 1.2)).abs() < 1e-6, "{slow:?}");
    let larger = row(&found, "10.2.0.2");
    assert!((larger.weight - 1090.0 / 3160.0).abs() < 1e-6, "{larger:?}");

    // The other way round.
    let turned = differences(&server, &["tuesday", "monday"]);
    let verdict = |name| row(&turned, name).verdicts[0];
    let turned = ["10.2.0.6", "10.2.0.2", "10.2.0.3", "10.2.0.5", "10.2.0.4"].map(verdict);
    let expected = [
        Verdict::Faster,
        Verdict::Smaller,
        Verdict::Larger,
        Verdict::Gone,
        Verdict::New,
    ];
    assert_eq!(turned, expected);
    the_table_says_it(&server);
    the_same_twice_has_changed_nothing(&server);
    the_past_is_compared_with(&server, folder.path());
    a_recording_of_some_flows_is_compared_with_those(&server);
    what_can_not_be_compared_is_said(&server);
}

fn the_table_says_it(server: &Server) {
    let table_text = table(server, &["monday", "tuesday", "--limit", "4"]);
    let lines: Vec<String> = table_text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "before 'monday': 10 min 00 s, 2.90 k octets/s, 66 flows",
        "after 'tuesday': 5 min 00 s, 3.16 k octets/s, 36 flows",
        "",
        "servers verdict octets/s flows/s median life change",
        "10.2.0.6 slower 36.7 → 40.0 0.04 → 0.04 100 ms → 400 ms +3.33 octets/s, +300 ms",
        "10.2.0.2 larger 110 → 1.20 k 0.02 → 0.02 50 ms → 50 ms +1.09 k octets/s",
        "10.2.0.3 smaller 1.10 k → 120 0.02 → 0.02 50 ms → 50 ms −980 octets/s",
        "10.2.0.5 new – → 600 – → 0.02 – → 50 ms +600 octets/s",
        "",
        "1 more changed less; see them with --limit",
        "",
        "the same on both sides: 1 of 6 servers",
    ];
    assert_eq!(lines, expected);
    let args = ["recording", "diff", "monday", "tuesday", "--by", "servers"];
    let csv = printed(&server.cli(&[&args[..], &["--format", "csv"]].concat()));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let gone = reader
        .records()
        .map(Result::unwrap)
        .find(|row| &row[1] == "gone");
    let gone = gone.unwrap();
    assert_eq!((&gone[0], &gone[4]), ("10.2.0.4", ""));
    let lines = printed(&server.cli(&[&args[..], &["--format", "jsonl"]].concat()));
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (lines.lines().count(), &first["verdicts"][0]),
        (6, &"slower".into())
    );
}

fn the_same_twice_has_changed_nothing(server: &Server) {
    let found = differences(server, &["monday", "monday"]);
    assert_eq!((found.changed, found.same), (0, 5));
    let text = table(server, &["monday", "monday"]);
    assert!(
        text.contains("\nnothing changed: none of 5 servers is new or gone"),
        "{text}"
    );
    let text = table(
        server,
        &["monday", "monday", "--filter", "dst host 10.2.0.99"],
    );
    assert!(text.contains("there are no such flows in either"), "{text}");
    let text = table(
        server,
        &["monday", "tuesday", "--filter", "dst host 10.2.0.5"],
    );
    assert!(
        text.contains("'monday': there are no such flows, so all of 'tuesday' is new"),
        "{text}"
    );
}

/// Monday's capture among what is live: five of its datagrams report flows of the 300 seconds of Tuesday's, a day earlier.
fn the_past_is_compared_with(server: &Server, folder: &Path) {
    let file = folder.join("monday.pcap");
    printed(&server.cli(&["import", file.to_str().unwrap()]));
    let found = differences(server, &["tuesday", "--before", "1d"]);
    assert_eq!(found.before.from, Timestamp::from_seconds(MONDAY_S));
    assert_eq!((found.before.octets, found.before.flows), (5 * 158_000, 30));
    assert_eq!(rates(row(&found, "10.2.0.2")), [Some(100.0), Some(1200.0)]);
    let text = table(server, &["tuesday", "--before", "1d"]);
    assert!(
        text.starts_with("before live, 1d earlier: 5 min 00 s, "),
        "{text}"
    );
    // Right before Tuesday's there is nothing.
    let found: Comparison = server.get("/api/v1/compare/servers?after_recording=tuesday");
    assert_eq!(found.before.to, found.after.from);
    assert_eq!((found.before.flows, found.changed), (0, 5));
    assert!(found.rows.iter().all(|row| row.verdicts == [Verdict::New]));
    // Two windows of one recording: the flows of its first five minutes, and of its last.
    let recording = "before_recording=monday&after_recording=monday";
    let (from, middle) = (MONDAY_S, MONDAY_S + 300);
    let times = format!(
        "before_from={from}&before_to={middle}&after_from={middle}&after_to={}",
        middle + 300
    );
    let found: Comparison = server.get(&format!("/api/v1/compare/servers?{recording}&{times}"));
    assert_eq!(
        (found.before.octets, found.after.octets),
        (790_000, 790_000)
    );
    assert_eq!((found.changed, found.same), (0, 5));
}

/// A datagram more of Monday's, live, of which the recording has one server.
fn a_recording_of_some_flows_is_compared_with_those(server: &Server) {
    let now_s = flow::clock::now().seconds();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("now.pcap");
    capture(&file, now_s, 1, BEFORE);
    let file = file.to_str().unwrap();
    let to = server.udp().to_string();
    printed(&support::flowreel(&["send", file, "--to", &to]));
    server.wait_for_datagrams(1);
    let cut = ["--filter", "dst host 10.2.0.2", "--last", "10m"];
    printed(&server.cli(&[&["recording", "cut", "--name", "part"], &cut[..]].concat()));
    for sides in [["monday", "part"], ["part", "monday"]] {
        let found = differences(server, &sides);
        let names: Vec<&str> = found.rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["10.2.0.2"], "{sides:?}");
    }
    let found = differences(server, &["part", "--before", "1d"]);
    assert_eq!((found.before.flows, found.after.octets), (0, 6_000));
}

fn what_can_not_be_compared_is_said(server: &Server) {
    let refused = |args: &[&str]| {
        let output = server.cli(&[&["recording", "diff"], args].concat());
        let code = output.status.code();
        (code, String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = refused(&["monday", "sunday"]);
    assert!(code == Some(1) && text.contains("sunday"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let (code, text) = refused(&["monday"]);
    assert!(code == Some(2) && text.contains("<B>"), "{text}");
    assert_eq!(refused(&["monday", "tuesday", "--before", "1d"]).0, Some(2));
    assert_eq!(refused(&["monday", "--before", "yesterday"]).0, Some(2));
    assert_eq!(
        refused(&["monday", "tuesday", "--filter", "src prot 80"]).0,
        Some(2)
    );
    assert_eq!(
        refused(&["monday", "tuesday", "--by", "planets"]).0,
        Some(2)
    );
    for (wrong, parameter) in [
        ("before_from=never", "before_from"),
        ("after_last=1h&after_from=1970-01-01", "after_last"),
        ("before_known_at=as_of", "before_known_at"),
        ("before_recording=monday&before_shift=1d", "before_shift"),
        ("before_shift=ever", "before_shift"),
        ("filter=src+prot", "filter"),
        ("limit=0", "limit"),
    ] {
        let answer = ureq::get(format!("{}/api/v1/compare/servers?{wrong}", server.url()))
            .config()
            .http_status_as_error(false)
            .build()
            .call();
        let mut answer = answer.unwrap();
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
        assert_eq!(body["parameter"], parameter, "{wrong}");
    }
}
