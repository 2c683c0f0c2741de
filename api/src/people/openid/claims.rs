//! Who somebody is by what the provider says of them.

use serde_json::{Map, Value};
use store::catalog::{NewAccount, PERSON_CHARS_MAX};

use super::refusal::Refusal;
use super::settings::Settings;

/// What is said of somebody.
pub(super) type Claims = Map<String, Value>;

/// What the account says who made it.
const MADE_BY: &str = "OpenID Connect";

/// The account of somebody as the provider describes it now.
///
/// # Errors
///
/// They are in no group that may come in, or have no name.
pub(super) fn account(settings: &Settings, claims: &Claims) -> Result<NewAccount, Refusal> {
    let groups = groups(claims.get(&settings.groups_claim));
    let mut grants = settings.groups.iter();
    let grant = grants
        .find(|grant| groups.contains(&grant.group.as_str()))
        .ok_or(Refusal::NoGroup)?;
    let name = match &settings.name_claim {
        Some(claim) => text(claims, claim),
        None => text(claims, "preferred_username").or_else(|| text(claims, "email")),
    };
    let name = name.ok_or(Refusal::NoName)?.to_lowercase();
    let shown_name = text(claims, "name").filter(|it| can_be_shown(it));
    // What nobody has looked into may be somebody else's address.
    let is_unverified = claims.get("email_verified") == Some(&Value::Bool(false));
    let email = text(claims, "email").filter(|it| can_be_shown(it) && is_address(it));
    Ok(NewAccount {
        shown_name: shown_name.unwrap_or(&name).to_owned(),
        email: email.filter(|_| !is_unverified).map(str::to_owned),
        role: grant.role,
        scope: grant.scope.clone(),
        password: None,
        made_by: MADE_BY.to_owned(),
        name,
    })
}

/// Some providers send one group as a text.
fn groups(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    let text = claims.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn can_be_shown(text: &str) -> bool {
    text.chars().count() <= PERSON_CHARS_MAX && text.chars().all(flow::text::is_shown)
}

fn is_address(text: &str) -> bool {
    text.contains('@') && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::catalog::Role;

    use super::*;

    fn settings(name_claim: Option<&str>) -> Settings {
        let settings = json!({
            "issuer": "https://login.example", "client_id": "flowreel", "name_claim": name_claim,
            "groups": [
                {"group": "netops", "role": "engineer"},
                {"group": "berlin", "role": "help_desk", "scope": "site berlin"},
            ],
        });
        serde_json::from_value(settings).unwrap()
    }

    fn said(claims: &Value) -> Result<NewAccount, Refusal> {
        account(&settings(None), claims.as_object().unwrap())
    }

    #[test]
    fn the_first_group_that_fits_says_what_somebody_may() {
        let both = said(&json!({"preferred_username": "Anna", "groups": ["berlin", "netops"]}));
        let both = both.unwrap();
        assert_eq!(
            (both.name.as_str(), both.role, both.scope.as_str()),
            ("anna", Role::Engineer, "")
        );
        let one = said(&json!({"preferred_username": "anna", "groups": "berlin"})).unwrap();
        assert_eq!(
            (one.role, one.scope.as_str()),
            (Role::HelpDesk, "site berlin")
        );
        for groups in [
            json!([]),
            json!(["Netops", "berlin2"]),
            json!(7),
            json!([["netops"]]),
            Value::Null,
        ] {
            let nobody = said(&json!({"preferred_username": "anna", "groups": groups}));
            assert_eq!(nobody.err(), Some(Refusal::NoGroup), "{groups}");
        }
    }

    #[test]
    fn an_account_has_a_name_or_is_none() {
        let groups = json!(["netops"]);
        let mail = said(&json!({"email": "Anna@Example.org", "groups": groups})).unwrap();
        assert_eq!(mail.name, "anna@example.org");
        assert_eq!(mail.email.as_deref(), Some("Anna@Example.org"));
        assert_eq!(
            said(&json!({"groups": groups})).err(),
            Some(Refusal::NoName)
        );
        let claims = json!({"preferred_username": "anna", "upn": "a.b", "groups": groups});
        let other = account(&settings(Some("upn")), claims.as_object().unwrap()).unwrap();
        assert_eq!(other.name, "a.b");
    }

    #[test]
    fn what_cannot_be_shown_or_is_not_theirs_is_left_out() {
        let claims = json!({
            "preferred_username": "anna", "name": "A\u{202e}nna", "email": "boss@example.org",
            "email_verified": false, "groups": ["netops"],
        });
        let anna = said(&claims).unwrap();
        assert_eq!((anna.shown_name.as_str(), anna.email), ("anna", None));
    }
}
