//! Refuses what another site's page asks of a server on this machine.
//!
//! Without sign-on the server trusts whoever reaches its address. A browser reaches 127.0.0.1 for any page of any site,
//! so a request must name this server by an address or `localhost` (no name that somebody pointed here, "DNS
//! rebinding"), and one that changes something must not come from a page of another origin. Where the operator lets other
//! machines reach the server, they may read: what changes something must come from this machine.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::ApiError;

/// The middleware.
pub(crate) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    match check(request.method(), request.headers(), is_local) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// `is_local`: whether the request came over this machine's own loopback.
fn check(method: &Method, headers: &HeaderMap, is_local: bool) -> Result<(), ApiError> {
    let host = text(headers, header::HOST.as_str());
    if let Some(host) = host
        && !names_this_machine(host)
    {
        return Err(ApiError::forbidden(format!(
            "this server answers to an address or 'localhost', not to '{host}'"
        )));
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

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
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
        ] {
            assert!(
                check(&Method::GET, &headers(&[("host", host)]), true).is_err(),
                "{host}"
            );
        }
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
