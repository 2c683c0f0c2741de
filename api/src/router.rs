//! The table of contents: every route, and the OpenAPI document that is made from them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::Request;
use axum::middleware::Next;
use axum::routing::get;
use axum::{Json, Router, middleware};
use store::Store;
use store::question::{Dimension, Dimensions};
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::archive::Archive;
use crate::outgoing::{self, Outgoing};
use crate::pages::{self, Pages};
use crate::people::openid::routes as openid;
use crate::people::{People, accounts, audit, own, signing};
use crate::pictures::{Easel, PictureUnit, SeriesView};
use crate::plant::Plant;
use crate::players::{Players, routes as players};
use crate::sharing::Sharing;
use crate::studio::{PictureFile, Studio, Theme};
use crate::tickets::{Desk, routes as tickets};
use crate::{
    body, comparing, guard, headers, imports, operations, people, pictures, questions, recordings,
    rules,
};

/// What handlers work with.
#[derive(Clone)]
pub struct Api {
    /// Answers questions.
    pub store: Arc<Store>,
    /// The running product.
    pub plant: Arc<dyn Plant>,
    /// The recordings.
    pub archive: Arc<dyn Archive>,
    /// Who asks.
    pub people: People,
    /// Views that move.
    pub players: Players,
    /// Answers that several may have.
    pub(crate) sharing: Sharing,
    /// Uploads so far, for their file names.
    pub uploads: Arc<AtomicU64>,
    /// Places for uploads that run at the same time.
    pub places: Arc<Semaphore>,
    /// What is at the addresses that are no routes; nothing if `None`.
    pub pages: Option<Pages>,
    /// Where pictures are drawn.
    pub(crate) easel: Easel,
    /// Who takes tickets; nobody if `None`.
    pub(crate) desk: Option<Arc<dyn Desk>>,
    /// What goes out; nothing if `None`.
    pub(crate) outgoing: Option<Arc<dyn Outgoing>>,
}

impl Api {
    /// Over a store, a plant and an archive, for these people.
    pub fn new(
        store: Arc<Store>,
        plant: Arc<dyn Plant>,
        archive: Arc<dyn Archive>,
        people: People,
    ) -> Self {
        Self {
            store,
            plant,
            archive,
            people,
            players: Players::default(),
            sharing: Sharing::default(),
            uploads: Arc::default(),
            places: Arc::new(Semaphore::new(UPLOADS_MAX)),
            pages: None,
            easel: Easel::new(None),
            desk: None,
            outgoing: None,
        }
    }

    /// With pages at the addresses that are no routes.
    #[must_use]
    pub fn with_pages(self, pages: Pages) -> Self {
        let pages = Some(pages);
        Self { pages, ..self }
    }

    /// With somebody who takes tickets.
    #[must_use]
    pub fn with_desk(self, desk: Arc<dyn Desk>) -> Self {
        let desk = Some(desk);
        Self { desk, ..self }
    }

    /// With ways out of the house.
    #[must_use]
    pub fn with_outgoing(self, outgoing: Arc<dyn Outgoing>) -> Self {
        let outgoing = Some(outgoing);
        Self { outgoing, ..self }
    }

    /// With pictures.
    #[must_use]
    pub fn with_studio(self, studio: Arc<dyn Studio>) -> Self {
        let easel = Easel::new(Some(studio));
        Self { easel, ..self }
    }
}

/// Title and purpose; routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flowreel",
        description = "Which application is slow, and which part of the path: questions over flows, live or replayed."
    ),
    // A type of a parameter does not add itself.
    components(schemas(
        Dimension,
        Dimensions,
        recordings::FileKind,
        PictureFile,
        PictureUnit,
        SeriesView,
        Theme
    ))
)]
struct Document;

/// Largest capture file that is taken in one request, octets.
pub const UPLOAD_OCTETS_MAX: u64 = 16 << 30;
/// Uploads that may run at the same time.
const UPLOADS_MAX: usize = 2;

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(questions::top))
        .routes(routes!(questions::series))
        .routes(routes!(questions::flows))
        .routes(routes!(pictures::top_picture))
        .routes(routes!(pictures::series_picture))
        .routes(routes!(comparing::compare))
        .routes(routes!(questions::inventory))
        .routes(routes!(questions::lateness))
        .routes(routes!(operations::accounting))
        .routes(routes!(operations::exporters))
        .routes(routes!(operations::holdings))
        .routes(routes!(imports::import_status))
        .routes(routes!(rules::rules, rules::set_rules))
        .routes(routes!(rules::catalog_rules))
        .routes(routes!(rules::learned))
        .routes(routes!(rules::reclassify))
        .routes(routes!(rules::complete_filter))
        .routes(routes!(recordings::recordings, recordings::cut))
        .routes(routes!(recordings::recording, recordings::delete))
        .routes(routes!(recordings::stop))
        .routes(routes!(recordings::keep))
        .routes(routes!(recordings::note))
        .routes(routes!(recordings::file))
        .routes(routes!(players::make))
        .routes(routes!(players::state, players::tell, players::end))
        .routes(routes!(players::frames))
        .routes(routes!(openid::ways, signing::sign_on))
        .routes(routes!(openid::leave))
        .routes(routes!(openid::come_back))
        .routes(routes!(openid::sign_out_there))
        .routes(routes!(signing::sign_off))
        .routes(routes!(signing::welcome))
        .routes(routes!(signing::me))
        .routes(routes!(own::change_password))
        .routes(routes!(own::sessions, own::end_sessions))
        .routes(routes!(own::end_session))
        .routes(routes!(own::tokens, own::make_token))
        .routes(routes!(own::revoke_token))
        .routes(routes!(accounts::accounts, accounts::make_account))
        .routes(routes!(accounts::change_account))
        .routes(routes!(accounts::reset_password))
        .routes(routes!(audit::audit))
        .routes(routes!(tickets::here))
        .routes(routes!(tickets::tickets, tickets::press))
        .routes(routes!(tickets::events))
        .routes(routes!(tickets::ticket))
        .routes(routes!(tickets::picture))
        .routes(routes!(tickets::assign))
        .routes(routes!(tickets::comment))
        .routes(routes!(tickets::escalate))
        .routes(routes!(tickets::merge))
        .routes(routes!(tickets::close))
        .routes(routes!(tickets::reopen))
        .routes(routes!(outgoing::messages))
        .routes(routes!(outgoing::again))
        .routes(routes!(outgoing::test))
        .routes(routes!(outgoing::drop_message))
        .routes(routes!(outgoing::mail_wish, outgoing::want_mail))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .layer(middleware::from_fn(body::read_in_time))
        // An upload is written as it comes.
        .routes(routes!(imports::imports, imports::import))
        .routes(routes!(recordings::import))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// Everything that the server answers.
pub fn router(api: Api) -> Router {
    let (router, document) = routes().split_for_parts();
    let document = Json(document);
    let (people, is_required) = (api.people.clone(), api.people.is_required());
    let guard =
        move |request: Request, next: Next| guard::refuse_other_sites(is_required, request, next);
    router
        .route("/api/openapi.json", get(|| async move { document }))
        .fallback(pages::answer)
        .layer(middleware::from_fn_with_state(people, people::keep))
        .layer(middleware::from_fn(guard))
        .layer(middleware::from_fn(headers::add))
        .with_state(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages' types are made from this file: `FLOWREEL_BLESS=1` writes it anew.
    #[test]
    fn the_pages_know_this_document() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/web/openapi.json");
        let document = openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("FLOWREEL_BLESS").is_some() {
            std::fs::write(file, &document).unwrap();
        }
        let known = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            known == document,
            "run `make bless`, then mend what the pages say"
        );
    }

    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                let named = map.get("$ref").and_then(serde_json::Value::as_str);
                found.extend(named.map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            serde_json::Value::Array(all) => {
                all.iter().for_each(|value| references(value, found));
            }
            _ => {}
        }
    }

    #[test]
    fn what_the_document_names_is_in_it() {
        let document = serde_json::to_value(openapi()).unwrap();
        let mut named = Vec::new();
        references(&document, &mut named);
        assert!(!named.is_empty());
        for name in named {
            let place = name.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{name}");
        }
    }

    /// A client is made from this document: a route that moves or goes is a decision, not an accident.
    #[test]
    fn the_document_names_every_route() {
        let document = serde_json::to_value(openapi()).unwrap();
        let mut routes: Vec<String> = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            routes.extend(
                item.as_object()
                    .unwrap()
                    .keys()
                    .map(|method| format!("{method} {path}")),
            );
        }
        routes.sort_unstable();
        let expected = [
            "delete /api/v1/me/sessions",
            "delete /api/v1/me/sessions/{number}",
            "delete /api/v1/me/tokens/{number}",
            "delete /api/v1/outgoing/{number}",
            "delete /api/v1/players/{id}",
            "delete /api/v1/recordings/{name}",
            "get /api/v1/accounting",
            "get /api/v1/accounts",
            "get /api/v1/audit",
            "get /api/v1/compare/{dimension}",
            "get /api/v1/exporters",
            "get /api/v1/filter/complete",
            "get /api/v1/flows",
            "get /api/v1/here",
            "get /api/v1/holdings",
            "get /api/v1/imports",
            "get /api/v1/imports/{feed}",
            "get /api/v1/inventory",
            "get /api/v1/lateness",
            "get /api/v1/learned",
            "get /api/v1/me",
            "get /api/v1/me/mail",
            "get /api/v1/me/sessions",
            "get /api/v1/me/tokens",
            "get /api/v1/outgoing",
            "get /api/v1/players/{id}",
            "get /api/v1/players/{id}/frames",
            "get /api/v1/recordings",
            "get /api/v1/recordings/{name}",
            "get /api/v1/recordings/{name}/file",
            "get /api/v1/rules",
            "get /api/v1/rules/catalog",
            "get /api/v1/series",
            "get /api/v1/series/{picture}",
            "get /api/v1/sign-off/openid",
            "get /api/v1/sign-on",
            "get /api/v1/sign-on/openid",
            "get /api/v1/sign-on/openid/callback",
            "get /api/v1/tickets",
            "get /api/v1/tickets/events",
            "get /api/v1/tickets/{number}",
            "get /api/v1/tickets/{number}/picture.svg",
            "get /api/v1/top/{dimension}",
            "get /api/v1/top/{dimension}/{picture}",
            "get /healthz",
            "get /metrics",
            "get /readyz",
            "patch /api/v1/accounts/{name}",
            "post /api/v1/accounts",
            "post /api/v1/accounts/{name}/password",
            "post /api/v1/imports",
            "post /api/v1/me/password",
            "post /api/v1/me/tokens",
            "post /api/v1/outgoing/again",
            "post /api/v1/outgoing/test",
            "post /api/v1/players",
            "post /api/v1/players/{id}",
            "post /api/v1/reclassify",
            "post /api/v1/recordings",
            "post /api/v1/recordings/{name}/keep",
            "post /api/v1/recordings/{name}/notes",
            "post /api/v1/recordings/{name}/stop",
            "post /api/v1/reels",
            "post /api/v1/sign-off",
            "post /api/v1/sign-on",
            "post /api/v1/tickets",
            "post /api/v1/tickets/{number}/assign",
            "post /api/v1/tickets/{number}/close",
            "post /api/v1/tickets/{number}/comments",
            "post /api/v1/tickets/{number}/escalate",
            "post /api/v1/tickets/{number}/merge",
            "post /api/v1/tickets/{number}/reopen",
            "post /api/v1/welcome",
            "put /api/v1/me/mail",
            "put /api/v1/rules",
        ];
        assert_eq!(routes, expected);
    }
}
