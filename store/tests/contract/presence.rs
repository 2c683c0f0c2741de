//! A collector's name is one process's.

use std::time::Duration;

use flow::clock::Stopwatch;
use store::StoreError;
use store::presence::Claim;

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

fn is_taken<T>(outcome: Result<T, StoreError>, by: &str) -> bool {
    matches!(outcome, Err(StoreError::NameTaken { collector, host }) if collector == "berlin" && host == by)
}

#[tokio::test]
async fn a_copy_waits_until_the_other_is_silent_and_the_same_place_does_not() {
    for place in places().await {
        let store = &place.store;
        store.check_alone("paris").await.unwrap();
        let first = store.take_name(claim("one")).await.unwrap();
        store.check_alone("berlin").await.unwrap();
        let refusal = store.check_alone("paris").await.unwrap_err().to_string();
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
