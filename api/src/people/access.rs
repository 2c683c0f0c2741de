//! Which route needs which permission, and what is noted of its use. What is not here is refused.

use axum::http::Method;
use store::catalog::Act::{self, *};

use super::Permission::{
    self, Administer, Ask, Import, Operate, Record, Replay, Report, Rule as Name, Share, Work,
};
use super::{Identity, Person};
use crate::ApiError;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever reaches the server.
    Everybody,
    /// Whoever is known: by a session, or a token.
    SignedOn,
    /// Whoever has signed on with a session: what no token may do, as it would outlive its own end.
    InPerson,
    /// Whoever has the permission.
    With(Permission),
    /// Whoever has the permission and sees every flow: this tells about the whole network, or holds datagrams, in which there are
    /// other people's flows too; or it gives rights, which nobody gives who has less themselves.
    Whole(Permission),
}

use Access::{Everybody, InPerson, SignedOn, Whole, With};

impl Access {
    /// Lets this person through, or says why not.
    pub(super) fn check(self, person: &Person) -> Result<(), ApiError> {
        let has = |permission: Permission| permission.is_of(person.role);
        let why = match self {
            Self::Everybody | Self::SignedOn => return Ok(()),
            Self::InPerson => match person.identity {
                Identity::Session { .. } | Identity::Proxy { .. } => return Ok(()),
                _ => "this is for people who have signed on, not for programs",
            },
            Self::With(permission) if has(permission) => return Ok(()),
            Self::Whole(permission) if has(permission) => match person.scope.sees_all() {
                true => return Ok(()),
                false => "this holds what is everybody's, and you see a part of the flows only",
            },
            Self::With(_) | Self::Whole(_) => NOT_YOURS,
        };
        Err(ApiError::forbidden(why))
    }
}

/// What is said where a role has no permission, and where nobody has said who may.
pub(super) const NOT_YOURS: &str = "this is not among what your role may do";

/// What the table says of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    method: &'static str,
    route: &'static str,
    pub(super) access: Access,
    /// What is written down when it was used; what is not here is looking.
    pub(super) act: Option<Act>,
}

const fn looks(method: &'static str, route: &'static str, access: Access) -> Rule {
    Rule {
        method,
        route,
        access,
        act: None,
    }
}

const fn does(method: &'static str, route: &'static str, access: Access, act: Act) -> Rule {
    Rule {
        method,
        route,
        access,
        act: Some(act),
    }
}

/// Every route of the API, as the router names it.
#[rustfmt::skip] // A line for each.
const ROUTES: &[Rule] = &[
    looks("DELETE", "/api/v1/players/{id}", With(Ask)),
    does("DELETE", "/api/v1/me/sessions", InPerson, SessionsEnded),
    does("DELETE", "/api/v1/me/sessions/{number}", InPerson, SessionsEnded),
    does("DELETE", "/api/v1/me/tokens/{number}", InPerson, TokenRevoked),
    does("DELETE", "/api/v1/outgoing/{number}", Whole(Administer), OutgoingChanged),
    does("DELETE", "/api/v1/recordings/{name}", With(Share), RecordingDeleted),
    looks("GET", "/api/openapi.json", Everybody),
    looks("GET", "/api/v1/accounting", Whole(Operate)),
    looks("GET", "/api/v1/accounts", Whole(Administer)),
    looks("GET", "/api/v1/audit", Whole(Administer)),
    looks("GET", "/api/v1/compare/{dimension}", With(Ask)),
    looks("GET", "/api/v1/exporters", Whole(Operate)),
    looks("GET", "/api/v1/filter/complete", With(Ask)),
    looks("GET", "/api/v1/flows", With(Ask)),
    looks("GET", "/api/v1/here", With(Report)),
    looks("GET", "/api/v1/holdings", Whole(Operate)),
    looks("GET", "/api/v1/imports", Whole(Import)),
    looks("GET", "/api/v1/imports/{feed}", Whole(Import)),
    looks("GET", "/api/v1/inventory", With(Ask)),
    looks("GET", "/api/v1/lateness", With(Ask)),
    looks("GET", "/api/v1/learned", Whole(Name)),
    looks("GET", "/api/v1/me", SignedOn),
    looks("GET", "/api/v1/me/mail", InPerson),
    looks("GET", "/api/v1/me/sessions", InPerson),
    looks("GET", "/api/v1/me/tokens", InPerson),
    looks("GET", "/api/v1/outgoing", Whole(Administer)),
    looks("GET", "/api/v1/players/{id}", With(Ask)),
    looks("GET", "/api/v1/players/{id}/frames", With(Ask)),
    looks("GET", "/api/v1/recordings", With(Replay)),
    looks("GET", "/api/v1/recordings/{name}", With(Replay)),
    does("GET", "/api/v1/recordings/{name}/file", Whole(Share), RecordingExported),
    looks("GET", "/api/v1/rules", Whole(Name)),
    looks("GET", "/api/v1/rules/catalog", Whole(Name)),
    looks("GET", "/api/v1/series", With(Ask)),
    looks("GET", "/api/v1/series/{picture}", With(Ask)),
    looks("GET", "/api/v1/sign-off/openid", Everybody),
    looks("GET", "/api/v1/sign-on", Everybody),
    looks("GET", "/api/v1/sign-on/openid", Everybody),
    does("GET", "/api/v1/sign-on/openid/callback", Everybody, Act::SignedOn),
    looks("GET", "/api/v1/tickets", With(Report)),
    looks("GET", "/api/v1/tickets/events", With(Report)),
    looks("GET", "/api/v1/tickets/{number}", With(Report)),
    looks("GET", "/api/v1/tickets/{number}/picture.svg", With(Report)),
    looks("GET", "/api/v1/top/{dimension}", With(Ask)),
    looks("GET", "/api/v1/top/{dimension}/{picture}", With(Ask)),
    looks("GET", "/healthz", Everybody),
    looks("GET", "/metrics", Whole(Operate)),
    looks("GET", "/readyz", Everybody),
    does("PATCH", "/api/v1/accounts/{name}", Whole(Administer), AccountChanged),
    does("POST", "/api/v1/accounts", Whole(Administer), AccountMade),
    does("POST", "/api/v1/accounts/{name}/password", Whole(Administer), PasswordReset),
    does("POST", "/api/v1/imports", Whole(Import), CaptureImported),
    does("POST", "/api/v1/me/password", InPerson, PasswordChanged),
    does("POST", "/api/v1/me/tokens", InPerson, TokenMade),
    does("POST", "/api/v1/outgoing/again", Whole(Administer), OutgoingChanged),
    does("POST", "/api/v1/outgoing/test", Whole(Administer), OutgoingChanged),
    does("POST", "/api/v1/players", With(Ask), Replayed),
    looks("POST", "/api/v1/players/{id}", With(Ask)),
    does("POST", "/api/v1/reclassify", Whole(Name), Reclassified),
    does("POST", "/api/v1/recordings", With(Record), RecordingCut),
    does("POST", "/api/v1/recordings/{name}/keep", With(Record), RecordingKept),
    does("POST", "/api/v1/recordings/{name}/notes", With(Record), NoteWritten),
    does("POST", "/api/v1/recordings/{name}/stop", With(Record), RecordingStopped),
    does("POST", "/api/v1/reels", Whole(Import), RecordingImported),
    does("POST", "/api/v1/sign-off", InPerson, SignedOff),
    does("POST", "/api/v1/sign-on", Everybody, Act::SignedOn),
    does("POST", "/api/v1/tickets", With(Report), TicketMade),
    does("POST", "/api/v1/tickets/{number}/assign", With(Work), TicketWorked),
    does("POST", "/api/v1/tickets/{number}/close", With(Work), TicketWorked),
    does("POST", "/api/v1/tickets/{number}/comments", With(Report), TicketWorked),
    does("POST", "/api/v1/tickets/{number}/escalate", With(Work), TicketWorked),
    does("POST", "/api/v1/tickets/{number}/merge", With(Work), TicketWorked),
    does("POST", "/api/v1/tickets/{number}/reopen", With(Work), TicketWorked),
    does("POST", "/api/v1/welcome", Everybody, Welcomed),
    does("PUT", "/api/v1/me/mail", InPerson, MailChanged),
    does("PUT", "/api/v1/rules", Whole(Name), RulesChanged),
];

/// What a request to a route needs; `None` if nobody has said.
pub(crate) fn rule(method: &Method, route: &str) -> Option<&'static Rule> {
    // What is sent without a body is the same otherwise.
    let method = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    let mut rules = ROUTES.iter();
    rules.find(|rule| rule.method == method.as_str() && rule.route == route)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What changes nothing that outlives a page: a view that moves is told to stop, and ends.
    const OF_A_PAGE: [(&str, &str); 2] = [
        ("DELETE", "/api/v1/players/{id}"),
        ("POST", "/api/v1/players/{id}"),
    ];

    #[test]
    fn every_route_says_what_it_needs_and_no_other_is_here() {
        let document = serde_json::to_value(crate::router::openapi()).unwrap();
        let mut routes = vec![("GET".to_owned(), "/api/openapi.json".to_owned())];
        for (path, methods) in document["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys();
            routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        }
        for (method, route) in &routes {
            let method: Method = method.parse().unwrap();
            assert!(rule(&method, route).is_some(), "{method} {route}");
        }
        assert_eq!(routes.len(), ROUTES.len());
    }

    #[test]
    fn whatever_changes_something_is_noted() {
        for rule in ROUTES.iter().filter(|rule| rule.method != "GET") {
            let is_of_a_page = OF_A_PAGE.contains(&(rule.method, rule.route));
            assert_eq!(rule.act.is_none(), is_of_a_page, "{rule:?}");
        }
    }
}
