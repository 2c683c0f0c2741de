//! Texts that would like to be SQL.

use flow::Filter;
use flow::filter::{Condition, Expr};
use store::question::{Dimension, Quantity, Series, Top};

use crate::places::servers;
use crate::rows::{Row, batch, subject};

const TEXTS: &[&str] = &[
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\'; DROP TABLE flows; --",
    "a\0b",
    "tab\tand\nline\r",
    "?",
    "??",
    "{x:String}",
    "`back`",
    "\"double\"",
    "naïve 日本語 🦀",
    "%_*",
    "\\N",
    "\u{1b}[31m",
    "; -- /* */",
    "\\x41",
];

#[tokio::test]
async fn any_text_is_a_name_and_a_filter() {
    let mut rows = batch(&vec![Row::default(); TEXTS.len()]);
    for (row, text) in TEXTS.iter().enumerate() {
        rows.enrichment.application.set_text(row, text);
    }
    for place in servers().await {
        let store = &place.store;
        let stored_at = flow::clock::now();
        let token = "to'ken\\; 'x";
        let refused = store
            .writer("co'll\\ector")
            .insert(&rows, token, stored_at)
            .await
            .unwrap();
        assert_eq!(refused.rows, 0);
        for text in TEXTS {
            let mut subject = subject(0.0, 60.0, "");
            subject.filter = Filter::from(Expr::Is(Condition::Application((*text).to_owned())));
            let question = Top {
                subject: subject.clone(),
                dimension: Dimension::Applications.into(),
                by: Quantity::Octets,
                limit: 10,
            };
            let found = store
                .top(&question)
                .await
                .unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(found.len(), 1, "{text:?}");
            assert_eq!((found[0].name.as_str(), found[0].flows), (*text, 1));
            let series = Series {
                subject,
                dimension: Some(Dimension::Applications.into()),
                by: Quantity::Octets,
                limit: 5,
                step: None,
                previous: false,
            };
            let lines = store.series(&series).await.unwrap().lines;
            assert_eq!((lines.len(), lines[0].name.as_str()), (1, *text));
            assert_eq!(lines[0].values.iter().sum::<f64>(), 1000.0);
        }
        assert_eq!(
            store.inventory().await.unwrap().flows,
            TEXTS.len() as u64,
            "{}",
            place.database
        );
        assert!(place.engine.is_none() || place.database.starts_with("flowreel_test"));
    }
}
