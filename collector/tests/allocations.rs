//! Decoding asks for no memory: not for a record, not for a datagram. What grows, grows while a batch is filled for the first
//! time.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bytes::Bytes;
use collector::decode::{DecodeConfig, Decoder};
use collector::fields::FieldTable;
use flow::{Datagram, Feed, FlowBatch, TapePosition, Timestamp};
use simulator::load::{Load, LoadConfig, LoadShape};

const AT: Timestamp = Timestamp::from_seconds(1_760_000_000);
const DATAGRAMS: usize = 500;

struct Stream {
    load: Load,
    decoder: Decoder,
    batch: FlowBatch,
    number: u32,
}

impl Stream {
    fn new(shape: LoadShape) -> Self {
        let mut this = Self {
            load: Load::new(LoadConfig::new(shape, AT)),
            decoder: Decoder::new(DecodeConfig::default(), FieldTable::builtin()),
            batch: FlowBatch::default(),
            number: 0,
        };
        if let Some(template) = this.load.template(AT) {
            let template = this.datagram(template);
            this.decode(&[template]);
        }
        this
    }

    fn datagram(&self, payload: Bytes) -> Datagram {
        Datagram {
            received_at: AT,
            source: ([10, 0, 0, 1], 5000).into(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload,
        }
    }

    fn datagrams(&mut self) -> Vec<Datagram> {
        let payloads: Vec<Bytes> = (0..DATAGRAMS)
            .map(|_| Bytes::copy_from_slice(self.load.next_payload(AT)))
            .collect();
        payloads
            .into_iter()
            .map(|payload| self.datagram(payload))
            .collect()
    }

    fn decode(&mut self, datagrams: &[Datagram]) {
        for datagram in datagrams {
            self.number += 1;
            let position = TapePosition {
                segment: 1,
                offset: self.number,
            };
            self.decoder.decode(datagram, position, &mut self.batch);
        }
    }
}

#[test]
fn decoding_asks_for_no_memory() {
    let control = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 64])));
    assert_eq!((control.count_total, control.bytes_total), (1, 64));
    for shape in LoadShape::ALL {
        let mut stream = Stream::new(*shape);
        for _ in 0..2 {
            let datagrams = stream.datagrams();
            stream.decode(&datagrams);
            assert_eq!(stream.batch.rows(), DATAGRAMS * shape.records());
            stream.batch.clear();
        }
        let datagrams = stream.datagrams();
        let asked = allocation_counter::measure(|| stream.decode(&datagrams));
        assert_eq!(stream.batch.rows(), DATAGRAMS * shape.records());
        assert_eq!(
            (asked.count_total, asked.bytes_total),
            (0, 0),
            "{}: {DATAGRAMS} datagrams of {} records",
            shape.name(),
            shape.records()
        );
    }
}
