//! The outbox on real files: order, joining, bounds, and that each event is told once.

use std::time::Duration;

use flow::Timestamp;
use flow::clock::Stopwatch;
use tempfile::TempDir;

use super::*;
use crate::catalog::Catalog;

async fn fresh() -> (TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    (folder, Catalog::open(&path).await.unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

fn mail(to: &str, subject: &str) -> NewMessage {
    NewMessage {
        to: Receiver::Mail(to.to_owned()),
        ticket: None,
        subject: subject.to_owned(),
        body: format!("{subject}: words"),
        attachments: Vec::new(),
    }
}

async fn due(catalog: &Catalog) -> Due {
    catalog.next_due(MAIL).await.unwrap().unwrap()
}

fn subjects(due: &Due) -> Vec<&str> {
    due.messages
        .iter()
        .map(|(message, _)| message.subject.as_str())
        .collect()
}

#[tokio::test]
async fn what_waits_for_one_address_goes_in_one_mail_and_not_at_once_again() {
    let (_folder, catalog) = fresh().await;
    let all = [mail("a@x", "one"), mail("b@x", "two"), mail("a@x", "three")];
    let added = catalog.add_messages(&all, at(0)).await.unwrap();
    assert_eq!((added.taken, added.refused), (3, 0));
    let first = due(&catalog).await;
    assert_eq!((first.at, subjects(&first)), (at(0), vec!["one", "three"]));
    let numbers: Vec<i64> = first.messages.iter().map(|(it, _)| it.number).collect();
    catalog.sent(&numbers, at(1)).await.unwrap();
    assert_eq!(subjects(&due(&catalog).await), ["two"]);
    let (message, _) = &due(&catalog).await.messages[0];
    catalog.sent(&[message.number], at(2)).await.unwrap();
    // Ten seconds after the last to that address.
    let more = [mail("a@x", "four")];
    catalog.add_messages(&more, at(3)).await.unwrap();
    assert_eq!(due(&catalog).await.at, at(11));
    let all = MessageQuery {
        limit: 10,
        ..MessageQuery::default()
    };
    assert_eq!(catalog.messages(&all).await.unwrap().len(), 4);
    catalog
        .tidy_outbox(at(3) + Duration::from_secs(7 * 86_400))
        .await
        .unwrap();
    let counts = catalog.message_counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (1, 0));
}

#[tokio::test]
async fn the_order_of_a_lane_is_kept_while_its_first_waits() {
    let (_folder, catalog) = fresh().await;
    let hook = |ticket: u32, subject: &str| NewMessage {
        to: Receiver::Hook("desk".to_owned()),
        ticket: Some(ticket),
        ..mail("", subject)
    };
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&catalog.pool)
        .await
        .unwrap();
    for ticket in [1, 2] {
        sqlx::query("INSERT INTO tickets (number, id, pressed_at, reporter, host, site, application, words, state) VALUES (?1, ?1, 0, '', '', '', '', '', 'open')")
            .bind(ticket).execute(&catalog.pool).await.unwrap();
    }
    let all = [hook(1, "made"), hook(1, "closed"), hook(2, "made too")];
    catalog.add_messages(&all, at(0)).await.unwrap();
    let next = || async { catalog.next_due("desk").await.unwrap().unwrap() };
    let first = next().await;
    assert_eq!(subjects(&first), ["made"]);
    let number = first.messages[0].0.number;
    catalog
        .not_sent(number, "busy", Some(at(60)), at(0))
        .await
        .unwrap();
    assert_eq!(subjects(&next().await), ["made too"]);
    let number = next().await.messages[0].0.number;
    catalog.sent(&[number], at(1)).await.unwrap();
    let again = next().await;
    assert_eq!((again.at, subjects(&again)), (at(60), vec!["made"]));
    assert_eq!(again.messages[0].0.attempts, 1);
    assert_eq!(again.messages[0].0.error.as_deref(), Some("busy"));
    // Given up, it is in nobody's way; sent again, it is before the other.
    let number = again.messages[0].0.number;
    catalog
        .not_sent(number, "gone", None, at(60))
        .await
        .unwrap();
    assert_eq!(subjects(&next().await), ["closed"]);
    assert_eq!(catalog.message_counts().await.unwrap().dead, 1);
    assert_eq!(catalog.send_again(None, at(70)).await.unwrap(), 1);
    assert_eq!(subjects(&next().await), ["made"]);
    assert!(catalog.drop_message(number).await.unwrap());
    assert!(!catalog.drop_message(number).await.unwrap());
    assert_eq!(catalog.give_up_others(&["mail"], at(80)).await.unwrap(), 1);
    assert!(catalog.next_due("desk").await.unwrap().is_none());
}

#[tokio::test]
async fn files_go_alone_and_not_beyond_ten_mebibytes() {
    let (_folder, catalog) = fresh().await;
    let report = |octets: usize| NewMessage {
        attachments: vec![Attachment {
            name: "week\r\n47.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            content: vec![7; octets],
        }],
        ..mail("a@x", "the week\r\nBcc: b@x")
    };
    let all = [report(1000), mail("a@x", "one")];
    catalog.add_messages(&all, at(0)).await.unwrap();
    let due = due(&catalog).await;
    assert_eq!(subjects(&due), ["the week  Bcc: b@x"]);
    assert_eq!(due.attachments[0].content.len(), 1000);
    assert_eq!(due.attachments[0].name, "week  47.pdf");
    let number = due.messages[0].0.number;
    catalog.sent(&[number], at(0)).await.unwrap();
    assert!(catalog.attachments(number).await.unwrap().is_empty());
    let much = [report(ATTACHMENTS_OCTETS_MAX + 1)];
    assert!(catalog.add_messages(&much, at(0)).await.is_err());
}

#[tokio::test]
async fn ten_thousand_wait_and_no_more() {
    let (_folder, catalog) = fresh().await;
    let flood: Vec<_> = (0..10_003)
        .map(|one| mail(&format!("{}@x", one % 5000), "news"))
        .collect();
    let added = catalog.add_messages(&flood, at(0)).await.unwrap();
    assert_eq!((added.taken, added.refused), (10_000, 3));
    let watch = Stopwatch::start();
    assert_eq!(due(&catalog).await.messages.len(), 2);
    // All to one address: no lane is looked through again and again.
    sqlx::query("UPDATE outbox SET lane = 'mail a@x'")
        .execute(&catalog.pool)
        .await
        .unwrap();
    assert_eq!(due(&catalog).await.messages.len(), 50);
    assert!(
        watch.elapsed() < Duration::from_secs(2),
        "{:?}",
        watch.elapsed()
    );
}
