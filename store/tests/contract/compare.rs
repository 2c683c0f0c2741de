//! Profiles of two windows, and what became of their groups.

use store::compare::{Side, Verdict, compare};
use store::profile::side_by_side;
use store::question::{Dimension, Profile, ProfileAnswer, ProfileRow};

use crate::places::{Place, places};
use crate::rows::{Row, at, insert, subject};

fn question(dimension: Dimension, from: f64, to: f64, limit: u32) -> Profile {
    Profile {
        subject: subject(from, to, ""),
        dimension,
        limit,
    }
}

/// A flow that ends at a second and has lived for so long, milliseconds.
fn flow(server: &'static str, end: f64, life_ms: f64, octets: u64) -> Row {
    Row {
        received: end + 1.0,
        start: end - life_ms / 1000.0,
        end,
        destination: server,
        octets,
        packets: 1,
        ..Row::default()
    }
}

async fn profile(place: &Place, question: &Profile) -> ProfileAnswer {
    place.store.profile(question).await.unwrap()
}

/// (name, octets, flows, flows that ended, their median life).
fn plain(row: &ProfileRow) -> (&str, u64, u64, u64, Option<f64>) {
    let life = row.duration_ms_median;
    (&row.name, row.octets, row.flows, row.ended_flows, life)
}

#[tokio::test]
async fn lives_are_those_of_flows_that_end_in_the_window() {
    for place in places().await {
        let lives = [40.0, 10.0, 30.0, 20.0];
        let mut rows: Vec<Row> = lives.map(|life| flow("10.2.0.1", 30.0, life, 100)).to_vec();
        // Ends where the window does, which is not in it: 3 of its 4 seconds are.
        rows.push(flow("10.2.0.1", 61.0, 4000.0, 400));
        // Half a second in it.
        rows.push(flow("10.2.0.1", 0.5, 1000.0, 80));
        rows.push(Row {
            accounting: false,
            exporter_name: "core-2",
            ..flow("10.2.0.1", 31.0, 5.0, 100)
        });
        // Goes on.
        rows.push(flow("10.2.0.2", 90.0, 60_000.0, 600));
        insert(&place.store, "a", &rows).await;

        let servers = question(Dimension::Servers, 0.0, 60.0, 10);
        let found = profile(&place, &servers).await;
        let found_rows: Vec<_> = found.rows.iter().map(plain).collect();
        // 10, 20, 30, 40, 1,000 ms.
        let expected = [
            ("10.2.0.1", 400 + 300 + 40, 6, 5, Some(30.0)),
            ("10.2.0.2", 300, 1, 0, None),
        ];
        assert_eq!(found_rows, expected);
        assert_eq!((found.octets, found.flows, found.more), (1040, 7, false));

        let hour = question(Dimension::Applications, 0.0, 3600.0, 10);
        let found = profile(&place, &hour).await;
        // Now 4,000 and 60,000 ms too: 10, 20, 30, 40, 1,000, 4,000, 60,000.
        let row = plain(&found.rows[0]);
        assert_eq!(row, ("web", 40 + 400 + 400 + 600, 7, 7, Some(40.0)));

        let exporters = question(Dimension::Exporters, 0.0, 60.0, 10);
        let found = profile(&place, &exporters).await;
        assert_eq!(plain(&found.rows[1]), ("core-2", 100, 1, 1, Some(5.0)));
        assert_eq!(found.flows, 7);
    }
}

#[tokio::test]
async fn a_life_without_two_stamps_is_not_known() {
    for place in places().await {
        let mut batch = crate::rows::batch(&[
            flow("10.2.0.1", 10.0, 50.0, 1),
            flow("10.2.0.2", 10.0, 50.0, 1),
            flow("10.2.0.3", 10.0, 50.0, 1),
            flow("10.2.0.4", 10.0, 50.0, 1),
        ]);
        let columns = &mut batch.columns;
        columns.start = Default::default();
        for row in [1, 2, 3] {
            columns.start.set(row, at(9.95).nanos());
        }
        columns
            .time_quality
            .set(1, flow::batch::TimeQuality::Clamped as u8);
        columns
            .time_kind
            .set(2, flow::batch::TimeKind::Observation as u8);
        batch.pad();
        let stored_at = flow::clock::now();
        let writer = place.store.writer("here");
        let refused = writer.insert(&batch, "a", stored_at).await.unwrap();
        assert_eq!(refused.rows, 0);
        let mut servers = question(Dimension::Servers, 0.0, 60.0, 10);
        servers.subject.filter = flow::Filter::parse("dst net 10.2.0.0/16").unwrap();
        let found = profile(&place, &servers).await;
        let lives: Vec<_> = found
            .rows
            .iter()
            .map(|row| (&*row.name, row.duration_ms_median))
            .collect();
        let expected = [
            ("10.2.0.1", None),
            ("10.2.0.2", None),
            ("10.2.0.3", None),
            ("10.2.0.4", Some(50.0)),
        ];
        assert_eq!(lives, expected);
    }
}

#[tokio::test]
async fn what_one_side_does_not_list_is_asked_for_by_name() {
    for place in places().await {
        let other = place.store.recording("here", 7);
        other.prepare().await.unwrap();
        let before = [
            flow("10.2.0.1", 10.0, 50.0, 900),
            flow("10.2.0.2", 10.0, 50.0, 800),
            flow("10.2.0.3", 10.0, 50.0, 100),
        ];
        let after = [
            flow("10.2.0.1", 10.0, 50.0, 900),
            flow("10.2.0.3", 10.0, 50.0, 700),
            flow("10.2.0.4", 10.0, 50.0, 600),
        ];
        insert(&place.store, "a", &before).await;
        insert(&other, "b", &after).await;
        let two = question(Dimension::Servers, 0.0, 60.0, 2);
        let three = question(Dimension::Servers, 0.0, 60.0, 3);
        let sides = side_by_side((&place.store, &two), (&other, &three)).await;
        let (before, after) = sides.unwrap();
        assert!(before.more && !after.more);
        assert!(before.missing.contains("10.2.0.4") && before.missing.len() == 1);
        let row = before.rows.iter().find(|row| row.name == "10.2.0.3");
        assert_eq!(row.map(plain), Some(("10.2.0.3", 100, 1, 1, Some(50.0))));

        let window = two.subject.window;
        let [before, after] = [before, after].map(|profile| Side { window, profile });
        let found = compare(&before, &after, 10);
        let verdicts: Vec<_> = found
            .rows
            .iter()
            .map(|row| (&*row.name, &row.verdicts[..]))
            .collect();
        let expected: [(&str, &[Verdict]); 4] = [
            ("10.2.0.2", &[Verdict::Gone]),
            ("10.2.0.3", &[Verdict::Larger]),
            ("10.2.0.4", &[Verdict::New]),
            ("10.2.0.1", &[Verdict::Same]),
        ];
        assert_eq!(verdicts, expected);
        place.store.remove_recording("here", 7).await.unwrap();
    }
}

#[tokio::test]
async fn impossible_profiles_are_refused_in_words() {
    for place in places().await {
        let ask = async |from, limit| {
            let question = question(Dimension::Servers, from, 60.0, limit);
            place
                .store
                .profile(&question)
                .await
                .unwrap_err()
                .to_string()
        };
        assert!(ask(60.0, 1).await.contains("window is empty"));
        assert!(ask(0.0, 0).await.contains("1 to 10000"));
        assert!(ask(0.0, 10_001).await.contains("1 to 10000"));
    }
}
