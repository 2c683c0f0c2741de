//! What limits the answers that an exporter's data can give, and what to do about it: read off what it has sent.
//!
//! One function for each thing that can be wrong or missing; each says at most one line.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::health::{ExporterHealth, SequenceState};

/// One that sends nothing for longer is silent: exporters tell their templates, and idle ones their flows, more often.
const SILENT_AFTER: Duration = Duration::from_secs(600);
/// A clock that is further off puts flows into the wrong minute. Whole seconds in headers and the way explain less.
const OFFSET_MS_MAX: u64 = 2_000;
/// Long flows that are told of less often are seen late.
const TIMEOUT_S_MAX: u32 = 60;
/// Below it, one direction of many conversations is not reported.
const BOTH_SHARE_MIN: f64 = 0.5;
/// Records before which nothing is said of their shares.
const RECORDS_MIN: u64 = 100;

/// How much a hint matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Answers lack data, or are wrong.
    Warning,
    /// Some questions can't be answered.
    Note,
}

/// A thing that limits what can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hint {
    /// How much it matters.
    pub weight: Weight,
    /// What is so, and what it means for answers.
    pub what: String,
    /// What to change, on the exporter or here.
    pub remedy: String,
}

/// All that is to be said of an exporter, what matters most first.
pub fn hints(exporter: &ExporterHealth, now: Timestamp) -> Vec<Hint> {
    let found = [
        silent(exporter, now),
        without_template(exporter),
        lost(exporter),
        problems(exporter),
        clock(exporter),
        timeout(exporter),
        one_direction(exporter),
        sampled(exporter),
        whole_seconds(exporter),
        not_counting(exporter),
        missing_fields(exporter),
        unknown_fields(exporter),
    ];
    let mut hints: Vec<Hint> = found.into_iter().flatten().collect();
    hints.sort_by_key(|hint| hint.weight);
    hints
}

fn warning(what: String, remedy: &str) -> Hint {
    hint(Weight::Warning, what, remedy)
}

fn note(what: String, remedy: &str) -> Hint {
    hint(Weight::Note, what, remedy)
}

fn hint(weight: Weight, what: String, remedy: &str) -> Hint {
    Hint {
        weight,
        what,
        remedy: remedy.to_owned(),
    }
}

fn silent(exporter: &ExporterHealth, now: Timestamp) -> Option<Hint> {
    // Only the wire can fall silent; an import ends. A domain that never had flows tells of others, now and then.
    let is_heard = exporter.feed == 0 && exporter.records > 0;
    let is_silent = is_heard && exporter.last_seen + SILENT_AFTER < now;
    is_silent.then(|| {
        let minutes = (now.seconds() - exporter.last_seen.seconds()) / 60;
        warning(
            format!("Nothing has come from it for {minutes} minutes: what goes through it is not seen."),
            "Look whether it is up, still exports to this address and port, and whether a firewall lies between.",
        )
    })
}

fn without_template(exporter: &ExporterHealth) -> Option<Hint> {
    let waiting = exporter.waiting_for_template;
    (waiting > 0).then(|| {
        warning(
            format!("{waiting} Sets wait for their template: their flows are on tape and not in answers yet."),
            "Let it send templates more often (every minute, or every 20 datagrams); they are decoded when it does.",
        )
    })
}

fn lost(exporter: &ExporterHealth) -> Option<Hint> {
    let lost = exporter.sequence_lost;
    (lost > 0).then(|| {
        warning(
            format!("Its sequence numbers say that {lost} records or datagrams were lost on the way: sums are too small."),
            "Look at the counters of this machine's socket (`flowreel doctor`), then at the path; raise listen.receive_buffer_octets.",
        )
    })
}

/// Problems by which records are lost; others are worth knowing.
pub const LOSING: [&str; 18] = [
    "unsupported_protocol",
    "header_short",
    "domains_full",
    "length_short",
    "length_long",
    "set_length",
    "set_reserved",
    "trailing_octets",
    "record_cut",
    "template_empty",
    "template_too_large",
    "template_cut",
    "template_quota",
    "options_scope",
    "waiting_expired",
    "waiting_full",
    "value_misfit",
    "frame_unreadable",
];

fn problems(exporter: &ExporterHealth) -> Option<Hint> {
    let losing = exporter
        .problems
        .iter()
        .filter(|(name, _)| LOSING.contains(&name.as_str()));
    let (name, count) = losing.max_by_key(|(_, count)| **count)?;
    Some(warning(
        format!("{count} records or Sets could not be decoded: {name}."),
        "`flowreel inspect` on a capture of it shows each field; docs/conformance.md lists what is known of devices.",
    ))
}

fn clock(exporter: &ExporterHealth) -> Option<Hint> {
    let offset = exporter.clock_offset_ms?;
    (offset.unsigned_abs() > OFFSET_MS_MAX).then(|| {
        let (seconds, side) = (
            offset.unsigned_abs() / 1000,
            if offset < 0 { "behind" } else { "ahead of" },
        );
        warning(
            format!("Its clock is {seconds} s {side} ours: its flows are shown at the wrong time."),
            "Set NTP on it.",
        )
    })
}

fn timeout(exporter: &ExporterHealth) -> Option<Hint> {
    let seconds = exporter.active_timeout_s?;
    (seconds > TIMEOUT_S_MAX).then(|| {
        note(
            format!("It tells of long flows every {seconds} s only: the newest {seconds} s lack their octets."),
            "Set its active timeout to 60 s (Cisco: cache timeout active 60).",
        )
    })
}

fn one_direction(exporter: &ExporterHealth) -> Option<Hint> {
    let share = exporter.both_directions_share?;
    (exporter.records >= RECORDS_MIN && share < BOTH_SHARE_MIN).then(|| {
        note(
            format!(
                "Of {:.0} % of its TCP conversations only one direction was reported: answers to requests can't be paired.",
                (1.0 - share) * 100.0
            ),
            "Monitor in both directions on the interface, or on both interfaces of the path.",
        )
    })
}

fn sampled(exporter: &ExporterHealth) -> Option<Hint> {
    let most = exporter.sampling_intervals.iter().max()?;
    (*most > 1).then(|| {
        note(
            format!(
                "It samples 1 of {most} packets: sums are estimates, and short flows are missed."
            ),
            "Sample less where the device can: delay and loss need every packet.",
        )
    })
}

fn whole_seconds(exporter: &ExporterHealth) -> Option<Hint> {
    let kinds = &exporter.time_kinds;
    (!kinds.is_empty() && kinds.iter().all(|kind| kind == "s")).then(|| {
        note(
            "It stamps flows in whole seconds: how long short ones took can't be told.".to_owned(),
            "Export flowStartMilliseconds and flowEndMilliseconds (152, 153), or the uptime stamps (22, 21).",
        )
    })
}

fn not_counting(exporter: &ExporterHealth) -> Option<Hint> {
    let why = match exporter.sequence {
        SequenceState::NotCounting => "do not count as its protocol says",
        SequenceState::None => "are not part of its protocol",
        SequenceState::Unknown | SequenceState::Counting => return None,
    };
    Some(note(
        format!("Sequence numbers {why}: losses on the way can't be told."),
        "Compare its own count of exported flows with the records here.",
    ))
}

/// What questions need: any of these fields, by their names in IANA's registry, and what is lost without.
const NEEDED: [(&str, &[&str], &str); 4] = [
    (
        "TCP flags",
        &["tcpControlBits"],
        "connections that were refused or not answered can't be told",
    ),
    (
        "interfaces",
        &["ingressInterface", "egressInterface"],
        "links can't be told apart",
    ),
    (
        "ports",
        &["sourceTransportPort", "destinationTransportPort"],
        "applications can't be told apart",
    ),
    (
        "packets",
        &[
            "packetDeltaCount",
            "packetTotalCount",
            "initiatorPackets",
            "postPacketDeltaCount",
        ],
        "loss can't be told",
    ),
];

fn missing_fields(exporter: &ExporterHealth) -> Option<Hint> {
    let mut templates = exporter
        .templates
        .iter()
        .filter(|template| !template.options)
        .peekable();
    templates.peek()?;
    let fields: Vec<&String> = templates.flat_map(|template| &template.fields).collect();
    let is_sent = |names: &[&str]| fields.iter().any(|field| names.contains(&field.as_str()));
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|(_, names, _)| !is_sent(names))
        .map(|(what, _, means)| format!("no {what} ({means})"))
        .collect();
    (!missing.is_empty()).then(|| {
        note(
            format!("Its records have {}.", missing.join(", ")),
            "Add these fields to its record definition.",
        )
    })
}

fn unknown_fields(exporter: &ExporterHealth) -> Option<Hint> {
    let mut names = exporter
        .unknown_fields
        .keys()
        .take(5)
        .cloned()
        .collect::<Vec<_>>();
    if names.is_empty() {
        return None;
    }
    if exporter.unknown_fields.len() > names.len() {
        names.push("…".to_owned());
    }
    Some(note(
        format!("It sends fields that nobody knows: {}.", names.join(", ")),
        "Name them in a file of fields (configuration: fields); they are kept as they come until then.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::TemplateSummary;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn template(fields: &[&str]) -> TemplateSummary {
        TemplateSummary {
            version: 10,
            domain: 0,
            id: 256,
            options: false,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        }
    }

    /// One with which nothing is wrong.
    fn good() -> ExporterHealth {
        let whole = [
            "sourceTransportPort",
            "tcpControlBits",
            "ingressInterface",
            "packetDeltaCount",
        ];
        serde_json::from_value::<ExporterHealth>(serde_json::json!({
            "feed": 0, "address": "10.0.0.1", "name": null, "protocol": "IPFIX", "domain": 0,
            "first_seen": "2027-01-15T07:00:00Z", "last_seen": "2027-01-15T07:59:00Z",
            "datagrams": 1000, "records": 10000, "options_records": 1, "problems": {}, "templates": [template(&whole)],
            "waiting_for_template": 0, "sequence": "counting", "sequence_lost": 0, "sequence_reordered": 0,
            "duplicates": 0, "reboots": 0, "sampling_intervals": [1], "clock_offset_ms": -800, "time_kinds": ["ms"],
            "active_timeout_s": 60, "both_directions_share": 0.9, "unknown_fields": {}
        }))
        .unwrap()
    }

    fn said(change: impl FnOnce(&mut ExporterHealth)) -> Vec<(Weight, String)> {
        let mut exporter = good();
        change(&mut exporter);
        let hints = hints(&exporter, NOW).into_iter();
        hints.map(|hint| (hint.weight, hint.what)).collect()
    }

    /// Whether exactly one line is said, of this weight and with these words.
    fn is_said(weight: Weight, words: &str, change: impl FnOnce(&mut ExporterHealth)) {
        let said = said(change);
        let [(found, what)] = &said[..] else {
            panic!("{words}: {said:?}")
        };
        assert!(
            *found == weight && what.contains(words),
            "{words}: {said:?}"
        );
    }

    #[test]
    fn of_a_good_exporter_nothing_is_said() {
        assert_eq!(said(|_| ()), []);
        // v5 has no templates, and all these fields.
        assert_eq!(said(|v5| v5.templates.clear()), []);
    }

    #[test]
    fn each_thing_that_limits_answers_is_said_once() {
        use Weight::{Note, Warning};
        is_said(Warning, "for 60 minutes", |one| {
            one.last_seen = NOW - Duration::from_secs(3600);
        });
        is_said(Warning, "3 Sets", |one| one.waiting_for_template = 3);
        is_said(Warning, "17 records", |one| one.sequence_lost = 17);
        is_said(Warning, "12 s behind", |one| {
            one.clock_offset_ms = Some(-12_500);
        });
        is_said(
            Warning,
            "5 records or Sets could not be decoded: record_cut",
            |one| {
                one.problems = [
                    ("set_length", 2),
                    ("record_cut", 5),
                    ("exporter_restart", 9),
                ]
                .map(|(name, count)| (name.to_owned(), count))
                .into();
            },
        );
        is_said(Note, "every 1800 s", |one| {
            one.active_timeout_s = Some(1800)
        });
        is_said(Note, "Of 80 %", |one| one.both_directions_share = Some(0.2));
        is_said(Note, "1 of 1000 packets", |one| {
            one.sampling_intervals = vec![100, 1000];
        });
        is_said(Note, "whole seconds", |one| {
            one.time_kinds = vec!["s".to_owned()]
        });
        is_said(Note, "do not count", |one| {
            one.sequence = SequenceState::NotCounting
        });
        is_said(Note, "no TCP flags (", |one| {
            one.templates = vec![template(&[
                "destinationTransportPort",
                "egressInterface",
                "packetTotalCount",
            ])];
        });
        is_said(Note, "9/17", |one| {
            one.unknown_fields = [("9/17".to_owned(), 4)].into();
        });
    }

    #[test]
    fn what_matters_most_is_said_first_and_an_import_is_not_silent() {
        let said = said(|one| {
            one.feed = 3;
            one.last_seen = NOW - Duration::from_secs(1_000_000);
            one.active_timeout_s = Some(120);
            one.sequence_lost = 1;
        });
        let weights: Vec<Weight> = said.iter().map(|(weight, _)| *weight).collect();
        assert_eq!(weights, [Weight::Warning, Weight::Note]);
    }
}
