//! `flowreel demo`: a simulated enterprise of four sites, two hours of history at once, then live.

mod player;
mod story;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::plant::Plant as _;
use collector::listen::{ListenError, Listener};
use flow::accounting::{DropKind, Ledger};
use flow::clock::{self, Stopwatch};
use flow::{Filter, Timestamp};
use player::{Live, Player};
use simulator::enterprise::{Config as EnterpriseConfig, Enterprise};
use store::question::{Dimension, Quantity, Scope, Subject, Top, Window};

use crate::cli::ask::{exporter_columns, top_columns};
use crate::cli::serve::{runtime, told_to_stop};
use crate::cli::{ConfigArgs, DemoArgs};
use crate::config::{Config, SignOn};
use crate::output::{print_text, table};
use crate::server::Server;
use crate::telemetry;

/// The enterprise is the same at every start.
const SEED: u64 = 2009;
/// Between two looks at what is stored.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long nothing may reach the store while the history is on its way there.
const HISTORY_PATIENCE: Duration = Duration::from_secs(120);

/// Starts everything, plays, and shows what there is to see until it is told to stop.
pub(crate) fn demo(args: &DemoArgs) -> Result<()> {
    let mut config = Config::load(&args.config)?;
    // Nothing of what a demo shows is anybody's.
    config.sign_on = SignOn::Off;
    config.check_who_may_come()?;
    if args.config.config.is_none() {
        config.log.level = "warn".to_owned();
    }
    crate::config::keep_private();
    let folder = DemoFolder::choose(args)?;
    config.data_dir.clone_from(&folder.path);
    telemetry::start(&config.log)?;
    let taken = make_way(&args.config, &mut config);
    let now = clock::now();
    let begin = now - args.history;
    let mut enterprise = Enterprise::new(EnterpriseConfig::new(SEED, begin));
    story::schedule(&mut enterprise, now)?;
    let rules = enterprise.rules();
    config.applications = rules.applications;
    config.sites = rules.sites;
    config.exporters = rules.exporters;
    runtime()?.block_on(async {
        let stop = told_to_stop()?;
        let server = Server::start(&config).await?;
        play(args, server, &taken, (enterprise, begin, now), stop).await
    })
}

/// Where nobody chose and the usual ports are taken, takes free ones of this machine. Returns what was taken.
fn make_way(args: &ConfigArgs, config: &mut Config) -> Vec<String> {
    let usual = Config::default();
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut taken = Vec::new();
    if args.listen.is_empty()
        && config.listen.addresses == usual.listen.addresses
        && let Err(ListenError::PortInUse { address }) = Listener::new(config.listen.clone()).bind()
    {
        config.listen.addresses = vec![free];
        taken.push(format!("UDP {address}"));
    }
    if args.http.is_none() && config.http == usual.http && TcpListener::bind(config.http).is_err() {
        taken.push(format!("TCP {}", config.http));
        config.http = free;
    }
    taken
}

/// Says what another program has, and where this one is instead.
fn detour(server: &Server, taken: &[String]) -> String {
    if taken.is_empty() {
        return String::new();
    }
    let listen = server.running.listen.iter().map(ToString::to_string);
    format!(
        "Another program has {}, so this demo receives on {} and answers on http://{}.\n",
        taken.join(" and "),
        listen.collect::<Vec<_>>().join(" "),
        server.running.http
    )
}

async fn play(
    args: &DemoArgs,
    server: Server,
    taken: &[String],
    (enterprise, begin, now): (Enterprise, Timestamp, Timestamp),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let live = Live::default();
    let player = Player::new(enterprise, begin, server.wire.clone(), live.stopped.clone());
    let result = async {
        print_text(detour(&server, taken))?;
        history_then_live((args, now), &server, player, &live).await
    };
    let result = tokio::select! {
        () = stop => Ok(()),
        error = server.failed() => Err(error),
        result = result => result,
    };
    live.stop();
    server.stop().await;
    result
}

async fn history_then_live(
    (args, began): (&DemoArgs, Timestamp),
    server: &Server,
    mut player: Player,
    live: &Live,
) -> Result<()> {
    let watch = Stopwatch::start();
    print_text(format!(
        "Flowreel is receiving; a simulated enterprise plays {:.1} h of history …\n",
        args.history.as_secs_f32() / 3600.0
    ))?;
    let before = server.plant.accounting().datagrams.received;
    let history = tokio::task::spawn_blocking(move || {
        let datagrams = player.advance(clock::now())?;
        anyhow::Ok((player, datagrams))
    });
    show_first(server, args.history, watch).await?;
    let (player, datagrams) = history.await??;
    until_stored(server, History::new(before + datagrams)).await?;
    print_text(format!(
        "{datagrams} datagrams, {} flow records stored, {:.1} s after the start.\n\n",
        server.plant.accounting().records.stored,
        watch.elapsed().as_secs_f32()
    ))?;
    show(server, args.history).await?;
    let told = story::record(server, began, args.history).await?;
    print_text(format!("\n{told}{}\n", hints(server)))?;
    live.start(player)?;
    ended(args.lasting).await;
    Ok(())
}

/// Tells when the history is in the store, even while real exporters send as well.
struct History {
    /// How many datagrams are received once the history's are.
    received: u64,
    /// How many were on tape then.
    taped: Option<u64>,
}

impl History {
    fn new(received: u64) -> Self {
        Self {
            received,
            taped: None,
        }
    }

    /// Whether as many as were on tape with the history's last are stored, gone, or wait for a template; if not, how many
    /// are.
    fn is_in(&mut self, books: &Ledger, waiting: u64) -> Result<(), u64> {
        let before_the_tape = [
            DropKind::NotAllowed,
            DropKind::QueueFull,
            DropKind::TapeFailed,
        ];
        let dropped = |kind| books.dropped.get(kind).copied().unwrap_or(0);
        let never_taped: u64 = before_the_tape.iter().map(dropped).sum();
        let settled = (books.stored + books.dropped_total() + waiting).saturating_sub(never_taped);
        if self.taped.is_none() && books.received >= self.received {
            self.taped = Some(books.received.saturating_sub(never_taped));
        }
        match self.taped {
            Some(taped) if settled >= taped => Ok(()),
            _ => Err(settled),
        }
    }
}

async fn until_stored(server: &Server, mut history: History) -> Result<()> {
    let (mut settled, mut watch) = (0, Stopwatch::start());
    loop {
        let books = server.plant.accounting().datagrams;
        let exporters = server.plant.exporters();
        let waiting = exporters.iter().map(|one| one.waiting_for_template).sum();
        match history.is_in(&books, waiting) {
            Ok(()) => return Ok(()),
            Err(now) if now != settled => (settled, watch) = (now, Stopwatch::start()),
            Err(_) if watch.elapsed() > HISTORY_PATIENCE => bail!(
                "nothing reached the store for {} s: {books:?}",
                HISTORY_PATIENCE.as_secs()
            ),
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Shows that something is there as soon as something is.
async fn show_first(server: &Server, last: Duration, watch: Stopwatch) -> Result<()> {
    while server.plant.accounting().records.stored == 0 {
        if watch.elapsed() > HISTORY_PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let rows = server
        .store
        .top(&Top {
            limit: 3,
            ..top(Dimension::Applications, last)
        })
        .await?;
    print_text(format!(
        "the first flows, {:.1} s after the start:\n{}\n\n",
        watch.elapsed().as_secs_f32(),
        table(&rows, &top_columns("applications"))
    ))
}

async fn show(server: &Server, last: Duration) -> Result<()> {
    let rows = server
        .store
        .top(&top(Dimension::Applications, last))
        .await?;
    let exporters = server.plant.exporters();
    print_text(format!(
        "{}\n\n{}\n",
        table(&rows, &top_columns("applications")),
        table(&exporters, &exporter_columns())
    ))
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
        arrived: None,
        scope: Scope::default(),
    };
    Top {
        subject,
        dimension: dimension.into(),
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
         Look at it, live: {url}/ (Ctrl-C ends it)"
    )
}

async fn ended(lasting: Option<Duration>) {
    match lasting {
        Some(lasting) => tokio::time::sleep(lasting).await,
        None => std::future::pending().await,
    }
}

/// The demo's data directory: the one that was named, or one that goes with the demo.
struct DemoFolder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl DemoFolder {
    fn choose(args: &DemoArgs) -> Result<Self> {
        if let Some(path) = &args.config.data_dir {
            return Ok(Self {
                path: path.clone(),
                temporary: None,
            });
        }
        let made = tempfile::Builder::new()
            .prefix("flowreel-demo-")
            .tempdir()
            .context("there is no room for the demo's data; name a folder by --data-dir")?;
        Ok(Self {
            path: made.path().to_owned(),
            temporary: Some(made),
        })
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if let Some(made) = self.temporary.take()
            && let Err(error) = made.close()
        {
            eprintln!("{}: cannot be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_in_however_many_others_send() {
        let mut history = History::new(100);
        let books = |received, stored| Ledger {
            received,
            stored,
            on_tape: received - stored - 7,
            dropped: [(DropKind::NotAllowed, 5), (DropKind::Duplicate, 2)].into(),
        };
        // 99 + 5 are handed over: the history's last may not be among them.
        assert_eq!(history.is_in(&books(99, 90), 0), Err(92));
        // 115 of 120 are on tape when the history's last is; later ones don't matter.
        assert_eq!(history.is_in(&books(120, 100), 0), Err(102));
        assert_eq!(history.is_in(&books(220, 112), 0), Err(114));
        assert_eq!(history.is_in(&books(220, 113), 0), Ok(()));
        // One waits for a template that may never come.
        assert_eq!(history.is_in(&books(220, 112), 1), Ok(()));
    }
}
