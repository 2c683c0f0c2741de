//! `docs/filter.md` is right: its examples parse, its errors are ours, and it knows every word.

use flow::Filter;
use flow::filter::complete;

const PAGE: &str = include_str!("../../../docs/filter.md");

/// The lines of each block that is fenced with this word.
fn blocks(fence: &str) -> Vec<Vec<&'static str>> {
    let opening = format!("```{fence}\n");
    let after = PAGE.split(&opening).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap().lines().collect())
        .collect()
}

#[test]
fn every_example_is_a_filter() {
    let examples: Vec<_> = blocks("filter").into_iter().flatten().collect();
    assert!(
        examples.len() > 50,
        "only {} examples found",
        examples.len()
    );
    for example in examples {
        Filter::parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn every_error_reads_as_it_says() {
    let errors = blocks("error");
    assert_eq!(errors.len(), 3);
    for lines in errors {
        let [text, message] = lines[..] else {
            panic!("two lines: {lines:?}")
        };
        assert_eq!(Filter::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn every_word_is_explained() {
    let words = complete("", 0)
        .into_iter()
        .chain(complete("end ", 4))
        .chain(complete("src ", 4));
    for word in words
        .map(|completion| completion.text)
        .filter(|word| word != "(")
    {
        let is_there = PAGE
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|found| found == word);
        assert!(is_there, "{word}");
    }
}
