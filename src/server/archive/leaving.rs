//! A recording as a file: for another installation, another program, or Wireshark.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use api::archive::{ArchiveError, Leaving, Standing, Wrapping};
use api::people::Person;
use collector::capture::{CaptureWriter, Format, Framing};
use collector::rewrite::Anonymizer;
use flow::clock;
use replay::reel::{self, Counts, Manifest, PartKind, Staged, read_tape};
use serde::Serialize;
use store::catalog::{Recording, RecordingState};
use store::recording::{OtherAddresses, Rows};
use store::{Slice, Store};

use super::disguise::{self, Under};
use super::failing::{failed, of_store};
use super::folders::remove_folder;
use super::{RunningArchive, standing};
use crate::config::make_private_folder;

/// Files so far, for their names.
static FILES: AtomicU64 = AtomicU64::new(0);

impl RunningArchive {
    pub(super) async fn export_one(
        &self,
        who: &Person,
        name: &str,
        wrapping: Wrapping,
    ) -> Result<Leaving, ArchiveError> {
        self.check_store()?;
        let recording = self.recording(who, name).await?;
        if standing(&recording, clock::now()) == Standing::Recording {
            let why = format!("'{name}' goes on: stop it first");
            return Err(ArchiveError::Conflict(why));
        }
        if recording.state == RecordingState::Referenced {
            self.wait_until_stored(&recording).await?;
        }
        let _alone = self.at_work.lock().await;
        let recording = self.catalog.recording_by_number(recording.number).await?;
        if recording.state == RecordingState::Referenced {
            self.check_steady(&recording).await?;
        }
        self.check_room(&recording).await?;
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let staging = self
            .config
            .path("incoming")
            .join(format!("leaving-{number}"));
        let target = staging.with_extension("file");
        make_private_folder(&staging).map_err(|error| ArchiveError::Failed {
            what: "no folder for the file can be made".to_owned(),
            source: error.into(),
        })?;
        let written = self.write(&recording, wrapping, (&staging, &target)).await;
        if let Err(error) = remove_folder(&staging) {
            tracing::warn!(path = %staging.display(), %error, "what a file was made of cannot be removed");
        }
        written.map(|()| Leaving::new(target))
    }

    async fn write(
        &self,
        recording: &Recording,
        wrapping: Wrapping,
        (staging, target): (&Path, &Path),
    ) -> Result<(), ArchiveError> {
        let (Wrapping::Reel { anonymize } | Wrapping::Pcapng { anonymize }) = wrapping;
        let mut anonymizer = match anonymize {
            true => Some(self.anonymizer().await?),
            false => None,
        };
        let mut tape = self.tape_of(recording, staging).await?;
        if let Some(mut under) = anonymizer.take() {
            let to = staging.join("disguised");
            let from = std::mem::replace(&mut tape, to.clone());
            let rewritten = self.blocking(move || {
                disguise::tape(&mut under, &from, &to)?;
                Ok(under)
            });
            anonymizer = Some(rewritten.await?);
        }
        match wrapping {
            Wrapping::Reel { .. } => {
                self.write_reel(recording, (tape, anonymizer), (staging, target))
                    .await
            }
            Wrapping::Pcapng { .. } => {
                let target = target.to_owned();
                self.blocking(move || write_capture(&tape, &target)).await
            }
        }
    }

    async fn write_reel(
        &self,
        recording: &Recording,
        (tape, anonymizer): (PathBuf, Option<Anonymizer>),
        (staging, target): (&Path, &Path),
    ) -> Result<(), ArchiveError> {
        let (store, slice) = self.rows_of(recording).await?;
        let mut staged = segments(&tape).map_err(failed("the recording's tape can't be read"))?;
        let mut manifest = described(recording);
        let (mut rules, mut notes) = (recording.enrichment.clone(), Vec::new());
        let under = anonymizer.as_ref().map(Under);
        let others = under.as_ref().map(|under| under as &dyn OtherAddresses);
        let written = async {
            let rows = store.lay_out(&self.place, slice.as_ref(), others).await;
            let rows = rows.map_err(of_store("the flows can't be laid out"))?;
            flows(&rows, staging, &mut manifest).await
        };
        let written = written.await;
        // Whatever became of it: it takes room, and may tell who is who.
        let cleared = store.clear_layout(&self.place).await;
        cleared.map_err(of_store("what was laid out cannot be removed"))?;
        staged.extend(written?);
        let held = store.held(slice.as_ref()).await;
        let held = held.map_err(of_store("the flows can't be counted"))?;
        (manifest.counts.flows, manifest.counts.exporters) = (held.flows, held.exporters);
        match &anonymizer {
            Some(anonymizer) => {
                rules = disguise::rules(anonymizer, rules);
                manifest = disguise::manifest(manifest);
            }
            None => notes = self.catalog.notes(recording.number).await?,
        }
        let documents = [
            document(staging, PartKind::Enrichment, &rules),
            document(staging, PartKind::Notes, &notes),
        ];
        for document in documents {
            staged.push(document.map_err(failed("a part of the file can't be written"))?);
        }
        let target = target.to_owned();
        self.blocking(move || {
            manifest.counts.datagrams = datagrams(&tape)?;
            let written = reel::write(&target, manifest, &staged);
            written
                .map(drop)
                .map_err(failed("the file can't be written"))
        })
        .await
    }

    /// The folder with the recording's datagrams; made in `staging` if it has no own.
    async fn tape_of(
        &self,
        recording: &Recording,
        staging: &Path,
    ) -> Result<PathBuf, ArchiveError> {
        if recording.state == RecordingState::Own {
            return Ok(self.folder(recording.number));
        }
        let tape = staging.join("tape");
        self.spooled(recording, &tape).await?;
        Ok(tape)
    }

    /// The store with the recording's rows, and which of them.
    pub(super) async fn rows_of(
        &self,
        recording: &Recording,
    ) -> Result<(Store, Option<Slice>), ArchiveError> {
        Ok(match recording.state {
            RecordingState::Own => (self.shelf.rows(recording.number).await?, None),
            _ => ((*self.store).clone(), Some(recording.slice.clone())),
        })
    }
}

/// The datagrams of a tape as a capture.
fn write_capture(tape: &Path, target: &Path) -> Result<(), ArchiveError> {
    let unwritten = || failed("the file can't be written");
    let file = File::create_new(target).map_err(failed("the file can't be made"))?;
    let out = BufWriter::new(file);
    let mut writer = CaptureWriter::new(out, Format::Pcapng, Framing::Raw).map_err(unwritten())?;
    for datagram in read_tape(tape) {
        let datagram = datagram.map_err(failed("the recording's tape can't be read"))?;
        writer.write(&datagram).map_err(unwritten())?;
    }
    writer.finish().map(drop).map_err(unwritten())
}

/// What a recording's file says of it, but for what is counted.
fn described(recording: &Recording) -> Manifest {
    Manifest {
        product: format!("flowreel {}", env!("CARGO_PKG_VERSION")),
        id: recording.id.clone(),
        name: recording.name.clone(),
        from: recording.slice.arrived.from,
        to: recording.slice.arrived.to,
        filter: recording.slice.filter.text().to_owned(),
        cut_by: recording.cut_by.clone(),
        cut_at: recording.cut_at,
        collector: recording.collector.clone(),
        anonymized: recording.anonymized,
        counts: Counts::default(),
        ..Manifest::default()
    }
}

/// The segments of a recording's tape, in order.
fn segments(tape: &Path) -> io::Result<Vec<Staged>> {
    let entries = fs::read_dir(tape)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    paths.sort();
    let kind = PartKind::Tape;
    Ok(paths
        .into_iter()
        .map(|path| Staged { kind, path })
        .collect())
}

/// How many datagrams are on a tape.
fn datagrams(tape: &Path) -> Result<u64, ArchiveError> {
    read_tape(tape).try_fold(0, |count, datagram| {
        datagram.map_err(failed("the recording's tape can't be read"))?;
        Ok(count + 1)
    })
}

/// Writes the rows as files, and what they are into the manifest.
async fn flows(
    rows: &Rows,
    staging: &Path,
    manifest: &mut Manifest,
) -> Result<Vec<Staged>, ArchiveError> {
    let unread = || of_store("the flows can't be written as a file");
    let mut staged = Vec::new();
    for part in rows.parts().await.map_err(unread())? {
        let path = staging.join(format!("{}.parquet", staged.len()));
        let mut file = File::create_new(&path).map_err(failed("a part can't be made"))?;
        let written = rows.write_parquet(part, &mut file).await;
        written.map_err(unread())?;
        staged.push(Staged {
            kind: PartKind::Flows,
            path,
        });
    }
    manifest.flows_columns = rows.digest_columns().await.map_err(unread())?;
    let digest = rows.digest(&manifest.flows_columns).await;
    manifest.flows_sha256 = digest.map_err(unread())?;
    Ok(staged)
}

fn document(staging: &Path, kind: PartKind, value: &impl Serialize) -> io::Result<Staged> {
    let path = staging.join(kind.name(1));
    fs::write(&path, serde_json::to_vec_pretty(value)?)?;
    Ok(Staged { kind, path })
}
