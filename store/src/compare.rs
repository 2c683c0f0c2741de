//! Two windows side by side: what is new, gone, larger, smaller, slower, faster. No SQL, no clock.
//!
//! Windows of different length are compared per second. What is absent is not zero: a group without a duration is neither
//! slower nor faster, and one that a side may have among more than it could list is left untold.

use std::collections::HashMap;

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::question::{ProfileAnswer, ProfileRow, Window};

#[cfg(test)]
mod tests;

/// Least factor between two rates of octets: half as much again; two like hours differ by some tens of percent anyway.
pub const OCTETS_FACTOR: f64 = 1.5;
/// Least change of octets per second, as a share of all octets of the larger side: what is less changes nothing for
/// anybody, however many times more it is.
pub const OCTETS_SHARE: f64 = 0.01;
/// Least factor between two median durations.
pub const DURATION_FACTOR: f64 = 1.5;
/// Least difference of two median durations, milliseconds: a few steps of the coarsest clocks that stamp flows (timer ticks
/// of 4 to 10 ms), and less than anybody notices.
pub const DURATION_MS: f64 = 20.0;
/// Least flows that ended on either side: with fewer a median is an anecdote.
pub const ENDED_FLOWS: u64 = 10;

/// One side: a profile, and the window that it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// From where to where; rates are per second of it. Not empty.
    pub window: Window,
    /// What is in it.
    pub profile: ProfileAnswer,
}

/// Two windows side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The earlier side, or what stands for usual.
    pub before: SideTotals,
    /// The side that is looked into.
    pub after: SideTotals,
    /// How many groups changed.
    pub changed: u64,
    /// How many are the same on both sides.
    pub same: u64,
    /// How many of one side could not be told: the other side has too many groups to list, and these have too few octets to
    /// be asked for by name.
    pub untold: u64,
    /// The groups, by `weight`, those that changed first; as many as were asked for.
    pub rows: Vec<Difference>,
}

/// All of one side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SideTotals {
    /// First instant; rates are per second from here to `to`.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Octets of all groups together, each record once.
    pub octets: u64,
    /// Flow records of all groups together, each once.
    pub flows: u64,
    /// Octets per second.
    pub octets_per_s: f64,
}

/// A group on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The group's name.
    pub name: String,
    /// What became of it: one of `new`, `gone`, `larger`, `smaller`, besides `slower` or `faster`; or `same` alone.
    pub verdicts: Vec<Verdict>,
    /// How much it matters, by which the groups are ordered: the larger of two shares. That of its change of octets per second
    /// in all octets per second of the larger side; and, if it is slower or faster, that of the time added to or taken from
    /// its flows (flows per second times change of the median) in all time of flows of the larger side.
    pub weight: f64,
    /// How it was; `null` if it was not there.
    pub before: Option<Group>,
    /// How it is; `null` if it is not there.
    pub after: Option<Group>,
    /// Octets per second, after less before; what is not there has none.
    pub change_octets_per_s: f64,
    /// Median duration, after less before, milliseconds; `null` if one of them is not known.
    pub change_duration_ms: Option<f64>,
}

/// A group on one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Octets.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
    /// Flow records.
    pub flows: u64,
    /// Distinct client addresses.
    pub clients: u64,
    /// Octets per second.
    pub octets_per_s: f64,
    /// Flow records per second.
    pub flows_per_s: f64,
    /// Flow records that ended in the window and have the exporter's own stamps for both their ends.
    pub ended_flows: u64,
    /// Median life of these, milliseconds; `null` if there are none.
    pub duration_ms_median: Option<f64>,
}

/// What became of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// More octets per second.
    Larger,
    /// Fewer octets per second.
    Smaller,
    /// Its flows live longer.
    Slower,
    /// Its flows live shorter.
    Faster,
    /// None of these.
    Same,
}

/// Puts two sides beside each other; `limit` groups are named.
pub fn compare(before: &Side, after: &Side, limit: usize) -> Comparison {
    let scale = Scale::of(before, after);
    let (pairs, untold) = pairs(&before.profile, &after.profile);
    let mut rows: Vec<Difference> = pairs
        .into_iter()
        .map(|(was, is)| {
            let was = was.map(|row| (row, before.seconds()));
            let is = is.map(|row| (row, after.seconds()));
            scale.difference(was, is)
        })
        .collect();
    rows.sort_by(|a, b| {
        let order = a.is_same().cmp(&b.is_same());
        let order = order.then(b.weight.total_cmp(&a.weight));
        order.then_with(|| a.name.cmp(&b.name))
    });
    let changed = rows.iter().filter(|row| !row.is_same()).count();
    let same = rows.len() - changed;
    rows.truncate(limit);
    Comparison {
        before: before.totals(),
        after: after.totals(),
        changed: changed as u64,
        same: same as u64,
        untold,
        rows,
    }
}

type Pair<'a> = (Option<&'a ProfileRow>, Option<&'a ProfileRow>);

/// The groups of both sides by name, and how many of one side can't be told from the other.
fn pairs<'a>(before: &'a ProfileAnswer, after: &'a ProfileAnswer) -> (Vec<Pair<'a>>, u64) {
    let mut earlier: HashMap<&str, &ProfileRow> =
        before.rows.iter().map(|row| (&*row.name, row)).collect();
    let mut found: Vec<Pair<'a>> = after
        .rows
        .iter()
        .map(|row| (earlier.remove(&*row.name), Some(row)))
        .collect();
    found.extend(earlier.into_values().map(|row| (Some(row), None)));
    let all = found.len();
    found.retain(|pair| match pair {
        (None, Some(row)) => before.lacks(&row.name),
        (Some(row), None) => after.lacks(&row.name),
        _ => true,
    });
    let untold = (all - found.len()) as u64;
    (found, untold)
}

impl ProfileAnswer {
    /// Whether a group that is not in the rows is not there.
    fn lacks(&self, name: &str) -> bool {
        !self.more || self.missing.contains(name)
    }
}

impl Side {
    fn seconds(&self) -> f64 {
        let nanos = self.window.to.nanos_since(self.window.from).max(1);
        nanos as f64 / 1e9
    }

    fn octets_per_s(&self) -> f64 {
        self.profile.octets as f64 / self.seconds()
    }

    /// How many flows are under way at a time, by their medians.
    fn under_way(&self) -> f64 {
        let time_ms = |row: &ProfileRow| Some(row.ended_flows as f64 * row.duration_ms_median?);
        let all_ms: f64 = self.profile.rows.iter().filter_map(time_ms).sum();
        all_ms / 1000.0 / self.seconds()
    }

    fn totals(&self) -> SideTotals {
        SideTotals {
            from: self.window.from,
            to: self.window.to,
            octets: self.profile.octets,
            flows: self.profile.flows,
            octets_per_s: self.octets_per_s(),
        }
    }
}

impl Difference {
    /// Whether nothing became of it.
    pub fn is_same(&self) -> bool {
        self.verdicts == [Verdict::Same]
    }
}

impl Group {
    fn of((row, seconds): (&ProfileRow, f64)) -> Self {
        Self {
            octets: row.octets,
            packets: row.packets,
            flows: row.flows,
            clients: row.clients,
            octets_per_s: row.octets as f64 / seconds,
            flows_per_s: row.flows as f64 / seconds,
            ended_flows: row.ended_flows,
            duration_ms_median: row.duration_ms_median,
        }
    }
}

/// What changes are held against: the larger of both sides.
struct Scale {
    octets_per_s: f64,
    under_way: f64,
}

impl Scale {
    fn of(before: &Side, after: &Side) -> Self {
        Self {
            octets_per_s: before.octets_per_s().max(after.octets_per_s()),
            under_way: before.under_way().max(after.under_way()),
        }
    }

    /// A row and the seconds of its side, for each side that has one.
    fn difference(
        &self,
        was: Option<(&ProfileRow, f64)>,
        is: Option<(&ProfileRow, f64)>,
    ) -> Difference {
        let name = is.or(was).map(|(row, _)| row.name.clone());
        let added_per_s = match (was, is) {
            (Some((was, _)), Some((is, seconds))) => self.time_added_per_s(was, is, seconds),
            _ => None,
        };
        let (before, after) = (was.map(Group::of), is.map(Group::of));
        let rate = |group: &Option<Group>| group.as_ref().map_or(0.0, |group| group.octets_per_s);
        let change_octets_per_s = rate(&after) - rate(&before);
        let mut verdicts = Vec::new();
        verdicts.extend(match (&before, &after) {
            (None, _) => Some(Verdict::New),
            (_, None) => Some(Verdict::Gone),
            (Some(was), Some(is)) => self.of_octets(was.octets_per_s, is.octets_per_s),
        });
        verdicts.extend(added_per_s.map(|added| match added > 0.0 {
            true => Verdict::Slower,
            false => Verdict::Faster,
        }));
        if verdicts.is_empty() {
            verdicts.push(Verdict::Same);
        }
        let time = share(added_per_s.unwrap_or(0.0), self.under_way);
        Difference {
            name: name.unwrap_or_default(),
            verdicts,
            weight: share(change_octets_per_s, self.octets_per_s).max(time),
            change_octets_per_s,
            change_duration_ms: change(&before, &after),
            before,
            after,
        }
    }

    fn of_octets(&self, was: f64, is: f64) -> Option<Verdict> {
        let (less, more) = (was.min(is), was.max(is));
        let changed =
            more >= less * OCTETS_FACTOR && more - less >= self.octets_per_s * OCTETS_SHARE;
        match (changed && more > less, is > was) {
            (false, _) => None,
            (true, true) => Some(Verdict::Larger),
            (true, false) => Some(Verdict::Smaller),
        }
    }

    /// Seconds that its flows take longer, or less than 0 shorter, in each second; if they do.
    fn time_added_per_s(&self, was: &ProfileRow, is: &ProfileRow, seconds: f64) -> Option<f64> {
        let (was_ms, is_ms) = (was.duration_ms_median?, is.duration_ms_median?);
        let (less, more) = (was_ms.min(is_ms), was_ms.max(is_ms));
        let changed = was.ended_flows.min(is.ended_flows) >= ENDED_FLOWS
            && more >= less * DURATION_FACTOR
            && more - less >= DURATION_MS;
        changed.then(|| is.ended_flows as f64 / seconds * (is_ms - was_ms) / 1000.0)
    }
}

fn change(before: &Option<Group>, after: &Option<Group>) -> Option<f64> {
    Some(after.as_ref()?.duration_ms_median? - before.as_ref()?.duration_ms_median?)
}

/// Of nothing everything is nothing.
fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part.abs() / of } else { 0.0 }
}
