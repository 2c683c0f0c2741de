//! The applications of this enterprise, as tables.

use super::application::{
    Application, Behaviour, Clients, Hours, ICMP, Requests, Servers, TCP, UDP,
};
use super::host::Hosts;
use super::map;

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
    rows.extend(directory(hosts));
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
    use Behaviour::Requests as R;
    let office = |hourly| (hourly, Hours::Office);
    let mut services = |range| Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], range));
    let (mail, files) = (services(20..22), services(30..33));
    let erp = Servers::These(hosts.servers(map::CLOUD, [172, 16, 8], 20..24));
    let screens = Servers::These(hosts.servers(map::APP, [10, 20, 20], 100..120));
    let erp_behaviour = R(requests(8.0, (1_500.0, 9_000.0, 1.2), 45.0, 4_000.0));
    let mail_behaviour = R(requests(4.0, (700.0, 12_000.0, 2.0), 6.0, 300.0));
    let file_behaviour = R(requests(12.0, (300.0, 40_000.0, 2.2), 2.0, 800.0));
    let screen = Behaviour::Screen { minutes: 12.0 };
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
            screen,
        ),
    ]
}

fn query(request: f64, response: f64, think_us: f64) -> Behaviour {
    Behaviour::Query {
        request,
        response,
        think_us,
    }
}

/// What every desk asks the two directory servers.
fn directory(hosts: &mut Hosts) -> Vec<Row> {
    let office = |hourly| (hourly, Hours::Office);
    let mut servers = || Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], 10..12));
    let [names, entries, tickets, time] = std::array::from_fn(|_| servers());
    let ldap = Behaviour::Requests(requests(2.0, (250.0, 1_800.0, 0.8), 1.5, 20.0));
    let (dns, kerberos) = (query(45.0, 130.0, 300.0), query(260.0, 900.0, 900.0));
    let (hourly, ntp) = ((2.0, Hours::Always), query(48.0, 48.0, 60.0));
    let users = Clients::Users;
    vec![
        Row("dns", (UDP, 53), users, names, office(45.0), 0.3, dns),
        Row(
            "directory",
            (TCP, 389),
            users,
            entries,
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
        Row("time", (UDP, 123), users, time, hourly, 0.0, ntp),
    ]
}

fn media(hosts: &mut Hosts) -> Vec<Row> {
    let office = |hourly| (hourly, Hours::Office);
    let gateway = Servers::These(hosts.servers(map::SERVICES, [10, 20, 40], 50..51));
    let meetings = Servers::These(hosts.servers(map::CLOUD, [172, 16, 9], 10..16));
    let sip = query(750.0, 480.0, 4_000.0);
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
}
