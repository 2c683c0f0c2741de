//! Which route needs which permission. What is not here is refused.

use axum::http::Method;

use super::Permission::{self, Ask, Import, Operate, Record, Replay, Rule, Share};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever reaches the server.
    Everybody,
    /// Whoever has the permission.
    With(Permission),
    /// Whoever has the permission and sees every flow: this tells about the whole network, or holds datagrams, in which there are
    /// other people's flows too.
    Whole(Permission),
}

use Access::{Everybody, Whole, With};

/// Every route of the API, as the router names it.
const ROUTES: [(&str, &str, Access); 38] = [
    ("DELETE", "/api/v1/players/{id}", With(Ask)),
    ("DELETE", "/api/v1/recordings/{name}", With(Share)),
    ("GET", "/api/openapi.json", Everybody),
    ("GET", "/api/v1/accounting", Whole(Operate)),
    ("GET", "/api/v1/compare/{dimension}", With(Ask)),
    ("GET", "/api/v1/exporters", Whole(Operate)),
    ("GET", "/api/v1/filter/complete", With(Ask)),
    ("GET", "/api/v1/flows", With(Ask)),
    ("GET", "/api/v1/holdings", Whole(Operate)),
    ("GET", "/api/v1/imports", Whole(Import)),
    ("GET", "/api/v1/imports/{feed}", Whole(Import)),
    ("GET", "/api/v1/inventory", With(Ask)),
    ("GET", "/api/v1/lateness", With(Ask)),
    ("GET", "/api/v1/learned", Whole(Rule)),
    ("GET", "/api/v1/players/{id}", With(Ask)),
    ("GET", "/api/v1/players/{id}/frames", With(Ask)),
    ("GET", "/api/v1/recordings", With(Replay)),
    ("GET", "/api/v1/recordings/{name}", With(Replay)),
    ("GET", "/api/v1/recordings/{name}/file", Whole(Share)),
    ("GET", "/api/v1/rules", Whole(Rule)),
    ("GET", "/api/v1/rules/catalog", Whole(Rule)),
    ("GET", "/api/v1/series", With(Ask)),
    ("GET", "/api/v1/series/{picture}", With(Ask)),
    ("GET", "/api/v1/top/{dimension}", With(Ask)),
    ("GET", "/api/v1/top/{dimension}/{picture}", With(Ask)),
    ("GET", "/healthz", Everybody),
    ("GET", "/metrics", Whole(Operate)),
    ("GET", "/readyz", Everybody),
    ("POST", "/api/v1/imports", Whole(Import)),
    ("POST", "/api/v1/players", With(Ask)),
    ("POST", "/api/v1/players/{id}", With(Ask)),
    ("POST", "/api/v1/reclassify", Whole(Rule)),
    ("POST", "/api/v1/recordings", With(Record)),
    ("POST", "/api/v1/recordings/{name}/keep", With(Record)),
    ("POST", "/api/v1/recordings/{name}/notes", With(Record)),
    ("POST", "/api/v1/recordings/{name}/stop", With(Record)),
    ("POST", "/api/v1/reels", Whole(Import)),
    ("PUT", "/api/v1/rules", Whole(Rule)),
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
