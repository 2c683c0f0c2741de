//! The engine's process: opens the data, answers on the socket, and ends in order.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::config::ServeConfig;
use crate::configuration::{ALLOCATOR, Layout};
use crate::desk::Desk;
use crate::error::EngineError;
use crate::http;
use crate::library::Library;
use crate::session::Engine;

/// How long running statements get to finish once the process was told to end.
const FINISH_WAIT_MAX: Duration = Duration::from_secs(4);

/// How long a client may take until the head of its next request is there. Longer than the 90 seconds that clients built
/// on hyper keep an idle connection, or they would meet one that is just being closed.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(120);

/// Connections at once; more wait in the listening socket's own queue.
const CONNECTIONS_MAX: usize = 128;

/// How long a Unix socket's path may be on Linux, in octets (`sun_path` with its final zero is 108).
const SOCKET_PATH_OCTETS_MAX: usize = 107;

/// Runs the engine until SIGTERM, SIGINT, or (if so configured) the end of standard input.
///
/// Call it in a process of its own, before other threads exist: it changes the process's umask and core limit, and it
/// **ends the process** with status 0 when it is told to stop, because the library's threads can't be unloaded. It
/// returns only if it can't start.
///
/// On stopping, running statements get four seconds. An acknowledged insert is on disk either way.
///
/// # Errors
///
/// [`EngineError`] if the library does not load, the data directory is in use, or the socket can't be bound; the
/// caller prints it and exits with 1.
pub fn serve(config: ServeConfig) -> Result<(), EngineError> {
    umask(Mode::from_bits_truncate(0o077));
    // A core file of this process would be as large as its memory; a failure to forbid it does no harm.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let layout = Layout::make(&config.data_dir)?;
    let _lock = lock(&layout, &config.data_dir)?;
    layout.write(&config)?;
    set_allocator();
    let library = Library::open(&config.library)?;
    let engine = Engine::start(library, &layout.arguments()?, layout.path_argument()?)?;
    let desk = Arc::new(Desk::new(engine, &config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(Desk::threads_max(&config))
        .build()
        .map_err(EngineError::io("start threads for", &config.data_dir))?;
    runtime.block_on(listen(desk, &config))?;
    end_process()
}

/// Tells the library's allocator how to behave, before it is loaded.
#[allow(unsafe_code)]
fn set_allocator() {
    let (name, value) = ALLOCATOR;
    // SAFETY: no other thread reads or writes the environment: `serve` is called before any is started.
    unsafe { std::env::set_var(name, value) };
}

/// Takes the data directory; released with the process.
fn lock(layout: &Layout, data_dir: &Path) -> Result<File, EngineError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&layout.lock)
        .map_err(EngineError::io("open", &layout.lock))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(EngineError::InUse {
            path: data_dir.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(EngineError::io("lock", &layout.lock)(source)),
    }
}

/// Binds the socket in place of a dead one.
fn bind(socket: &Path) -> Result<UnixListener, EngineError> {
    let refuse = |reason| EngineError::Path {
        path: socket.to_owned(),
        reason,
    };
    if socket.as_os_str().len() > SOCKET_PATH_OCTETS_MAX {
        return Err(refuse("a socket's path may have 107 octets"));
    }
    if net::UnixStream::connect(socket).is_ok() {
        return Err(refuse("another process answers on it"));
    }
    match fs::symlink_metadata(socket) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(refuse("there is a file that is not a socket"));
        }
        Ok(_) => fs::remove_file(socket).map_err(EngineError::io("remove the old", socket))?,
        Err(_) => {}
    }
    if let Some(folder) = socket.parent().filter(|folder| !folder.exists()) {
        fs::create_dir_all(folder).map_err(EngineError::io("make the directory", folder))?;
    }
    let listener = UnixListener::bind(socket).map_err(EngineError::io("bind", socket))?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))
        .map_err(EngineError::io("close", socket))?;
    Ok(listener)
}

async fn listen(desk: Arc<Desk>, config: &ServeConfig) -> Result<(), EngineError> {
    let listener = bind(&config.socket)?;
    let mut stop = std::pin::pin!(told_to_stop(config.ends_with_stdin)?);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stopping, stopped) = watch::channel(());
    loop {
        let accepting = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepting => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptor left, most likely: look again when some may have been closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (desk, stopped) = (desk.clone(), stopped.clone());
        tokio::spawn(async move {
            converse(stream, desk, stopped).await;
            drop(place);
        });
    }
    drop((listener, stopped));
    // The next engine may not find a socket that nobody answers on; a failure only costs it a look.
    let _ = fs::remove_file(&config.socket);
    stopping.send_replace(());
    let _ = tokio::time::timeout(FINISH_WAIT_MAX, stopping.closed()).await;
    Ok(())
}

/// Serves one client until it leaves; once `stopped` changes, only until the request that runs is answered.
async fn converse(stream: UnixStream, desk: Arc<Desk>, mut stopped: watch::Receiver<()>) {
    let service = service_fn(move |request| http::answer(desk.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A client that breaks off gets no answer, and its insert was cancelled: its error needs nothing else.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Waits for a signal, or for the end of standard input.
fn told_to_stop(ends_with_stdin: bool) -> Result<impl Future<Output = ()>, EngineError> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(EngineError::io("listen to", "SIGTERM"))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(EngineError::io("listen to", "SIGINT"))?;
    let (gone, parent_gone) = oneshot::channel();
    if ends_with_stdin {
        // A plain thread: it blocks for as long as the parent lives.
        std::thread::spawn(move || {
            drain(io::stdin());
            let _ = gone.send(());
        });
    }
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            Ok(()) = parent_gone => {}
        }
    })
}

/// Reads until nothing more comes.
fn drain(mut input: impl Read) {
    let mut ignored = [0; 512];
    while matches!(input.read(&mut ignored), Ok(octets) if octets > 0) {}
}

/// Ends the process without running the library's destructors, which would race its threads.
#[allow(unsafe_code)]
fn end_process() -> ! {
    // SAFETY: `_exit` only ends the process. Nothing is buffered in it that others wait for.
    unsafe { nix::libc::_exit(0) }
}
