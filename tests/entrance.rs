//! How one comes to the server: by TLS, and through proxies. The real binary, real sockets.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::http::try_exchange;
use support::people::{Office, Visitor};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

#[test]
fn with_a_certificate_only_https_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["own.pem", "own.key"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let office = Office::with(&[
        ("FLOWREEL_TLS__CERTIFICATE", certificate.to_str().unwrap()),
        ("FLOWREEL_TLS__KEY", key.to_str().unwrap()),
    ]);
    let http = office.server.running.http;
    let trusted = Certificate::from_der(made.cert.der()).to_owned();
    let roots = RootCerts::from(vec![trusted]);
    let agent = |roots| {
        let tls = TlsConfig::builder().root_certs(roots).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false);
        config.build().new_agent()
    };
    let url = |path: &str| format!("https://localhost:{}{path}", http.port());
    let answer = agent(roots.clone()).get(url("/healthz")).call().unwrap();
    assert_eq!(answer.status(), 200);
    let promised = &answer.headers()["strict-transport-security"];
    assert_eq!(promised, "max-age=31536000");
    let nobody = agent(roots).get(url("/api/v1/me")).call().unwrap();
    assert_eq!(nobody.status(), 401);
    // Who does not know the certificate is warned, and who speaks in the clear is told nothing.
    assert!(
        agent(RootCerts::WebPki)
            .get(url("/healthz"))
            .call()
            .is_err()
    );
    let clear = try_exchange(http, "GET", "/healthz", &[], b"");
    assert!(clear.is_err(), "{clear:?}");
    // The link that makes the first admin is one that a browser can open.
    assert!(office.printed().contains("https://"));
}

/// Who am I, said by somebody who has these headers.
fn me(visitor: &mut Visitor, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = visitor.ask_with("GET", "/api/v1/me", headers, b"");
    let name = match answer.status {
        200 => answer.json()["name"].as_str().unwrap().to_owned(),
        _ => String::new(),
    };
    (answer.status, name)
}

const SAID: [(&str, &str); 2] = [
    ("Remote-User", "Anna"),
    ("X-Forwarded-For", "192.0.2.7, 198.51.100.9"),
];

#[test]
fn a_listed_proxy_says_who_asks() {
    let office = Office::with(&[
        ("FLOWREEL_PROXIES__ADDRESSES", "[\"127.0.0.1/32\"]"),
        ("FLOWREEL_PROXIES__USER_HEADER", "Remote-User"),
    ]);
    let mut admin = office.first_admin();
    admin.make_account("anna", "end_user");
    let mut visitor = office.visitor();
    let (status, name) = me(&mut visitor, &SAID);
    assert_eq!((status, name.as_str()), (200, "anna"));
    // Whose flows an end user sees goes by the address that the proxy names, and not by what somebody wrote before it.
    let answer = visitor.ask_with("GET", "/api/v1/me", &SAID, b"");
    assert_eq!(answer.json()["scope"], "ip 198.51.100.9");
    assert_eq!(me(&mut visitor, &[("Remote-User", "nobody")]).0, 401);
    let change = serde_json::json!({"disabled": true});
    assert_eq!(
        admin.send("PATCH", "/api/v1/accounts/anna", &change).status,
        200
    );
    assert_eq!(me(&mut visitor, &SAID).0, 401);
}

#[test]
fn nobody_else_does() {
    let office = Office::with(&[
        ("FLOWREEL_PROXIES__ADDRESSES", "[\"10.0.0.5/32\"]"),
        ("FLOWREEL_PROXIES__USER_HEADER", "Remote-User"),
    ]);
    let mut admin = office.first_admin();
    admin.make_account("anna", "end_user");
    assert_eq!(me(&mut office.visitor(), &SAID).0, 401);
    let mut anna = office.signed_on("anna");
    let answer = anna.ask_with("GET", "/api/v1/me", &SAID, b"");
    assert_eq!(answer.json()["scope"], "ip 127.0.0.1");
}
