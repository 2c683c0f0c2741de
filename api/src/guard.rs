//! Refuses what another site's page asks of a server on this machine.
//!
//! Without sign-on the server trusts whoever reaches its address. A browser reaches 127.0.0.1 for any page of any site,
//! so a request must name this server by an address or `localhost` (no name that somebody pointed here, "DNS
//! rebinding"), and one that changes something must not come from a page of another origin. Where the operator lets other
//! machines reach the server, they may read: what changes something must come from this machine.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ApiError;

/// The middleware.
pub(crate) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    // A request for a proxy names a host in its first line too (RFC 9112 §3.2.2).
    if let Some(host) = request.uri().host()
        && !names_this_machine(host)
    {
        return other_host(host).into_response();
    }
    match check(request.method(), request.headers(), is_local) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// `is_local`: whether the request came over this machine's own loopback.
fn check(method: &Method, headers: &HeaderMap, is_local: bool) -> Result<(), ApiError> {
    // RFC 9112 §3.2: more than one is to be refused, as nobody knows which one a proxy went by.
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(ApiError::refused(
            StatusCode::BAD_REQUEST,
            "a request names one host",
        ));
    }
    let host = text(headers, header::HOST.as_str());
    if let Some(host) = host
        && !names_this_machine(host)
    {
        return Err(other_host(host));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    if !is_local {
        return Err(ApiError::forbidden(
            "there is no sign-on yet: other machines may read, and changes are taken from this machine only",
        ));
    }
    let foreign_page = text(headers, "sec-fetch-site").is_some_and(|site| site == "cross-site")
        || text(headers, header::ORIGIN.as_str())
            .is_some_and(|origin| origin.split("://").nth(1) != host);
    if foreign_page {
        return Err(ApiError::forbidden(
            "a page of another site may not change anything here",
        ));
    }
    Ok(())
}

fn other_host(host: &str) -> ApiError {
    ApiError::forbidden(format!(
        "this server answers to an address or 'localhost', not to '{host}'"
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn names_this_machine(host: &str) -> bool {
    // RFC 3986 §3.2.2: an IPv6 address stands in brackets, and behind them nothing but a port.
    if let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok()
            && (port.is_empty() || port.starts_with(':'));
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_name_that_somebody_pointed_here_is_refused() {
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "localhost:8080",
            "[::1]:8080",
            "10.0.0.5",
        ] {
            assert!(
                check(&Method::GET, &headers(&[("host", host)]), true).is_ok(),
                "{host}"
            );
        }
        for host in [
            "rebind.example",
            "127.0.0.1.example:8080",
            "localhost.example",
            "[::1].example",
            "[::1]example:8080",
            "[localhost]",
        ] {
            assert!(
                check(&Method::GET, &headers(&[("host", host)]), true).is_err(),
                "{host}"
            );
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let twice = headers(&[("host", "localhost")]);
        let mut both = twice.clone();
        both.append("host", "evil.example".parse().unwrap());
        assert!(check(&Method::GET, &twice, true).is_ok());
        assert!(check(&Method::GET, &both, true).is_err());
    }

    #[test]
    fn a_page_of_another_origin_may_read_nothing_but_change_nothing_either() {
        let own = [
            ("host", "127.0.0.1:8080"),
            ("origin", "http://127.0.0.1:8080"),
        ];
        assert!(check(&Method::POST, &headers(&own), true).is_ok());
        let other = [
            ("host", "127.0.0.1:8080"),
            ("origin", "https://evil.example"),
        ];
        assert!(check(&Method::POST, &headers(&other), true).is_err());
        let tool = [("host", "127.0.0.1:8080")];
        assert!(check(&Method::POST, &headers(&tool), true).is_ok());
    }

    #[test]
    fn another_machine_may_read_and_not_change() {
        let headers = headers(&[("host", "10.0.0.5:8080")]);
        assert!(check(&Method::GET, &headers, false).is_ok());
        for method in [Method::POST, Method::PUT] {
            assert!(check(&method, &headers, true).is_ok(), "{method}");
            assert!(check(&method, &headers, false).is_err(), "{method}");
        }
    }
}
