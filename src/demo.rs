//! `flowreel demo`: a simulated enterprise of four sites, two hours of history at once, then live.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::plant::Plant as _;
use flow::clock::{self, Stopwatch};
use flow::{Datagram, Filter, Timestamp};
use simulator::enterprise::{Config as EnterpriseConfig, Effect, Enterprise, Incident};
use store::question::{Dimension, Quantity, Scope, Subject, Top, Window};

use crate::cli::DemoArgs;
use crate::cli::ask::{exporter_columns, top_columns};
use crate::cli::serve::{runtime, told_to_stop};
use crate::config::Config;
use crate::output::table;
use crate::server::Server;
use crate::telemetry;

/// The enterprise is the same at every start.
const SEED: u64 = 2009;
/// Datagrams that are handed to the tape at a time.
const BATCH_DATAGRAMS: usize = 512;
/// How often the live enterprise is let on.
const TICK: Duration = Duration::from_millis(200);
/// How often the live table is printed.
const SHOW_EVERY: Duration = Duration::from_secs(10);
/// How long the history may take to be in the store.
const HISTORY_PATIENCE: Duration = Duration::from_secs(120);

/// Starts everything, plays, and shows what there is to see until it is told to stop.
pub(crate) fn demo(args: &DemoArgs) -> Result<()> {
    let mut config = Config::load(&args.config)?;
    if args.config.config.is_none() {
        config.log.level = "warn".to_owned();
    }
    let folder = DemoFolder::choose(args)?;
    config.data_dir.clone_from(&folder.path);
    telemetry::start(&config.log)?;
    let now = clock::now();
    let mut enterprise = Enterprise::new(EnterpriseConfig::new(SEED, now - args.history));
    schedule(&mut enterprise, now)?;
    let rules = enterprise.rules();
    config.applications = rules.applications;
    config.sites = rules.sites;
    config.exporters = rules.exporters;
    runtime()?.block_on(play(args, &config, enterprise))
}

async fn play(args: &DemoArgs, config: &Config, enterprise: Enterprise) -> Result<()> {
    let stop = told_to_stop()?;
    let server = Server::start(config).await?;
    let live = Live::default();
    let result = tokio::select! {
        () = stop => Ok(()),
        result = history_then_live(args, &server, enterprise, &live) => result,
    };
    live.stop();
    server.stop().await;
    result
}

async fn history_then_live(
    args: &DemoArgs,
    server: &Server,
    mut enterprise: Enterprise,
    live: &Live,
) -> Result<()> {
    let watch = Stopwatch::start();
    println!(
        "Flowreel is receiving; a simulated enterprise plays {:.1} h of history …",
        args.history.as_secs_f32() / 3600.0
    );
    let (wire, told) = (server.wire.clone(), live.stopped.clone());
    let history = tokio::task::spawn_blocking(move || {
        let datagrams = advance(&mut enterprise, clock::now(), &wire, &told)?;
        anyhow::Ok((enterprise, datagrams))
    });
    let (enterprise, datagrams) = history.await??;
    until_stored(server, datagrams).await?;
    println!(
        "{datagrams} datagrams, {} flow records stored, {:.1} s after the start.\n",
        server.plant.accounting().records.stored,
        watch.elapsed().as_secs_f32()
    );
    show(server, args.history).await?;
    println!("\n{}", hints(server));
    live.start(enterprise, server.wire.clone())?;
    tokio::select! {
        () = ended(args.lasting) => Ok(()),
        result = show_live(server) => result,
    }
}

/// What happens to the enterprise: a slow server an hour ago, and a slow line right now.
fn schedule(enterprise: &mut Enterprise, now: Timestamp) -> Result<()> {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let (application, link) = ("erp".to_owned(), "wan-branch-2".to_owned());
    let slow_server = Effect::ServerSlow {
        application,
        extra: Duration::from_millis(400),
    };
    let slow_line = Effect::LinkDelay {
        link,
        extra: Duration::from_millis(60),
    };
    for (effect, from, until) in [
        (slow_server, now - minutes(60), now - minutes(45)),
        (slow_line, now - minutes(5), now + minutes(10)),
    ] {
        enterprise.schedule(&Incident {
            effect,
            from,
            until,
        })?;
    }
    Ok(())
}

/// Lets the enterprise go on to `until`, or until it is told to stop; returns how many datagrams it sent.
fn advance(
    enterprise: &mut Enterprise,
    until: Timestamp,
    wire: &SyncSender<Vec<Datagram>>,
    stopped: &AtomicBool,
) -> Result<u64> {
    let (mut sent, mut batch, mut gone) = (0, Vec::new(), false);
    let mut hand_on = |batch: &mut Vec<Datagram>| {
        sent += batch.len() as u64;
        gone = gone || stopped.load(Ordering::Relaxed) || wire.send(std::mem::take(batch)).is_err();
    };
    enterprise.advance(until, &mut |datagram| {
        batch.push(datagram);
        if batch.len() == BATCH_DATAGRAMS {
            hand_on(&mut batch);
        }
    });
    hand_on(&mut batch);
    if gone {
        bail!("the server stopped while the demo played");
    }
    Ok(sent)
}

async fn until_stored(server: &Server, datagrams: u64) -> Result<()> {
    let watch = Stopwatch::start();
    loop {
        let books = server.plant.accounting().datagrams;
        if books.received >= datagrams && books.on_tape == 0 {
            return Ok(());
        }
        if watch.elapsed() > HISTORY_PATIENCE {
            bail!(
                "the history is not in the store after {} s: {books:?}",
                HISTORY_PATIENCE.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn show(server: &Server, last: Duration) -> Result<()> {
    let rows = server
        .store
        .top(&top(Dimension::Applications, last))
        .await?;
    println!("{}\n", table(&rows, &top_columns("applications")));
    let exporters = server.plant.exporters();
    println!("{}", table(&exporters, &exporter_columns()));
    Ok(())
}

async fn show_live(server: &Server) -> Result<()> {
    let last = Duration::from_secs(60);
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let rows = server
            .store
            .top(&top(Dimension::Applications, last))
            .await?;
        println!(
            "the last minute, at {}\n{}\n",
            clock::now(),
            table(&rows, &top_columns("applications"))
        );
    }
}

fn top(dimension: Dimension, last: Duration) -> Top {
    let to = clock::now();
    let subject = Subject {
        window: Window {
            from: to - last,
            to,
        },
        filter: Filter::any(),
        known_at: None,
        scope: Scope::default(),
    };
    Top {
        subject,
        dimension,
        by: Quantity::Octets,
        limit: 10,
    }
}

fn hints(server: &Server) -> String {
    let url = format!("http://{}", server.running.http);
    let program = std::env::current_exe()
        .map_or_else(|_| "flowreel".to_owned(), |path| path.display().to_string());
    let server = if url == "http://127.0.0.1:8080" {
        String::new()
    } else {
        format!(" --server {url}")
    };
    format!(
        "Ask it, in another terminal:\n  \
         {program} top servers --last 2h --filter 'app \"erp\"'{server}\n  \
         {program} series applications --last 2h --step 10m{server}\n  \
         {program} flows --filter 'dst port 443' --limit 20{server}\n\
         or over HTTP: {url}/api/v1/top/clients?last=10m (all of it: {url}/api/openapi.json)\n\
         Ctrl-C ends it.\n"
    )
}

async fn ended(lasting: Option<Duration>) {
    match lasting {
        Some(lasting) => tokio::time::sleep(lasting).await,
        None => std::future::pending().await,
    }
}

/// The enterprise's thread, in step with the clock once it is started.
#[derive(Default)]
struct Live {
    stopped: Arc<AtomicBool>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Live {
    fn start(&self, mut enterprise: Enterprise, wire: SyncSender<Vec<Datagram>>) -> Result<()> {
        let stopped = self.stopped.clone();
        let work = move || {
            while advance(&mut enterprise, clock::now(), &wire, &stopped).is_ok() {
                std::thread::park_timeout(TICK);
            }
        };
        let thread = std::thread::Builder::new()
            .name("enterprise".to_owned())
            .spawn(work);
        let thread = thread.context("the enterprise's thread cannot be started")?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Waits for the thread: it holds a way into the tape, which the server waits for.
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the enterprise's thread panicked");
            }
        }
    }
}

/// The demo's data directory: the one that was named, or one that goes with the demo.
struct DemoFolder {
    path: PathBuf,
    temporary: bool,
}

impl DemoFolder {
    fn choose(args: &DemoArgs) -> Result<Self> {
        match &args.config.data_dir {
            Some(path) => Ok(Self {
                path: path.clone(),
                temporary: false,
            }),
            None => {
                let path =
                    std::env::temp_dir().join(format!("flowreel-demo-{}", std::process::id()));
                crate::config::make_private_folder(&path)?;
                Ok(Self {
                    path,
                    temporary: true,
                })
            }
        }
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("{}: cannot be removed: {error}", self.path.display());
        }
    }
}
