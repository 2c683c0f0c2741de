//! `flowreel serve`, and the engine's process that it starts.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use collector::capture::MirrorConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{EngineArgs, ServeArgs};
use crate::config::Config;
use crate::server::priority::Rank;
use crate::server::{Running, Server, print_welcome};
use crate::telemetry;

/// How long the runtime waits for work that cannot be told to end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// `flowreel serve`: runs until SIGTERM or Ctrl-C.
pub(crate) fn serve(args: &ServeArgs) -> Result<()> {
    let mut config = Config::load(&args.config)?;
    config
        .mirror
        .extend(args.mirror.iter().map(MirrorConfig::new));
    telemetry::start(&config.log)?;
    if !engine::give_back_large_blocks() {
        tracing::debug!("the C library keeps free memory by rules of its own");
    }
    crate::config::keep_private();
    let runtime = runtime()?;
    let result = runtime.block_on(run(&config, args));
    // What did not end in its time ends with the process.
    runtime.shutdown_timeout(LAST_WORDS);
    result
}

/// Runs until it is told to stop, or a part ends that should not: then that is the error.
async fn run(config: &Config, args: &ServeArgs) -> Result<()> {
    let stop = told_to_stop()?;
    // From here on: until somebody listens to it, SIGHUP ends a process.
    let hangup = signal(SignalKind::hangup())?;
    let server = Server::start(config).await?;
    print_welcome(&server.people, server.running.http).await?;
    announce(&server.running);
    let reload = reload_on_hangup(hangup, &server, args);
    let result = tokio::select! {
        () = stop => Ok(()),
        error = server.failed() => Err(error),
    };
    reload.abort();
    tracing::info!("stopping");
    server.stop().await;
    result
}

/// The runtime of the shell around the threads.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("shell")
        .on_thread_start(|| Rank::Working.take())
        .build();
    runtime.context("the runtime cannot be started")
}

/// Ends at SIGTERM or SIGINT.
pub(crate) fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A flag that is set at SIGTERM or SIGINT, for commands that are loops.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let waiting = move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            told_to_stop()?.await;
            set.store(true, Ordering::Relaxed);
            Ok(())
        })
    };
    // The thread ends with the process; if it cannot wait for signals, they end the process as ever.
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(waiting)?;
    Ok(flag)
}

fn announce(running: &Running) {
    let listen = running
        .listen
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    tracing::info!(http = %running.http, listen, "flowreel is receiving");
}

/// SIGHUP reads the configuration again and takes its names of things; with a wrong one the old ones stay.
fn reload_on_hangup(
    mut hangup: Signal,
    server: &Server,
    args: &ServeArgs,
) -> tokio::task::JoinHandle<()> {
    let plant = server.plant.clone();
    let from = args.config.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match Config::load(&from) {
                Ok(config) => {
                    plant.configure_rules(config.rules());
                    match plant.reload_rules().await {
                        Ok(()) => tracing::info!(
                            "the rules were read again; other settings take a restart"
                        ),
                        Err(error) => {
                            tracing::error!(error = %crate::output::chain(&error), "the old rules stay")
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(error = %crate::output::error_text(&error), "the old configuration stays")
                }
            }
        }
    })
}

/// `flowreel engine`: the embedded store's process.
pub(crate) fn engine(args: &EngineArgs) -> Result<()> {
    Rank::Engine.take();
    let mut config = engine::ServeConfig::new(
        args.library.clone(),
        args.data_dir.clone(),
        args.socket.clone(),
    );
    config.memory_max_octets = args.memory;
    config.threads = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(engine::serve(config)?)
}
