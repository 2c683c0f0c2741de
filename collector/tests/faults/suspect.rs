//! A suspect beside a bystander: each datagram of a case is followed by one of another exporter, which must not feel it.

use collector::decode::{Decoder, Problem};
use flow::health::ExporterHealth;
use flow::{Datagram, DropKind, FlowBatch, FlowRecord};

use crate::support::{decoder, position};
use crate::wire::{FIELDS, datagram, from, record, set, template, v9};

const BYSTANDER: &str = "198.51.100.1";

/// What the suspect's datagrams gave. The bystander is looked at already.
pub(crate) struct Tried {
    pub(crate) decoder: Decoder,
    /// The suspect's rows.
    pub(crate) rows: Vec<FlowRecord>,
}

/// Tries packets of one sender, a second after their export.
pub(crate) fn tried(payloads: Vec<Vec<u8>>) -> Tried {
    let datagrams: Vec<_> = payloads.into_iter().map(datagram).collect();
    tried_all(&datagrams)
}

/// As [`tried`], datagrams of whomever. The n-th is at `position(2 * n)`.
pub(crate) fn tried_all(datagrams: &[Datagram]) -> Tried {
    tried_by(decoder(), datagrams)
}

/// As [`tried_all`], by a decoder with other limits.
pub(crate) fn tried_by(mut decoder: Decoder, datagrams: &[Datagram]) -> Tried {
    let mut batch = FlowBatch::default();
    for (index, datagram) in datagrams.iter().enumerate() {
        decoder.decode(datagram, position(2 * index), &mut batch);
        let beside = bystander(index, datagram);
        decoder.decode(&beside, position(2 * index + 1), &mut batch);
    }
    batch.pad();
    assert!(decoder.books().balance(), "{:?}", decoder.books());
    let rows: Vec<_> = (0..batch.rows()).map(|row| batch.record(row)).collect();
    let of_bystander = |row: &FlowRecord| row.exporter.to_string() == BYSTANDER;
    let (beside, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(of_bystander);
    let octets: Vec<_> = beside.iter().map(|row| row.octets).collect();
    let sent: Vec<_> = (0..datagrams.len())
        .map(|n| Some(1_000_000 + n as u64))
        .collect();
    assert_eq!(octets, sent, "the bystander's rows");
    for health in decoder
        .exporters()
        .iter()
        .filter(|it| it.address.to_string() == BYSTANDER)
    {
        assert!(
            health.problems.is_empty(),
            "the bystander's: {:?}",
            health.problems
        );
        assert_eq!(
            (health.sequence_lost, health.reboots),
            (0, 0),
            "the bystander's"
        );
    }
    Tried { decoder, rows }
}

/// A template, and a record that tells which one it is; sent a second before the suspect's datagram came.
fn bystander(index: usize, suspect: &Datagram) -> Datagram {
    let number = u32::try_from(index).unwrap();
    let sets = [
        set(0, &template(256, FIELDS)),
        set(256, &record(9, 1_000_000 + number)),
    ];
    let mut packet = v9(number, 7, &sets);
    let sent = u32::try_from(suspect.received_at.seconds() - 1).unwrap();
    packet[8..12].copy_from_slice(&sent.to_be_bytes());
    Datagram {
        received_at: suspect.received_at,
        ..from(&format!("{BYSTANDER}:2055"), packet)
    }
}

impl Tried {
    /// How often a problem was met; the bystander met none.
    pub(crate) fn met(&self, problem: Problem) -> u64 {
        self.decoder.problems().get(problem)
    }

    /// Every problem that was met, by name.
    pub(crate) fn problems(&self) -> Vec<(&'static str, u64)> {
        let problems = self.decoder.problems();
        problems
            .iter()
            .map(|(problem, times)| (problem.name(), times))
            .collect()
    }

    /// The suspect's datagrams that are gone.
    pub(crate) fn dropped(&self, kind: DropKind) -> u64 {
        self.decoder
            .books()
            .dropped
            .get(&kind)
            .copied()
            .unwrap_or(0)
    }

    /// Its datagrams that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.decoder.books().waiting
    }

    /// The octets of its rows.
    pub(crate) fn octets(&self) -> Vec<u64> {
        self.rows.iter().map(|row| row.octets.unwrap()).collect()
    }

    /// What is told of its streams, in the order of version and domain.
    pub(crate) fn told(&self) -> Vec<ExporterHealth> {
        let all = self.decoder.exporters().into_iter();
        all.filter(|health| health.address.to_string() != BYSTANDER)
            .collect()
    }
}
