//! Case 50, the decoder's half: a capture that is read in is a world of its own, with its own times.

use flow::{Datagram, Feed, Timestamp};

use crate::suspect::tried_all;
use crate::wire::{FIELDS, datagram, ipfix, record, set, template};

fn in_feed(feed: u32, at_s: i64, payload: Vec<u8>) -> Datagram {
    Datagram {
        feed: Feed(feed),
        received_at: Timestamp::from_seconds(at_s),
        ..datagram(payload)
    }
}

#[test]
fn case_50_an_import_shares_nothing_with_the_wire_and_keeps_its_times() {
    let short = template(256, &[(8, 4), (1, 8)]);
    let mut data = vec![10, 0, 0, 9];
    data.extend(5_u64.to_be_bytes());
    // The same router, on the wire now and in a capture of ten years before with another layout, and the same numbers.
    let (now, then) = (1_700_000_001, 1_384_380_801);
    let tried = tried_all(&[
        in_feed(0, now, ipfix(0, 1, &[set(2, &template(256, FIELDS))])),
        in_feed(3, then, ipfix(0, 1, &[set(2, &short)])),
        in_feed(0, now, ipfix(0, 1, &[set(256, &record(1, 100))])),
        in_feed(3, then, ipfix(0, 1, &[set(256, &data)])),
        in_feed(4, then, ipfix(0, 1, &[set(256, &data)])),
    ]);
    assert_eq!(tried.octets(), [100, 5]);
    let arrivals: Vec<_> = tried
        .rows
        .iter()
        .map(|row| row.received_at.seconds())
        .collect();
    assert_eq!(arrivals, [now, then]);
    let feeds: Vec<_> = tried.told().iter().map(|told| told.feed).collect();
    assert_eq!(feeds, [0, 3, 4]);
    assert_eq!(tried.waiting(), 1, "another import knows neither template");
}
