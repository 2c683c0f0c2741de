//! The statements as they are sent.

use super::*;
use crate::question::Scope;
use flow::{Filter, Timestamp};

fn question(by: By, filter: &str) -> Outcomes {
    let at = |second: i64| Timestamp::from_seconds(1_800_000_000 + second);
    Outcomes {
        subject: Subject {
            window: Window {
                from: at(0),
                to: at(600),
            },
            filter: Filter::parse(filter).unwrap(),
            known_at: None,
            arrived: None,
            scope: Scope::default(),
        },
        by,
        limit: 10,
    }
}

#[test]
fn outcomes_of_everything() {
    insta::assert_snapshot!(statement(&question(By::Nothing, ""), "flowreel").to_string());
}

#[test]
fn outcomes_of_clients_as_they_were_known_in_scope() {
    let mut question = question(By::Clients, "app web");
    question.subject.known_at = Some(question.subject.window.to);
    question.subject.scope.only = Some(Filter::parse("site berlin").unwrap());
    insta::assert_snapshot!(statement(&question, "flowreel").to_string());
}

#[test]
fn outcomes_of_client_sites_at_an_exporter() {
    let question = question(By::ClientSites, "exporter core-1");
    insta::assert_snapshot!(statement(&question, "flowreel").to_string());
}

#[test]
fn without_control_bits_of_tcp_nothing_is_told_of_connections() {
    let row = |of_tcp, telling| Answered {
        name: "a".to_owned(),
        records: 5,
        clients: 1,
        octets: 1,
        of_tcp,
        telling,
        opened: 0,
        refused: 0,
        unanswered: 0,
        ended_flows: 0,
        duration_ms_median: 0.0,
    };
    let of = |of_tcp, telling| Outcome::from(row(of_tcp, telling));
    assert_eq!(of(5, 0).connections, None);
    assert_eq!(of(5, 1).connections, Some(Connections::default()));
    assert_eq!(of(0, 0).connections, Some(Connections::default()));
    assert_eq!(of(0, 0).duration_ms_median, None);
}
