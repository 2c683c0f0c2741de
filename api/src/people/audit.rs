//! What was done is written down: by the door, after it was done; and read by who says who may do what.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use flow::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use store::catalog::{Account, Act, AuditQuery, Catalog, Deed, Entry};
use utoipa::IntoParams;

use super::throttle::{Pace, Pulse};
use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::Parameters;
use crate::router::Api;

/// Refusals that are written down: as many at once, then one in this time. Who is refused often would fill the log, and what
/// others did would leave it at the old end; so the rest is counted, and the next that is written says how many.
const REFUSALS: Pace = Pace {
    burst: 20,
    every: Duration::from_secs(3),
};
/// Entries of an answer if nothing is said.
const LIMIT: u32 = 100;

/// What a handler says of what it did, besides what the table and the address say. It goes with the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// To what, or whom; the names in the address if `None`.
    pub(crate) object: Option<String>,
    /// What else is to be said: an object of JSON, without secrets.
    pub(crate) detail: Value,
    /// Who it was, where that is known only afterwards.
    pub(crate) who: Option<(String, u32)>,
}

impl Noted {
    /// What was done to.
    pub(crate) fn object(object: impl Into<String>) -> Self {
        Self {
            object: Some(object.into()),
            detail: json!({}),
            who: None,
        }
    }

    /// Who did it, to themselves.
    pub(super) fn by(account: &Account) -> Self {
        Self {
            who: Some((account.name.clone(), account.number)),
            ..Self::object("")
        }
    }

    /// Says it of a deed.
    pub(super) fn complete(self, deed: &mut Deed) {
        if let Some(object) = self.object {
            deed.object = object;
        }
        if self.detail.is_object() {
            deed.detail = self.detail;
        }
        if let Some((who, account)) = self.who {
            (deed.who, deed.account) = (who, Some(account));
        }
    }

    /// With more to say.
    pub(crate) fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

/// The hand that writes.
#[derive(Debug)]
pub(super) struct Scribe {
    catalog: Catalog,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    pulse: Pulse,
    left_out: u64,
}

impl Scribe {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            refusals: Mutex::default(),
        }
    }

    /// Writes down what was done.
    pub(super) async fn note(&self, deed: &Deed, now: Timestamp) {
        if let Err(error) = self.catalog.write_down(deed, now).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, what = %deed.what.name(), who = deed.who, "the audit log cannot be written");
        }
    }

    /// Writes down what was refused, unless there was too much of it lately.
    pub(super) async fn refused(&self, mut deed: Deed, now: Timestamp) {
        let left_out = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            if refusals.pulse.beat(REFUSALS, now).is_err() {
                refusals.left_out += 1;
                return;
            }
            std::mem::take(&mut refusals.left_out)
        };
        if left_out > 0 {
            deed.detail["left_out_before"] = left_out.into();
        }
        self.note(&deed, now).await;
    }
}

/// Parameters of the audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParameters {
    /// Only entries with a smaller number: the last one of the page before.
    before: Option<i64>,
    /// Only what this account did; `operator` for whoever works on the machine.
    who: Option<String>,
    /// Only this kind.
    what: Option<Act>,
    /// How many, newest first, up to 1,000; 100 if left out.
    limit: Option<u32>,
}

/// What was done, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "people", params(AuditParameters),
    responses((status = 200, body = Vec<Entry>), (status = 400, body = ErrorBody)))]
pub(crate) async fn audit(
    State(api): State<Api>,
    Parameters(asked): Parameters<AuditParameters>,
) -> Result<Json<Vec<Entry>>, ApiError> {
    let query = AuditQuery {
        before: asked.before,
        who: asked.who,
        what: asked.what,
        limit: asked.limit.unwrap_or(LIMIT),
    };
    Ok(Json(api.people.catalog().audit(&query).await?))
}
