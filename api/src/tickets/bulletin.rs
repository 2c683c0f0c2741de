//! Those who want to know what changes.

use std::sync::{Arc, Mutex, PoisonError};

use store::catalog::Ticket;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Changes that a listener may be behind.
///
/// Who is further behind misses the oldest, and is told that.
const CHANGES_MAX: usize = 256;

/// Where changes of tickets are told. Clones share it.
#[derive(Clone, Debug)]
pub struct Bulletin(Arc<Mutex<Option<Sender<Arc<Ticket>>>>>);

impl Default for Bulletin {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(channel(CHANGES_MAX).0))))
    }
}

impl Bulletin {
    /// Tells that a ticket is new, or another.
    pub fn tell(&self, ticket: Ticket) {
        if let Some(sender) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody may listen.
            let _ = sender.send(Arc::new(ticket));
        }
    }

    /// What is told from now on; `None` if nothing is any more.
    pub(super) fn listen(&self) -> Option<Receiver<Arc<Ticket>>> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().map(Sender::subscribe)
    }

    /// Ends it for all: streams that go on for ever would keep the server from stopping.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
