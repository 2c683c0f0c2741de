//! The applications of the enterprise: who talks to whom, how often, and how.

use flow::Timestamp;

use super::host::{HostId, Hosts};
use super::map;

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
    /// The monitoring host.
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

pub(super) const FRONT: usize = 1;
pub(super) const ORDERS: usize = 2;
pub(super) const DATABASE: usize = 3;

const fn requests(mean: f64, sizes: (f64, f64, f64), think_ms: f64, pause_ms: f64) -> Requests {
    Requests {
        mean,
        request: sizes.0,
        response: sizes.1,
        spread: sizes.2,
        think_ms,
        pause_ms,
        calls: None,
    }
}

const fn calling(requests: Requests, application: usize, times: u32) -> Behaviour {
    Behaviour::Requests(Requests {
        calls: Some((application, times)),
        ..requests
    })
}

struct Row(
    &'static str,
    (u8, u16),
    Clients,
    Servers,
    (f64, Hours),
    f64,
    Behaviour,
);

/// All applications; the places of the first four are [`FRONT`], [`ORDERS`] and [`DATABASE`] behind the shop.
pub(super) fn applications(hosts: &mut Hosts) -> Vec<Application> {
    let mut rows = shop(hosts);
    rows.extend(office(hosts));
    rows.extend(media(hosts));
    rows.extend(background(hosts));
    rows.into_iter()
        .map(
            |Row(name, (protocol, port), clients, servers, (hourly, hours), v6, behaviour)| {
                Application {
                    name,
                    protocol,
                    port,
                    clients,
                    servers,
                    hourly,
                    hours,
                    v6,
                    tos: if matches!(behaviour, Behaviour::Speech { .. }) {
                        0xb8
                    } else {
                        0
                    },
                    behaviour,
                }
            },
        )
        .collect()
}

fn shop(hosts: &mut Hosts) -> Vec<Row> {
    use Behaviour::Requests as R;
    let balancer = Servers::These(hosts.servers(map::DMZ, [10, 20, 5], 10..12));
    let web = Servers::These(hosts.servers(map::WEB, [10, 20, 10], 11..17));
    let app = Servers::These(hosts.servers(map::APP, [10, 20, 20], 11..15));
    let db = Servers::These(hosts.servers(map::DB, [10, 20, 30], 11..13));
    let users = calling(
        requests(3.0, (900.0, 18_000.0, 1.3), 1.0, 2_500.0),
        FRONT,
        1,
    );
    let front = calling(requests(1.0, (1_000.0, 17_000.0, 1.3), 3.0, 0.0), ORDERS, 1);
    let orders = calling(
        requests(1.0, (1_200.0, 6_000.0, 1.0), 8.0, 0.0),
        DATABASE,
        2,
    );
    let database = R(requests(2.0, (400.0, 3_000.0, 1.6), 4.0, 0.5));
    let called = (0.0, Hours::Always);
    vec![
        Row(
            "web shop",
            (TCP, 443),
            Clients::UsersAndCustomers,
            balancer,
            (5.0, Hours::Office),
            0.0,
            users,
        ),
        Row(
            "web shop front",
            (TCP, 8080),
            Clients::Called,
            web,
            called,
            0.0,
            front,
        ),
        Row(
            "orders",
            (TCP, 8443),
            Clients::Called,
            app,
            called,
            0.0,
            orders,
        ),
        Row(
            "orders database",
            (TCP, 5432),
            Clients::Called,
            db,
            called,
            0.0,
            database,
        ),
    ]
}

fn office(hosts: &mut Hosts) -> Vec<Row> {
    use Behaviour::{Query, Requests as R};
    let office = |hourly| (hourly, Hours::Office);
    let mut services = |range| Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], range));
    let (directory, mail, files) = (services(10..12), services(20..22), services(30..33));
    let (names, tickets, time) = (directory.clone(), directory.clone(), directory.clone());
    let erp = Servers::These(hosts.servers(map::CLOUD, [172, 16, 8], 20..24));
    let screens = Servers::These(hosts.servers(map::APP, [10, 20, 20], 100..120));
    let erp_behaviour = R(requests(8.0, (1_500.0, 9_000.0, 1.2), 45.0, 4_000.0));
    let mail_behaviour = R(requests(4.0, (700.0, 12_000.0, 2.0), 6.0, 300.0));
    let ldap = R(requests(2.0, (250.0, 1_800.0, 0.8), 1.5, 20.0));
    let file_behaviour = R(requests(12.0, (300.0, 40_000.0, 2.2), 2.0, 800.0));
    let dns = Query {
        request: 45.0,
        response: 130.0,
        think_us: 300.0,
    };
    let kerberos = Query {
        request: 260.0,
        response: 900.0,
        think_us: 900.0,
    };
    let ntp = Query {
        request: 48.0,
        response: 48.0,
        think_us: 60.0,
    };
    let users = Clients::Users;
    vec![
        Row(
            "erp",
            (TCP, 443),
            users,
            erp,
            office(8.0),
            0.0,
            erp_behaviour,
        ),
        Row(
            "mail",
            (TCP, 993),
            users,
            mail,
            office(9.0),
            0.1,
            mail_behaviour,
        ),
        Row("dns", (UDP, 53), users, names, office(45.0), 0.3, dns),
        Row(
            "directory",
            (TCP, 389),
            users,
            directory,
            office(5.0),
            0.0,
            ldap,
        ),
        Row(
            "kerberos",
            (UDP, 88),
            users,
            tickets,
            office(5.0),
            0.0,
            kerberos,
        ),
        Row(
            "time",
            (UDP, 123),
            users,
            time,
            (2.0, Hours::Always),
            0.0,
            ntp,
        ),
        Row(
            "file shares",
            (TCP, 445),
            users,
            files,
            office(6.0),
            0.0,
            file_behaviour,
        ),
        Row(
            "virtual desktops",
            (TCP, 4172),
            users,
            screens,
            office(0.3),
            0.0,
            Behaviour::Screen { minutes: 12.0 },
        ),
    ]
}

fn media(hosts: &mut Hosts) -> Vec<Row> {
    let office = |hourly| (hourly, Hours::Office);
    let gateway = Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], 50..51));
    let meetings = Servers::These(hosts.servers(map::CLOUD, [172, 16, 9], 10..16));
    let sip = Behaviour::Query {
        request: 750.0,
        response: 480.0,
        think_us: 4_000.0,
    };
    let web = Behaviour::Requests(requests(4.0, (800.0, 22_000.0, 2.0), 25.0, 1_500.0));
    let quic = Behaviour::Video {
        minutes: 0.15,
        megabits: 2.0,
    };
    let meeting = Behaviour::Video {
        minutes: 14.0,
        megabits: 1.5,
    };
    let users = Clients::Users;
    vec![
        Row(
            "voice signalling",
            (UDP, 5060),
            users,
            gateway,
            office(4.0),
            0.0,
            sip,
        ),
        Row(
            "voice",
            (UDP, 16_384),
            users,
            Servers::Users,
            office(1.0),
            0.0,
            Behaviour::Speech { minutes: 2.5 },
        ),
        Row(
            "video meetings",
            (UDP, 3480),
            users,
            meetings,
            office(0.2),
            0.0,
            meeting,
        ),
        Row(
            "internet",
            (TCP, 443),
            users,
            Servers::Internet,
            office(30.0),
            0.3,
            web,
        ),
        Row(
            "internet (quic)",
            (UDP, 443),
            users,
            Servers::Internet,
            office(8.0),
            0.4,
            quic,
        ),
    ]
}

fn background(hosts: &mut Hosts) -> Vec<Row> {
    let backup = Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], 60..61));
    let upload = Behaviour::Upload { megabytes: 1_500.0 };
    vec![
        Row(
            "backup",
            (TCP, 10_566),
            Clients::Databases,
            backup,
            (6.0, Hours::Night),
            0.0,
            upload,
        ),
        Row(
            "monitoring",
            (ICMP, 0),
            Clients::Monitor,
            Servers::Users,
            (120.0, Hours::Always),
            0.0,
            Behaviour::Echo,
        ),
    ]
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
    fn the_places_of_the_tiers_hold() {
        let all = applications(&mut Hosts::new(10));
        assert_eq!(all[FRONT].name, "web shop front");
        assert_eq!(all[ORDERS].name, "orders");
        assert_eq!(all[DATABASE].name, "orders database");
    }

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
