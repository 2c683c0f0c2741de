//! How late flows are known: shares made on paper.

use flow::Filter;
use store::lateness::Lateness;
use store::question::Scope;

use crate::places::places;
use crate::rows::{Row, insert, subject};

/// A flow of these seconds, known at 100.
fn flow(start: f64, end: f64, octets: u64) -> Row {
    Row {
        received: 100.0,
        start,
        end,
        octets,
        packets: 1,
        ..Row::default()
    }
}

fn share(found: &Lateness, age_s: u32) -> f64 {
    let of_age = found.ages.iter().find(|one| one.age_s == age_s);
    of_age.unwrap().share
}

#[tokio::test]
async fn what_is_not_known_yet_is_read_off_what_came() {
    for place in places().await {
        let rows = [
            // Its octets were between 70 and 10 seconds old when it came.
            flow(30.0, 90.0, 600),
            // All of this one's were five seconds old.
            flow(95.0, 95.0, 300),
            // Its exporter's clock goes ahead: as if it were known at once.
            flow(130.0, 140.0, 100),
            // Seen at another exporter as well.
            Row {
                accounting: false,
                ..flow(0.0, 1.0, 5000)
            },
        ];
        insert(&place.store, "a", &rows).await;
        let window = subject(0.0, 200.0, "").window;
        let (filter, scope) = (Filter::default(), Scope::default());
        let found = place.store.lateness(window, &filter, &scope).await.unwrap();
        assert_eq!(found.octets, 1000);
        let expected = [
            (0, 0.9),
            (3, 0.9),
            (5, 0.6),
            (10, 0.6),
            // (70 - 15) / 60 of 600.
            (15, 0.55),
            (30, 0.4),
            (60, 0.1),
            (90, 0.0),
            (1800, 0.0),
        ];
        for (age, missing) in expected {
            assert!(
                (share(&found, age) - missing).abs() < 1e-9,
                "{age}: {found:?}"
            );
        }
        let nobody = Filter::parse("ip 192.0.2.77").unwrap();
        let found = place.store.lateness(window, &nobody, &scope).await.unwrap();
        assert_eq!(found, Lateness::default());
        let only = Scope { only: Some(nobody) };
        let found = place.store.lateness(window, &filter, &only).await.unwrap();
        assert_eq!(found, Lateness::default());
    }
}
