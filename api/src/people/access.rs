//! Which route needs which permission. What is not here is refused.

use axum::http::Method;

use super::Permission::{self, Ask, Import, Operate, Record, Replay, Report, Rule, Share, Work};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever reaches the server.
    Everybody,
    /// Whoever has the permission.
    With(Permission),
}

use Access::{Everybody, With};

/// Every route of the API, as the router names it.
const ROUTES: [(&str, &str, Access); 50] = [
    ("DELETE", "/api/v1/players/{id}", With(Ask)),
    ("DELETE", "/api/v1/recordings/{name}", With(Share)),
    ("GET", "/api/openapi.json", Everybody),
    ("GET", "/api/v1/accounting", With(Operate)),
    ("GET", "/api/v1/compare/{dimension}", With(Ask)),
    ("GET", "/api/v1/exporters", With(Operate)),
    ("GET", "/api/v1/filter/complete", With(Ask)),
    ("GET", "/api/v1/flows", With(Ask)),
    ("GET", "/api/v1/here", With(Report)),
    ("GET", "/api/v1/holdings", With(Operate)),
    ("GET", "/api/v1/imports", With(Import)),
    ("GET", "/api/v1/imports/{feed}", With(Import)),
    ("GET", "/api/v1/inventory", With(Ask)),
    ("GET", "/api/v1/lateness", With(Ask)),
    ("GET", "/api/v1/learned", With(Rule)),
    ("GET", "/api/v1/players/{id}", With(Ask)),
    ("GET", "/api/v1/players/{id}/frames", With(Ask)),
    ("GET", "/api/v1/recordings", With(Replay)),
    ("GET", "/api/v1/recordings/{name}", With(Replay)),
    ("GET", "/api/v1/recordings/{name}/file", With(Share)),
    ("GET", "/api/v1/rules", With(Rule)),
    ("GET", "/api/v1/rules/catalog", With(Rule)),
    ("GET", "/api/v1/series", With(Ask)),
    ("GET", "/api/v1/series/{picture}", With(Ask)),
    ("GET", "/api/v1/tickets", With(Report)),
    ("GET", "/api/v1/tickets/events", With(Report)),
    ("GET", "/api/v1/tickets/{number}", With(Report)),
    ("GET", "/api/v1/tickets/{number}/picture.svg", With(Report)),
    ("GET", "/api/v1/top/{dimension}", With(Ask)),
    ("GET", "/api/v1/top/{dimension}/{picture}", With(Ask)),
    ("GET", "/healthz", Everybody),
    ("GET", "/metrics", With(Operate)),
    ("GET", "/readyz", Everybody),
    ("POST", "/api/v1/imports", With(Import)),
    ("POST", "/api/v1/players", With(Ask)),
    ("POST", "/api/v1/players/{id}", With(Ask)),
    ("POST", "/api/v1/reclassify", With(Rule)),
    ("POST", "/api/v1/recordings", With(Record)),
    ("POST", "/api/v1/recordings/{name}/keep", With(Record)),
    ("POST", "/api/v1/recordings/{name}/notes", With(Record)),
    ("POST", "/api/v1/recordings/{name}/stop", With(Record)),
    ("POST", "/api/v1/reels", With(Import)),
    ("POST", "/api/v1/tickets", With(Report)),
    ("POST", "/api/v1/tickets/{number}/assign", With(Work)),
    ("POST", "/api/v1/tickets/{number}/close", With(Work)),
    ("POST", "/api/v1/tickets/{number}/comments", With(Report)),
    ("POST", "/api/v1/tickets/{number}/escalate", With(Work)),
    ("POST", "/api/v1/tickets/{number}/merge", With(Work)),
    ("POST", "/api/v1/tickets/{number}/reopen", With(Work)),
    ("PUT", "/api/v1/rules", With(Rule)),
];

/// What a request to a route needs; `None` if nobody has said.
pub(crate) fn access(method: &Method, route: &str) -> Option<Access> {
    // What is sent without a body is the same otherwise.
    let method = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    let found = ROUTES
        .iter()
        .find(|(its_method, its_route, _)| *its_method == method.as_str() && *its_route == route);
    found.map(|(_, _, access)| *access)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(access(&method, route).is_some(), "{method} {route}");
        }
        assert_eq!(routes.len(), ROUTES.len());
    }
}
