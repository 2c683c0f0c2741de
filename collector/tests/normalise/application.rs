//! What a row is called: applications, sites, exporters.

use collector::normalise::{NormaliseConfig, NormaliseState, Normaliser};
use flow::batch::ApplicationSource;

use crate::rows::*;

const RULES: &str = "
    [[application]]
    name = 'orders'
    servers = ['10.1.2.3/32']
    ports = ['5432/tcp']

    [[application]]
    name = 'branch-web'
    ports = [443]
    clients = ['10.4.0.0/16']

    [[site]]
    name = 'all'
    subnets = ['10.0.0.0/8']
    [[site]]
    name = 'branch'
    subnets = ['10.4.0.0/16', '2001:db8:4::/48']
    [[site]]
    name = 'till'
    subnets = ['10.4.7.0/24']

    [[exporter]]
    address = '192.0.2.1'
    name = 'core-1'
    sampling_interval = 100
    [[exporter.interfaces]]
    index = 3
    name = 'uplink'
";

fn named(normaliser: &mut Normaliser, row: &Row) -> (String, ApplicationSource) {
    let (name, source) = application(normaliser, row);
    (name.unwrap_or_default(), source)
}

#[test]
fn rules_then_the_exporter_then_the_registry_then_the_protocol() {
    use ApplicationSource::{Exporter, Protocol, Registry, Rule};
    let mut normaliser = with_rules(RULES);
    let said = |row| Row {
        said: Some("ms-teams"),
        ..row
    };
    for (row, name, source) in [
        (
            said(Row::new("10.9.0.1:50000", "10.1.2.3:5432")),
            "orders",
            Rule,
        ),
        (Row::new("10.1.2.3:5432", "10.9.0.1:50000"), "orders", Rule),
        (
            said(Row::new("10.4.0.1:50000", "10.1.2.3:443")),
            "branch-web",
            Rule,
        ),
        (
            said(Row::new("10.5.0.1:50000", "10.1.2.3:443")),
            "ms-teams",
            Exporter,
        ),
        (
            Row::new("10.5.0.1:50000", "10.1.2.3:443"),
            "https",
            Registry,
        ),
        (
            Row {
                said: Some("Unknown"),
                ..Row::new("10.5.0.1:50001", "10.1.2.3:443")
            },
            "https",
            Registry,
        ),
        (
            Row {
                protocol: UDP,
                ..Row::new("10.5.0.1:50000", "10.1.2.4:5432")
            },
            "udp",
            Protocol,
        ),
        (Row::new("10.5.0.1:50000", "10.1.2.4:9999"), "tcp", Protocol),
        (
            Row {
                protocol: 47,
                ..Row::new("10.5.0.1:0", "10.1.2.4:0")
            },
            "gre",
            Protocol,
        ),
        (
            Row {
                protocol: 143,
                ..Row::new("10.5.0.1:0", "10.1.2.4:0")
            },
            "ip-143",
            Protocol,
        ),
    ] {
        // Twice, as the second answer comes from what was remembered.
        for _ in 0..2 {
            assert_eq!(
                named(&mut normaliser, &row),
                (name.into(), source),
                "{row:?}"
            );
        }
    }
}

#[test]
fn the_first_of_two_rules_wins_and_new_rules_hold_for_new_rows() {
    let mut normaliser =
        with_rules("application = [{ name = 'a', ports = [443] }, { name = 'b', ports = [443] }]");
    let row = Row::new("10.5.0.1:50000", "10.1.2.3:443");
    assert_eq!(named(&mut normaliser, &row).0, "a");
    let rules = toml::from_str(
        "application = [{ name = 'b', ports = [443] }, { name = 'a', ports = [443] }]",
    );
    normaliser.set_rules(&rules.unwrap());
    assert_eq!(named(&mut normaliser, &row).0, "b");
}

#[test]
fn sites_by_the_longest_prefix_and_names_of_the_operator() {
    let mut normaliser = with_rules(RULES);
    let rows = [
        Row::new("10.4.7.9:50000", "10.1.2.3:443"),
        Row::new("10.1.2.3:443", "10.4.8.9:50000"),
        Row::new("198.51.100.1:50000", "10.1.2.3:443"),
        Row::new("[2001:db8:4::9]:50000", "[2001:db8:5::9]:443"),
    ];
    let mut batch = batch(&rows);
    batch.columns.in_interface.set(0, 3);
    batch.columns.out_interface.set(0, 4);
    batch
        .enrichment
        .in_interface_name
        .set_text(0, "GigabitEthernet0/3");
    batch
        .enrichment
        .out_interface_name
        .set_text(0, "GigabitEthernet0/4");
    batch.columns.sampling_interval.set(1, 10);
    normaliser.normalise(&mut batch, 0);
    batch.pad();
    let sites: Vec<_> = (0..4)
        .map(|row| batch.record(row))
        .map(|record| (record.client_site, record.server_site))
        .collect();
    let site = |name: &str| Some(name.to_owned());
    assert_eq!(sites[0], (site("till"), site("all")));
    assert_eq!(sites[1], (site("branch"), site("all")));
    assert_eq!(sites[2], (None, site("all")));
    assert_eq!(sites[3], (site("branch"), None));
    let record = batch.record(0);
    assert_eq!(record.exporter_name.as_deref(), Some("core-1"));
    assert_eq!(record.in_interface_name.as_deref(), Some("uplink"));
    assert_eq!(
        record.out_interface_name.as_deref(),
        Some("GigabitEthernet0/4")
    );
    assert_eq!(
        (record.sampling_interval, record.sampling_source.as_deref()),
        (Some(100), Some("configured"))
    );
    assert_eq!(
        (
            batch.record(1).sampling_interval,
            batch.record(1).sampling_source
        ),
        (Some(10), None)
    );
}

/// Clients `10.6.x.y` that each open a connection to the server.
fn clients(server: &str, count: u8) -> Vec<Row> {
    (0..count)
        .map(|n| Row {
            at_s: i64::from(n),
            flags: Some(WHOLE),
            ..Row::new(&format!("10.6.{n}.{}:50000", n / 2), server)
        })
        .collect()
}

#[test]
fn an_endpoint_with_many_clients_is_a_service() {
    let mut normaliser = normaliser();
    let server = "10.1.2.3:9999";
    let names: Vec<_> = records(&mut normaliser, &clients(server, 40))
        .into_iter()
        .map(|record| record.application.unwrap())
        .collect();
    assert!(names[..8].iter().all(|name| name == "tcp"), "{names:?}");
    assert_eq!(names[39], "10.1.2.3:9999/tcp");
    let learned = normaliser.learned();
    assert_eq!(learned.len(), 1);
    assert_eq!(
        (learned[0].name().as_str(), learned[0].last_seen.seconds()),
        ("10.1.2.3:9999/tcp", START_S + 39)
    );
    assert_eq!(normaliser.state_version(), 1);
    // Its port is a client's, the other side's only looks registered: now it is known.
    let row = Row::new("10.1.2.3:9999", "10.6.200.1:20001");
    assert_eq!(client(&mut normaliser, &row).0.to_string(), "10.6.200.1");
    assert_eq!(
        named(
            &mut normaliser,
            &Row {
                said: Some("erp"),
                ..row
            }
        )
        .0,
        "erp"
    );
}

#[test]
fn what_was_learned_outlives_a_restart_and_other_rules() {
    let mut first = normaliser();
    records(&mut first, &clients("10.1.2.3:9999", 40));
    let kept = serde_json::to_string(&first.state()).unwrap();
    let state: NormaliseState = serde_json::from_str(&kept).unwrap();
    let mut second = normaliser();
    second.restore(&state);
    let row = Row::new("10.9.9.9:50000", "10.1.2.3:9999");
    assert_eq!(
        named(&mut second, &row),
        ("10.1.2.3:9999/tcp".into(), ApplicationSource::Learned)
    );
    assert_eq!(second.state(), first.state());
    second.set_rules(&toml::from_str(RULES).unwrap());
    assert_eq!(
        named(&mut second, &row),
        ("10.1.2.3:9999/tcp".into(), ApplicationSource::Learned)
    );
}

#[test]
fn what_nobody_answers_few_use_or_everybody_knows_is_not_learned() {
    let mut normaliser = with_rules("application = [{ name = 'erp', ports = [9998] }]");
    let scan: Vec<_> = clients("10.1.2.3:9999", 40)
        .into_iter()
        .map(|row| Row {
            flags: Some(SYN),
            ..row
        })
        .collect();
    records(&mut normaliser, &scan);
    for (server, count) in [
        ("10.1.2.4:9999", 7),
        ("10.1.2.3:443", 40),
        ("10.1.2.3:9998", 40),
    ] {
        records(&mut normaliser, &clients(server, count));
    }
    let slow: Vec<_> = clients("10.1.2.5:9999", 40)
        .into_iter()
        .map(|row| Row {
            at_s: row.at_s * 1000,
            ..row
        })
        .collect();
    records(&mut normaliser, &slow);
    assert_eq!(normaliser.learned(), []);
}

#[test]
fn a_service_that_nobody_uses_is_forgotten() {
    let config = NormaliseConfig {
        learned_keep_s: 7200,
        ..NormaliseConfig::default()
    };
    let mut normaliser = Normaliser::new(config, &Default::default());
    records(&mut normaliser, &clients("10.1.2.3:9999", 40));
    let row = Row {
        at_s: 7200,
        ..Row::new("10.9.9.9:50000", "10.1.2.4:9999")
    };
    records(&mut normaliser, std::slice::from_ref(&row));
    assert_eq!(normaliser.learned().len(), 1);
    records(
        &mut normaliser,
        &[Row {
            at_s: 14_400,
            ..row
        }],
    );
    assert_eq!(normaliser.learned(), []);
    let row = Row {
        at_s: 14_401,
        ..Row::new("10.9.9.8:50000", "10.1.2.3:9999")
    };
    assert_eq!(named(&mut normaliser, &row).0, "tcp");
}
