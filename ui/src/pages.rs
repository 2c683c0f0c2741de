//! Which file answers which address, and under which rules a browser may use it.

use std::borrow::Cow;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What Vite built. Debug builds read it from disk, so that pages change without a build of the binary.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

/// The page that all addresses of pages get; it reads from the address what to show.
const INDEX: &str = "index.html";
/// Files below here have a digest of their content in their name.
const HASHED: &str = "assets/";

/// What a browser may do on behalf of a page: nothing but what this server serves, no script or style within HTML, in no
/// frame of others. Names from the network are on these pages.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// A file whose name changes with its content is asked for once a year.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Any other is asked for each time, by its digest.
const REVALIDATE: &str = "no-cache";

/// Answers a request that no other route wanted: a file, the page for an address that a browser opens, or `None`.
///
/// Anything below `/api/` is `None`, as a program that asks there wants no page.
pub fn answer(request: &Parts) -> Option<Response<Cow<'static, [u8]>>> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return None;
    }
    let path = request.uri.path().strip_prefix('/')?;
    let name = name(path, &request.headers)?;
    let packed = accepts(&request.headers, &header::ACCEPT_ENCODING, "gzip")
        .then(|| Dist::get(&format!("{name}.gz")))
        .flatten();
    let (file, is_packed) = match packed {
        Some(packed) => (packed, true),
        None => (Dist::get(name)?, false),
    };
    Some(respond(name, file, is_packed, &request.headers))
}

/// The file for a path without its first slash.
fn name<'a>(path: &'a str, headers: &HeaderMap) -> Option<&'a str> {
    if is_plain(path) && kind(path).is_some() && Dist::get(path).is_some() {
        return Some(path);
    }
    let is_page = path != "api" && !path.starts_with("api/") && !path.starts_with(HASHED);
    (is_page && accepts(headers, &header::ACCEPT, "text/html")).then_some(INDEX)
}

/// Whether this can be the name of a file of ours: no step upwards, nothing hidden, nothing to decode.
fn is_plain(path: &str) -> bool {
    let mut segments = path.split('/');
    segments.all(|segment| {
        let first = segment.bytes().next();
        first.is_some_and(|first| first != b'.')
            && segment
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet))
    })
}

/// The media type by the name's ending; `None` for one that is not served.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// Whether a header's list has this word, or, in `Accept`, anything.
fn accepts(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let mut lists = headers.get_all(header).iter();
    lists.any(|list| {
        let list = list.to_str().unwrap_or_default();
        list.split(',').any(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|it| it.eq_ignore_ascii_case(word));
            is_it && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
        })
    })
}

fn respond(
    name: &str,
    file: EmbeddedFile,
    is_packed: bool,
    asked: &HeaderMap,
) -> Response<Cow<'static, [u8]>> {
    let etag = etag(&file);
    let cache = if name.starts_with(HASHED) {
        IMMUTABLE
    } else {
        REVALIDATE
    };
    let mut response = Response::builder()
        .header(header::CACHE_CONTROL, cache)
        .header(header::ETAG, &etag)
        .header(header::VARY, "accept-encoding, accept")
        .header(header::CONTENT_TYPE, kind(name).unwrap_or_default())
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header("cross-origin-opener-policy", "same-origin");
    if is_packed {
        response = response.header(header::CONTENT_ENCODING, "gzip");
    }
    let known = asked.get(header::IF_NONE_MATCH);
    let known = known.and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
    let (status, body) = match is_known {
        true => (StatusCode::NOT_MODIFIED, Cow::Borrowed(&[][..])),
        false => (StatusCode::OK, file.data),
    };
    // Every header above is a constant or hex digits: the builder has nothing to refuse.
    response.status(status).body(body).unwrap_or_default()
}

/// By content: half of its SHA-256 says enough.
fn etag(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    let hex: String = digest[..16].iter().map(|it| format!("{it:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests;
