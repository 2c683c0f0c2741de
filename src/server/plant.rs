//! The running product as the API sees it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::archive::ArchiveError;
use api::plant::{
    Holdings, ImportState, ImportStatus, LearnedEndpoint, PartReadiness, Plant, PlantError,
    Readiness, Reclassified,
};
use collector::normalise::LearnedService;
use engine::{EngineState, Phase};
use flow::site::Rules;
use flow::{Accounting, Feed, Timestamp, clock, health::ExporterHealth};
use futures_util::future::BoxFuture;
use store::StoreError;
use store::catalog::{Catalog, CatalogError, Import as Noted, ImportCounts, merge};
use store::question::Window;
use tokio::sync::{mpsc, oneshot, watch};

use super::archive::RunningArchive;
use super::importing::{Imports, counts, remembered};
use super::lives::Lives;
use super::reclassifying::{Job, ReclassifyError};
use super::shared::Shared;

/// Everything that the API may ask of or tell the product.
pub(crate) struct RunningPlant {
    pub(crate) shared: Arc<Shared>,
    pub(crate) catalog: Catalog,
    pub(crate) archive: RunningArchive,
    pub(crate) imports: Imports,
    pub(crate) incoming: PathBuf,
    /// The embedded engine; `None` with a server elsewhere.
    pub(crate) engine: Option<watch::Receiver<EngineState>>,
    /// Whether the store's schema is in place.
    pub(crate) store_ready: watch::Receiver<bool>,
    /// To the task that writes.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// Its name in the store's rows.
    pub(crate) collector: String,
    pub(crate) naming: Naming,
    pub(crate) counters: super::metrics::Counters,
    pub(crate) lives: Lives,
}

/// Where names come from: the configuration's, and both together as they are in force.
#[derive(Clone, Default)]
pub(crate) struct Naming {
    configured: Arc<RwLock<Rules>>,
    in_force: Arc<RwLock<Rules>>,
}

impl Naming {
    /// The rules of the configuration; the catalog's are added by [`Naming::apply`].
    pub(crate) fn new(configured: Rules) -> Self {
        Self {
            configured: Arc::new(RwLock::new(configured)),
            in_force: Arc::default(),
        }
    }

    /// The rules in force.
    pub(crate) fn in_force(&self) -> Rules {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes other rules from a configuration that was read again.
    pub(crate) fn configure(&self, rules: Rules) {
        *self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Puts the catalog's rules before the configuration's, and returns what is in force from now on.
    pub(crate) fn apply(&self, catalog: Rules) -> Rules {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let rules = merge(&catalog, &configured);
        self.in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&rules);
        rules
    }
}

impl RunningPlant {
    /// Brings the rules of catalog and configuration into force.
    pub(crate) async fn reload_rules(&self) -> Result<(), PlantError> {
        let catalog = self
            .catalog
            .rules()
            .await
            .map_err(failed("the rules cannot be read"))?;
        self.shared.put_new_rules(self.naming.apply(catalog));
        Ok(())
    }

    /// Takes the rules of a configuration that was read again; [`RunningPlant::reload_rules`] puts them in force.
    pub(crate) fn configure_rules(&self, rules: Rules) {
        self.naming.configure(rules);
    }

    /// Ends the feeds of imports that were interrupted when the last process ended, as it was noted since `began`.
    pub(crate) async fn end_interrupted_imports(
        &self,
        began: Timestamp,
    ) -> Result<(), CatalogError> {
        let is_new = |at: Option<Timestamp>| at.is_some_and(|at| at >= began);
        let feeds: Vec<Feed> = self
            .catalog
            .imports()
            .await?
            .into_iter()
            .filter(|import| import.state == ImportState::Failed && is_new(import.finished_at))
            .map(|import| import.feed)
            .collect();
        if feeds.is_empty() {
            return Ok(());
        }
        let imports = self.imports.clone();
        let _ = tokio::task::spawn_blocking(move || imports.end_feeds(&feeds)).await;
        Ok(())
    }

    /// Notes when imports are in the store that an earlier process had put on tape as a whole.
    pub(crate) async fn follow_earlier_imports(&self) -> Result<(), CatalogError> {
        let all = self.catalog.imports().await?;
        let on_tape: Vec<Noted> = all
            .into_iter()
            .filter(|import| import.state == ImportState::Storing)
            .collect();
        if on_tape.is_empty() {
            return Ok(());
        }
        let (shared, catalog) = (self.shared.clone(), self.catalog.clone());
        let (store, collector) = (self.counters.store.clone(), self.collector.clone());
        let until = shared.tape.datagrams_total();
        tokio::spawn(async move {
            while shared.passed() < until {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            for import in on_tape {
                let records = loop {
                    match store.rows_of_feed(&collector, import.feed).await {
                        Ok(records) => break records,
                        Err(_) => tokio::time::sleep(LOOK_EVERY).await,
                    }
                };
                let counts = ImportCounts {
                    records,
                    ..import.counts
                };
                if let Err(error) = catalog
                    .finish_import(import.feed, &counts, clock::now())
                    .await
                {
                    tracing::warn!(error = %crate::output::chain(&error), "how an import went cannot be noted");
                }
            }
        });
        Ok(())
    }

    async fn start_import(&self, name: String, file: Upload) -> Result<ImportStatus, PlantError> {
        let place = self.imports.place().await;
        let feed = self.catalog.begin_import(&name, clock::now()).await;
        let feed = feed.map_err(failed("the import cannot be noted"))?;
        let (read, reading) = tokio::sync::oneshot::channel();
        let started = self.imports.start(feed, &name, &file.0, move || {
            // Nobody listens when the product stops; the next start notes it then.
            let _ = read.send(());
        });
        match started {
            Ok(status) => {
                let (imports, shared, catalog) = (
                    self.imports.clone(),
                    self.shared.clone(),
                    self.catalog.clone(),
                );
                tokio::spawn(async move {
                    let read = reading.await;
                    drop((file, place));
                    // It was interrupted: the next start notes it.
                    if read.is_err() {
                        return;
                    }
                    if let Err(error) = follow(feed, &imports, &shared, &catalog).await {
                        tracing::warn!(error = %crate::output::chain(&error), "how an import went cannot be noted");
                    }
                });
                Ok(status)
            }
            Err(error) => {
                let why = crate::output::chain(&error);
                let noted = self
                    .catalog
                    .fail_import(feed, &ImportCounts::default(), &why, clock::now())
                    .await;
                noted.map_err(failed("the import cannot be noted"))?;
                Err(PlantError::Refused(why))
            }
        }
    }
}

/// Between two looks whether an import is in the store.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Notes in the catalog when an import is on tape, in the store, or failed.
async fn follow(
    feed: Feed,
    imports: &Imports,
    shared: &Shared,
    catalog: &Catalog,
) -> Result<(), CatalogError> {
    let mut on_tape = false;
    while let Some(status) = imports.status(feed, shared) {
        let counts = counts(&status);
        match status.state {
            ImportState::Failed => {
                let why = status.error.unwrap_or_default();
                return catalog.fail_import(feed, &counts, &why, clock::now()).await;
            }
            ImportState::Done => return catalog.finish_import(feed, &counts, clock::now()).await,
            ImportState::Storing if !on_tape => {
                catalog.import_on_tape(feed, &counts).await?;
                on_tape = true;
            }
            ImportState::Storing | ImportState::Reading => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// An uploaded file, which is removed when nobody needs it any more.
struct Upload(PathBuf);

impl Drop for Upload {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "an upload cannot be removed");
        }
    }
}

impl Plant for RunningPlant {
    fn accounting(&self) -> Accounting {
        self.shared.accounting()
    }

    fn exporters(&self) -> Vec<ExporterHealth> {
        self.shared.published().exporters.to_vec()
    }

    fn readiness(&self) -> Readiness {
        let (store_error, tape_error) = self.shared.troubles();
        let mut parts = vec![self.listening(), tape(tape_error), self.store(store_error)];
        for ended in self.lives.ended() {
            let detail = ended.to_string();
            match parts.iter_mut().find(|part| part.name == ended.part) {
                Some(part) => (part.ready, part.detail) = (false, detail),
                None => parts.push(PartReadiness {
                    name: ended.part.to_owned(),
                    ready: false,
                    detail,
                }),
            }
        }
        Readiness {
            ready: parts.iter().all(|part| part.ready),
            parts,
        }
    }

    fn metrics(&self) -> String {
        self.counters.encode(&self.shared)
    }

    fn holdings(&self) -> Result<Holdings, PlantError> {
        let config = &self.archive.config;
        let kept = &config.store.retention;
        let (_, tape_octets) = self.shared.tape.size();
        Ok(Holdings {
            tape_octets,
            tape_octets_max: config.tape.max_octets,
            tape_hours_max: config.tape.max_age_hours,
            engine: config.store.engine,
            flows_days: kept.flows_days,
            rollup_10s_days: kept.rollup_10s_days,
            rollup_1m_days: kept.rollup_1m_days,
            rollup_1h_days: kept.rollup_1h_days,
            recordings_octets_max: config.recordings.max_octets,
            disk_room_octets: self.upload_room()?,
        })
    }

    fn incoming(&self) -> PathBuf {
        self.incoming.clone()
    }

    fn upload_room(&self) -> Result<u64, PlantError> {
        let room = self.archive.room();
        room.map_err(failed("the disk's free space cannot be read"))
    }

    fn learned(&self) -> Vec<LearnedEndpoint> {
        let endpoint = |service: LearnedService| LearnedEndpoint {
            name: service.name(),
            feed: service.feed.0,
            address: service.address,
            port: service.port,
            protocol: service.protocol,
            since: service.since,
            last_seen: service.last_seen,
        };
        self.shared
            .published()
            .learned
            .into_iter()
            .map(endpoint)
            .collect()
    }

    fn rules(&self) -> Rules {
        self.naming.in_force()
    }

    fn set_rules(&self, rules: Rules) -> BoxFuture<'_, Result<(), PlantError>> {
        Box::pin(async move {
            let saved = self.catalog.set_rules(rules).await;
            saved.map_err(|error| match error {
                CatalogError::Rules(why) => PlantError::Refused(why.to_string()),
                other => failed("the rules cannot be saved")(other),
            })?;
            self.reload_rules().await
        })
    }

    fn import(
        &self,
        name: String,
        file: PathBuf,
    ) -> BoxFuture<'_, Result<ImportStatus, PlantError>> {
        Box::pin(self.start_import(name, Upload(file)))
    }

    fn imports(&self) -> BoxFuture<'_, Result<Vec<ImportStatus>, PlantError>> {
        Box::pin(async move {
            let noted = self
                .catalog
                .imports()
                .await
                .map_err(failed("the imports cannot be read"))?;
            let running = self.imports.statuses(&self.shared);
            let earlier = noted
                .into_iter()
                .filter(|import| running.iter().all(|status| status.feed != import.feed.0));
            let mut all: Vec<_> = earlier.map(remembered).collect();
            all.extend(running);
            all.sort_by_key(|import| import.feed);
            Ok(all)
        })
    }

    fn reclassify(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'_, Result<Reclassified, PlantError>> {
        Box::pin(async move {
            if !self.counters.store.keeps() {
                return Err(PlantError::Refused(StoreError::NoStore.to_string()));
            }
            let not_ready =
                || PlantError::Refused("the store is not ready yet; try again later".to_owned());
            if !*self.store_ready.borrow() {
                return Err(not_ready());
            }
            // Recordings stay as they are, and none is cut meanwhile.
            let alone = self.archive.changing.clone().write_owned().await;
            let kept = self.archive.keep_from(Window { from, to }).await;
            kept.map_err(|error| match error {
                ArchiveError::Conflict(why) | ArchiveError::Refused(why) => {
                    PlantError::Refused(why)
                }
                other => failed("a recording of that time cannot be kept")(other),
            })?;
            let (answer, done) = oneshot::channel();
            let stopped = |_| PlantError::Refused("the server is being stopped".to_owned());
            let sent = self
                .jobs
                .send(Job {
                    from,
                    to,
                    answer,
                    alone,
                })
                .await;
            sent.map_err(|_| not_ready())?;
            done.await.map_err(stopped)?.map_err(|error| match error {
                refused @ (ReclassifyError::NotOnTape { .. }
                | ReclassifyError::OtherName
                | ReclassifyError::Unfinished
                | ReclassifyError::Stopped) => PlantError::Refused(refused.to_string()),
                ReclassifyError::Store(StoreError::Question(why)) => PlantError::Refused(why),
                ReclassifyError::Store(error @ StoreError::NotAlone { .. }) => {
                    PlantError::Refused(error.to_string())
                }
                other => failed("the stretch could not be decoded again")(other),
            })
        })
    }
}

impl RunningPlant {
    fn listening(&self) -> PartReadiness {
        let sockets = self.shared.listen.snapshot();
        let detail = sockets
            .iter()
            .map(|socket| socket.address.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        PartReadiness {
            name: "listening".to_owned(),
            ready: true,
            detail,
        }
    }

    fn store(&self, error: Option<String>) -> PartReadiness {
        let engine = self.engine.as_ref().map(|state| state.borrow().clone());
        let (ready, detail) = match (error, engine) {
            (
                _,
                Some(EngineState {
                    phase: Phase::Starting | Phase::Restarting,
                    last_exit,
                    ..
                }),
            ) => (
                false,
                format!("the engine starts; {}", last_exit.unwrap_or_default()),
            ),
            (Some(error), _) => (false, error),
            (None, _) if !self.counters.store.keeps() => (true, "none: nothing is kept".to_owned()),
            (None, _) if !*self.store_ready.borrow() => {
                (false, "the schema is being made".to_owned())
            }
            (None, _) => (true, "answers".to_owned()),
        };
        PartReadiness {
            name: "store".to_owned(),
            ready,
            detail,
        }
    }
}

fn tape(error: Option<String>) -> PartReadiness {
    let ready = error.is_none();
    PartReadiness {
        name: "tape".to_owned(),
        ready,
        detail: error.unwrap_or_else(|| "is written".to_owned()),
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl FnOnce(E) -> PlantError {
    move |source| PlantError::Failed {
        what: what.to_owned(),
        source: Box::new(source),
    }
}
