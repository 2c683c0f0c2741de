//! What each group is like: its traffic, from whichever tables answer, and how long its flows live, from the records.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::error::StoreError;
use crate::grouping::Grouping;
use crate::plan::{Horizon, Piece, Tier};
use crate::predicate::Rows;
use crate::question::{Profile, ProfileAnswer, ProfileRow, Quantity, Subject, Top};
use crate::select::{Clients, Selection, alive, conditions};
use crate::sql::Sql;
use crate::store::Store;
use crate::top;

#[cfg(test)]
mod tests;

/// The most groups that can be asked for. One more is read, which tells whether there are more.
const LIMIT_MAX: u32 = 10_000;
/// The most names that are asked for by name. Those beyond have less octets than any of these, and are left untold.
const NAMES_MAX: usize = 500;
/// And the most octets of them: a ClickHouse server refuses a statement of more than 256 KiB (`max_query_size`), and a
/// letter that is escaped takes two.
const NAMES_OCTETS_MAX: usize = 96 << 10;

/// How long the flows of a group live, as ClickHouse sends it.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Lives {
    name: String,
    ended_flows: u64,
    duration_ms_median: f64,
}

impl Store {
    /// What each group is like. Traffic comes from the coarsest tables that can answer; where the records are gone, lives
    /// are absent.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] for the asker; else the store's trouble.
    pub async fn profile(&self, question: &Profile) -> Result<ProfileAnswer, StoreError> {
        check(question)?;
        let horizon = self.horizon(question.subject.window).await?;
        let mut answer = self.groups(question, None, horizon).await?;
        let limit = usize::try_from(question.limit).unwrap_or(usize::MAX);
        answer.more = answer.rows.len() > limit;
        answer.rows.truncate(limit);
        let total = total(&question.subject, (self.database(), horizon));
        let total: Vec<(u64, u64)> = self.ask(total).await?;
        (answer.octets, answer.flows) = total.first().copied().unwrap_or_default();
        Ok(answer)
    }

    /// Asks for groups by name, and adds them to an answer that lacks them.
    async fn add_named(
        &self,
        question: &Profile,
        names: Vec<String>,
        answer: &mut ProfileAnswer,
    ) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let horizon = self.horizon(question.subject.window).await?;
        let found = self.groups(question, Some(&names), horizon).await?;
        answer.missing.extend(names);
        for row in &found.rows {
            answer.missing.remove(&row.name);
        }
        answer.rows.extend(found.rows);
        Ok(())
    }

    async fn groups(
        &self,
        question: &Profile,
        names: Option<&[String]>,
        horizon: Horizon,
    ) -> Result<ProfileAnswer, StoreError> {
        let place = (self.database(), horizon);
        let traffic: Vec<top::Answered> = self.ask(traffic(question, names, place)).await?;
        let lives: Vec<Lives> = self.ask(lives(question, names, place)).await?;
        Ok(ProfileAnswer {
            rows: joined(traffic, lives),
            ..ProfileAnswer::default()
        })
    }
}

/// Asks two stores, or one twice, so that the answers can be compared: the largest groups of one side that the other has not
/// among its own largest are asked for there by name.
///
/// # Errors
///
/// As [`Store::profile`].
pub async fn side_by_side(
    (one, asked_one): (&Store, &Profile),
    (other, asked_other): (&Store, &Profile),
) -> Result<(ProfileAnswer, ProfileAnswer), StoreError> {
    let (mut first, mut second) =
        tokio::try_join!(one.profile(asked_one), other.profile(asked_other))?;
    let of_first = unlisted(&second, &first);
    let of_second = unlisted(&first, &second);
    tokio::try_join!(
        one.add_named(asked_one, of_first, &mut first),
        other.add_named(asked_other, of_second, &mut second),
    )?;
    Ok((first, second))
}

/// Names of `from` that `other` does not list though it may have them.
fn unlisted(from: &ProfileAnswer, other: &ProfileAnswer) -> Vec<String> {
    if !other.more {
        return Vec::new();
    }
    let listed: HashSet<&str> = other.rows.iter().map(|row| row.name.as_str()).collect();
    let names = from.rows.iter().map(|row| &row.name);
    let unlisted = names.filter(|name| !listed.contains(name.as_str()));
    let mut octets = 0;
    unlisted
        .take(NAMES_MAX)
        .take_while(|name| {
            octets += name.len();
            octets <= NAMES_OCTETS_MAX
        })
        .cloned()
        .collect()
}

fn check(question: &Profile) -> Result<(), StoreError> {
    if !(1..=LIMIT_MAX).contains(&question.limit) {
        let message = format!("limit must be from 1 to {LIMIT_MAX}");
        return Err(StoreError::Question(message));
    }
    question.subject.window.check()
}

/// The groups with most octets, one more than asked for; or those with these names.
fn traffic(question: &Profile, names: Option<&[String]>, place: (&str, Horizon)) -> Sql {
    let largest = Top {
        subject: question.subject.clone(),
        dimension: question.dimension.into(),
        by: Quantity::Octets,
        limit: question.limit,
    };
    match names {
        None => top::largest(&largest, u64::from(question.limit) + 1, true, place),
        Some(names) => Sql::text("SELECT * FROM (\n")
            .join(top::largest(&largest, EVERY, true, place))
            .then("\n)\nWHERE name IN ?")
            .bind(names.to_vec()),
    }
}

/// A LIMIT that is none.
const EVERY: u64 = i64::MAX as u64;

/// How long flows live, for the groups in which most of them end: those whose slowness weighs most; or for those with these
/// names.
///
/// Only what the exporter said counts: no stamp that stands in for another, and no event of a moment. The median is exact and
/// the same whatever the order of the rows, and its memory is bounded by how many different tenths of milliseconds there are.
fn lives(
    question: &Profile,
    names: Option<&[String]>,
    (database, horizon): (&str, Horizon),
) -> Sql {
    let (subject, dimension) = (&question.subject, question.dimension);
    let grouping = Grouping::by(dimension);
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    let keys = keys.join(", ");
    let columns: Vec<String> = grouping.columns().collect();
    let mut sql = Sql::text(format!(
        "SELECT {} AS name, ended_flows, tenths / 10 AS duration_ms_median\nFROM (\n\
         SELECT {}, count() AS ended_flows,\n    \
         quantileExactWeighted(0.5)({LIFE_TENTHS}, 1) AS tenths\n\
         FROM {database}.flows\nWHERE ",
        grouping.name,
        columns.join(",\n    "),
    ))
    .join(ended(subject, database));
    sql = sql.join(selection(subject, &grouping, (database, horizon)).counted());
    // Every condition can be said of records.
    sql = sql.join(conditions(subject.filters(), Rows::Flows).unwrap_or_default());
    sql = sql.then(format!(
        "\nGROUP BY {keys}\nORDER BY ended_flows DESC, {keys}\nLIMIT ?\n)"
    ));
    sql = match names {
        None => sql.bind(u64::from(question.limit)),
        Some(names) => sql
            .bind(EVERY)
            .then("\nWHERE name IN ?")
            .bind(names.to_vec()),
    };
    sql.then(format!("\nORDER BY ended_flows DESC, {keys}"))
}

/// How long a record's flow lived, in tenths of milliseconds.
pub(crate) const LIFE_TENTHS: &str =
    "intDiv(toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at), 100000)";

/// Whether a record's life can be believed: the exporter's own stamps, and no event of a moment.
pub(crate) const HAS_A_LIFE: &str = "has_start = 1 AND has_end = 1\n    \
     AND NOT ifNull(time_quality = 'clamped', 0) AND NOT ifNull(time_kind = 'observation', 0)";

/// Records that ended in the window, with a life that can be believed.
fn ended(subject: &Subject, database: &str) -> Sql {
    let piece = Piece {
        tier: Tier::Flows,
        window: subject.window,
    };
    alive(database, subject, &piece, "flows")
        .then("\n    AND ends_at < fromUnixTimestamp64Nano(?, 'UTC')")
        .instant(subject.window.to)
        .then(format!("\n    AND {HAS_A_LIFE}\n   "))
}

/// Octets and flows of everything.
fn total(subject: &Subject, place: (&str, Horizon)) -> Sql {
    let grouping = Grouping::total();
    let selects = selection(subject, &grouping, place).selects();
    Sql::text(
        "SELECT toUInt64(sum(octet_sum)) AS octets, toUInt64(sum(flow_sum)) AS flows\nFROM (\n",
    )
    .join(Sql::list(selects, "\nUNION ALL\n"))
    .then("\n)")
}

fn selection<'a>(
    subject: &'a Subject,
    grouping: &'a Grouping,
    (database, horizon): (&'a str, Horizon),
) -> Selection<'a> {
    Selection {
        database,
        subject,
        grouping,
        grid: None,
        clients: Clients::No,
        horizon,
    }
}

/// Both answers as one. Groups that share a name (an interface that is called "2", and another's number 2) are one group to
/// whoever reads it: their counts are added up, and of their lives those of the larger stand.
fn joined(traffic: Vec<top::Answered>, lives: Vec<Lives>) -> Vec<ProfileRow> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut rows: Vec<ProfileRow> = Vec::new();
    for found in traffic.into_iter().map(crate::question::TopRow::from) {
        let place = *places.entry(found.name.clone()).or_insert(rows.len());
        if place == rows.len() {
            rows.push(ProfileRow {
                name: found.name,
                ..ProfileRow::default()
            });
        }
        let row = &mut rows[place];
        row.octets = row.octets.saturating_add(found.octets);
        row.packets = row.packets.saturating_add(found.packets);
        row.flows = row.flows.saturating_add(found.flows);
        row.clients = row.clients.saturating_add(found.clients);
    }
    for found in lives {
        let row = places
            .get(&found.name)
            .and_then(|place| rows.get_mut(*place));
        // Those with most flows come first.
        if let Some(row) = row.filter(|row| row.duration_ms_median.is_none()) {
            row.ended_flows = found.ended_flows;
            row.duration_ms_median = Some(found.duration_ms_median);
        }
    }
    rows
}
