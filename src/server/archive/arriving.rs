//! A file as a recording: a `.reel` file of another installation, or a capture of flow export. It becomes a world of its own
//! beside what is live. Nothing of the file is believed: counts, checksums and times are compared with what came in.

use std::fs;
use std::path::{Path, PathBuf};

use api::archive::{ArchiveError, Recorded};
use api::chance;
use api::people::Person;
use collector::capture::{CaptureError, CaptureFile, Selection};
use collector::decode::Decoder;
use collector::normalise::Normaliser;
use flow::site::Rules;
use flow::{Filter, FlowBatch, TapePosition, Timestamp, clock};
use replay::TapeReader;
use replay::reel::{Manifest, NewTape, PartKind, Reel, ReelError, read_tape};
use serde::de::DeserializeOwned;
use store::catalog::{Note, Recording, RecordingCounts, RecordingState};
use store::question::{Scope, Window};
use store::recording::Held;
use store::{Slice, Store};
use tokio::sync::mpsc;

use super::failing::{failed, of_store};
use super::folders::{partial, place, remove_folder};
use super::{NOBODY, RunningArchive, author, counts};
use crate::config::make_private_folder;
use crate::server::pipeline::is_full;

/// Datagrams and octets that are decoded at a time.
const READ_DATAGRAMS_MAX: usize = 4096;
const READ_OCTETS_MAX: usize = 256 << 10;

/// A file that goes, whatever becomes of it.
struct Arriving(PathBuf);

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "an upload cannot be removed");
        }
    }
}

impl RunningArchive {
    pub(super) async fn import_one(
        &self,
        who: &Person,
        name: Option<String>,
        file: PathBuf,
    ) -> Result<Recorded, ArchiveError> {
        let file = Arriving(file);
        self.check_store()?;
        let is_reel = Reel::is_reel(&file.0).map_err(refused)?;
        let _alone = self.at_work.lock().await;
        let number = match is_reel {
            true => self.import_reel(name, &file.0).await?,
            false => {
                let by = author(who, None);
                self.import_capture((name, by), &file.0).await?
            }
        };
        let recording = self.catalog.recording_by_number(number).await?;
        tracing::info!(
            recording.name,
            recording.number,
            recording.id,
            "a recording was taken in"
        );
        self.shown(who, recording).await
    }

    async fn import_reel(&self, name: Option<String>, path: &Path) -> Result<u32, ArchiveError> {
        let path = path.to_owned();
        let opened = self.blocking(move || {
            let reel = Reel::open(&path).map_err(refused)?;
            reel.verify().map_err(refused)?;
            Ok(reel)
        });
        let reel = opened.await?;
        let recording = described(&reel, name)?;
        let notes: Vec<Note> = document(&reel, PartKind::Notes)?;
        self.check_quota(None, reel.octets()).await?;
        self.make(recording, &notes, async |folder: &Path, rows: &Store| {
            let (reel, to) = (reel, folder.to_owned());
            let extracted = self.blocking(move || {
                let datagrams = extract_tape(&reel, &to)?;
                Ok((reel, datagrams))
            });
            let (reel, datagrams) = extracted.await?;
            for part in reel.parts(PartKind::Flows) {
                let mut file = reel.part(part).map_err(refused)?;
                let read = rows.read_parquet(&mut file).await;
                read.map_err(|error| match error.heals_by_itself() {
                    true => of_store("the flows can't be stored")(error),
                    false => not_ours("flows", &error),
                })?;
                // A few octets may stand for many rows: no more than it says.
                let found = rows.inventory().await;
                let found = found.map_err(of_store("the flows can't be counted"))?;
                if found.flows > reel.manifest().counts.flows {
                    break;
                }
                let octets = found.octets_on_disk.unwrap_or(0);
                self.check_quota(None, octets).await?;
            }
            check_flows(reel.manifest(), rows).await?;
            let derived = rows.derive().await;
            derived.map_err(of_store("the sums of the flows"))?;
            let manifest = reel.manifest();
            let held = check_held(manifest, (rows, &self.place), datagrams).await?;
            Ok((held, arrived(manifest)))
        })
        .await
    }

    async fn import_capture(
        &self,
        (name, by): (Option<String>, String),
        path: &Path,
    ) -> Result<u32, ArchiveError> {
        let Some(name) = name else {
            let why = "a capture does not say how the recording is called: give it a name";
            return Err(ArchiveError::Refused(why.to_owned()));
        };
        let octets = fs::metadata(path).map_err(failed("the file can't be read"))?;
        self.check_quota(None, octets.len()).await?;
        let now = clock::now();
        let recording = Recording {
            number: 0,
            id: chance::hex::<16>().map_err(failed("no id can be made"))?,
            name,
            state: RecordingState::Making,
            slice: Slice {
                // Known when it was read.
                arrived: Window { from: now, to: now },
                filter: Filter::any(),
            },
            scope: Scope::default(),
            owner: None,
            cut_by: by,
            cut_at: now,
            collector: self.collector.clone(),
            imported_at: Some(now),
            anonymized: false,
            enrichment: self.naming.in_force(),
            counts: RecordingCounts::default(),
        };
        let rules = recording.enrichment.clone();
        let path = path.to_owned();
        self.make(recording, &[], async |folder: &Path, rows: &Store| {
            let to = folder.to_owned();
            let arrived = self.blocking(move || tape_of_capture(&path, &to)).await?;
            self.decode(folder, &rules, rows).await?;
            let held = rows.held(None).await;
            Ok((
                held.map_err(of_store("the flows can't be counted"))?,
                arrived,
            ))
        })
        .await
    }

    /// Makes a recording of what `fill` puts into a folder and a store of its own; of one that fails nothing stays.
    async fn make(
        &self,
        recording: Recording,
        notes: &[Note],
        fill: impl AsyncFnOnce(&Path, &Store) -> Result<(Held, Window), ArchiveError>,
    ) -> Result<u32, ArchiveError> {
        let number = self.catalog.add_recording(&recording).await?;
        let folder = self.folder(number);
        let made = async {
            let partial = partial(&folder);
            remove_folder(&partial).map_err(failed("a folder can't be removed"))?;
            make_private_folder(&partial).map_err(|error| ArchiveError::Failed {
                what: "the recording's folder can't be made".to_owned(),
                source: error.into(),
            })?;
            let rows = self.shelf.new_rows(number).await?;
            let (held, arrived) = fill(&partial, &rows).await?;
            for note in notes {
                self.catalog.add_note(number, note).await?;
            }
            let octets = rows.octets_on_disk().await;
            let octets = octets.map_err(of_store("the tables' size"))?;
            let on_tape = place(&partial, &folder);
            let on_tape = on_tape.map_err(failed("the folder cannot take its place"))?;
            let counts = RecordingCounts {
                octets: octets + on_tape,
                ..counts(held)
            };
            self.catalog.made_recording(number, arrived, counts).await?;
            self.shelf.are_whole(number);
            Ok(number)
        };
        let made = made.await;
        if made.is_err()
            && let Err(error) = self.remove(number).await
        {
            // It is done again when the store answers.
            let error = crate::output::chain(&error);
            tracing::warn!(number, %error, "what came in of a recording cannot be removed now");
        }
        made
    }

    /// Decodes a recording's tape into tables of its own, as the product decodes what arrives.
    pub(super) async fn decode(
        &self,
        tape: &Path,
        rules: &Rules,
        rows: &Store,
    ) -> Result<(), ArchiveError> {
        let mut decoder = Decoder::new(self.config.decode.clone(), self.fields()?);
        let mut normaliser = Normaliser::new(self.config.normalise.clone(), rules);
        let mut reader = TapeReader::open(tape, TapePosition::START, None);
        // The next batch is made while one is inserted.
        let (batches, mut to_store) = mpsc::channel(1);
        let decoding = self.blocking(move || {
            let mut batch = FlowBatch::default();
            loop {
                let read = reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX);
                let read = read.map_err(failed("the recording's tape can't be read"))?;
                let first = batch.rows();
                for (position, datagram) in &read {
                    decoder.decode(datagram, *position, &mut batch);
                }
                normaliser.normalise(&mut batch, first);
                let is_last = read.is_empty();
                if is_full(&batch) || is_last {
                    // If nobody takes it, the insert before has failed, and that is told.
                    let sent = batches.blocking_send(std::mem::take(&mut batch));
                    if is_last || sent.is_err() {
                        return Ok(());
                    }
                }
            }
        });
        let writer = rows.writer(&self.collector);
        let inserting = async {
            let mut number = 0;
            while let Some(batch) = to_store.recv().await {
                number += 1;
                let token = format!("recorded {number}");
                let refused = writer.insert(&batch, &token, clock::now()).await;
                let refused = refused.map_err(of_store("the flows can't be stored"))?;
                if let Some(error) = refused.first_error {
                    let why = format!("the store refuses {} flows of it: {error}", refused.rows);
                    return Err(ArchiveError::Refused(why));
                }
            }
            Ok(())
        };
        tokio::try_join!(decoding, inserting).map(drop)
    }
}

/// The recording of a file.
fn described(reel: &Reel, name: Option<String>) -> Result<Recording, ArchiveError> {
    let manifest = reel.manifest().clone();
    let filter = Filter::parse(&manifest.filter)
        .map_err(|error| ArchiveError::Refused(format!("the file's filter is wrong at {error}")))?;
    Ok(Recording {
        number: 0,
        id: manifest.id,
        name: name.unwrap_or(manifest.name),
        state: RecordingState::Making,
        slice: Slice {
            arrived: Window {
                from: manifest.from,
                to: manifest.to,
            },
            filter,
        },
        scope: Scope::default(),
        owner: None,
        cut_by: match manifest.cut_by.is_empty() {
            true => NOBODY.to_owned(),
            false => manifest.cut_by,
        },
        cut_at: manifest.cut_at,
        collector: manifest.collector,
        imported_at: Some(clock::now()),
        anonymized: manifest.anonymized,
        enrichment: document(reel, PartKind::Enrichment)?,
        counts: RecordingCounts::default(),
    })
}

/// Whether so many rows came in as the manifest says, of its time.
async fn check_flows(manifest: &Manifest, rows: &Store) -> Result<(), ArchiveError> {
    let uncounted = || of_store("the flows can't be counted");
    let found = rows.inventory().await.map_err(uncounted())?.flows;
    if found != manifest.counts.flows {
        return says("flows", manifest.counts.flows, found);
    }
    let outside = rows.outside(arrived(manifest)).await;
    match outside.map_err(uncounted())? {
        0 => Ok(()),
        outside => says("flows outside its time", 0, outside),
    }
}

/// Whether what came in is what the manifest says.
async fn check_held(
    manifest: &Manifest,
    (rows, place): (&Store, &str),
    datagrams: u64,
) -> Result<Held, ArchiveError> {
    if datagrams != manifest.counts.datagrams {
        return says("datagrams", manifest.counts.datagrams, datagrams);
    }
    if !manifest.flows_sha256.is_empty() {
        let digest = async {
            let digest = match rows.lay_out(place, None, None).await {
                Ok(all) => all.digest(&manifest.flows_columns).await,
                Err(error) => Err(error),
            };
            rows.clear_layout(place).await?;
            digest
        };
        let digest = digest.await.map_err(of_store("the flows can't be read"))?;
        if digest != manifest.flows_sha256 {
            let why = "the file's flows do not have the checksum that its manifest says";
            return Err(ArchiveError::Refused(why.to_owned()));
        }
    }
    let held = rows.held(None).await;
    held.map_err(of_store("the flows can't be counted"))
}

fn says<T>(what: &str, said: u64, found: u64) -> Result<T, ArchiveError> {
    let why = format!("the file's manifest says {said} {what}, and there are {found}");
    Err(ArchiveError::Refused(why))
}

/// Puts the segments of a file into a folder, and counts their datagrams.
fn extract_tape(reel: &Reel, folder: &Path) -> Result<u64, ArchiveError> {
    reel.extract_tape(folder).map_err(refused)?;
    let Window { to, .. } = arrived(reel.manifest());
    let said = reel.manifest().counts.datagrams;
    let mut read = read_tape(folder);
    let mut found = 0;
    // No more than it says: a segment may say that it is much longer than it is.
    for datagram in read.by_ref().take(
        usize::try_from(said)
            .unwrap_or(usize::MAX)
            .saturating_add(1),
    ) {
        let datagram = datagram.map_err(|error| not_ours("tape", &error))?;
        if datagram.received_at >= to {
            let why = format!(
                "the file's tape has a datagram of {}, behind its end",
                datagram.received_at
            );
            return Err(ArchiveError::Refused(why));
        }
        found += 1;
    }
    let counts = read.counts();
    if counts.damaged + counts.missing + counts.damaged_octets > 0 {
        let why = "the file's tape has gaps";
        return Err(ArchiveError::Refused(why.to_owned()));
    }
    Ok(found)
}

/// Puts the datagrams of a capture onto a tape, and tells when the first and the last came.
fn tape_of_capture(path: &Path, folder: &Path) -> Result<Window, ArchiveError> {
    let unread = |error: CaptureError| ArchiveError::Refused(crate::output::chain(&error));
    let unwritten = || failed("the recording's tape can't be written");
    let capture = CaptureFile::open(path, Selection::default()).map_err(unread)?;
    let mut tape = NewTape::begin(folder, clock::now()).map_err(unwritten())?;
    let mut times: Option<(Timestamp, Timestamp)> = None;
    for datagram in capture {
        let datagram = datagram.map_err(unread)?;
        tape.append(&datagram).map_err(unwritten())?;
        let at = datagram.received_at;
        let (first, last) = times.unwrap_or((at, at));
        times = Some((first.min(at), last.max(at)));
    }
    tape.finish().map_err(unwritten())?;
    let (from, last) = times.ok_or_else(|| {
        ArchiveError::Refused("the capture has no datagram of flow export".to_owned())
    })?;
    let to = Timestamp::from_nanos(last.nanos().saturating_add(1));
    Ok(Window { from, to })
}

/// A document of a file; its default if the file has none.
fn document<T: DeserializeOwned + Default>(reel: &Reel, kind: PartKind) -> Result<T, ArchiveError> {
    let Some(part) = reel.parts(kind).first().copied() else {
        return Ok(T::default());
    };
    let mut octets = Vec::new();
    reel.extract(part, &mut octets).map_err(refused)?;
    serde_json::from_slice(&octets).map_err(|error| not_ours(&kind.name(1), &error))
}

fn arrived(manifest: &Manifest) -> Window {
    Window {
        from: manifest.from,
        to: manifest.to,
    }
}

/// The file is whole, and says what no Flowreel would.
fn not_ours(what: &str, error: &dyn std::error::Error) -> ArchiveError {
    let why = crate::output::chain(error);
    ArchiveError::Refused(format!("the file's {what} can't be used: {why}"))
}

fn refused(error: ReelError) -> ArchiveError {
    match error {
        ReelError::Io { .. } => failed("the file can't be read")(error),
        wrong => ArchiveError::Refused(crate::output::chain(&wrong)),
    }
}
