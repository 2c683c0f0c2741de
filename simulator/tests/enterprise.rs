//! The enterprise against an independent decoder, against itself, and against its own links.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod oracle;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use flow::{Datagram, Timestamp};
use oracle::{Heard, Oracle};
use simulator::enterprise::{Config, Direction, Effect, Enterprise, Incident, Rhythm};

const MILLI: i64 = 1_000_000;

fn start() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn config(users: u32) -> Config {
    Config {
        users,
        ..Config::new(7, start())
    }
}

fn played(enterprise: &mut Enterprise, minutes: u64) -> Vec<Datagram> {
    let mut datagrams = Vec::new();
    let until = start() + Duration::from_secs(60 * minutes);
    enterprise.advance(until, &mut |datagram| datagrams.push(datagram));
    enterprise.finish(&mut |datagram| datagrams.push(datagram));
    datagrams
}

/// Every exporter's records, as somebody else decodes them, add up to the packets that passed it.
#[test]
fn what_is_decoded_is_what_passed() {
    let mut enterprise = Enterprise::new(config(60));
    let datagrams = played(&mut enterprise, 6);
    let mut oracle = Oracle::default();
    for datagram in &datagrams {
        oracle.listen(datagram);
    }
    assert_eq!((oracle.errors, oracle.without_template), (0, 0));
    let truth = enterprise.truth();
    assert_eq!(truth.exporters.len(), 10);
    let mut blind = 0;
    for (address, exporter) in &truth.exporters {
        let heard = &oracle.heard[address];
        let octets: u64 = heard
            .iter()
            .map(|one| one.octets + one.reverse_octets)
            .sum();
        let packets: u64 = heard
            .iter()
            .map(|one| one.packets + one.reverse_packets)
            .sum();
        assert_eq!(
            (octets, packets),
            (exporter.observed.octets, exporter.observed.packets),
            "{exporter:?}"
        );
        assert_eq!(exporter.observed, exporter.reported, "{}", exporter.name);
        assert_eq!(heard.len() as u64, exporter.records, "{}", exporter.name);
        assert_eq!(
            oracle.options_records[address], exporter.options_records,
            "{}",
            exporter.name
        );
        let mine = datagrams
            .iter()
            .filter(|one| one.source.ip() == *address)
            .count();
        assert_eq!(mine as u64, exporter.datagrams);
        assert!(exporter.records > 50, "{exporter:?}");
        if exporter.sampling == 1 && exporter.version > 8 {
            assert_eq!(exporter.passed, exporter.observed, "{}", exporter.name);
        } else {
            blind += 1;
        }
    }
    // v5 and v7 do not see IPv6, and one samples.
    assert_eq!(blind, 3);
}

/// One packet of a hundred: the estimate is near the truth, as it should be for so many packets.
#[test]
fn the_sampling_exporter_estimates_well() {
    let mut enterprise = Enterprise::new(config(150));
    played(&mut enterprise, 10);
    let truth = enterprise.truth();
    let edge = truth
        .exporters
        .values()
        .find(|one| one.name == "edge")
        .unwrap();
    assert_eq!(edge.sampling, 100);
    let ratio = edge.reported.packets as f64 * 100.0 / edge.passed.packets as f64;
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
}

/// Without loss, an application's octets at an exporter that all of it passes are those that its ends sent.
#[test]
fn applications_add_up() {
    let mut enterprise = Enterprise::new(Config {
        noise: false,
        keep_conversations: true,
        ..config(60)
    });
    played(&mut enterprise, 5);
    let truth = enterprise.truth();
    // Windows add up to the whole.
    let minute = |place: u64| start() + Duration::from_secs(60 * place);
    let mut windows = enterprise.sent_within(minute(0), minute(2));
    for (application, more) in enterprise.sent_within(minute(2), minute(600)) {
        let sum = windows.entry(application).or_default();
        sum.iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
    for (application, sums) in windows {
        let booked = &truth.applications[&application];
        assert_eq!(
            sums,
            [booked.to_server.sent, booked.to_client.sent],
            "{application}"
        );
    }
    for (application, exporter) in [
        ("web shop", "dc-leaf"),
        ("web shop front", "vswitch-1"),
        ("orders", "vswitch-1"),
        ("orders database", "vswitch-2"),
        ("erp", "cloud-gw"),
    ] {
        let booked = &truth.applications[application];
        let exporter = truth
            .exporters
            .values()
            .find(|one| one.name == exporter)
            .unwrap();
        let reported = exporter.reported_by_application[application];
        let sent = booked.to_server.sent.octets + booked.to_client.sent.octets;
        assert_eq!(reported.octets, sent, "{application}");
        assert_eq!(booked.to_server.sent, booked.to_server.delivered);
        assert_eq!(booked.failed, 0);
        assert!(booked.conversations > 10, "{application}");
    }
}

#[test]
fn the_same_seed_gives_the_same_octets_in_any_number_of_steps() {
    let mut whole = Vec::new();
    let until = start() + Duration::from_secs(90);
    Enterprise::new(config(40)).advance(until, &mut |one| whole.push(one));
    let mut pieces = Vec::new();
    let mut enterprise = Enterprise::new(config(40));
    for step in 1..=30_u64 {
        enterprise.advance(start() + Duration::from_millis(3000 * step), &mut |one| {
            pieces.push(one)
        });
    }
    assert_eq!(whole, pieces);
    assert!(whole.is_sorted_by_key(|one| one.received_at));
    let mut other = Vec::new();
    let another = Config {
        seed: 8,
        ..config(40)
    };
    Enterprise::new(another).advance(until, &mut |one| other.push(one));
    assert_ne!(whole, other);
}

/// At exporter x: first packet of the reverse record less first packet of the forward record, in nanoseconds.
fn deltas(heard: &[Heard], unit: i64) -> HashMap<(IpAddr, u64, IpAddr, u64), i64> {
    let mut forward: HashMap<_, u64> = HashMap::new();
    let mut found = HashMap::new();
    for one in heard {
        let (Some(src), Some(dst)) = (one.src, one.dst) else {
            continue;
        };
        if one.tcp_flags & 0x12 == 0 {
            continue;
        }
        forward
            .entry((src, one.src_port, dst, one.dst_port))
            .or_insert(one.first);
    }
    for (key, first) in &forward {
        let back = (key.2, key.3, key.0, key.1);
        if let Some(answered) = forward.get(&back)
            && key.1 > key.3
        {
            let delta = i64::try_from(*answered).unwrap() - i64::try_from(*first).unwrap();
            found.insert(*key, delta * unit);
        }
    }
    found
}

/// Δ at one exporter less Δ at the next is the true round trip between them, whatever their clocks say, to within the
/// resolution of the stamps: a millisecond at each.
#[test]
fn the_delay_ladder_holds() {
    let mut enterprise = Enterprise::new(Config {
        keep_conversations: true,
        ..config(60)
    });
    let mut oracle = Oracle::default();
    for datagram in played(&mut enterprise, 4) {
        oracle.listen(&datagram);
    }
    let units = [(1, MILLI), (2, MILLI), (5, MILLI), (10, 1)];
    let ladder: HashMap<IpAddr, _> = units
        .into_iter()
        .map(|(host, unit)| {
            let address = IpAddr::from([10, 250, 0, host]);
            (address, deltas(&oracle.heard[&address], unit))
        })
        .collect();
    let mut compared = 0;
    for one in enterprise
        .conversations()
        .iter()
        .filter(|one| one.protocol == 6)
    {
        let key = (
            one.client,
            one.client_port.into(),
            one.server,
            one.server_port.into(),
        );
        for (nearer, pair) in one.exporters.windows(2).enumerate() {
            let delta = |place: usize| ladder.get(&pair[place]).and_then(|all| all.get(&key));
            let (Some(x), Some(y)) = (delta(0), delta(1)) else {
                continue;
            };
            let Some(truth) = one.round_trip(nearer, nearer + 1) else {
                continue;
            };
            // A SYN that was sent again adds the retry timer; that is a signal of its own.
            if *x > 900 * MILLI {
                continue;
            }
            assert!(
                (x - y - truth).abs() <= 2 * MILLI,
                "{one:?} {x} {y} {truth}"
            );
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

fn median_delta(
    enterprise: &Enterprise,
    application: &str,
    from: Timestamp,
    nearer: usize,
    farther: usize,
) -> i64 {
    let wanted = |one: &&simulator::enterprise::ConversationTruth| {
        one.application == application
            && one.started >= from
            && one.client.to_string().starts_with("10.3.")
    };
    let mut all: Vec<i64> = enterprise
        .conversations()
        .iter()
        .filter(wanted)
        .filter_map(|one| one.round_trip(nearer, farther))
        .collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Twenty milliseconds more, one way, are forty in the round trip between the exporters on both sides of the link.
#[test]
fn an_incident_shows_where_it_is() {
    let mut enterprise = Enterprise::new(Config {
        keep_conversations: true,
        noise: false,
        ..config(300)
    });
    let from = start() + Duration::from_secs(60);
    let incident = Incident {
        effect: Effect::LinkDelay {
            link: "wan-branch-2".to_owned(),
            extra: Duration::from_millis(20),
        },
        from,
        until: from + Duration::from_secs(600),
    };
    enterprise.schedule(&incident).unwrap();
    played(&mut enterprise, 3);
    // Branch 2 to the mail server: branch-2, dc-core, dc-leaf.
    let usual = 2 * (16 + 1) * MILLI;
    assert_eq!(
        median_delta(&enterprise, "mail", from, 0, 1),
        usual + 40 * MILLI
    );
    assert_eq!(
        median_delta(&enterprise, "mail", from, 1, 2),
        2 * MILLI / 20
    );
    let before = enterprise
        .conversations()
        .iter()
        .filter(|one| one.started < from);
    let before = before.filter(|one| one.exporters.first() == Some(&IpAddr::from([10, 250, 0, 4])));
    let trips: Vec<i64> = before.filter_map(|one| one.round_trip(0, 1)).collect();
    assert!(
        !trips.is_empty() && trips.iter().all(|trip| *trip < usual + 24 * MILLI),
        "{trips:?}"
    );
}

#[test]
fn loss_between_two_exporters_is_missing_at_the_second() {
    let mut enterprise = Enterprise::new(Config {
        keep_conversations: true,
        noise: false,
        ..config(200)
    });
    let incident = Incident {
        effect: Effect::LinkLoss {
            link: "wan-hq".to_owned(),
            share: 0.05,
        },
        from: start(),
        until: start() + Duration::from_secs(3600),
    };
    enterprise.schedule(&incident).unwrap();
    played(&mut enterprise, 2);
    let (mut before, mut after) = (0, 0);
    let router = IpAddr::from([10, 250, 0, 2]);
    for one in enterprise.conversations() {
        let Some(place) = one.exporters.iter().position(|address| *address == router) else {
            continue;
        };
        let Some(next) = one.passed.get(place + 1) else {
            continue;
        };
        let to_server = |passed: &[(Direction, simulator::enterprise::Train)]| -> u64 {
            let forward = passed
                .iter()
                .filter(|(direction, _)| *direction == Direction::ToServer);
            forward.map(|(_, train)| train.packets).sum()
        };
        if one.client.to_string().starts_with("10.1.") {
            before += to_server(&one.passed[place]);
            after += to_server(next);
        }
    }
    let share = 1.0 - after as f64 / before as f64;
    assert!((0.045..0.055).contains(&share), "{share} of {before}");
}

#[test]
fn servers_that_are_down_answer_nothing_or_refuse() {
    for refuses in [true, false] {
        let mut enterprise = Enterprise::new(Config {
            keep_conversations: true,
            ..config(100)
        });
        let incident = Incident {
            effect: Effect::ServerDown {
                application: "mail".to_owned(),
                refuses,
            },
            from: start(),
            until: start() + Duration::from_secs(3600),
        };
        enterprise.schedule(&incident).unwrap();
        played(&mut enterprise, 2);
        let mail = &enterprise.truth().applications["mail"];
        assert!(mail.conversations > 10);
        assert_eq!(mail.failed, mail.conversations);
        assert_eq!(mail.to_client.sent.packets > 0, refuses);
        let other = &enterprise.truth().applications["file shares"];
        assert!(other.failed * 20 <= other.conversations);
    }
}

#[test]
fn slow_servers_answer_later_and_nothing_else_changes() {
    let slow = |extra: u64| {
        let mut enterprise = Enterprise::new(Config {
            keep_conversations: true,
            noise: false,
            ..config(50)
        });
        let incident = Incident {
            effect: Effect::ServerSlow {
                application: "dns".to_owned(),
                extra: Duration::from_millis(extra),
            },
            from: start(),
            until: start() + Duration::from_secs(3600),
        };
        enterprise.schedule(&incident).unwrap();
        played(&mut enterprise, 1);
        let all = enterprise
            .conversations()
            .iter()
            .filter(|one| one.application == "dns");
        all.map(|one| one.sent[1].1.at - one.sent[0].1.at)
            .collect::<Vec<i64>>()
    };
    let (usual, later) = (slow(0), slow(150));
    assert!(!usual.is_empty());
    assert!(
        usual
            .iter()
            .zip(&later)
            .all(|(usual, later)| later - usual == 150 * MILLI)
    );
}

#[test]
fn a_surge_is_so_many_times_as_many_conversations() {
    let mut enterprise = Enterprise::new(Config {
        keep_conversations: true,
        ..Config::new(11, start())
    });
    let minute = |count: u64| start() + Duration::from_secs(60 * count);
    let surge = Incident {
        effect: Effect::Surge {
            application: "mail".to_owned(),
            times: 10.0,
        },
        from: minute(5),
        until: minute(10),
    };
    enterprise.schedule(&surge).unwrap();
    enterprise.advance(minute(15), &mut |_| ());
    let begun = |from: u64, until: u64| {
        let all = enterprise.conversations().iter();
        let mail = all.filter(|one| one.application == "mail");
        let within = minute(from)..minute(until);
        let count = mail.filter(|one| within.contains(&one.started)).count();
        f64::from(u32::try_from(count).unwrap())
    };
    // 700 users, 9 an hour each: 525 in five minutes. Poisson: five deviations.
    let is_near = |found: f64, mean: f64| (found - mean).abs() < 5.0 * mean.sqrt();
    assert!(is_near(begun(0, 5), 525.0), "{}", begun(0, 5));
    assert!(is_near(begun(5, 10), 5250.0), "{}", begun(5, 10));
    assert!(is_near(begun(10, 15), 525.0), "{}", begun(10, 15));
}

#[test]
fn an_unknown_place_is_an_error_that_names_the_known_ones() {
    let mut enterprise = Enterprise::new(config(1));
    let incident = Incident {
        effect: Effect::LinkLoss {
            link: "wan-branch-9".to_owned(),
            share: 0.5,
        },
        from: start(),
        until: start(),
    };
    let error = enterprise.schedule(&incident).unwrap_err().to_string();
    assert!(
        error.starts_with("no link is called 'wan-branch-9'; there are core-leaf, "),
        "{error}"
    );
}

/// The rules name what the simulation calls an application, and hold no subnet twice.
#[test]
fn rules_name_every_conversation() {
    let mut enterprise = Enterprise::new(Config {
        keep_conversations: true,
        ..config(60)
    });
    played(&mut enterprise, 3);
    let rules = enterprise.rules();
    assert_eq!((rules.exporters.len(), rules.sites.len()), (10, 5));
    for one in enterprise.conversations() {
        let rule = rules.applications.iter().find(|rule| {
            rule.servers.iter().any(|net| net.contains(&one.server))
                && rule
                    .ports
                    .iter()
                    .any(|ports| ports.contains(one.server_port, one.protocol))
        });
        assert_eq!(rule.map(|rule| rule.name.as_str()), Some(one.application));
    }
}

/// An office at night is quiet.
#[test]
fn the_day_has_a_rhythm() {
    let records = |hour: u64| {
        let at = start() + Duration::from_secs(3600 * hour);
        let rhythm = Rhythm::Day {
            utc_offset_hours: 0,
        };
        let mut enterprise = Enterprise::new(Config {
            start: at,
            rhythm,
            ..config(100)
        });
        enterprise.advance(at + Duration::from_secs(120), &mut |_| {});
        let truth = enterprise.truth();
        truth.applications["dns"].conversations
    };
    assert!(records(1) > 3 * records(16));
}

/// The demo plays history on one thread and goes on on another.
#[test]
fn an_enterprise_can_move_to_another_thread() {
    let mut enterprise = Enterprise::new(config(5));
    let play = move || {
        enterprise.advance(start() + Duration::from_secs(5), &mut |_| {});
        enterprise.truth()
    };
    let truth = std::thread::spawn(play).join().unwrap();
    assert_eq!(truth.exporters.len(), 10);
}

/// The page names every link that an incident can name.
#[test]
fn the_page_is_true() {
    let page = include_str!("../../docs/simulator.md");
    let enterprise = Enterprise::new(config(1));
    for link in enterprise.links() {
        assert!(page.contains(&format!("`{}`", link.name)), "{}", link.name);
    }
    for exporter in enterprise.rules().exporters {
        assert!(page.contains(&format!("| {} | {} |", exporter.name, exporter.address)));
    }
}
