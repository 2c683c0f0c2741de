//! The recordings of this installation: cut, held by reference, given tapes and tables of their own, shared, taken in.
//!
//! | file | holds |
//! |---|---|
//! | `cutting` | a new recording, and what is pinned for it |
//! | `keeping` | the task that gives a recording rows and datagrams of its own before others expire |
//! | `ordering`, `folders` | what was left half done, and what is deleted |
//! | `shelf` | tables of recordings, in the embedded engine's memory while somebody asks them |
//! | `spool` | the datagrams of a recording as a tape of its own |
//! | `leaving`, `disguise` | a recording as a file, under other addresses too |
//! | `arriving` | a file as a recording |
//! | `failing` | errors as the API wants them |
//!
//! Catalog, tape, store and folders can't change in one step. So the catalog says last what has become of a recording, and
//! whoever finds at start what the catalog does not know of removes it.

mod arriving;
mod cutting;
mod disguise;
mod failing;
mod folders;
mod keeping;
mod leaving;
mod ordering;
mod shelf;
mod spool;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use api::archive::{
    Archive, ArchiveError, Cut, Found, Leaving, NewNote, Recorded, Standing, Wrapping,
};
use api::people::Person;
use collector::fields::FieldTable;
use flow::clock::Stopwatch;
use flow::{Timestamp, clock};
use futures_util::future::BoxFuture;
use store::Store;
use store::catalog::{Catalog, Note, Recording, RecordingCounts, RecordingState};
use store::question::Window;
use store::recording::Held;
use tokio::sync::{Mutex as AsyncMutex, RwLock, watch};

pub(crate) use self::cutting::pins;
use self::failing::failed;
pub(crate) use self::shelf::{Shelf, lock as lock_tables};
use super::plant::Naming;
use super::shared::Shared;
use super::taping::Request;
use crate::config::{Config, field_table};

/// Who did it, where nobody has signed on and nobody says.
const NOBODY: &str = "somebody";

/// All that the recordings need of the product. Clones share it.
#[derive(Clone)]
pub(crate) struct RunningArchive {
    pub(crate) config: Arc<Config>,
    pub(crate) catalog: Catalog,
    pub(crate) store: Arc<Store>,
    /// Whether the store's schema is in place.
    pub(crate) store_ready: watch::Receiver<bool>,
    /// This collector's name in the store's rows.
    pub(crate) collector: String,
    pub(crate) naming: Naming,
    /// To the tape thread.
    pub(crate) requests: SyncSender<Request>,
    pub(crate) shared: Arc<Shared>,
    /// Held while a recording gets, or loses, rows and datagrams of its own: one at a time.
    pub(crate) at_work: Arc<AsyncMutex<()>>,
    /// When a press last found that there is room for recordings.
    pub(crate) quota_was_good: Arc<AsyncMutex<Option<Stopwatch>>>,
    /// Tells this installation's recordings from those of others in one store.
    pub(crate) place: String,
    /// Held by who changes rows of the past; recordings are cut beside each other.
    pub(crate) changing: Arc<RwLock<()>>,
    /// Recordings that are over and counted, by number.
    pub(crate) settled: Arc<Mutex<BTreeMap<u32, Settled>>>,
    /// The tables that are recordings' own.
    pub(crate) shelf: Shelf,
}

/// What a recording by reference needs of what others may let go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    /// The first segment of the tape that is pinned for it.
    first_segment: Option<u32>,
    /// When the first of its rows was stored.
    stored_since: Option<Timestamp>,
}

impl RunningArchive {
    /// A recording that can be asked and that this person may know of, by name, id or number.
    async fn recording(&self, who: &Person, name: &str) -> Result<Recording, ArchiveError> {
        Ok(self.catalog.recording(name, who.viewer()).await?)
    }

    /// One that this person may look into: that of a ticket, too, which they may see.
    async fn looked_into(&self, who: &Person, name: &str) -> Result<Recording, ArchiveError> {
        let hidden = match self.recording(who, name).await {
            Err(hidden @ ArchiveError::Unknown(_)) => hidden,
            found => return found,
        };
        let recording = self.recording(&Person::operator(), name).await?;
        let ticket = self.catalog.ticket_of_recording(recording.number).await?;
        match ticket.is_some_and(|ticket| who.may_replay(&ticket)) {
            true => Ok(recording),
            false => Err(hidden),
        }
    }

    /// As this person sees it, counted if that is not noted yet.
    async fn shown(
        &self,
        who: &Person,
        mut recording: Recording,
    ) -> Result<Recorded, ArchiveError> {
        let mut notes = self.catalog.notes(recording.number).await?;
        if !recording.is_told_to(who.viewer()) {
            notes.retain(|note| note.written_by == who.name);
            let shown = shown(who, recording, clock::now());
            return Ok(Recorded { notes, ..shown });
        }
        let is_settled = self.settled().contains_key(&recording.number);
        if recording.state == RecordingState::Referenced && !is_settled {
            let held = self.held(&recording).await;
            recording.counts = held.map_or(recording.counts, counts);
        }
        let shown = shown(who, recording, clock::now());
        Ok(Recorded { notes, ..shown })
    }

    /// Does something to its end, whether somebody still waits for it or not.
    fn detached<T, F>(
        &self,
        work: impl FnOnce(Self) -> F,
    ) -> BoxFuture<'static, Result<T, ArchiveError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ArchiveError>> + Send + 'static,
    {
        let task = tokio::spawn(work(self.clone()));
        Box::pin(async {
            task.await
                .map_err(failed("a task of the archive is gone"))?
        })
    }

    /// The folder of what is a recording's own.
    fn folder(&self, number: u32) -> PathBuf {
        self.folders().join(number.to_string())
    }

    fn folders(&self) -> PathBuf {
        self.config.path("recordings")
    }

    fn tape(&self) -> PathBuf {
        self.config.path("tape")
    }

    /// The names of fields, the operator's among them.
    fn fields(&self) -> Result<FieldTable, ArchiveError> {
        let fields = field_table(self.config.fields.as_deref());
        fields.map_err(|error| ArchiveError::Failed {
            what: "the names of fields can't be read".to_owned(),
            source: error.into(),
        })
    }

    /// Asks the tape thread for something, and waits until it is done.
    async fn of_tape<T: Send + 'static>(
        &self,
        request: impl FnOnce(SyncSender<T>) -> Request,
    ) -> Result<T, ArchiveError> {
        let (answer, done) = sync_channel(1);
        let (requests, request) = (self.requests.clone(), request(answer));
        let asked = move || requests.send(request).ok().and_then(|()| done.recv().ok());
        let stopped = || ArchiveError::Refused("the server is being stopped".to_owned());
        tokio::task::spawn_blocking(asked)
            .await
            .ok()
            .flatten()
            .ok_or_else(stopped)
    }

    /// Runs what blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(failed("a thread of the archive is gone"))?
    }

    fn check_store(&self) -> Result<(), ArchiveError> {
        self.check_keeps()?;
        match *self.store_ready.borrow() {
            true => Ok(()),
            false => refused("the store is not ready yet; try again later"),
        }
    }

    fn check_keeps(&self) -> Result<(), ArchiveError> {
        match self.store.keeps() {
            true => Ok(()),
            false => refused("there is no store, as [store] engine = \"none\""),
        }
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Settled>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused<T>(why: &str) -> Result<T, ArchiveError> {
    Err(ArchiveError::Refused(why.to_owned()))
}

/// What a recording holds; nothing on disk of its own.
fn counts(held: Held) -> RecordingCounts {
    RecordingCounts {
        datagrams: held.datagrams,
        flows: held.flows,
        exporters: held.exporters,
        octets: 0,
    }
}

/// Where it is.
fn standing(recording: &Recording, now: Timestamp) -> Standing {
    match recording.state {
        RecordingState::Making => Standing::Making,
        RecordingState::Referenced if recording.slice.arrived.to > now => Standing::Recording,
        RecordingState::Referenced => Standing::Referenced,
        RecordingState::Own => Standing::Own,
        RecordingState::Deleting => Standing::Deleting,
    }
}

/// Who did it: whoever has signed on, else who they say.
fn author(who: &Person, said: Option<String>) -> String {
    let said = || said.unwrap_or_else(|| NOBODY.to_owned());
    who.account().map_or_else(said, str::to_owned)
}

/// As this person sees it, without its notes.
fn shown(who: &Person, recording: Recording, now: Timestamp) -> Recorded {
    let arrived = recording.slice.arrived;
    let state = standing(&recording, now);
    let is_told = recording.is_told_to(who.viewer());
    // Of a ticket's they are told what they see of it: in its own filter there are addresses of others.
    let filter = match recording.is_shown_to(who.viewer()) {
        true => recording.slice.filter.text(),
        false => who.scope.text(),
    };
    Recorded {
        number: recording.number,
        id: recording.id,
        name: recording.name,
        state,
        from: arrived.from,
        to: arrived.to,
        filter: filter.to_owned(),
        cut_by: recording.cut_by,
        cut_at: recording.cut_at,
        collector: recording.collector,
        imported_at: recording.imported_at,
        anonymized: recording.anonymized,
        counts: is_told.then_some(recording.counts),
        notes: Vec::new(),
    }
}

impl Archive for RunningArchive {
    fn list<'a>(&'a self, who: &'a Person) -> BoxFuture<'a, Result<Vec<Recorded>, ArchiveError>> {
        Box::pin(async move {
            let now = clock::now();
            let all = self.catalog.recordings().await?.into_iter();
            let seen = all.filter(|recording| recording.is_shown_to(who.viewer()));
            Ok(seen.map(|recording| shown(who, recording, now)).collect())
        })
    }

    fn show<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        Box::pin(async move { self.shown(who, self.looked_into(who, name).await?).await })
    }

    fn cut<'a>(
        &'a self,
        who: &'a Person,
        cut: Cut,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        let who = who.clone();
        self.detached(|this| async move { this.cut_one(&who, cut).await })
    }

    fn stop<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        Box::pin(self.stop_one(who, name))
    }

    fn keep<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        let (who, name) = (who.clone(), name.to_owned());
        self.detached(|this| async move {
            let number = this.recording(&who, &name).await?.number;
            this.keep_one(number).await?;
            this.shown(&who, this.catalog.recording_by_number(number).await?)
                .await
        })
    }

    fn note<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
        note: NewNote,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        Box::pin(async move {
            let recording = self.recording(who, name).await?;
            let Window { from, to } = recording.slice.arrived;
            let now = clock::now();
            let at = note.at.unwrap_or(to.min(now));
            if !(from..=to).contains(&at) {
                let why = format!(
                    "the note's moment ({at}) is not in the recording, which goes from {from} to {to}"
                );
                return Err(ArchiveError::Refused(why));
            }
            let note = Note {
                at,
                written_by: author(who, note.by),
                written_at: now,
                text: note.text,
            };
            self.catalog.add_note(recording.number, &note).await?;
            self.shown(who, recording).await
        })
    }

    fn delete<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<(), ArchiveError>> {
        let (who, name) = (who.clone(), name.to_owned());
        self.detached(|this| async move {
            let recording = this.recording(&who, &name).await?;
            this.delete_one(&recording).await
        })
    }

    fn export<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
        wrapping: Wrapping,
    ) -> BoxFuture<'a, Result<Leaving, ArchiveError>> {
        let (who, name) = (who.clone(), name.to_owned());
        self.detached(|this| async move { this.export_one(&who, &name, wrapping).await })
    }

    fn import<'a>(
        &'a self,
        who: &'a Person,
        name: Option<String>,
        file: PathBuf,
    ) -> BoxFuture<'a, Result<Recorded, ArchiveError>> {
        let who = who.clone();
        self.detached(|this| async move { this.import_one(&who, name, file).await })
    }

    fn find<'a>(
        &'a self,
        who: &'a Person,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Found, ArchiveError>> {
        Box::pin(async move {
            let recording = self.looked_into(who, name).await?;
            let Window { from, to } = recording.slice.arrived;
            let now = clock::now();
            // One that goes on reaches up to now; a window is never empty.
            let window = Window {
                from,
                to: to.min(now.max(Timestamp::from_nanos(from.nanos().saturating_add(1)))),
            };
            let (store, slice) = self.rows_of(&recording).await?;
            Ok(Found {
                id: recording.id,
                store: Arc::new(store),
                slice,
                filter: recording.slice.filter,
                window,
            })
        })
    }
}
