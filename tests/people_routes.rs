//! Every route with every role, with their tokens, and with nobody: the real binary, and a second table of who may do what.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use serde_json::json;
use support::people::{Office, ROLES, Visitor};

/// Who may use a route, as the least of those who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Nobody,
    EndUser,
    Manager,
    ApplicationOwner,
    HelpDesk,
    Engineer,
    Admin,
    /// Whoever has signed on, but no program.
    InPerson,
}

/// By the roles, written down a second time: `api/src/people/access.rs` is held against it.
fn expected() -> BTreeMap<String, Least> {
    use Least::{Admin, ApplicationOwner, EndUser, Engineer, HelpDesk, InPerson, Manager, Nobody};
    let groups: [(Least, &[&str]); 8] = [
        (
            Nobody,
            &[
                "get /healthz",
                "get /readyz",
                "get /api/v1/sign-off/openid",
                "get /api/v1/sign-on",
                "get /api/v1/sign-on/openid",
                "get /api/v1/sign-on/openid/callback",
                "post /api/v1/sign-on",
                "post /api/v1/welcome",
            ],
        ),
        (
            EndUser,
            &[
                "get /api/v1/here",
                "get /api/v1/tickets",
                "get /api/v1/tickets/events",
                "get /api/v1/tickets/{number}",
                "get /api/v1/tickets/{number}/picture.svg",
                "post /api/v1/tickets",
                "post /api/v1/tickets/{number}/comments",
                "get /api/v1/compare/{dimension}",
                "get /api/v1/filter/complete",
                "get /api/v1/flows",
                "get /api/v1/inventory",
                "get /api/v1/lateness",
                "get /api/v1/me",
                "get /api/v1/players/{id}",
                "get /api/v1/players/{id}/frames",
                "get /api/v1/series",
                "get /api/v1/series/{picture}",
                "get /api/v1/top/{dimension}",
                "get /api/v1/top/{dimension}/{picture}",
                "delete /api/v1/players/{id}",
                "post /api/v1/players",
                "post /api/v1/players/{id}",
            ],
        ),
        (
            Manager,
            &["get /api/v1/recordings", "get /api/v1/recordings/{name}"],
        ),
        (
            HelpDesk,
            &[
                "post /api/v1/tickets/{number}/assign",
                "post /api/v1/tickets/{number}/close",
                "post /api/v1/tickets/{number}/escalate",
                "post /api/v1/tickets/{number}/merge",
                "post /api/v1/tickets/{number}/reopen",
            ],
        ),
        (
            ApplicationOwner,
            &[
                "post /api/v1/recordings",
                "post /api/v1/recordings/{name}/keep",
                "post /api/v1/recordings/{name}/notes",
                "post /api/v1/recordings/{name}/stop",
            ],
        ),
        (
            Engineer,
            &[
                "delete /api/v1/recordings/{name}",
                "get /api/v1/accounting",
                "get /api/v1/exporters",
                "get /api/v1/holdings",
                "get /api/v1/imports",
                "get /api/v1/imports/{feed}",
                "get /api/v1/learned",
                "get /api/v1/recordings/{name}/file",
                "get /api/v1/rules",
                "get /api/v1/rules/catalog",
                "get /metrics",
                "post /api/v1/imports",
                "post /api/v1/reclassify",
                "post /api/v1/reels",
                "put /api/v1/rules",
            ],
        ),
        (
            Admin,
            &[
                "get /api/v1/accounts",
                "delete /api/v1/outgoing/{number}",
                "get /api/v1/audit",
                "get /api/v1/outgoing",
                "post /api/v1/outgoing/again",
                "post /api/v1/outgoing/test",
                "patch /api/v1/accounts/{name}",
                "post /api/v1/accounts",
                "post /api/v1/accounts/{name}/password",
            ],
        ),
        (
            InPerson,
            &[
                "delete /api/v1/me/sessions",
                "delete /api/v1/me/sessions/{number}",
                "delete /api/v1/me/tokens/{number}",
                "get /api/v1/me/mail",
                "get /api/v1/me/sessions",
                "get /api/v1/me/tokens",
                "post /api/v1/me/password",
                "post /api/v1/me/tokens",
                "post /api/v1/sign-off",
                "put /api/v1/me/mail",
            ],
        ),
    ];
    let all = groups
        .iter()
        .flat_map(|(least, routes)| routes.iter().map(|route| ((*route).to_owned(), *least)));
    all.collect()
}

fn least(role: &str) -> Least {
    match role {
        "end_user" => Least::EndUser,
        "manager" => Least::Manager,
        "application_owner" => Least::ApplicationOwner,
        "help_desk" => Least::HelpDesk,
        "engineer" => Least::Engineer,
        _ => Least::Admin,
    }
}

/// The status of a request to a route: an address of that kind, and an empty object.
fn knock(who: &mut Visitor, route: &str) -> u16 {
    let (method, path) = route.split_once(' ').unwrap();
    let path: Vec<&str> = path
        .split('/')
        .map(|part| match part {
            "{dimension}" => "clients",
            "{picture}" => "picture.svg",
            "{number}" | "{feed}" | "{id}" => "77",
            "{name}" => "nothing",
            part => part,
        })
        .collect();
    let body = if method == "get" {
        json!(null)
    } else {
        json!({})
    };
    let answer = match body.is_null() {
        true => who.get(&path.join("/")),
        false => who.send(&method.to_uppercase(), &path.join("/"), &body),
    };
    answer.status
}

#[test]
fn every_route_is_open_to_whom_the_table_says_and_to_nobody_else() {
    let (office, mut admin) = Office::staffed();
    let document = admin.get("/api/openapi.json").json();
    let mut routes: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        routes.extend(methods.map(|method| format!("{method} {path}")));
    }
    let expected = expected();
    let mut sorted = routes.clone();
    sorted.sort();
    assert_eq!(sorted, expected.keys().cloned().collect::<Vec<_>>());

    let refused = |status: u16| [401, 403].contains(&status);
    for (route, least) in &expected {
        let status = knock(&mut office.visitor(), route);
        let is_open = *least == Least::Nobody;
        assert_eq!(status == 401, !is_open, "nobody: {route}: {status}");
        assert!(refused(status) == (status == 401), "{route}: {status}");
    }
    for role in ROLES {
        let mut person = office.signed_on(role);
        let mut program = office.program(&person.make_token("walk", role, ""));
        for (route, needs) in &expected {
            let may = *needs <= least(role);
            // It goes on for ever; tests/tickets.rs listens to it.
            if may && route.ends_with("/tickets/events") {
                continue;
            }
            let status = knock(&mut program, route);
            assert_eq!(status == 403, !may, "{role}'s token: {route}: {status}");
            assert_ne!(status, 401, "{role}'s token: {route}");
            let status = knock(&mut person, route);
            let may = may || *needs == Least::InPerson;
            assert_eq!(status == 403, !may, "{role}: {route}: {status}");
            assert_ne!(status, 401, "{role}: {route}");
            if !person.is_known() {
                person = office.signed_on(role);
            }
        }
    }
    // What is no route is a page, and what is no page is nothing.
    assert_eq!(office.visitor().get("/api/v1/nothing").status, 404);
    assert_eq!(knock(&mut office.visitor(), "delete /api/v1/rules"), 401);
    assert_eq!(
        knock(&mut office.signed_on("admin"), "delete /api/v1/rules"),
        403
    );
}
