//! The filter language: what texts mean, what is wrong with wrong ones, what could be typed, which rows match, and
//! that printing is the inverse of parsing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod completion;
mod documentation;
mod matching;
mod printing;
mod reading;
mod wrong;

use flow::filter::{Comparison, Condition, Expr, Filter, Number, Side};
use ipnet::IpNet;

pub(crate) fn parsed(text: &str) -> Expr {
    match Filter::parse(text) {
        Ok(filter) => filter.expr().clone(),
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(crate) fn is(condition: Condition) -> Expr {
    Expr::Is(condition)
}

pub(crate) fn and(left: Expr, right: Expr) -> Expr {
    Expr::And(Box::new(left), Box::new(right))
}

pub(crate) fn or(left: Expr, right: Expr) -> Expr {
    Expr::Or(Box::new(left), Box::new(right))
}

pub(crate) fn not(inner: Expr) -> Expr {
    Expr::Not(Box::new(inner))
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn app(name: &str) -> Expr {
    is(Condition::Application(name.into()))
}

pub(crate) fn port(port: u16) -> Expr {
    is(Condition::Port(Side::Either, Comparison::Equal, port))
}

pub(crate) fn number(number: Number, comparison: Comparison, value: u64) -> Expr {
    is(Condition::Number(number, comparison, value))
}

#[test]
fn two_filters_join_to_one() {
    let (left, right) = ("tcp or udp", "port 80");
    let filter = |text: &str| text.parse::<Filter>().unwrap();
    let both = filter(left).and(filter(right));
    assert_eq!(both.text(), "(tcp or udp) and (port 80)");
    assert_eq!(Filter::parse(both.text()).unwrap(), both);
    assert_eq!(Filter::any().and(filter(right)), filter(right));
    assert_eq!(filter(right).and(Filter::default()), filter(right));
}

struct Serialized<'a>(&'a Filter);

impl std::fmt::Display for Serialized<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        serde::Serialize::serialize(self.0, f)
    }
}

#[test]
fn serde_writes_and_reads_the_text() {
    let deserialize = |text: &str| {
        let deserializer = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
        <Filter as serde::Deserialize>::deserialize(deserializer)
    };
    let filter = Filter::parse("dst  port 53").unwrap();
    assert_eq!(Serialized(&filter).to_string(), "dst  port 53");
    assert_eq!(deserialize("dst  port 53").unwrap(), filter);
    let wrong = deserialize("dst prt 53").unwrap_err();
    assert!(wrong.to_string().starts_with("column 5: "), "{wrong}");
}
