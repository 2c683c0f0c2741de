//! Sign-on by an OpenID provider: one that others wrote, and one that lies. The real binary, and a browser's steps one by one.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::http::{Answer, exchange};
use support::peers::Peer;
use support::people::{Office, PASSWORD, Visitor};

/// Where browsers are sent back to. The steps are taken by hand, so nobody listens there.
const PUBLIC: &str = "http://localhost:8";
const SECRET: &str = "the client's secret, forty octets or so";
const CALLBACK: &str = "/api/v1/sign-on/openid/callback";

/// A server whose people sign on by this provider.
fn office(provider: &Peer) -> (Office, Visitor) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
    let groups = r#"[{group="netops",role="engineer"},{group="berlin",role="help_desk",scope="ip 10.1.0.0/16"}]"#;
    let office = Office::with(&[
        ("FLOWREEL_PUBLIC_ADDRESS", PUBLIC),
        (
            "FLOWREEL_OPENID__ISSUER",
            &format!("http://127.0.0.1:{}", provider.port),
        ),
        ("FLOWREEL_OPENID__CLIENT_ID", "flowreel"),
        (
            "FLOWREEL_OPENID__CLIENT_SECRET_FILE",
            secret.path().to_str().unwrap(),
        ),
        ("FLOWREEL_OPENID__NAME", "Example"),
        ("FLOWREEL_OPENID__GROUPS", groups),
    ]);
    let admin = office.first_admin();
    (office, admin)
}

fn provider(people: &[&str]) -> Peer {
    let (back, secret) = (format!("back={PUBLIC}"), format!("secret={SECRET}"));
    Peer::start(
        "oidc.mjs",
        &[&[back.as_str(), secret.as_str()], people].concat(),
    )
}

/// A browser at the provider: it keeps what it is given there.
struct Away<'a> {
    provider: &'a Peer,
    cookies: BTreeMap<String, String>,
}

impl<'a> Away<'a> {
    fn at(provider: &'a Peer) -> Self {
        let cookies = BTreeMap::new();
        Self { provider, cookies }
    }

    fn ask(&mut self, method: &str, path: &str, form: &str) -> Answer {
        let pairs = self.cookies.iter();
        let cookies: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let (port, cookies) = (self.provider.port, cookies.join("; "));
        let host = format!("127.0.0.1:{port}");
        let headers = [
            ("Host", host.as_str()),
            ("Cookie", cookies.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let answer = exchange(
            ([127, 0, 0, 1], port).into(),
            method,
            path,
            &headers,
            form.as_bytes(),
        );
        for line in answer.text.lines() {
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// From where our server sends it to where the provider sends it back to: the path.
    fn walk(&mut self, from: &str, name: &str) -> String {
        let mut place = from.to_owned();
        for _ in 0..10 {
            if let Some(back) = place.strip_prefix(PUBLIC) {
                return back.to_owned();
            }
            let own = format!("http://127.0.0.1:{}", self.provider.port);
            let path = place.strip_prefix(&own).unwrap_or(&place).to_owned();
            let mut answer = self.ask("GET", &path, "");
            if answer.status == 200 {
                let form = format!("prompt=login&login={name}&password=any");
                answer = self.ask("POST", &path, &form);
            }
            place = answer
                .header("location")
                .unwrap_or_else(|| panic!("{}", answer.text))
                .to_owned();
        }
        panic!("it goes on for ever");
    }
}

/// Sends somebody off, and returns where to.
fn depart(visitor: &mut Visitor, to: &str) -> String {
    let answer = visitor.get(&format!("/api/v1/sign-on/openid{to}"));
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").unwrap().to_owned()
}

/// Signs on as this one, and returns the answer to their coming back.
fn sign_on(visitor: &mut Visitor, provider: &Peer, name: &str) -> Answer {
    let place = depart(visitor, "");
    let back = Away::at(provider).walk(&place, name);
    visitor.get(&back)
}

/// Where the answer sends a browser.
fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").unwrap()
}

fn refused(answer: &Answer) -> &str {
    let why = location(answer).strip_prefix("/sign-in?refused=");
    why.unwrap_or_else(|| panic!("{}", answer.text))
}

fn tell(peer: &Peer, words: &str) {
    let told = exchange(
        ([127, 0, 0, 1], peer.port).into(),
        "GET",
        &format!("/tell?{words}"),
        &[],
        b"",
    );
    assert_eq!(told.status, 204);
}

fn entries(admin: &mut Visitor, what: &str) -> Vec<Value> {
    let entries = admin.get(&format!("/api/v1/audit?what={what}")).json();
    entries.as_array().unwrap().clone()
}

#[test]
fn groups_say_what_somebody_is_at_each_sign_on() {
    let provider = provider(&["anna=netops,berlin", "ben=visitors"]);
    let (office, mut admin) = office(&provider);
    let mut anna = office.visitor();
    let ways = anna.get("/api/v1/sign-on").json();
    assert_eq!(ways, json!({"sign_on": true, "openid": "Example"}));

    let answer = sign_on(&mut anna, &provider, "anna");
    assert_eq!(location(&answer), "/sign-in");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-flowreel=") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let me = anna.get("/api/v1/me").json();
    assert_eq!(
        (&me["name"], &me["role"], &me["scope"]),
        (&json!("anna"), &json!("engineer"), &json!(""))
    );
    let token = anna.make_token("program", "engineer", "");

    // The next time they are in another group: that is so wherever they are.
    tell(&provider, "anna=berlin");
    let mut again = office.visitor();
    assert_eq!(
        location(&sign_on(&mut again, &provider, "anna")),
        "/sign-in"
    );
    for visitor in [&mut anna, &mut again] {
        let me = visitor.get("/api/v1/me").json();
        assert_eq!(
            (&me["role"], &me["scope"]),
            (&json!("help_desk"), &json!("ip 10.1.0.0/16"))
        );
    }
    let accounts = admin.get("/api/v1/accounts").json();
    let account = &accounts.as_array().unwrap()[1];
    assert_eq!(
        (&account["shown_name"], &account["email"]),
        (&json!("ANNA"), &json!("anna@people.example"))
    );

    // In none: out at once, with what was left behind.
    tell(&provider, "anna=");
    assert_eq!(
        refused(&sign_on(&mut office.visitor(), &provider, "anna")),
        "no_group"
    );
    assert!(!anna.is_known() && !again.is_known() && !office.program(&token).is_known());
    assert_eq!(
        refused(&sign_on(&mut office.visitor(), &provider, "ben")),
        "no_group"
    );
    assert_eq!(
        admin
            .get("/api/v1/accounts")
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let signed_on = entries(&mut admin, "signed_on");
    assert_eq!(
        signed_on[0]["detail"],
        json!({"by": "openid", "role": "help_desk", "scope": "ip 10.1.0.0/16"})
    );
    assert_eq!(
        (&signed_on[1]["who"], &signed_on[1]["detail"]["role"]),
        (&json!("anna"), &json!("engineer"))
    );
    let failed = entries(&mut admin, "sign_on_failed");
    assert_eq!(failed[1]["object"], "anna");
    assert_eq!(
        failed[0]["detail"],
        json!({"by": "openid", "why": "no_group"})
    );
    assert!(!office.log().contains(SECRET));
}

#[test]
fn a_provider_may_say_elsewhere_who_somebody_is() {
    let provider = provider(&["userinfo=only", "anna=netops"]);
    let (office, _) = office(&provider);
    let mut anna = office.visitor();
    assert_eq!(location(&sign_on(&mut anna, &provider, "anna")), "/sign-in");
    assert_eq!(anna.get("/api/v1/me").json()["role"], "engineer");
}

#[test]
fn one_comes_back_to_the_page_where_one_was_and_nowhere_else() {
    let provider = provider(&["anna=netops"]);
    let (office, _) = office(&provider);
    let back = |to: &str| {
        let mut visitor = office.visitor();
        let place = depart(&mut visitor, to);
        let back = Away::at(&provider).walk(&place, "anna");
        location(&visitor.get(&back)).to_owned()
    };
    assert_eq!(back("?to=%2Fexplore%3Flast%3D1h"), "/explore?last=1h");
    for elsewhere in [
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example",
        "/%09/evil.example",
        "/%0d%0aA:b",
    ] {
        assert_eq!(back(&format!("?to={elsewhere}")), "/sign-in", "{elsewhere}");
    }
}

#[test]
fn who_comes_back_is_who_went_and_once() {
    let provider = provider(&["anna=netops"]);
    let (office, mut admin) = office(&provider);
    let mut victim = office.visitor();
    let place = depart(&mut victim, "");
    let back = Away::at(&provider).walk(&place, "anna");
    // Another browser, with no cookie and with one of its own.
    assert_eq!(refused(&office.visitor().get(&back)), "stale");
    let mut attacker = office.visitor();
    depart(&mut attacker, "");
    assert_eq!(refused(&attacker.get(&back)), "stale");
    // A state that nobody gave.
    let mut strange = victim.clone();
    assert_eq!(
        refused(&strange.get(&format!("{CALLBACK}?code=a&state=b"))),
        "stale"
    );
    let mut replayed = victim.clone();
    assert_eq!(location(&victim.get(&back)), "/sign-in");
    assert!(victim.is_known());
    assert_eq!(refused(&replayed.get(&back)), "stale");
    // A code that was used, under a new state: the provider takes it back.
    let code = back
        .split_once("code=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    let place = depart(&mut replayed, "");
    let state = place
        .split_once("state=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    let used = replayed.get(&format!("{CALLBACK}?code={code}&state={state}"));
    assert_eq!(refused(&used), "not_valid");
    // Who thinks better of it.
    let place = depart(&mut replayed, "");
    let state = place
        .split_once("state=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    let denied = replayed.get(&format!(
        "{CALLBACK}?error=access_denied&error_description=%3Cb%3E&state={state}"
    ));
    assert_eq!(refused(&denied), "denied");
    assert!(entries(&mut admin, "sign_on_failed").len() >= 6);
    assert!(!office.log().contains(code));
}

#[test]
fn an_account_is_never_taken_over() {
    let provider = provider(&["anna=netops", "admin=netops"]);
    let (office, mut admin) = office(&provider);
    assert_eq!(
        refused(&sign_on(&mut office.visitor(), &provider, "admin")),
        "name_taken"
    );
    let mut anna = office.visitor();
    sign_on(&mut anna, &provider, "anna");
    // Nobody gives it a password.
    let password = json!({"password": PASSWORD});
    assert_eq!(
        admin
            .send("POST", "/api/v1/accounts/anna/password", &password)
            .status,
        400
    );
    assert_eq!(office.visitor().sign_on("anna", PASSWORD).status, 401);
    let disabled = admin.send("PATCH", "/api/v1/accounts/anna", &json!({"disabled": true}));
    assert_eq!(disabled.status, 200);
    assert!(!anna.is_known());
    assert_eq!(
        refused(&sign_on(&mut office.visitor(), &provider, "anna")),
        "disabled"
    );
}

#[test]
fn a_provider_that_is_down_keeps_nobody_out_who_has_a_password() {
    let provider = provider(&["anna=netops"]);
    let (office, _) = office(&provider);
    drop(provider);
    let down = office.visitor().get("/api/v1/sign-on/openid");
    assert_eq!(refused(&down), "provider_down");
    assert!(office.signed_on("admin").is_known());
    assert_eq!(
        Office::open()
            .visitor()
            .get("/api/v1/sign-on/openid")
            .status,
        404
    );
}

#[test]
fn a_token_that_does_not_hold_lets_nobody_in() {
    let forger = Peer::start("forger.mjs", &[]);
    let (office, mut admin) = office(&forger);
    let wrongs = [
        "nonce",
        "no_nonce",
        "audience",
        "two_audiences",
        "party",
        "expired",
        "issuer",
        "none",
        "shared_secret",
        "key",
        "unknown_key",
    ];
    for wrong in wrongs {
        tell(&forger, &format!("wrong={wrong}"));
        let mut visitor = office.visitor();
        assert_eq!(
            refused(&sign_on(&mut visitor, &forger, "")),
            "not_valid",
            "{wrong}"
        );
        assert!(!visitor.is_known(), "{wrong}");
    }
    assert_eq!(
        admin
            .get("/api/v1/accounts")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // What it says otherwise is taken: it was refused for what was wrong.
    tell(&forger, "");
    let mut visitor = office.visitor();
    assert_eq!(location(&sign_on(&mut visitor, &forger, "")), "/sign-in");
    assert_eq!(visitor.get("/api/v1/me").json()["name"], "mallory");
}

#[test]
fn one_signs_out_at_the_provider_too() {
    let provider = provider(&["anna=netops"]);
    let (office, _) = office(&provider);
    let answer = office.visitor().get("/api/v1/sign-off/openid");
    let place = location(&answer);
    let expected = format!(
        "http://127.0.0.1:{}/session/end?client_id=flowreel&post_logout_redirect_uri=",
        provider.port
    );
    assert!(place.starts_with(&expected), "{place}");
}
