//! Incidents: what goes wrong, where, and from when to when.

use std::time::Duration;

use flow::Timestamp;

use super::network::Network;

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Every packet takes longer over a link, each way.
    LinkDelay {
        /// The link's name.
        link: String,
        /// How much longer, one way.
        extra: Duration,
    },
    /// A link loses packets, each way.
    LinkLoss {
        /// The link's name.
        link: String,
        /// The share of packets that get lost, from 0 to 1.
        share: f64,
    },
    /// An application's servers think longer about each request.
    ServerSlow {
        /// The application's name.
        application: String,
        /// How much longer.
        extra: Duration,
    },
    /// An application's servers do not serve.
    ServerDown {
        /// The application's name.
        application: String,
        /// Whether connections are refused (RST) or not answered at all.
        refuses: bool,
    },
    /// An application's clients begin so many times as many conversations.
    Surge {
        /// The application's name. One that only others call has no clients of its own, and does not surge.
        application: String,
        /// How many times as many, from 0.
        times: f64,
    },
}

/// Something that is wrong for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// What is wrong.
    pub effect: Effect,
    /// From when.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub until: Timestamp,
}

/// The incident names a link or an application that this enterprise does not have. The caller names another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called '{name}'; there are {known}")]
pub struct UnknownPlace {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) known: String,
}

/// An incident with its place as a number.
#[derive(Clone, Copy, Debug)]
struct Scheduled {
    place: Place,
    from: i64,
    until: i64,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Delay(usize, i64),
    Loss(usize, f64),
    Slow(usize, i64),
    Down(usize, bool),
    Surge(usize, f64),
}

/// All incidents that are scheduled.
#[derive(Clone, Debug, Default)]
pub(super) struct Incidents(Vec<Scheduled>);

impl Incidents {
    pub(super) fn schedule(
        &mut self,
        incident: &Incident,
        network: &Network,
        applications: &[&str],
    ) -> Result<(), UnknownPlace> {
        let link = |name: &str| {
            let names: Vec<&str> = network.links.iter().map(|link| link.name).collect();
            place_of("link", name, &names)
        };
        let application = |name: &str| place_of("application", name, applications);
        let place = match &incident.effect {
            Effect::LinkDelay { link: name, extra } => Place::Delay(link(name)?, span(*extra)),
            Effect::LinkLoss { link: name, share } => {
                Place::Loss(link(name)?, share.clamp(0.0, 1.0))
            }
            Effect::ServerSlow {
                application: name,
                extra,
            } => Place::Slow(application(name)?, span(*extra)),
            Effect::ServerDown {
                application: name,
                refuses,
            } => Place::Down(application(name)?, *refuses),
            Effect::Surge {
                application: name,
                times,
            } => Place::Surge(application(name)?, times.max(0.0)),
        };
        self.0.push(Scheduled {
            place,
            from: incident.from.nanos(),
            until: incident.until.nanos(),
        });
        Ok(())
    }

    /// What a link adds to its usual delay at this moment, one way.
    pub(super) fn link_delay(&self, link: usize, at: i64) -> i64 {
        self.sum(at, |place| match place {
            Place::Delay(where_, extra) if where_ == link => extra,
            _ => 0,
        })
    }

    /// The share of packets that incidents make a link lose at this moment.
    pub(super) fn link_loss(&self, link: usize, at: i64) -> f64 {
        let mut passes = 1.0;
        for place in self.active(at) {
            if let Place::Loss(where_, share) = place
                && where_ == link
            {
                passes *= 1.0 - share;
            }
        }
        1.0 - passes
    }

    /// How much longer an application's servers think at this moment.
    pub(super) fn think(&self, application: usize, at: i64) -> i64 {
        self.sum(at, |place| match place {
            Place::Slow(where_, extra) if where_ == application => extra,
            _ => 0,
        })
    }

    /// Whether an application's servers are down, and if so, whether they refuse.
    pub(super) fn down(&self, application: usize, at: i64) -> Option<bool> {
        self.active(at).find_map(|place| match place {
            Place::Down(where_, refuses) if where_ == application => Some(refuses),
            _ => None,
        })
    }

    /// How many times as many conversations an application's clients begin at this moment.
    pub(super) fn times(&self, application: usize, at: i64) -> f64 {
        let surges = self.active(at).filter_map(|place| match place {
            Place::Surge(where_, times) if where_ == application => Some(times),
            _ => None,
        });
        surges.product()
    }

    fn active(&self, at: i64) -> impl Iterator<Item = Place> {
        let active = move |one: &&Scheduled| (one.from..one.until).contains(&at);
        self.0.iter().filter(active).map(|one| one.place)
    }

    fn sum(&self, at: i64, extra: impl Fn(Place) -> i64) -> i64 {
        self.active(at).map(extra).sum()
    }
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

fn place_of(kind: &'static str, name: &str, known: &[&str]) -> Result<usize, UnknownPlace> {
    known
        .iter()
        .position(|one| *one == name)
        .ok_or_else(|| UnknownPlace {
            kind,
            name: name.to_owned(),
            known: known.join(", "),
        })
}
