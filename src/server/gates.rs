//! Where the product meets others: the store, the sockets, the API's address. Opened before anything runs.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use collector::capture::{Mirror, MirrorConfig, Selection};
use collector::listen::{AllowList, Listener};
use engine::EngineState;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Running;
use super::embedded::Embedded;
use crate::config::Config;

/// Everything that is open to others.
pub(crate) struct Gates {
    /// The embedded engine; `None` with a server elsewhere.
    pub(crate) engine: Option<Embedded>,
    pub(crate) store: Arc<Store>,
    pub(crate) listener: Listener,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) http: TcpListener,
}

impl Gates {
    /// Opens all of them, or none.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let engine = Embedded::start(config)?;
        let socket = engine.as_ref().map(|engine| engine.socket.as_path());
        let mut store = Store::new(config.store.clone(), socket)?;
        if engine.is_some() {
            let folder = config.path("store");
            // The engine makes it too, but only when it comes to it.
            std::fs::create_dir_all(&folder)
                .and_then(|()| store.keep_in(&folder))
                .with_context(|| folder.display().to_string())?;
        }
        let store = Arc::new(store);
        let mut listener = Listener::new(config.listen.clone());
        listener.bind()?;
        warn_of_small_buffers(&listener);
        Ok(Self {
            engine,
            store,
            listener,
            mirrors: open_mirrors(config)?,
            http: api::server::bind(config.http).await?,
        })
    }

    /// Where the product can be found.
    pub(crate) fn running(&self) -> Result<Running> {
        Ok(Running {
            pid: std::process::id(),
            http: self.http.local_addr()?,
            listen: self.listener.addresses(),
            engine: self.engine.as_ref().map(|engine| engine.socket.clone()),
        })
    }

    /// The engine's state, now and whenever it changes.
    pub(crate) fn engine_state(&self) -> Option<watch::Receiver<EngineState>> {
        self.engine.as_ref().map(|engine| engine.state.clone())
    }
}

/// The kernel grants less than it is asked for without a word, and drops datagrams in a burst.
fn warn_of_small_buffers(listener: &Listener) {
    let sockets = listener.stats().snapshot();
    let small = sockets
        .iter()
        .find(|socket| socket.receive_buffer_octets_got < socket.receive_buffer_octets_asked);
    if let Some(socket) = small {
        tracing::warn!(
            asked = socket.receive_buffer_octets_asked,
            got = socket.receive_buffer_octets_got,
            "the receive buffers are smaller than asked for: raise the sysctl net.core.rmem_max"
        );
    }
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
