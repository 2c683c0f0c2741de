//! A press: what it is scoped to, and the ticket with its recording.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Duration;

use api::chance;
use api::tickets::{DeskError, Press};
use flow::filter::{Condition, Expr, Side};
use flow::{Filter, Timestamp, clock};
use ipnet::IpNet;
use store::catalog::{NewTicket, Ticket};
use store::question::Window;

use super::asking::{ALL, client};
use super::{NOW, RunningDesk, of_archive};

/// How long a press waits for the store to say which servers the host used.
const SERVERS_WAIT: Duration = Duration::from_secs(2);
/// How many servers are in the scope of a recording.
pub(super) const SERVERS_MAX: u32 = 20;

impl RunningDesk {
    pub(super) async fn press_one(&self, press: Press) -> Result<Ticket, DeskError> {
        let at = clock::now();
        let flood = self.flood.lock();
        let taken = flood
            .unwrap_or_else(PoisonError::into_inner)
            .take(&press.reporter, at);
        taken.map_err(|early| DeskError::Slowed {
            why: early.words(at),
            wait_s: early.wait_s(at),
        })?;
        let servers = self.servers_of(press.host, at).await;
        let site = self.site_of(press.host);
        let filter = scope(press.host, servers.as_ref(), &site);
        let new = NewTicket {
            id: chance::hex::<16>().map_err(|error| DeskError::Failed {
                what: "no id can be made".to_owned(),
                source: error.into(),
            })?,
            pressed_at: at,
            reporter: press.reporter,
            host: press.host,
            site,
            application: press.application,
            words: press.words,
            scoped: scoped(&filter, servers.is_some()),
            servers: servers.unwrap_or_default(),
        };
        let number = self.archive.press(&new, filter).await.map_err(of_archive)?;
        tracing::info!(ticket = number, host = %new.host, "a problem was reported");
        self.pressed.notify_one();
        self.told(number).await
    }
}

impl RunningDesk {
    /// The servers that a host used; `None` if the store does not say so at once.
    async fn servers_of(&self, host: IpAddr, at: Timestamp) -> Option<BTreeSet<IpAddr>> {
        if !*self.archive.store_ready.borrow() {
            return None;
        }
        let now = Window {
            from: at - NOW,
            to: at,
        };
        let asking = self.asking(at, &ALL);
        let servers = asking.servers(now, client(host), SERVERS_MAX);
        let answered = tokio::time::timeout(SERVERS_WAIT, servers).await;
        answered.ok().and_then(Result::ok)
    }
}

/// They, and what they share with others: the servers that they used, and their site. They alone, if the store did not say what
/// they used.
fn scope(host: IpAddr, servers: Option<&BTreeSet<IpAddr>>, site: &str) -> Filter {
    let mut scope = Expr::Is(Condition::Address(Side::Either, host.into()));
    let Some(servers) = servers else {
        return scope.into();
    };
    let mut or = |condition| {
        let so_far = std::mem::replace(&mut scope, Expr::Any);
        scope = Expr::Or(Box::new(so_far), Box::new(Expr::Is(condition)));
    };
    if !servers.is_empty() {
        let nets = servers.iter().map(|server| IpNet::from(*server)).collect();
        or(Condition::AddressIn(Side::Server, nets));
    }
    if !site.is_empty() {
        or(Condition::Site(Side::Either, site.to_owned()));
    }
    scope.into()
}

fn scoped(filter: &Filter, is_known: bool) -> String {
    match is_known {
        true => format!("recorded: {}", filter.text()),
        false => format!(
            "recorded: {} (the store did not say in time what they share with others)",
            filter.text()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_of_them_and_of_what_they_share_with_others() {
        let host = "10.1.0.1".parse().unwrap();
        let servers = ["10.2.0.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        let servers = BTreeSet::from(servers);
        let text = |servers: Option<&BTreeSet<IpAddr>>, site: &str| {
            scope(host, servers, site).text().to_owned()
        };
        let whole =
            "ip 10.1.0.1 or server ip in [10.2.0.1, 2001:db8::1] or site \"head \\\"office\\\"\"";
        let read = Filter::parse(&text(Some(&servers), "head \"office\"")).unwrap();
        assert_eq!(read.expr(), Filter::parse(whole).unwrap().expr());
        assert_eq!(text(Some(&BTreeSet::new()), ""), "ip 10.1.0.1");
        assert_eq!(text(None, "berlin"), "ip 10.1.0.1");
    }
}
