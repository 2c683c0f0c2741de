//! The running product: start in order, stop in reverse.
//!
//! | file | holds |
//! |---|---|
//! | `opening` | the data directory: catalog, tape, checkpoint |
//! | `taping` | the thread between the sockets and the tape |
//! | `decoding`, `pipeline` | the thread that follows the tape, and the state machine in it |
//! | `storing`, `checkpoint` | the task that writes batches, each exactly once |
//! | `engine` | the embedded store's process |
//! | `importing` | capture files onto the tape |
//! | `reclassifying` | a stretch of the past decoded again |
//! | `shared` | what these tell each other and the API |
//! | `plant` | the API's view of all of it |
//! | `metrics` | every counter as text |

mod checkpoint;
mod decoding;
mod embedded;
mod importing;
mod metrics;
mod opening;
mod pipeline;
mod plant;
mod reclassifying;
mod shared;
mod storing;
mod taping;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::router::Api;
use collector::capture::{Mirror, MirrorConfig, MirrorThread, Selection};
use collector::listen::{AllowList, ListenThreads, Listener};
use flow::{Datagram, clock};
use replay::{Pins, Upkeep};
use serde::Serialize;
use store::Store;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

use crate::config::{Config, make_private_folder};
use decoding::Decoding;
use embedded::Embedded;
use importing::Imports;
use opening::Opened;
use plant::{Naming, RunningPlant};
use reclassifying::Reclassifier;
use shared::Shared;
use storing::Storing;
use taping::Taping;

/// Batches that may wait for the store beside the one that is inserted.
const STAGED_MAX: usize = 1;
/// What may wait for the tape thread beside what comes from the wire; whoever asks waits for the answer.
const TAPE_REQUESTS_MAX: usize = 4;
/// How long the store may take, at the end, for what is already decoded; the rest is late, on tape.
const LAST_INSERTS: Duration = Duration::from_millis(2500);
/// How long requests may take to end.
const LAST_REQUESTS: Duration = Duration::from_millis(300);

/// Where a server listens, for whoever started it: `running.json` in the data directory.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Running {
    /// Process id.
    pub(crate) pid: u32,
    /// Address of the API.
    pub(crate) http: SocketAddr,
    /// Addresses that datagrams are received on.
    pub(crate) listen: Vec<SocketAddr>,
}

/// A started product.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) plant: Arc<RunningPlant>,
    pub(crate) store: Arc<Store>,
    /// Batches for the tape, as if they had come by UDP.
    pub(crate) wire: SyncSender<Vec<Datagram>>,
    running_file: PathBuf,
    receiving: Receiving,
    threads: Vec<JoinHandle<()>>,
    upkeep: Upkeep,
    storing: Task<()>,
    abandon: watch::Sender<bool>,
    api: Task<Result<(), api::server::ServerError>>,
    stop_api: oneshot::Sender<()>,
    engine: Option<Embedded>,
}

/// The threads that receive.
struct Receiving {
    stop: Arc<AtomicBool>,
    sockets: ListenThreads,
    mirrors: Vec<MirrorThread>,
}

impl Server {
    /// Opens, binds and starts everything. What arrives from here on is on tape, whether the store answers or not.
    pub(crate) async fn start(config: &Config) -> Result<Self> {
        let began = clock::now();
        let naming = Naming::new(config.rules());
        let opened = Opened::open(config, |catalog| naming.apply(catalog)).await?;
        let engine = Embedded::start(config)?;
        let socket = engine.as_ref().map(|engine| engine.socket.as_path());
        let store = Arc::new(Store::new(config.store.clone(), socket)?);
        let writer = store.writer(&opened.collector);
        let mut listener = Listener::new(config.listen.clone());
        listener.bind()?;
        let http = api::server::bind(config.http).await?;
        let running = Running {
            pid: std::process::id(),
            http: http.local_addr()?,
            listen: listener.addresses(),
        };

        let mirrors = open_mirrors(config)?;
        let shared = Arc::new(Shared::new(
            opened.checkpoint.clone(),
            listener.stats(),
            mirrors.iter().map(Mirror::stats).collect(),
            opened.tape.tail(),
        ));
        let (wire, from_wire) = sync_channel(config.listen.queue_batches.max(1));
        let (requests, from_requests) = sync_channel(TAPE_REQUESTS_MAX);
        let (jobs, from_jobs) = mpsc::channel(1);
        let (staged, to_store) = mpsc::channel(STAGED_MAX);
        let counters = metrics::Counters {
            engine: engine.as_ref().map(|engine| engine.stats.clone()),
            store: store.clone(),
        };
        let taping = Taping {
            writer: opened.tape,
            wire: from_wire,
            requests: from_requests,
            pins: Pins::default(),
            shared: shared.clone(),
        };
        let decoding = Decoding {
            passed: opened.checkpoint.passed,
            intent: opened.checkpoint.intent,
            pipeline: opened.pipeline,
            reader: opened.reader,
            tail: shared.tape.clone(),
            staged,
            shared: shared.clone(),
        };
        let threads = vec![
            spawn("tape", move || taping.run())?,
            spawn("decode", move || decoding.run())?,
        ];
        let receiving = receive(listener, mirrors, &wire)?;

        let (store_ready, is_store_ready) = watch::channel(false);
        let (abandon, abandoned) = watch::channel(false);
        let in_force = naming.clone();
        let reclassifier = Reclassifier {
            config: config.clone(),
            store: store.clone(),
            writer: writer.clone(),
            collector: opened.collector.clone(),
            rules: Arc::new(move || in_force.in_force()),
            tape: requests.clone(),
        };
        let storing = Storing {
            jobs: from_jobs,
            reclassifier,
            writer,
            collector: opened.collector,
            staged: to_store,
            folder: opened.folder,
            checkpoint: opened.checkpoint,
            shared: shared.clone(),
            abandon: abandoned,
        };
        let storing = tokio::spawn(prepare_then_write(store.clone(), store_ready, storing));

        let incoming = config.path("incoming");
        empty_folder(&incoming)?;
        let plant = Arc::new(RunningPlant {
            shared,
            catalog: opened.catalog,
            imports: Imports::new(requests),
            jobs,
            incoming,
            min_free_octets: config.tape.min_free_octets,
            engine: engine.as_ref().map(|engine| engine.state.clone()),
            store_ready: is_store_ready,
            naming,
            counters,
        });
        plant.end_interrupted_imports(began).await?;
        let (stop_api, stopped) = oneshot::channel::<()>();
        let router = api::router::router(Api::new(store.clone(), plant.clone()));
        let api = tokio::spawn(api::server::run(http, router, async {
            // An error means that the product is gone already.
            let _ = stopped.await;
        }));
        let running_file = config.path("running.json");
        std::fs::write(&running_file, serde_json::to_vec(&running)?)
            .with_context(|| running_file.display().to_string())?;
        Ok(Self {
            running,
            plant,
            store,
            wire,
            running_file,
            receiving,
            threads,
            upkeep: opened.upkeep,
            storing,
            abandon,
            api,
            stop_api,
            engine,
        })
    }

    /// Stops everything in reverse: what was received is on tape, and in the store if the store is in time.
    pub(crate) async fn stop(self) {
        self.receiving.stop.store(true, Ordering::Relaxed);
        drop(self.wire);
        let (sockets, mirrors) = (self.receiving.sockets, self.receiving.mirrors);
        let receivers = tokio::task::spawn_blocking(move || {
            sockets.join();
            for mirror in mirrors {
                mirror.join();
            }
        });
        let _ = receivers.await;
        let mut storing = self.storing;
        if tokio::time::timeout(LAST_INSERTS, &mut storing)
            .await
            .is_err()
        {
            tracing::warn!("the store takes too long: the rest is late, on tape");
            self.abandon.send_replace(true);
            let _ = storing.await;
        }
        let threads = self.threads;
        let upkeep = self.upkeep;
        let rest = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread panicked; its last words are above");
                }
            }
            upkeep.stop();
        });
        let _ = rest.await;
        let _ = self.stop_api.send(());
        let _ = tokio::time::timeout(LAST_REQUESTS, self.api).await;
        self.plant.catalog.close().await;
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
        let _ = std::fs::remove_file(&self.running_file);
    }
}

/// Makes the schema, trying again as long as the store can't be reached, then writes batches.
async fn prepare_then_write(store: Arc<Store>, ready: watch::Sender<bool>, storing: Storing) {
    const PAUSE: Duration = Duration::from_millis(100);
    let mut abandon = storing.abandon.clone();
    loop {
        match store.prepare().await {
            Ok(()) => break,
            // While the engine starts, its socket is not there: that is no trouble worth a line.
            Err(error) if error.is_retryable() => {
                tracing::debug!(error = %crate::output::chain(&error), "the store is not there yet")
            }
            Err(error) => {
                storing.shared.note_store(Some(&error));
                tracing::error!(error = %crate::output::chain(&error), "the store can't be used; flows stay on tape");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = abandon.wait_for(|flag| *flag) => return,
        }
    }
    ready.send_replace(true);
    storing.run().await;
}

fn open_mirrors(config: &Config) -> Result<Vec<Mirror>> {
    let open = |mirror: &MirrorConfig| {
        let selection = Selection {
            allow: Some(AllowList::new(config.listen.allow.clone())),
            ..Selection::default()
        };
        Mirror::open(mirror, selection)
    };
    Ok(config.mirror.iter().map(open).collect::<Result<_, _>>()?)
}

fn receive(
    listener: Listener,
    mirrors: Vec<Mirror>,
    queue: &SyncSender<Vec<Datagram>>,
) -> Result<Receiving> {
    let stop = Arc::new(AtomicBool::new(false));
    let sockets = listener.run(queue, &stop)?;
    let mirrors = mirrors
        .into_iter()
        .map(|mirror| mirror.run(queue.clone(), stop.clone()));
    let mirrors = mirrors.collect::<Result<_, _>>()?;
    Ok(Receiving {
        stop,
        sockets,
        mirrors,
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work);
    thread.with_context(|| format!("the thread '{name}' cannot be started"))
}

/// Makes the folder and removes what an earlier process left there.
fn empty_folder(folder: &std::path::Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    make_private_folder(folder)
}
