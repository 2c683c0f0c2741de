//! Nobody is told of what they may not see: questions by chance, in scopes by chance, over traffic by chance.
//!
//! | file | holds |
//! |---|---|
//! | `traffic` | the rows |
//! | `said` | scopes and filters, and what they mean of a row |
//! | `told` | what an answer may tell of rows |
//! | `asked` | a question, and whether its answers tell no more |
//! | `counted` | which records of a conversation count, where a scope names an exporter: sums made on paper |

mod asked;
mod counted;
mod said;
mod told;
mod traffic;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use store::Store;

use self::asked::asked;
use self::said::said;
use self::traffic::traffic;
use crate::places::servers;
use crate::rows::insert;

/// Each with rows of its own, in tables of its own.
const WORLDS: u32 = 2;
/// Of each world, unless `PROPTEST_CASES` says otherwise.
const QUESTIONS: u32 = 24;

#[test]
fn nobody_is_told_of_what_they_may_not_see() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for place in runtime.block_on(servers()) {
        let mut chance = TestRunner::deterministic();
        for world in 0..WORLDS {
            let rows = traffic().new_tree(&mut chance).unwrap().current();
            let store = place.store.recording("scopes", world);
            runtime.block_on(async {
                store.prepare().await.unwrap();
                insert(&store, "all", &rows).await;
            });
            let mut questions = TestRunner::new_with_rng(config(), chance.new_rng());
            let ask = |(scope, question): (said::Said, asked::Asked)| {
                runtime.block_on(question.is_answered_within(&store, &rows, &scope));
                Ok(())
            };
            questions.run(&(said(), asked()), ask).unwrap();
        }
        runtime.block_on(own_rows_obey(&place.store));
    }
}

/// A recording's rows of its own are in a scope once more.
async fn own_rows_obey(store: &Store) {
    use crate::rows::{Row, group, subject, top};
    use store::question::{Dimension, Scope};

    let row = |application, source| Row {
        application,
        source,
        ..Row::default()
    };
    let rows = [
        row("web", "10.1.0.1"),
        row("mail", "10.1.0.2"),
        row("web", "10.1.0.3"),
    ];
    insert(store, "own", &rows).await;
    let own = store.recording("scopes", WORLDS);
    own.prepare().await.unwrap();
    let slice = store::Slice {
        arrived: subject(0.0, 60.0, "").window,
        filter: flow::Filter::parse("app web").unwrap(),
    };
    own.copy_from(store, &slice).await.unwrap();
    let mut asked = subject(0.0, 60.0, "");
    asked.scope = Scope::of(flow::Filter::parse("ip in [10.1.0.2, 10.1.0.3]").unwrap());
    let found = top(&own, Dimension::Clients, asked).await;
    assert_eq!(found, [group("10.1.0.3", 1000, 10, 1, 1)]);
}

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(QUESTIONS),
        // What fails is shrunk and said; chance is the same at each run.
        failure_persistence: None,
        ..Config::default()
    }
}
