#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use http::Request;

use super::*;

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn ask(path: &str, headers: &[(&str, &str)]) -> Option<Response<Cow<'static, [u8]>>> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(&request.body(()).unwrap().into_parts().0)
}

fn header<'a>(response: &'a Response<Cow<'static, [u8]>>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |it| it.to_str().unwrap())
}

/// A file that the page names, so that it is known from elsewhere than our own listing.
fn script() -> String {
    let page = ask("/", &[BROWSER]).unwrap();
    let page = String::from_utf8(page.into_body().into_owned()).unwrap();
    let start = page.find("src=\"/assets/").unwrap() + 5;
    let length = page[start..].find('"').unwrap();
    page[start..start + length].to_owned()
}

#[test]
fn an_address_that_a_browser_opens_gets_the_page() {
    for path in [
        "/",
        "/explore?last=5m",
        "/hosts/10.0.0.1",
        "/applications/a%2F..%2Fb",
        "/recordings/x.y",
    ] {
        let page = ask(path, &[BROWSER]).unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&page, "cache-control"), "no-cache");
        assert!(page.body().starts_with(b"<!doctype html>"), "{path}");
    }
}

#[test]
fn a_program_gets_no_page_where_nothing_is() {
    for path in ["/nothing", "/api/v1/nothing", "/api", "/assets/gone.js"] {
        assert!(ask(path, &[]).is_none(), "{path}");
        assert!(
            ask(path, &[("accept", "application/json")]).is_none(),
            "{path}"
        );
    }
    for path in ["/api/v1/nothing", "/api", "/assets/gone.js", "/assets/"] {
        assert!(ask(path, &[BROWSER]).is_none(), "{path}");
    }
    let post = Request::post("/").header("accept", "text/html");
    assert!(answer(&post.body(()).unwrap().into_parts().0).is_none());
}

#[test]
fn what_has_its_digest_in_its_name_is_kept_for_ever() {
    let script = ask(&script(), &[]).unwrap();
    assert_eq!(
        header(&script, "cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        header(&script, "content-type"),
        "text/javascript; charset=utf-8"
    );
}

#[test]
fn what_is_known_is_not_sent_again() {
    let first = ask("/", &[BROWSER]).unwrap();
    let tag = header(&first, "etag");
    let again = ask("/", &[BROWSER, ("if-none-match", tag)]).unwrap();
    assert_eq!(again.status(), 304);
    assert!(again.body().is_empty());
    let changed = ask("/", &[BROWSER, ("if-none-match", "\"0\"")]).unwrap();
    assert_eq!(changed.status(), 200);
}

#[test]
fn it_comes_packed_to_whoever_takes_it() {
    let path = script();
    let plain = ask(&path, &[]).unwrap();
    let packed = ask(&path, &[("accept-encoding", "gzip, deflate")]).unwrap();
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    // RFC 1952 §2.3.1.
    assert!(packed.body().starts_with(&[0x1f, 0x8b]));
    assert!(packed.body().len() < plain.body().len());
    // RFC 1952 §2.3.1: the last four octets are the length of what was packed.
    let length = packed.body().last_chunk::<4>().unwrap();
    assert_eq!(u32::from_le_bytes(*length) as usize, plain.body().len());
    assert_ne!(header(&packed, "etag"), header(&plain, "etag"));
    let refused = ask(&path, &[("accept-encoding", "gzip;q=0, br")]).unwrap();
    assert_eq!(header(&refused, "content-encoding"), "");
}

#[test]
fn a_page_runs_no_script_but_ours_and_in_no_frame() {
    let page = ask("/", &[BROWSER]).unwrap();
    let policy = header(&page, "content-security-policy");
    assert!(policy.contains("default-src 'self'"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    // Which it would refuse.
    let page = String::from_utf8(page.into_body().into_owned()).unwrap();
    assert!(!page.contains("<style") && !page.contains("style="));
    assert_eq!(
        page.matches("<script").count(),
        page.matches(" src=\"/").count()
    );
}

#[test]
fn nothing_outside_is_reached() {
    for path in [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "/assets/../../package.json",
        "//etc/passwd",
        "/./index.html",
    ] {
        assert!(ask(path, &[]).is_none(), "{path}");
        let page = ask(path, &[BROWSER]);
        let is_page = page.is_none_or(|page| page.body().starts_with(b"<!doctype html>"));
        assert!(is_page, "{path}");
    }
}
