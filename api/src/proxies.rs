//! For whom a reverse proxy speaks. What only a proxy may say is believed of those that are listed, and taken away from all others.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Where the addresses stand that a request came through, the nearest last.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What proxies say besides; nobody reads it here, and nothing behind us shall either.
const OTHERS: [HeaderName; 5] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
];

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their addresses.
    pub addresses: Vec<IpNet>,
    /// The header in which they say who has signed on with them, if they do that.
    pub user_header: Option<HeaderName>,
}

/// The name of the account that a listed proxy says has signed on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vouched(pub(crate) String);

impl Proxies {
    /// Notes who asks: the peer, or whom a listed proxy names. Where such a one does not name anybody, nobody knows.
    pub(crate) fn settle<B>(&self, peer: SocketAddr, request: &mut Request<B>) {
        let said = take(request.headers_mut(), &FORWARDED_FOR);
        for name in &OTHERS {
            request.headers_mut().remove(name);
        }
        let header = self.user_header.as_ref();
        let users = header.map(|name| take(request.headers_mut(), name));
        let is_listed = self.is_listed(peer.ip());
        if !is_listed {
            request.extensions_mut().insert(ConnectInfo(peer));
            return;
        }
        if let Some(from) = self.nearest_other(&said) {
            // Nobody asks for the port.
            let from = SocketAddr::new(from, 0);
            request.extensions_mut().insert(ConnectInfo(from));
        }
        // Two names are none.
        if let Some([user]) = users.as_deref()
            && !user.is_empty()
        {
            request.extensions_mut().insert(Vouched(user.clone()));
        }
    }

    fn is_listed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.addresses.iter().any(|net| net.contains(&address))
    }

    /// The last address that is not a proxy's: those before it are what somebody says.
    fn nearest_other(&self, said: &[String]) -> Option<IpAddr> {
        for text in said.iter().rev().flat_map(|line| line.rsplit(',')) {
            let address: IpAddr = text.trim().parse().ok()?;
            if !self.is_listed(address) {
                return Some(address.to_canonical());
            }
        }
        None
    }
}

/// Takes all lines of a header away. A line that is no text is an empty one.
fn take(headers: &mut HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let lines = lines
        .map(|value| value.to_str().unwrap_or_default().trim().to_owned())
        .collect();
    headers.remove(name);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: HeaderName = HeaderName::from_static("remote-user");

    /// Who asks, and who is vouched for.
    fn settled(peer: &str, headers: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let proxies = Proxies {
            addresses: vec!["10.0.0.0/24".parse().unwrap(), "::1/128".parse().unwrap()],
            user_header: Some(USER),
        };
        let mut request = axum::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        proxies.settle(SocketAddr::new(peer.parse().unwrap(), 1), &mut request);
        assert!(request.headers().is_empty(), "{:?}", request.headers());
        let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let vouched = request.extensions().get::<Vouched>();
        (
            from.map(|ConnectInfo(from)| from.ip().to_string()),
            vouched.map(|Vouched(name)| name.clone()),
        )
    }

    fn is(from: &str, vouched: Option<&str>) -> (Option<String>, Option<String>) {
        (Some(from.to_owned()), vouched.map(str::to_owned))
    }

    #[test]
    fn strangers_say_nothing_of_others() {
        let headers = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("remote-user", "admin"),
        ];
        assert_eq!(settled("198.51.100.7", &headers), is("198.51.100.7", None));
    }

    #[test]
    fn a_listed_proxy_names_the_nearest_address_that_is_no_proxy() {
        let forwarded = |value| [("x-forwarded-for", value), ("remote-user", "anna")];
        assert_eq!(
            settled("10.0.0.1", &forwarded("192.0.2.1")),
            is("192.0.2.1", Some("anna"))
        );
        // What stands before was said by whoever connected.
        assert_eq!(
            settled("::1", &forwarded("127.0.0.1, 192.0.2.9, 10.0.0.2")),
            is("192.0.2.9", Some("anna"))
        );
        let lines = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "2001:db8::5"),
        ];
        assert_eq!(settled("10.0.0.1", &lines), is("2001:db8::5", None));
    }

    #[test]
    fn of_a_proxy_that_does_not_say_nobody_knows() {
        assert_eq!(settled("10.0.0.1", &[]), (None, None));
        assert_eq!(
            settled("10.0.0.1", &[("x-forwarded-for", "unknown")]),
            (None, None)
        );
        let twice = [("remote-user", "anna"), ("remote-user", "admin")];
        assert_eq!(settled("10.0.0.1", &twice), (None, None));
    }
}
