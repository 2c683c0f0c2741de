//! A collector's name is one process's.

use std::collections::BTreeSet;
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::{TapePosition, Timestamp};
use store::presence::Claim;
use store::{Store, StoreError, Stretch};

use crate::places::places;

/// Three of them are the silence that a name is given up by.
const BEAT: Duration = Duration::from_millis(400);

fn claim(place: &str) -> Claim {
    Claim {
        collector: "berlin".to_owned(),
        place: place.to_owned(),
        host: format!("host-of-{place}"),
        beat: BEAT,
    }
}

fn nothing_of(collector: &str) -> Stretch {
    Stretch {
        collector: collector.to_owned(),
        from: TapePosition::START,
        to: TapePosition::START,
        received_from: Timestamp::EPOCH,
        received_to: Timestamp::EPOCH,
    }
}

fn is_taken<T>(outcome: Result<T, StoreError>, by: &str) -> bool {
    matches!(outcome, Err(StoreError::NameTaken { collector, host }) if collector == "berlin" && host == by)
}

#[tokio::test]
async fn a_copy_waits_until_the_other_is_silent_and_the_same_place_does_not() {
    for place in places().await {
        let store = &place.store;
        let alone = async |collector: &str| {
            let stretch = nothing_of(collector);
            store.rebuild(&BTreeSet::new(), &stretch).await
        };
        alone("paris").await.unwrap();
        let first = store.take_name(claim("one")).await.unwrap();
        alone("berlin").await.unwrap();
        let refusal = alone("paris").await.unwrap_err().to_string();
        assert!(refusal.starts_with("collector berlin writes"), "{refusal}");
        // The process died and starts again where it was.
        let again = store.take_name(claim("one")).await.unwrap();
        store.keep_name(&again).await.unwrap();
        store.keep_name(&first).await.unwrap();
        assert!(is_taken(
            store.take_name(claim("copy")).await,
            "host-of-one"
        ));
        // Another name is nobody's business.
        let other = Claim {
            collector: "paris".to_owned(),
            ..claim("copy")
        };
        store.take_name(other).await.unwrap();
        // Refused as long as it is heard, and no longer.
        let watch = Stopwatch::start();
        let copy = loop {
            match store.take_name(claim("copy")).await {
                Ok(copy) => break copy,
                Err(error) => assert!(matches!(error, StoreError::NameTaken { .. }), "{error}"),
            }
            assert!(watch.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(BEAT / 4).await;
        };
        // The one that slept meanwhile gives way, not the one that took over.
        assert!(is_taken(store.keep_name(&again).await, "host-of-copy"));
        store.keep_name(&copy).await.unwrap();
        assert!(!is_taken(store.keep_name(&copy).await, "host-of-one"));
        assert!(is_taken(
            store.take_name(claim("third")).await,
            "host-of-copy"
        ));
    }
}

/// Takes the name, and if it is given holds it for a while.
async fn taken_and_held(store: &Store, claim: Claim) -> Result<(), StoreError> {
    let tenure = store.take_name(claim).await?;
    let watch = Stopwatch::start();
    while watch.elapsed() < BEAT * 4 {
        store.keep_name(&tenure).await?;
        tokio::time::sleep(BEAT / 4).await;
    }
    store.keep_name(&tenure).await
}

#[tokio::test]
async fn of_two_that_start_in_one_moment_one_has_the_name() {
    for place in places().await {
        let (mut decided, mut rounds) = (0, 0);
        while decided < 3 {
            rounds += 1;
            let claim = |place: &str| Claim {
                collector: format!("oslo {rounds}"),
                ..claim(place)
            };
            let one = taken_and_held(&place.store, claim("one"));
            let copy = taken_and_held(&place.store, claim("copy"));
            // The loser's claim, heard for a while, does not move the winner. On a machine so busy that the winner was silent for
            // two beats both give way; never do both have it.
            match tokio::join!(one, copy) {
                (Ok(()), Err(error)) | (Err(error), Ok(())) => {
                    assert!(matches!(error, StoreError::NameTaken { .. }), "{error}");
                    decided += 1;
                }
                (Err(StoreError::NameTaken { .. }), Err(StoreError::NameTaken { .. }))
                    if rounds < 10 => {}
                both => panic!("round {rounds}: {both:?}"),
            }
        }
    }
}
