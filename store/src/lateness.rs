//! How late flows are known: what share of the octets that went so many seconds ago is still to be reported.
//!
//! A record comes when its flow has ended, or after the exporter's active timeout, so the newest seconds of every picture of what is live
//! lack octets. How many is read off the records that have come lately: one that says so many octets went evenly between its two ends
//! had, at each instant of its life, been unknown until it came.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::StoreError;
use crate::predicate::Rows;
use crate::question::{Scope, Window};
use crate::select::{arrived, conditions, counted};
use crate::sql::Sql;
use crate::store::Store;

/// Ages that are asked for, seconds.
const AGES_S: [u32; 18] = [
    0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800,
];

/// How late flows are known, as those that arrived in a window show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lateness {
    /// Octets that this was read off; 0 if nothing came, and then nothing is known.
    pub octets: u64,
    /// By age, youngest first.
    pub ages: Vec<Missing>,
}

/// What is missing of octets of an age.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// Seconds since the octets went.
    pub age_s: u32,
    /// The share of them that has not been reported, 0 to 1.
    pub share: f64,
}

impl Store {
    /// How late flows are known, by those that arrived in a window and match a filter: the records that count of each conversation.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] for a filter that can't be asked; else the store's trouble.
    pub async fn lateness(
        &self,
        arrived_in: Window,
        filter: &flow::Filter,
        scope: &Scope,
    ) -> Result<Lateness, StoreError> {
        let filters = scope.added_to(filter);
        let conditions = conditions(filters.clone(), Rows::Flows).ok_or_else(|| {
            StoreError::Question("this filter can't be asked of records".to_owned())
        })?;
        let sql = Sql::text(statement(&self.config.database))
            .join(arrived(arrived_in))
            .join(counted(filters))
            .join(conditions);
        let rows: Vec<Answered> = self.ask(sql).await?;
        Ok(rows.into_iter().next().map(answer).unwrap_or_default())
    }
}

/// The answer as ClickHouse sends it: octets, and how many of them were missing at each age.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Answered {
    octets: u64,
    missing: Vec<f64>,
}

fn answer(Answered { octets, missing }: Answered) -> Lateness {
    if octets == 0 {
        return Lateness::default();
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    let all = octets as f64;
    let ages = std::iter::zip(AGES_S, missing);
    Lateness {
        octets,
        ages: ages
            .map(|(age_s, octets)| Missing {
                age_s,
                share: octets / all,
            })
            .collect(),
    }
}

/// Octets, and those of them that were not known at each age. A clock that goes ahead of ours makes no flow known before it began.
fn statement(database: &str) -> String {
    let ages: Vec<String> = AGES_S.iter().map(|age| (age * 1000).to_string()).collect();
    format!(
        "WITH toUnixTimestamp64Milli(received_at) AS known,\n\
         \x20   greatest(known - toUnixTimestamp64Milli(begins_at), 0) AS oldest,\n\
         \x20   least(greatest(known - toUnixTimestamp64Milli(ends_at), 0), oldest) AS newest\n\
         SELECT sum(total_octets) AS octets,\n\
         \x20   sumForEach(arrayMap(age -> total_octets * if(oldest > newest,\n\
         \x20       least(1., greatest(0., (oldest - age) / (oldest - newest))), toFloat64(oldest > age)),\n\
         \x20       [{}])) AS missing\n\
         FROM {database}.flows\nWHERE ",
        ages.join(", ")
    )
}
