//! What the desk wants to know of the store, as things were known at a moment.

use std::collections::BTreeSet;
use std::net::IpAddr;

use flow::filter::{Condition, Expr, Side};
use flow::{Filter, Timestamp};
use store::outcomes::{By, Outcome, Outcomes};
use store::question::{Dimension, Quantity, Scope, Series, SeriesAnswer, Subject, Top, Window};
use store::{Store, StoreError};

/// Lines of a picture.
const LINES: u32 = 8;
/// Width of a point of a picture.
const STEP: std::time::Duration = std::time::Duration::from_secs(60);

/// Asks.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) store: &'a Store,
    pub(super) known_at: Timestamp,
    /// Whoever is told sees this.
    pub(super) scope: &'a Scope,
}

/// For whom nothing is hidden.
pub(super) static ALL: Scope = Scope { only: None };

/// Flows of this client.
pub(super) fn client(address: IpAddr) -> Expr {
    Expr::Is(Condition::Address(Side::Client, address.into()))
}

impl Asking<'_> {
    fn subject(&self, window: Window, of: Expr) -> Subject {
        Subject {
            window,
            filter: Filter::from(of),
            known_at: Some(self.known_at),
            arrived: None,
            scope: self.scope.clone(),
        }
    }

    /// What became of connections and flows.
    pub(super) async fn outcomes(
        &self,
        window: Window,
        of: Expr,
        (by, limit): (By, u32),
    ) -> Result<Vec<Outcome>, StoreError> {
        let subject = self.subject(window, of);
        self.store.outcomes(&Outcomes { subject, by, limit }).await
    }

    /// The servers with most octets.
    pub(super) async fn servers(
        &self,
        window: Window,
        of: Expr,
        limit: u32,
    ) -> Result<BTreeSet<IpAddr>, StoreError> {
        let largest = Top {
            subject: self.subject(window, of),
            dimension: Dimension::Servers.into(),
            by: Quantity::Octets,
            limit,
        };
        let rows = self.store.top(&largest).await?;
        // A server that the exporter did not name is none.
        Ok(rows
            .iter()
            .filter_map(|row| row.name.parse().ok())
            .collect())
    }

    /// Traffic by application over time.
    pub(super) async fn traffic(
        &self,
        window: Window,
        of: Expr,
    ) -> Result<SeriesAnswer, StoreError> {
        let series = Series {
            subject: self.subject(window, of),
            dimension: Some(Dimension::Applications.into()),
            by: Quantity::Octets,
            limit: LINES,
            step: Some(STEP),
            previous: false,
        };
        self.store.series(&series).await
    }

    /// Whether anything is left of what was heard then.
    pub(super) async fn is_left(&self, window: Window) -> Result<bool, StoreError> {
        self.store.has_arrivals(window).await
    }
}
