//! A question by chance, put in every way that there is; and what its answers may tell.

use std::time::Duration;

use flow::{Filter, Timestamp};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use store::profile::side_by_side;
use store::question::{
    Dimension, Dimensions, Flows, FlowsAnswer, Profile, ProfileAnswer, Quantity, Scope, Series,
    SeriesAnswer, Subject, Top, TopRow, Window,
};
use store::{Slice, Store};

use super::said::{Said, said};
use super::told::{Counts, group, sums};
use super::traffic::{FIRST_PORT, SECONDS};
use crate::rows::{Row, at};

const DIMENSIONS: [Dimension; 10] = [
    Dimension::Applications,
    Dimension::Clients,
    Dimension::Servers,
    Dimension::Conversations,
    Dimension::Exporters,
    Dimension::Interfaces,
    Dimension::Sites,
    Dimension::Protocols,
    Dimension::Ports,
    Dimension::Directions,
];
const QUANTITIES: [Quantity; 4] = [
    Quantity::Octets,
    Quantity::Packets,
    Quantity::Flows,
    Quantity::Clients,
];
/// The sums of fractions may be so much more than their whole.
const ROUNDING: f64 = 1.0;

/// What is asked; times in seconds.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    window: (u32, u32),
    filter: Option<Said>,
    known_at: Option<u32>,
    arrived: Option<(u32, u32)>,
    dimensions: Vec<Dimension>,
    by: Quantity,
    limit: u32,
    step_s: u64,
    previous: bool,
}

/// One by chance.
pub(super) fn asked() -> impl Strategy<Value = Asked> {
    let stretch = || {
        // Whole hours and minutes are answered by other tables than odd seconds.
        let borders = select(vec![
            0, 10, 37, 600, 1800, 3600, 3601, 5400, SECONDS, 10_800,
        ]);
        (borders.clone(), borders)
            .prop_filter("it has two halves", |(one, other)| one.abs_diff(*other) > 1)
            .prop_map(|(one, other)| (one.min(other), one.max(other)))
    };
    let when = (
        stretch(),
        option::of(0..SECONDS),
        option::weighted(0.3, stretch()),
    );
    let what = (
        subsequence(DIMENSIONS.to_vec(), 1..=3).prop_shuffle(),
        select(QUANTITIES.to_vec()),
        select(vec![1_u32, 2, 100]),
    );
    let series = (select(vec![10_u64, 60, 100, 3600]), any::<bool>());
    (when, option::of(said()), what, series).prop_map(|(when, filter, what, series)| Asked {
        window: when.0,
        filter,
        known_at: when.1,
        arrived: when.2,
        dimensions: what.0,
        by: what.1,
        limit: what.2,
        step_s: series.0,
        previous: series.1,
    })
}

impl Asked {
    /// Puts it in every way, and fails if an answer tells of a row that the scope does not show.
    pub(super) async fn is_answered_within(&self, store: &Store, rows: &[Row], scope: &Said) {
        let seen: Vec<&Row> = rows.iter().filter(|row| scope.shows(row)).collect();
        let scope = Scope::of(Filter::parse(&scope.to_string()).unwrap());
        self.asks_top(store, &seen, &scope).await;
        self.asks_series(store, &seen, &scope).await;
        self.asks_flows(store, &seen, &scope).await;
        self.compares(store, &seen, &scope).await;
        self.asks_beside(store, &seen, &scope).await;
    }

    fn subject(&self, window: (u32, u32), scope: &Scope) -> Subject {
        Subject {
            window: seconds(window),
            filter: self.filter(),
            known_at: self.known_at.map(|known| at(known.into())),
            arrived: self.arrived.map(seconds),
            scope: scope.clone(),
        }
    }

    fn filter(&self) -> Filter {
        let text = self.filter.as_ref().map(Said::to_string);
        Filter::parse(&text.unwrap_or_default()).unwrap()
    }

    /// Those of these rows that are asked about.
    fn of<'a>(&self, rows: &[&'a Row], (from, to): (f64, f64)) -> Vec<&'a Row> {
        let is_meant = |row: &Row| {
            let arrived = self.arrived.is_none_or(|(first, last)| {
                row.received >= first.into() && row.received < last.into()
            });
            let known = self
                .known_at
                .is_none_or(|known| row.received <= known.into());
            let matches = self.filter.as_ref().is_none_or(|filter| filter.shows(row));
            row.start < to && row.end >= from && arrived && known && matches
        };
        rows.iter().copied().filter(|row| is_meant(row)).collect()
    }

    fn within(&self) -> (f64, f64) {
        (self.window.0.into(), self.window.1.into())
    }

    fn together(&self) -> Dimensions {
        let names: Vec<String> = self
            .dimensions
            .iter()
            .map(|&one| Dimensions::from(one).to_string())
            .collect();
        names.join(",").parse().unwrap()
    }

    async fn asks_top(&self, store: &Store, seen: &[&Row], scope: &Scope) {
        let question = Top {
            subject: self.subject(self.window, scope),
            dimension: self.together(),
            by: self.by,
            limit: self.limit,
        };
        let of = self.of(seen, self.within());
        for row in store.top(&question).await.unwrap() {
            let TopRow {
                name,
                parts,
                octets,
                packets,
                flows,
                clients,
            } = row;
            let parts = if parts.is_empty() { vec![name] } else { parts };
            let told = Counts {
                octets,
                packets,
                flows,
                clients,
            };
            is_of(&of, &self.dimensions, &parts, told);
        }
    }

    async fn asks_series(&self, store: &Store, seen: &[&Row], scope: &Scope) {
        let dimensions = (self.limit > 1).then_some(&self.dimensions[..1]);
        let question = Series {
            subject: self.subject(self.window, scope),
            dimension: dimensions.map(|one| one[0].into()),
            by: self.by,
            limit: self.limit,
            step: Some(Duration::from_secs(self.step_s)),
            previous: self.previous,
        };
        let answer = store.series(&question).await.unwrap();
        let SeriesAnswer {
            lines, previous, ..
        } = answer;
        let (from, to) = self.within();
        let earlier = (from - (to - from), from);
        let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
        let of_now = self.of(seen, (from, to));
        for name in names
            .iter()
            .filter(|name| dimensions.is_some() && *name != "others")
        {
            let rows = group(&of_now, &self.dimensions[..1], std::slice::from_ref(name));
            assert!(!rows.is_empty(), "a line of {name}");
        }
        let before = previous.into_iter().flatten().map(|line| (line, earlier));
        for (line, window) in lines
            .into_iter()
            .map(|line| (line, (from, to)))
            .chain(before)
        {
            let mut of = self.of(seen, window);
            if dimensions.is_some() && line.name != "others" {
                of = group(&of, &self.dimensions[..1], &[line.name]);
            }
            self.is_no_more_than(&line.values, sums(&of));
        }
    }

    fn is_no_more_than(&self, values: &[f64], most: Counts) {
        let all: f64 = values.iter().sum();
        let highest = values.iter().copied().fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
        let float = |count: u64| count as f64 + ROUNDING;
        match self.by {
            Quantity::Octets => assert!(all <= float(most.octets)),
            Quantity::Packets => assert!(all <= float(most.packets)),
            Quantity::Flows => assert!(highest <= float(most.flows) - ROUNDING),
            Quantity::Clients => assert!(highest <= float(most.clients) - ROUNDING),
        }
    }

    /// Exactly these records, each once.
    async fn asks_flows(&self, store: &Store, seen: &[&Row], scope: &Scope) {
        let question = Flows {
            subject: self.subject(self.window, scope),
            limit: 1000,
        };
        let FlowsAnswer { flows, .. } = store.flows(&question).await.unwrap();
        let told = flows
            .iter()
            .map(|flow| flow.src_port.max(flow.dst_port).unwrap());
        let of = self.of(seen, self.within());
        let expected = of
            .iter()
            .map(|row| row.source_port.max(row.destination_port));
        let sorted = |ports: &mut dyn Iterator<Item = u16>| {
            let mut ports: Vec<u16> = ports.collect();
            ports.sort_unstable();
            assert!(ports.iter().all(|port| *port >= FIRST_PORT));
            ports
        };
        assert_eq!(
            sorted(&mut told.into_iter()),
            sorted(&mut expected.into_iter())
        );
    }

    /// With the first half as what was before.
    async fn compares(&self, store: &Store, seen: &[&Row], scope: &Scope) {
        let (from, to) = self.window;
        let half = from.midpoint(to);
        let dimension = self.dimensions[0];
        let [before, after] = [(from, half), (half, to)].map(|window| Profile {
            subject: self.subject(window, scope),
            dimension,
            limit: self.limit,
        });
        let answers = side_by_side((store, &before), (store, &after))
            .await
            .unwrap();
        for (window, answer) in [((from, half), answers.0), ((half, to), answers.1)] {
            let of = self.of(seen, (window.0.into(), window.1.into()));
            let ProfileAnswer {
                rows,
                octets,
                flows,
                missing,
                ..
            } = answer;
            let most = sums(&of);
            assert!(octets <= most.octets && flows <= most.flows);
            for row in rows {
                let (octets, packets, clients) = (row.octets, row.packets, row.clients);
                let flows = row.flows.max(row.ended_flows);
                let told = Counts {
                    octets,
                    packets,
                    flows,
                    clients,
                };
                is_of(&of, &[dimension], &[row.name], told);
            }
            // What is said to be missing here is a name of the other side.
            let other = self.of(seen, self.within());
            for name in missing {
                assert!(!group(&other, &[dimension], &[name]).is_empty());
            }
        }
    }

    /// Lateness, what there is, and when a recording is of.
    async fn asks_beside(&self, store: &Store, seen: &[&Row], scope: &Scope) {
        let arrived_in = self.arrived.unwrap_or(self.window);
        let filter = self.filter();
        let lateness = store.lateness(seconds(arrived_in), &filter, scope);
        let arrived = |row: &&&Row| {
            let (from, to) = arrived_in;
            let filter = self.filter.as_ref();
            let matches = filter.is_none_or(|filter| filter.shows(row));
            row.received >= from.into() && row.received < to.into() && matches
        };
        let of: Vec<&Row> = seen.iter().filter(arrived).copied().collect();
        assert!(lateness.await.unwrap().octets <= sums(&of).octets);

        let slice = Slice {
            arrived: seconds(arrived_in),
            filter: self.filter(),
        };
        let times = store.event_time(Some(&slice), scope).await.unwrap();
        let times = times.map(|Window { from, to }| (from, to.offset(-1)));
        assert_eq!(times, life(&of));

        let inventory = store.inventory_within(scope).await.unwrap();
        assert_eq!(inventory.flows, seen.len() as u64);
        assert_eq!(inventory.octets_on_disk, None);
        assert_eq!(inventory.first.zip(inventory.last), life(seen));
    }
}

fn seconds((from, to): (u32, u32)) -> Window {
    let [from, to] = [from, to].map(|second| at(second.into()));
    Window { from, to }
}

/// From the first instant of rows to their last.
fn life(rows: &[&Row]) -> Option<(Timestamp, Timestamp)> {
    let first = rows.iter().map(|row| at(row.start)).min();
    first.zip(rows.iter().map(|row| at(row.end)).max())
}

/// There are rows of this name, and they come to that much at least.
fn is_of(rows: &[&Row], dimensions: &[Dimension], names: &[String], told: Counts) {
    let of = group(rows, dimensions, names);
    assert!(!of.is_empty(), "{dimensions:?} {names:?}");
    let most = sums(&of);
    let is_within = told.octets <= most.octets
        && told.packets <= most.packets
        && told.flows <= most.flows
        && told.clients <= most.clients;
    assert!(is_within, "{dimensions:?} {names:?}: {told:?} of {most:?}");
}
