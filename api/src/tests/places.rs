//! A router over an engine that holds two flows, of which one is berlin's and one is paris'.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use axum::{Extension, Router};
use flow::address::widen;
use flow::{Filter, FlowBatch, Timestamp, clock};
use store::catalog::{Catalog, Role};
use store::question::Scope;
use store::{Config, Store};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::shelf::{Drawn, Idle, Shelf};
use crate::people::{Identity, People, Person};
use crate::router::{Api, routes};

/// How long an engine may take to start on a busy machine.
const START_WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest answer.
const OCTETS_MAX: usize = 1 << 20;

/// What one flow is known by, and no other: client, server, application, site, exporter.
pub(super) const BERLIN: [&str; 5] = ["10.1.0.1", "10.2.0.1", "orders", "berlin", "core-1"];
pub(super) const PARIS: [&str; 5] = ["10.9.0.1", "10.8.0.1", "payroll", "paris", "edge-7"];

/// The routes over a store, and what keeps it there.
pub(super) struct Place {
    pub(super) catalog: Catalog,
    router: Router,
    engine: Child,
    _folder: TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.engine.kill();
        let _ = self.engine.wait();
    }
}

impl Place {
    /// `None` if no engine is installed, which fails under `CI=true`.
    pub(super) async fn start() -> Option<Self> {
        if let Err(error) = engine::locate() {
            let must_run = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!must_run, "{error}");
            eprintln!("skipped: {error}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = spawn(&folder.path().join("data"), &socket);
        let store = Store::new(Config::default(), Some(&socket)).unwrap();
        let ready = async {
            while store.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_WAIT_MAX, ready).await.unwrap();
        store.prepare().await.unwrap();
        let now = clock::now();
        let writer = store.writer("here");
        let flows = traffic(now);
        let refused = writer.insert(&flows, "all", now).await.unwrap();
        assert_eq!(refused.rows, 0);
        let path = folder.path().join("catalog.sqlite");
        let (catalog, store) = (Catalog::open(&path).await.unwrap(), Arc::new(store));
        let shelf = Shelf {
            catalog: catalog.clone(),
            store: store.clone(),
        };
        let people = People::without_sign_on(catalog.clone());
        let api = Api::new(store, Arc::new(Idle), Arc::new(shelf), people);
        let api = api.with_studio(Arc::new(Drawn));
        let (router, _) = routes().split_for_parts();
        Some(Self {
            router: router.with_state(api),
            catalog,
            engine,
            _folder: folder,
        })
    }

    /// What somebody is told.
    pub(super) async fn get(&self, who: &Person, address: &str) -> (StatusCode, String) {
        let answer = self.send(who, Method::GET, address, "").await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), OCTETS_MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    /// Sends it for somebody.
    pub(super) async fn send(
        &self,
        who: &Person,
        method: Method,
        address: &str,
        body: &str,
    ) -> Response {
        let router = self.router.clone().layer(Extension(who.clone()));
        router
            .oneshot(request(method, address, body))
            .await
            .unwrap()
    }

    /// The status for a request that the door has put nobody into.
    pub(super) async fn status_for_nobody(&self, address: &str) -> StatusCode {
        let router = self.router.clone();
        let answer = router.oneshot(request(Method::GET, address, "")).await;
        answer.unwrap().status()
    }
}

/// Of somebody who takes an answer that is a minute old.
fn request(method: Method, address: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(address)
        .header("Cache-Control", "max-age=60")
        .header("Content-Type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// Somebody who sees this.
pub(super) fn person(name: &str, scope: &str) -> Person {
    Person {
        name: name.to_owned(),
        role: Role::Engineer,
        scope: Scope::of(Filter::parse(scope).unwrap()),
        identity: Identity::Session {
            account: 1,
            session: 1,
        },
        address: None,
    }
}

/// The program of `store/examples/engine_for_tests.rs`, which Cargo builds with the tests.
fn spawn(data: &Path, socket: &Path) -> Child {
    let here = std::env::current_exe().unwrap();
    let folder = here.ancestors().nth(2).unwrap();
    let program = folder.join("examples/engine_for_api_tests");
    let how = "cargo build -p api --example engine_for_api_tests";
    assert!(program.is_file(), "{how}");
    let mut command = Command::new(program);
    command.arg(data).arg(socket);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Both flows, of the last minute.
fn traffic(now: Timestamp) -> FlowBatch {
    let address = |text: &str| -> Ipv6Addr { widen(text.parse::<IpAddr>().unwrap()) };
    let mut batch = FlowBatch::default();
    for (row, named) in [BERLIN, PARIS].into_iter().enumerate() {
        let number = u32::try_from(row).unwrap();
        let [client, server, application, site, exporter] = named;
        let origin = &mut batch.origin;
        origin.received_at.push(now.offset(-10_000_000_000).nanos());
        origin.tape_segment.push(1);
        origin.tape_offset.push(number * 100);
        origin.record_offset.push(24);
        origin.feed.push(0);
        origin.exporter.push(Ipv6Addr::from(u128::from(number) + 1));
        origin.domain.push(0);
        origin.version.push(9);
        origin.template.push(256);
        let columns = &mut batch.columns;
        columns.start.set(row, now.offset(-60_000_000_000).nanos());
        columns.end.set(row, now.offset(-50_000_000_000).nanos());
        columns.src_addr.set(row, address(client));
        columns.dst_addr.set(row, address(server));
        columns.src_port.set(row, 50_000);
        columns.dst_port.set(row, 443);
        columns.protocol.set(row, 6);
        columns.octets.set(row, 1000 + u64::from(number));
        columns.packets.set(row, 10);
        let added = &mut batch.enrichment;
        added.src_is_client.push(1);
        added.accounting.push(1);
        added.application.set_text(row, application);
        added.client_site.set_text(row, site);
        added.server_site.set_text(row, site);
        added.exporter_name.set_text(row, exporter);
    }
    batch.pad();
    batch
}
