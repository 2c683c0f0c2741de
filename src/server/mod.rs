//! The running product: start in order, stop in reverse.
//!
//! | file | holds |
//! |---|---|
//! | `opening` | the data directory: catalog, tape, checkpoint |
//! | `identity` | the name that rows are stored under |
//! | `gates` | what is open to others: sockets, the API's address, the store |
//! | `road` | the parts from the sockets to the store, joined by bounded queues |
//! | `taping` | the thread between the sockets and the tape |
//! | `decoding`, `pipeline` | the thread that follows the tape, and the state machine in it |
//! | `preparing`, `holding` | the store's schema, before anything is written; the collector's name, as long as it is |
//! | `storing`, `checkpoint` | the task that writes batches, each exactly once |
//! | `intake` | counters of what never reached the tape, noted by the clock |
//! | `durable` | files that are replaced as a whole |
//! | `searching`, `mending` | going on after the checkpoint was lost, or what the store had |
//! | `entrance` | how the pages and the API are come to: TLS, proxies |
//! | `embedded` | the embedded store's process |
//! | `archive` | recordings: cut, kept, shared, taken in |
//! | `desk` | visual trouble tickets: taken, told, worked |
//! | `outgoing` | what goes out of the house |
//! | `importing` | capture files onto the tape |
//! | `reclassifying`, `noting` | a stretch of the past decoded again, and the note of it |
//! | `shared` | what these tell each other and the API |
//! | `lives` | notices when one of them ends |
//! | `priority` | which threads go first |
//! | `budget` | the time that the end may take |
//! | `plant` | the API's view of all of it |
//! | `people` | whether they sign on, the operator's token, the link that makes the first admin |
//! | `studio` | its pictures |
//! | `metrics` | every counter as text |

pub(crate) mod archive;
mod budget;
pub(crate) mod checkpoint;
mod decoding;
mod desk;
pub(crate) mod durable;
pub(crate) mod embedded;
mod entrance;
mod gates;
mod holding;
mod identity;
mod importing;
mod intake;
mod lives;
mod mending;
mod metrics;
mod noting;
mod opening;
pub(crate) mod outgoing;
mod people;
mod pipeline;
mod plant;
mod preparing;
pub(crate) mod priority;
mod reclassifying;
mod road;
mod searching;
mod shared;
mod storing;
mod studio;
mod taping;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use api::people::People;
use api::router::Api;
use api::server::Entrance;
use collector::capture::Mirror;
use collector::listen::QueueSender;
use flow::clock;
use serde::{Deserialize, Serialize};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle as Task;

use crate::config::{Config, make_private_folder};
use archive::{RunningArchive, Shelf};
use budget::Budget;
use desk::RunningDesk;
use embedded::Embedded;
use gates::Gates;
use importing::Imports;
use lives::Lives;
use opening::Opened;
use outgoing::RunningOutgoing;
pub(crate) use people::{OPERATOR_TOKEN, print_welcome};
use plant::{Naming, RunningPlant};
use road::{Receiving, Road};
use shared::Shared;

/// Where a server listens, for whoever started it: `running.json` in the data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Process id.
    pub(crate) pid: u32,
    /// Address of the API.
    pub(crate) http: SocketAddr,
    /// Addresses that datagrams are received on.
    pub(crate) listen: Vec<SocketAddr>,
    /// The embedded engine's socket.
    pub(crate) engine: Option<PathBuf>,
}

impl Running {
    /// The server that works in this data directory, if it says so.
    pub(crate) fn in_data_dir(config: &Config) -> Option<Self> {
        let text = std::fs::read(config.path(RUNNING_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

const RUNNING_FILE: &str = "running.json";

/// A started product.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) plant: Arc<RunningPlant>,
    pub(crate) people: People,
    pub(crate) store: Arc<Store>,
    /// Batches for the tape, as if they had come by UDP.
    pub(crate) wire: QueueSender,
    running_file: PathBuf,
    receiving: Receiving,
    road: Road,
    api: Serving,
    engine: Option<Embedded>,
    /// Looks after the recordings. What it leaves half done when it is aborted, the next start removes.
    keeping: Task<()>,
    /// Makes the stories of tickets. What it leaves unmade when it is aborted, the next start makes.
    telling: Task<()>,
    /// Tells others what becomes of tickets. What they leave unsent when they are aborted, the next start sends.
    sending: Vec<Task<()>>,
    lives: Lives,
}

/// The API at work.
struct Serving {
    task: Task<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    /// Opens, binds and starts everything. What arrives from here on is on tape, whether the store answers or not.
    pub(crate) async fn start(config: &Config) -> Result<Self> {
        let began = clock::now();
        if let Err(error) = crate::open_files::take_all() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let naming = Naming::new(config.rules());
        let opened = Opened::open(config, |catalog| naming.apply(catalog)).await?;
        let entrance = entrance::open(config)?;
        let gates = Gates::open(config).await?;
        let running = gates.running()?;
        let mut shared = Shared::new(
            opened.checkpoint.clone(),
            gates.listener.stats(),
            gates.mirrors.iter().map(Mirror::stats).collect(),
            opened.tape.tail(),
        );
        if let Some(engine) = &gates.engine {
            shared.renewal = engine.renewal.clone();
        }
        let shared = Arc::new(shared);
        let lives = Lives::default();
        let catalog = opened.catalog.clone();
        let road = Road::start(config, opened, &gates, &shared, &naming, &lives)?;
        let incoming = config.path("incoming");
        empty_folder(&incoming)?;
        let place = catalog.archive_id().await?;
        let archive = RunningArchive {
            config: Arc::new(config.clone()),
            catalog: catalog.clone(),
            store: gates.store.clone(),
            store_ready: road.store_ready.clone(),
            collector: road.collector.clone(),
            naming: naming.clone(),
            requests: road.requests.clone(),
            shared: shared.clone(),
            at_work: Arc::default(),
            quota_was_good: Arc::default(),
            changing: Arc::default(),
            settled: Arc::default(),
            shelf: Shelf::new(
                gates.store.clone(),
                place.clone(),
                config.data_dir.clone(),
                config.engine_memory_octets,
            ),
            place,
        };
        let (outgoing, sending) = RunningOutgoing::start(config, &catalog).await?;
        let outgoing = Arc::new(outgoing);
        let keeping = tokio::spawn(archive.clone().watch());
        let plant = Arc::new(RunningPlant {
            shared,
            catalog,
            archive: archive.clone(),
            imports: Imports::new(road.requests.clone()),
            jobs: road.jobs.clone(),
            collector: road.collector.clone(),
            incoming,
            engine: gates.engine_state(),
            store_ready: road.store_ready.clone(),
            naming,
            counters: counters(config, &gates, &outgoing),
            lives: lives.clone(),
        });
        plant.end_interrupted_imports(began).await?;
        plant.follow_earlier_imports().await?;
        let people = people::open(config, plant.catalog.clone())?;
        let studio = Arc::new(studio::RunningStudio);
        let desk = RunningDesk::new(archive.clone(), studio.clone(), outgoing.news.clone());
        let telling = tokio::spawn(desk.clone().make_stories());
        let (store, archive) = (gates.store.clone(), Arc::new(archive));
        let api = Api::new(store, plant.clone(), archive, people.clone())
            .with_pages(ui::pages::answer)
            .with_desk(Arc::new(desk))
            .with_outgoing(outgoing)
            .with_studio(studio);
        let receiving = Receiving::start(gates.listener, gates.mirrors, &road.wire, &lives)?;
        let running_file = config.path(RUNNING_FILE);
        durable::replace(&running_file, &running)?;
        Ok(Self {
            running,
            plant,
            people,
            store: gates.store,
            wire: road.wire.clone(),
            running_file,
            receiving,
            road,
            api: Serving::start(gates.http, entrance, api, &lives),
            engine: gates.engine,
            keeping,
            telling,
            sending,
            lives,
        })
    }

    /// Ends when a part ends that should run as long as the product: why it can't go on.
    pub(crate) async fn failed(&self) -> anyhow::Error {
        anyhow::Error::msg(self.lives.first_end().await.to_string())
    }

    /// Stops everything in reverse, within five seconds: what was received is on tape, and in the store if the store is
    /// in time.
    pub(crate) async fn stop(self) {
        let budget = Budget::start();
        self.keeping.abort();
        self.telling.abort();
        self.sending.iter().for_each(Task::abort);
        self.receiving.stop(&budget).await;
        drop(self.wire);
        self.road.stop(&budget).await;
        self.api.stop(&budget).await;
        budget.shortly(self.plant.catalog.close()).await;
        if let Some(engine) = self.engine {
            budget.to_the_end(engine.stop()).await;
        }
        // If it stays, it names a process that is gone.
        let _ = std::fs::remove_file(&self.running_file);
    }
}

impl Serving {
    fn start(listener: TcpListener, entrance: Entrance, api: Api, lives: &Lives) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let life = lives.begin("api");
        let renewing = entrance
            .tls
            .clone()
            .map(|tls| tokio::spawn(entrance::renew(tls)));
        let serving = api::server::run(listener, entrance, api, async {
            // An error means that the product is gone already.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            serving.await;
            renewing.inspect(Task::abort);
            life.end_well();
        });
        Self { task, stop }
    }

    /// Lets running requests finish, if they are quick.
    async fn stop(mut self, budget: &Budget) {
        let _ = self.stop.send(());
        if budget.shortly(&mut self.task).await.is_none() {
            self.task.abort();
        }
    }
}

fn counters(config: &Config, gates: &Gates, outgoing: &RunningOutgoing) -> metrics::Counters {
    metrics::Counters {
        outgoing: outgoing.stats.clone(),
        engine: gates.engine.as_ref().map(|engine| engine.stats.clone()),
        store: gates.store.clone(),
        mirrors: config
            .mirror
            .iter()
            .map(|mirror| mirror.interface.clone())
            .collect(),
    }
}

/// Makes the folder and removes what an earlier process left there.
fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    make_private_folder(folder)
}
