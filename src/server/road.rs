//! The road of a datagram: sockets, tape, decoder, store; each part at work, joined by bounded queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use collector::capture::{Mirror, MirrorThread};
use collector::listen::{ListenThreads, Listener, QueueSender, queue};
use flow::{FlowBatch, TapePosition};
use replay::Upkeep;
use store::presence::Claim;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle as Task, spawn_blocking};

use super::budget::Budget;
use super::decoding::Decoding;
use super::gates::Gates;
use super::lives::Lives;
use super::mending::Mender;
use super::noting::Note;
use super::opening::Opened;
use super::plant::Naming;
use super::preparing::Preparing;
use super::priority::Rank;
use super::reclassifying::{Job, Reclassifier};
use super::searching::Searching;
use super::shared::Shared;
use super::storing::Storing;
use super::taping::{Request, Taping};
use crate::config::Config;

/// Batches beside the one that is filled: while one is inserted, the next is made.
const BATCHES: usize = 1;
/// What may wait for the tape thread beside what comes from the wire; whoever asks waits for the answer.
const TAPE_REQUESTS_MAX: usize = 4;

/// Everything between the sockets and the store, at work.
pub(crate) struct Road {
    /// Batches for the tape, as if they had come by UDP.
    pub(crate) wire: QueueSender,
    /// To the tape thread.
    pub(crate) requests: SyncSender<Request>,
    /// Its name in the store's rows.
    pub(crate) collector: String,
    /// To the task that writes.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// Whether the store's schema is in place.
    pub(crate) store_ready: watch::Receiver<bool>,
    threads: Vec<JoinHandle<()>>,
    upkeep: Upkeep,
    storing: Task<()>,
    noting: Task<()>,
    stop_noting: oneshot::Sender<()>,
    abandon: watch::Sender<bool>,
}

/// The threads that receive.
pub(crate) struct Receiving {
    stop: Arc<AtomicBool>,
    sockets: ListenThreads,
    mirrors: Vec<MirrorThread>,
}

impl Road {
    /// Starts the parts behind the sockets.
    pub(crate) fn start(
        config: &Config,
        opened: Opened,
        gates: &Gates,
        shared: &Arc<Shared>,
        naming: &Naming,
        lives: &Lives,
    ) -> Result<Self> {
        let (wire, from_wire) = queue(config.listen.queue_batches, config.listen.queue_octets);
        let (requests, from_requests) = sync_channel(TAPE_REQUESTS_MAX);
        let (jobs, from_jobs) = mpsc::channel(1);
        let (staged, to_store) = mpsc::channel(BATCHES);
        let (emptied, from_store) = sync_channel(BATCHES);
        emptied.send(FlowBatch::default())?;
        let (ready, store_ready) = watch::channel(false);
        let (abandon, abandoned) = watch::channel(false);
        let collector = opened.collector;
        let claim = claim(config, &collector)?;
        let taping = Taping {
            writer: opened.tape,
            wire: from_wire,
            requests: from_requests,
            pins: opened.pins,
            shared: shared.clone(),
        };
        let (answers, answer) = sync_channel(1);
        let searching = Searching {
            config: config.clone(),
            rules: opened.rules,
            state: opened.state,
            tail: shared.tape.clone(),
            answer,
        };
        let decoding = Decoding {
            passed: opened.checkpoint.passed,
            intent: opened.checkpoint.intent,
            pipeline: opened.pipeline,
            reader: opened.reader,
            tail: shared.tape.clone(),
            staged,
            emptied: from_store,
            shared: shared.clone(),
        };
        let named = collector.clone();
        let storing = Storing {
            jobs: from_jobs,
            reclassifier: Reclassifier {
                named_from: opened.checkpoint.named_from,
                ..reclassifier(config, gates, &collector, naming, (&requests, shared))
            },
            writer: gates.store.keeps().then(|| gates.store.writer(&collector)),
            mender: Mender {
                store: gates.store.clone(),
                collector: collector.clone(),
                shared: shared.clone(),
            },
            collector,
            held: None,
            unfinished: None,
            staged: to_store,
            emptied,
            folder: opened.folder,
            doubted: opened.checkpoint.intent.is_some(),
            refused_of_last: 0,
            checkpoint: opened.checkpoint,
            shared: shared.clone(),
            abandon: abandoned,
        };
        let preparing = Preparing {
            store: gates.store.clone(),
            engine: gates.engine_state(),
            claim,
            ready,
            answers,
            storing,
        };
        let threads = vec![
            lives.spawn("tape", move || {
                Rank::Receiving.take();
                taping.run();
            })?,
            lives.spawn("decode", move || {
                Rank::Working.take();
                if let Some(decoding) = searching.begin(decoding) {
                    decoding.run();
                }
            })?,
        ];
        let (stop_noting, stop) = oneshot::channel();
        Ok(Self {
            noting: tokio::spawn(opened.intake.keep(shared.clone(), stop)),
            stop_noting,
            storing: tokio::spawn(preparing.run(lives.begin("storing"))),
            wire,
            requests,
            collector: named,
            jobs,
            store_ready,
            threads,
            upkeep: opened.upkeep,
            abandon,
        })
    }

    /// Ends it, after those that receive: what is on tape is in the store too if the store is in time.
    pub(crate) async fn stop(self, budget: &Budget) {
        drop((self.wire, self.requests));
        let mut storing = self.storing;
        if budget.for_inserts(&mut storing).await.is_none() {
            tracing::warn!("the store takes too long: the rest is late, on tape");
            self.abandon.send_replace(true);
            budget.within(storing).await;
        }
        drop(self.stop_noting);
        budget.shortly(self.noting).await;
        let (threads, upkeep) = (self.threads, self.upkeep);
        let rest = spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread panicked; its last words are above");
                }
            }
            upkeep.stop();
        });
        budget.within(rest).await;
    }
}

impl Receiving {
    /// Starts them.
    pub(crate) fn start(
        listener: Listener,
        mirrors: Vec<Mirror>,
        queue: &QueueSender,
        lives: &Lives,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let sockets = Rank::Receiving.start(|| listener.run(queue, &stop))?;
        let mirrors = mirrors
            .into_iter()
            .map(|mirror| mirror.run(queue.clone(), stop.clone()));
        let mirrors = mirrors.collect::<Result<_, _>>()?;
        lives.watch_receivers(&stop);
        Ok(Self {
            stop,
            sockets,
            mirrors,
        })
    }

    /// Ends them; the queue to the tape is closed behind them.
    pub(crate) async fn stop(self, budget: &Budget) {
        self.stop.store(true, Ordering::Relaxed);
        let receivers = spawn_blocking(move || {
            self.sockets.join();
            for mirror in self.mirrors {
                mirror.join();
            }
        });
        budget.within(receivers).await;
    }
}

/// The embedded engine belongs to this data directory; on a server others may write under the same name.
fn claim(config: &Config, collector: &str) -> Result<Option<Claim>> {
    if config.store.engine != store::config::Engine::Clickhouse {
        return Ok(None);
    }
    let claim = Claim::of(collector, &config.data_dir).context("the data directory's place")?;
    Ok(Some(claim))
}

fn reclassifier(
    config: &Config,
    gates: &Gates,
    collector: &str,
    naming: &Naming,
    (tape, shared): (&SyncSender<Request>, &Arc<Shared>),
) -> Reclassifier {
    let in_force = naming.clone();
    Reclassifier {
        config: config.clone(),
        note: Note::of(config),
        store: gates.store.clone(),
        writer: gates.store.writer(collector),
        collector: collector.to_owned(),
        named_from: TapePosition::START,
        rules: Arc::new(move || in_force.in_force()),
        tape: tape.clone(),
        shared: shared.clone(),
    }
}
