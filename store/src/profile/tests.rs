//! The statements as they are sent, and what becomes of their answers.

use super::*;
use crate::question::{Dimension, Scope, Window};
use flow::{Filter, Timestamp};

const HOUR_S: i64 = 3600 * 500_000;

fn place() -> (&'static str, Horizon) {
    let horizon = Horizon {
        now: Timestamp::from_seconds(HOUR_S + 7200),
        kept: crate::config::Retention::default(),
        stored_since: None,
    };
    ("flowreel", horizon)
}

fn question(dimension: Dimension, filter: &str, limit: u32) -> Profile {
    let at = Timestamp::from_seconds;
    Profile {
        subject: Subject {
            window: Window {
                from: at(HOUR_S),
                to: at(HOUR_S + 3600),
            },
            filter: Filter::parse(filter).unwrap(),
            known_at: None,
            arrived: None,
            scope: Scope::default(),
        },
        dimension,
        limit,
    }
}

#[test]
fn lives_of_applications() {
    let question = question(Dimension::Applications, "", 10);
    insta::assert_snapshot!(lives(&question, None, place()).to_string());
}

#[test]
fn lives_of_named_conversations_that_arrived_in_a_recording_in_scope() {
    let mut question = question(Dimension::Conversations, "port 443", 10);
    question.subject.arrived = Some(question.subject.window);
    question.subject.scope.only = Some(Filter::parse("site berlin").unwrap());
    let names = ["a".to_owned(), "b".to_owned()];
    insta::assert_snapshot!(lives(&question, Some(&names), place()).to_string());
}

#[test]
fn lives_at_interfaces_are_those_of_every_record() {
    let by = |dimension, filter| lives(&question(dimension, filter, 1), None, place()).to_string();
    assert!(by(Dimension::Clients, "").contains("accounting"));
    assert!(!by(Dimension::Interfaces, "").contains("accounting"));
    assert!(!by(Dimension::Clients, "exporter core-1").contains("accounting"));
}

#[test]
fn traffic_of_named_applications() {
    let question = question(Dimension::Applications, "", 10);
    let names = ["web".to_owned()];
    let named = traffic(&question, Some(&names), place()).to_string();
    let inner = top::largest(
        &Top {
            subject: question.subject,
            dimension: question.dimension.into(),
            by: Quantity::Octets,
            limit: question.limit,
        },
        EVERY,
        true,
        place(),
    );
    let inner = inner.to_string();
    let (text, values) = inner.split_once("\n-- ").unwrap();
    let expected =
        format!("SELECT * FROM (\n{text}\n)\nWHERE name IN ?\n-- {values}-- [\"web\"]\n");
    assert_eq!(named, expected);
}

#[test]
fn the_total_of_an_hour() {
    let question = question(Dimension::Sites, "app web", 10);
    insta::assert_snapshot!(total(&question.subject, place()).to_string());
}

fn listing(names: impl IntoIterator<Item = String>, more: bool) -> ProfileAnswer {
    let row = |name| ProfileRow {
        name,
        ..ProfileRow::default()
    };
    ProfileAnswer {
        rows: names.into_iter().map(row).collect(),
        more,
        ..ProfileAnswer::default()
    }
}

#[test]
fn only_an_answer_that_was_cut_is_asked_for_names() {
    let few = |from: u32, to: u32| (from..to).map(|number| number.to_string());
    let whole = listing(few(0, 3), false);
    assert!(unlisted(&listing(few(2, 9), true), &whole).is_empty());
    let cut = listing(few(0, 3), true);
    assert_eq!(unlisted(&listing(few(2, 5), false), &cut), ["3", "4"]);
    assert_eq!(
        unlisted(&listing(few(0, 9999), true), &cut).len(),
        NAMES_MAX
    );
    let long = (0..9_u32).map(|number| number.to_string().repeat(40_000));
    assert_eq!(unlisted(&listing(long, true), &cut).len(), 2);
}

#[test]
fn groups_of_one_name_are_one_group() {
    let traffic = |name: &str, octets| top::Answered::of(name, octets);
    let life = |name: &str, ended_flows, duration_ms_median| Lives {
        name: name.to_owned(),
        ended_flows,
        duration_ms_median,
    };
    let rows = joined(
        vec![traffic("2 in", 70), traffic("b", 50), traffic("2 in", 30)],
        vec![
            life("2 in", 9, 4.5),
            life("elsewhere", 5, 1.0),
            life("2 in", 3, 1.0),
        ],
    );
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                &*row.name,
                row.octets,
                row.ended_flows,
                row.duration_ms_median,
            )
        })
        .collect();
    assert_eq!(rows, [("2 in", 100, 9, Some(4.5)), ("b", 50, 0, None)]);
}
