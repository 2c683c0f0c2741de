//! Who sends too much: bounds hold, and only the sender pays.

use collector::decode::{DecodeConfig, Decoder, Problem};
use collector::fields::FieldTable;
use flow::{DropKind, FlowBatch};

use crate::support::{later, met, position};
use crate::wire::{FIELDS, datagram, from, record, set, template, v5, v9};

#[test]
fn waiting_is_bounded_and_one_exporter_may_use_a_quarter() {
    let config = DecodeConfig {
        waiting_octets_max: 1 << 20,
        ..DecodeConfig::default()
    };
    let mut decoder = Decoder::new(config, FieldTable::builtin());
    let mut batch = FlowBatch::default();
    for index in 0..1_000 {
        let payload = v9(index, 1, &[set(256, &record(1, index))]);
        decoder.decode(&datagram(payload), position(index as usize), &mut batch);
    }
    // 41 octets each, and several hundred for the books.
    let kept = decoder.books().waiting;
    assert!((200..=600).contains(&kept), "{kept}");
    assert_eq!(decoder.books().dropped[&DropKind::NoTemplate], 1_000 - kept);
    assert_eq!(met(&decoder, Problem::WaitingFull), 1_000 - kept);
    assert!(decoder.holdings().waiting_octets <= 1 << 18);
    let other = from("192.0.2.2:1", v9(0, 1, &[set(256, &record(1, 0))]));
    decoder.decode(&other, position(1_000), &mut batch);
    assert_eq!(decoder.books().waiting, kept + 1, "others still may wait");
    assert!(decoder.books().balance());
}

#[test]
fn newcomers_never_push_out_who_is_heard() {
    let config = DecodeConfig {
        exporters_max: 2,
        ..DecodeConfig::default()
    };
    let mut decoder = Decoder::new(config, FieldTable::builtin());
    let mut batch = FlowBatch::default();
    for host in 1..=9 {
        let sender = format!("192.0.2.{host}:1");
        decoder.decode(&from(&sender, v5(0, 1, 1, 0)), position(host), &mut batch);
    }
    assert_eq!(
        (batch.rows(), met(&decoder, Problem::ExporterRefused)),
        (2, 7)
    );
    let day_later = later(from("192.0.2.9:1", v5(0, 1, 1, 0)), 90_000);
    decoder.decode(&day_later, position(10), &mut batch);
    assert_eq!(batch.rows(), 3, "one that was silent for a day made room");
}

#[test]
fn a_template_flood_costs_its_sender_only() {
    let config = DecodeConfig {
        templates_max: 100,
        ..DecodeConfig::default()
    };
    let mut decoder = Decoder::new(config, FieldTable::builtin());
    let mut batch = FlowBatch::default();
    let good = set(0, &template(256, FIELDS));
    decoder.decode(
        &from("192.0.2.9:1", v9(0, 1, &[good])),
        position(0),
        &mut batch,
    );
    for id in 256..2_256_u16 {
        let payload = v9(u32::from(id), 1, &[set(0, &template(id, FIELDS))]);
        decoder.decode(&datagram(payload), position(usize::from(id)), &mut batch);
    }
    let held = |address: &str| {
        let exporters = decoder.exporters();
        let found = exporters
            .iter()
            .find(|it| it.address.to_string() == address);
        found.unwrap().templates.len()
    };
    // When there are too many, a sixteenth more goes than must.
    let left = held("192.0.2.1");
    assert!((95..=100).contains(&left), "{left}");
    assert_eq!(held("192.0.2.9"), 1);
    assert_eq!(met(&decoder, Problem::TemplateQuota), 2_000 - left as u64);
}
