//! Refuses what another site's page asks of a server on this machine.
//!
//! A request that changes something must not come from a page of another origin: a browser sends the cookie along, whoever made
//! the page.
//!
//! Without sign-on the server trusts whoever reaches its address. A browser reaches 127.0.0.1 for any page of any site,
//! so a request must name this server by an address or `localhost` (no name that somebody pointed here, "DNS
//! rebinding"). Where the operator lets other machines reach the server, they may read: what changes something must come from this
//! machine. With sign-on the server has any name: a cookie is bound to the one that it was given under.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ApiError;

/// The middleware. `sign_on`: whether people sign on.
pub(crate) async fn refuse_other_sites(sign_on: bool, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    // A request for a proxy names a host in its first line too (RFC 9112 §3.2.2).
    if let Some(host) = request.uri().host()
        && !sign_on
        && !names_this_machine(host)
    {
        return other_host(host).into_response();
    }
    let (method, headers) = (request.method(), request.headers());
    let is_trusted = is_local || sign_on;
    let checked = check_host(headers, sign_on)
        .and_then(|host| check_change(method, headers, host, is_trusted));
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The host that a request names, if it names one that this server answers to.
fn check_host(headers: &HeaderMap, sign_on: bool) -> Result<Option<&str>, ApiError> {
    // RFC 9112 §3.2: more than one is to be refused, as nobody knows which one a proxy went by.
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(ApiError::refused(
            StatusCode::BAD_REQUEST,
            "a request names one host",
        ));
    }
    let host = text(headers, header::HOST.as_str());
    match host.filter(|host| !sign_on && !names_this_machine(host)) {
        Some(other) => Err(other_host(other)),
        None => Ok(host),
    }
}

/// Whether a request may change something. `is_trusted`: whether it came over this machine's own loopback, or people sign on.
fn check_change(
    method: &Method,
    headers: &HeaderMap,
    host: Option<&str>,
    is_trusted: bool,
) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    if !is_trusted {
        return Err(ApiError::forbidden(
            "sign-on is off: other machines may read, and changes are taken from this machine only",
        ));
    }
    let site = text(headers, "sec-fetch-site");
    let origin = text(headers, header::ORIGIN.as_str());
    let is_foreign = site.is_some_and(|site| !["same-origin", "none"].contains(&site))
        || origin.is_some_and(|origin| origin.split("://").nth(1) != host);
    if is_foreign {
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

    fn check(method: &Method, headers: &HeaderMap, is_local: bool) -> Result<(), ApiError> {
        let host = check_host(headers, false)?;
        check_change(method, headers, host, is_local)
    }

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
    fn with_sign_on_any_name_is_answered_to_and_other_pages_still_change_nothing() {
        let named = |site: &str, origin: &str| {
            headers(&[
                ("host", "flows.example"),
                ("sec-fetch-site", site),
                ("origin", origin),
            ])
        };
        let allowed = |headers: &HeaderMap| {
            let host = check_host(headers, true)?;
            check_change(&Method::POST, headers, host, true)
        };
        let own = "https://flows.example";
        assert!(allowed(&named("same-origin", own)).is_ok());
        for (site, origin) in [
            ("cross-site", own),
            // Of a neighbour, as of another port: cookies know no ports.
            ("same-site", own),
            ("same-origin", "https://flows.example:8443"),
            ("same-origin", "https://evil.example"),
            ("same-origin", "null"),
        ] {
            assert!(allowed(&named(site, origin)).is_err(), "{site} {origin}");
        }
        let mut twice = named("same-origin", own);
        twice.append("host", "evil.example".parse().unwrap());
        assert!(allowed(&twice).is_err());
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
