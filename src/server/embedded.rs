//! The embedded store's process: started with this one, ends with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use engine::{EngineState, Phase, Supervisor, SupervisorConfig};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::Config;

/// The engine under supervision.
pub(crate) struct Embedded {
    pub(crate) socket: PathBuf,
    pub(crate) state: watch::Receiver<EngineState>,
    pub(crate) stats: Arc<engine::Stats>,
    /// Whoever notifies it has the engine started again.
    pub(crate) renewal: Arc<Notify>,
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    /// Where the socket is, if not in the data directory.
    _folder: Option<ShortFolder>,
}

impl Embedded {
    /// Starts it, if the configuration asks for the embedded engine.
    ///
    /// # Errors
    ///
    /// The library is missing; says where it was looked for and what installs it.
    pub(crate) fn start(config: &Config) -> Result<Option<Self>> {
        if config.store.engine != store::config::Engine::Embedded {
            return Ok(None);
        }
        let library = engine::locate()?;
        // The address of a Unix socket is at most 107 octets long (unix(7)); a data directory may be deeper than that.
        let data_dir = std::path::absolute(&config.data_dir)?;
        let (socket, folder) = match data_dir.join("engine.sock") {
            path if path.as_os_str().len() < 100 => (path, None),
            _ => {
                let folder = ShortFolder::make()?;
                (folder.0.join("engine.sock"), Some(folder))
            }
        };
        let arguments: Vec<OsString> = vec![
            "engine".into(),
            "--data-dir".into(),
            data_dir.join("store").into(),
            "--socket".into(),
            socket.clone().into(),
            "--library".into(),
            library.into(),
            "--memory".into(),
            config.engine_memory_octets.to_string().into(),
        ];
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut supervised = SupervisorConfig::new(program, arguments, socket.clone());
        supervised.stop_wait_max = super::budget::ENGINE_MAX;
        let supervisor = Supervisor::new(supervised);
        let (state, stats) = (supervisor.state(), supervisor.stats());
        let renewal = supervisor.renewal();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(supervisor.run(async {
            // An error means that the product is gone already.
            let _ = stopped.await;
        }));
        Ok(Some(Self {
            socket,
            state,
            stats,
            renewal,
            task,
            stop,
            _folder: folder,
        }))
    }

    /// Waits until it answers.
    ///
    /// # Errors
    ///
    /// It ended, and why.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<()> {
        let began = self
            .state
            .wait_for(|state| matches!(state.phase, Phase::Ready | Phase::Restarting));
        let state = began.await.context("the engine's supervisor is gone")?;
        if state.phase == Phase::Ready {
            return Ok(());
        }
        let why = state.last_exit.clone().unwrap_or_default();
        bail!("the engine cannot be started: {why}");
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// A folder with a short path, of a name that nobody can know before, for this user only; removed with its owner.
struct ShortFolder(PathBuf);

impl ShortFolder {
    fn make() -> Result<Self> {
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let parent = own
            .filter(|folder| folder.is_dir())
            .unwrap_or_else(std::env::temp_dir);
        let made = nix::unistd::mkdtemp(&parent.join("flowreel-XXXXXX"));
        made.map(Self).with_context(|| {
            format!(
                "{}: no folder can be made for the engine's socket",
                parent.display()
            )
        })
    }
}

impl Drop for ShortFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the engine's folder cannot be removed");
        }
    }
}
