//! How long a session lasts, and the cookie that bears it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use flow::Timestamp;
use store::catalog::Session;

use super::secret::Secret;

/// `__Host-`: the browser takes it only for this host, as Secure and for all paths, so no neighbour can set or read it
/// ([RFC 6265bis §4.1.3.2](https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html)).
const NAME: &str = "__Host-flowreel";
/// A session is noted as seen at most this often.
pub(super) const SEEN_EVERY: Duration = Duration::from_secs(60);

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// Without a request.
    pub idle: Duration,
    /// In all.
    pub whole: Duration,
}

impl Lasting {
    /// Whether a session is still one.
    pub(super) fn includes(self, session: &Session, now: Timestamp) -> bool {
        now < session.made_at + self.whole && now < session.seen_at + self.idle
    }
}

/// The secret that a browser shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<String> {
    cookie_of(headers, NAME)
}

/// The value of a cookie.
pub(super) fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter();
    let mut cookies = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .flatten();
    let found = cookies.find(|cookie| cookie.name() == name)?;
    Some(found.value().to_owned())
}

/// The header that gives a browser its secret, for so long.
pub(super) fn given(secret: &Secret, whole: Duration) -> Option<HeaderValue> {
    cookie(NAME, secret.text(), whole)
}

/// The header that takes it away.
pub(super) fn taken() -> Option<HeaderValue> {
    cookie(NAME, "", Duration::ZERO)
}

/// The header that gives a browser a cookie for so long, with a name that begins with `__Host-`.
pub(super) fn cookie(name: &str, value: &str, lasting: Duration) -> Option<HeaderValue> {
    let seconds = i64::try_from(lasting.as_secs()).ok()?;
    let cookie = Cookie::build((name, value))
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .max_age(cookie::time::Duration::seconds(seconds));
    let mut value = HeaderValue::try_from(cookie.build().to_string()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let lasting = Lasting {
            idle: HOUR * 12,
            whole: HOUR * 24 * 7,
        };
        let seen = |made_at, seen_at| Session {
            number: 1,
            made_at,
            seen_at,
            address: None,
            agent: String::new(),
        };
        let nano = Duration::from_nanos(1);
        let fresh = seen(NOW, NOW);
        assert!(lasting.includes(&fresh, NOW));
        assert!(lasting.includes(&fresh, NOW + HOUR * 12 - nano));
        assert!(!lasting.includes(&fresh, NOW + HOUR * 12));
        let week = NOW + HOUR * 24 * 7;
        assert!(lasting.includes(&seen(NOW, week - nano), week - nano));
        assert!(!lasting.includes(&seen(NOW, week), week));
    }

    fn cookies(lines: &[&str]) -> HeaderMap {
        let values = lines
            .iter()
            .map(|line| (header::COOKIE, line.parse().unwrap()));
        values.collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(shown(&HeaderMap::new()), None);
        let found = shown(&cookies(&["a=b; __Host-flowreel=xyz; c=d"]));
        assert_eq!(found.as_deref(), Some("xyz"));
        let found = shown(&cookies(&["a=b", "=; ;__Host-flowreel=xyz"]));
        assert_eq!(found.as_deref(), Some("xyz"));
        for other in [
            "flowreel=xyz",
            "__host-flowreel=xyz",
            "__Host-flowreel2=xyz",
        ] {
            assert_eq!(shown(&cookies(&[other])), None, "{other}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_and_no_script() {
        let secret = Secret::new("").unwrap();
        let given = given(&secret, HOUR).unwrap();
        assert!(given.is_sensitive());
        let expected = format!(
            "__Host-flowreel={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600",
            secret.text()
        );
        assert_eq!(given.to_str().unwrap(), expected);
        assert_eq!(
            taken().unwrap().to_str().unwrap(),
            "__Host-flowreel=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
        );
    }
}
