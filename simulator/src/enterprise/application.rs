//! What an application is: who talks to whom, how often, when in the day, and how.

use flow::Timestamp;

use super::host::HostId;

/// IP protocols.
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// How a conversation goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Behaviour {
    /// TCP: requests and responses, with thinking at the server and pauses at the client.
    Requests(Requests),
    /// UDP: one packet there, one back.
    Query {
        request: f64,
        response: f64,
        think_us: f64,
    },
    /// UDP: speech both ways, a packet each 20 ms.
    Speech { minutes: f64 },
    /// UDP: a picture towards the client, little back.
    Video { minutes: f64, megabits: f64 },
    /// TCP: key strokes one way, screens the other.
    Screen { minutes: f64 },
    /// TCP: one large transfer to the server.
    Upload { megabytes: f64 },
    /// ICMP echo: a few packets a second apart.
    Echo,
}

/// See [`Behaviour::Requests`]. Octets and times are medians of log-normal draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Requests {
    /// Mean number of requests on a connection; at least one is made.
    pub(super) mean: f64,
    pub(super) request: f64,
    pub(super) response: f64,
    /// Deviation of the logarithm of the response: 1 is mild, 2 has a heavy tail.
    pub(super) spread: f64,
    pub(super) think_ms: f64,
    pub(super) pause_ms: f64,
    /// What the server asks of whom before it answers: application and how often per request.
    pub(super) calls: Option<(usize, u32)>,
}

/// Who starts conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    Users,
    UsersAndCustomers,
    /// Servers that call in the course of serving somebody else.
    Called,
    /// The backup server, which also watches.
    Monitor,
    /// The database servers.
    Databases,
}

/// Who answers.
#[derive(Clone, Debug)]
pub(super) enum Servers {
    These(Vec<HostId>),
    Internet,
    /// Another user.
    Users,
}

/// When in the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hours {
    Office,
    Always,
    Night,
}

/// One application.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) name: &'static str,
    pub(super) protocol: u8,
    pub(super) port: u16,
    pub(super) clients: Clients,
    pub(super) servers: Servers,
    /// Conversations an hour: per user where users are the clients, of all otherwise.
    pub(super) hourly: f64,
    pub(super) hours: Hours,
    /// The share of conversations that use IPv6.
    pub(super) v6: f64,
    /// Type of service octet.
    pub(super) tos: u8,
    pub(super) behaviour: Behaviour,
}

/// The day's rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Offices work by day, backups run by night, at so many hours east of Greenwich.
    Day {
        /// Hours to add to UTC.
        utc_offset_hours: i32,
    },
    /// It is always ten in the morning, and backups run too.
    Flat,
}

impl Rhythm {
    /// How much of the full rate there is at this moment, 0 to 1.
    pub(super) fn level(self, hours: Hours, at: Timestamp) -> f64 {
        let Self::Day { utc_offset_hours } = self else {
            return if hours == Hours::Night { 0.5 } else { 1.0 };
        };
        let local = at.seconds() + i64::from(utc_offset_hours) * 3600;
        let minute = u32::try_from(local.rem_euclid(86_400) / 60).unwrap_or(0);
        let hour = f64::from(minute) / 60.0;
        match hours {
            Hours::Always => 1.0,
            Hours::Night => f64::from(u8::from((1.0..5.0).contains(&hour))),
            Hours::Office => {
                // Two humps with lunch between them, over a floor of people who work late.
                let hump = |middle: f64, width: f64| (-((hour - middle) / width).powi(2)).exp();
                (0.12 + 0.9 * hump(10.2, 1.9) + 0.85 * hump(14.8, 2.0)).min(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offices_work_by_day_and_backups_run_by_night() {
        let rhythm = Rhythm::Day {
            utc_offset_hours: 1,
        };
        let at = |hour: i64| Timestamp::from_seconds(1_700_006_400 + hour * 3600);
        assert!(rhythm.level(Hours::Office, at(9)) > 0.9);
        assert!(rhythm.level(Hours::Office, at(2)) < 0.15);
        assert!(rhythm.level(Hours::Night, at(2)) > 0.9);
        assert!(rhythm.level(Hours::Night, at(9)) < 0.1);
    }
}
