//! The story of a ticket: they against themselves, against colleagues, against other sites.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use api::tickets::{ApplicationStory, Measures, Side, Story, StoryLine};
use flow::filter::{Condition, Expr, Side as End};
use ipnet::IpNet;
use store::StoreError;
use store::catalog::Ticket;
use store::outcomes::{By, Outcome};
use store::question::Window;

use super::asking::{Asking, client};
use super::middle::{measures, together, typical};
use super::{BEFORE, NOW, words};

/// Applications of a story.
const APPLICATIONS: u32 = 5;
/// Days before the press that are looked at.
const DAYS: u32 = 7;
const DAY: Duration = Duration::from_secs(86_400);
/// Clients that somebody is compared with, those with most octets.
const CLIENTS: u32 = 10_000;
/// Servers of an application.
const SERVERS: u32 = 20;
/// Applications of one host in a window that is only looked up.
const ALL: u32 = 1000;

/// Why there is nothing of a time whose records have expired.
const GONE: &str = "no records are left from then";
/// Flows that belong to no application have this name in answers.
const NAMELESS: &str = "(unknown)";

/// What is told of a ticket.
pub(super) struct Telling<'a> {
    pub(super) asking: Asking<'a>,
    pub(super) ticket: &'a Ticket,
}

/// A window of the past, and what the host did in it by application.
struct Past {
    window: Window,
    by_application: HashMap<String, Outcome>,
    /// Whether anything at all is left of it.
    is_left: bool,
}

impl Telling<'_> {
    /// The story.
    ///
    /// # Errors
    ///
    /// The store's trouble: there is no story yet.
    pub(super) async fn story(&self) -> Result<Story, StoreError> {
        let now = self.now();
        let mine = self
            .asking
            .outcomes(now, client(self.host()), (By::Applications, APPLICATIONS))
            .await?;
        let pasts = self.pasts(now).await?;
        let mut applications = Vec::new();
        for outcome in &mine {
            applications.push(self.application(outcome, &pasts).await?);
        }
        let absent = match applications.is_empty() {
            true => Some(self.why_nothing(now).await?),
            false => None,
        };
        Ok(Story {
            from: now.from,
            to: now.to,
            applications,
            absent,
            verdict: None,
        })
    }

    async fn why_nothing(&self, now: Window) -> Result<String, StoreError> {
        if !self.asking.is_left(now).await? {
            return Ok(GONE.to_owned());
        }
        let host = self.host();
        Ok(self.seen(&format!(
            "nothing was heard of {host} in the ten minutes before the press"
        )))
    }

    /// What is not there may be hidden from whom it is told.
    fn seen(&self, why: &str) -> String {
        match self.asking.scope.sees_all() {
            true => why.to_owned(),
            false => format!("{why}, as far as you see"),
        }
    }

    fn host(&self) -> IpAddr {
        self.ticket.host
    }

    fn now(&self) -> Window {
        let to = self.ticket.pressed_at;
        Window { from: to - NOW, to }
    }

    /// The hour before, and the same ten minutes on the days before.
    async fn pasts(&self, now: Window) -> Result<Vec<Past>, StoreError> {
        let hour = Window {
            from: now.from - BEFORE,
            to: now.from,
        };
        let days = (1..=DAYS).map(|days| Window {
            from: now.from - DAY * days,
            to: now.to - DAY * days,
        });
        let mut pasts = Vec::new();
        for window in std::iter::once(hour).chain(days) {
            let of_host = client(self.host());
            let all = self
                .asking
                .outcomes(window, of_host, (By::Applications, ALL));
            let all = all.await?.into_iter();
            let by_application: HashMap<_, _> = all.map(|one| (one.name.clone(), one)).collect();
            let is_left = !by_application.is_empty() || self.asking.is_left(window).await?;
            pasts.push(Past {
                window,
                by_application,
                is_left,
            });
        }
        Ok(pasts)
    }

    async fn application(
        &self,
        outcome: &Outcome,
        pasts: &[Past],
    ) -> Result<ApplicationStory, StoreError> {
        let now = measures(outcome, self.now());
        let name = &outcome.name;
        let themselves: Vec<Side> = pasts.iter().map(|past| past.side(name)).collect();
        let colleagues = self.colleagues(name).await?;
        let elsewhere = self.elsewhere(name).await?;
        Ok(ApplicationStory {
            application: name.clone(),
            now,
            themselves: StoryLine {
                sentence: words::themselves(&now, &themselves),
                sides: themselves,
            },
            colleagues: line("others at their site", &now, colleagues),
            elsewhere: line("other sites on the same servers", &now, elsewhere),
        })
    }

    /// Others at their site on the same application.
    async fn colleagues(&self, application: &str) -> Result<Side, StoreError> {
        if self.ticket.site.is_empty() {
            return Ok(self.without("their address is at no site that is known"));
        }
        let site = Condition::Site(End::Client, self.ticket.site.clone());
        let Some(of) = named(application) else {
            return Ok(self.without("these flows belong to no application"));
        };
        let others = and(and(of, Expr::Is(site)), not(client(self.host())));
        self.others(others, "nobody else at their site used it")
            .await
    }

    /// Clients of other sites, on the servers that they used.
    async fn elsewhere(&self, application: &str) -> Result<Side, StoreError> {
        let Some(of) = named(application) else {
            return Ok(self.without("these flows belong to no application"));
        };
        let mine = and(of.clone(), client(self.host()));
        let servers = self.asking.servers(self.now(), mine, SERVERS).await?;
        if servers.is_empty() {
            return Ok(self.without("it is not known which servers they used"));
        }
        let servers = servers.into_iter().map(IpNet::from).collect();
        let same = Expr::Is(Condition::AddressIn(End::Server, servers));
        let site = Condition::Site(End::Client, self.ticket.site.clone());
        let elsewhere = match self.ticket.site.is_empty() {
            true => not(client(self.host())),
            false => not(Expr::Is(site)),
        };
        let others = and(and(of, same), elsewhere);
        self.others(others, "no other site used these servers")
            .await
    }

    async fn others(&self, others: Expr, nobody: &str) -> Result<Side, StoreError> {
        let now = self.now();
        let found = self.asking.outcomes(now, others, (By::Clients, CLIENTS));
        let clients: Vec<Measures> = found
            .await?
            .iter()
            .map(|outcome| measures(outcome, now))
            .collect();
        if clients.is_empty() {
            return Ok(self.without(&self.seen(nobody)));
        }
        Ok(Side {
            from: now.from,
            to: now.to,
            together: Some(together(&clients)),
            typical: typical(&clients),
            absent: None,
        })
    }

    fn without(&self, why: &str) -> Side {
        let now = self.now();
        Side::absent((now.from, now.to), why)
    }
}

impl Past {
    fn side(&self, application: &str) -> Side {
        let Window { from, to } = self.window;
        match self.by_application.get(application) {
            Some(outcome) => Side {
                from,
                to,
                together: Some(measures(outcome, self.window)),
                typical: None,
                absent: None,
            },
            None if self.is_left => Side::absent((from, to), "they did not use it then"),
            None => Side::absent((from, to), GONE),
        }
    }
}

fn line(whom: &str, now: &Measures, side: Side) -> StoryLine {
    StoryLine {
        sentence: words::others(whom, now, &side),
        sides: vec![side],
    }
}

/// Flows of an application; `None` where they have no name to ask by.
fn named(application: &str) -> Option<Expr> {
    let is_named = application != NAMELESS;
    is_named.then(|| Expr::Is(Condition::Application(application.to_owned())))
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::And(Box::new(left), Box::new(right))
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}
