//! What could be typed where the cursor is.

use flow::filter::{Completion, Wanted, What, complete};

fn keywords(text: &str) -> Vec<String> {
    complete(text, text.chars().count())
        .into_iter()
        .filter(|completion| completion.what == What::Keyword)
        .map(|completion| completion.text)
        .collect()
}

fn values(text: &str) -> Vec<(String, usize, Wanted)> {
    complete(text, text.chars().count())
        .into_iter()
        .filter_map(|Completion { text, start, what }| match what {
            What::Value(wanted) => Some((text, start, wanted)),
            What::Keyword => None,
        })
        .collect()
}

#[test]
fn completion_offers_what_the_grammar_allows() {
    assert_eq!(keywords("src "), ["ip", "net", "port", "as", "mac"]);
    assert_eq!(keywords("client s"), ["site"]);
    assert_eq!(keywords("ex"), ["exporter"]);
    assert_eq!(keywords("tcp and EX"), ["exporter"]);
    assert_eq!(keywords("any "), ["and", "or"]);
    assert_eq!(keywords("tcp "), ["port", "src", "dst", "and", "or"]);
    assert_eq!(keywords("icmp "), ["type", "and", "or"]);
    assert_eq!(keywords("(any "), ["and", "or", ")"]);
    assert_eq!(keywords("any a"), ["and"]);
    assert_eq!(keywords("next "), ["hop"]);
    assert_eq!(keywords("port "), ["in"]);
    assert_eq!(keywords("proto ic"), ["icmp", "icmp6"]);
    assert_eq!(keywords("not n"), ["net", "next", "nat", "not"]);
    assert!(keywords("").contains(&"app".to_owned()));
    assert!(keywords("foo bar ").is_empty());
}

#[test]
fn completion_says_which_value_is_wanted_and_where_it_begins() {
    assert_eq!(values("app or"), [("or".into(), 4, Wanted::Application)]);
    assert_eq!(
        values("app \"two wo"),
        [("two wo".into(), 4, Wanted::Application)]
    );
    assert_eq!(values("app "), [(String::new(), 4, Wanted::Application)]);
    assert_eq!(values("server site b"), [("b".into(), 12, Wanted::Site)]);
    assert_eq!(values("in if eth"), [("eth".into(), 6, Wanted::Interface)]);
    assert_eq!(values("octets > "), [(String::new(), 9, Wanted::Number)]);
    assert_eq!(values("port in [80, 4"), [("4".into(), 13, Wanted::Port)]);
    assert_eq!(values("exporter co and tcp"), []);
    let in_the_middle = complete("exporter co and tcp", 11);
    assert_eq!(
        in_the_middle,
        [Completion {
            text: "co".into(),
            start: 9,
            what: What::Value(Wanted::Exporter)
        }]
    );
}
