//! What lies in the data directory, opened: catalog, tape, checkpoint; and the decoder as it was at the checkpoint.

use anyhow::{Context as _, Result, bail};
use collector::decode::{Decoder, DecoderState};
use collector::normalise::Normaliser;
use flow::site::Rules;
use flow::{TapePosition, clock};
use replay::{End, Pins, Recovery, TapeConfig, TapeReader, TapeWriter, Upkeep};
use store::catalog::Catalog;

use super::archive;
use super::checkpoint::{Checkpoint, CheckpointFolder, Found, PipelineState, Search};
use super::identity;
use super::intake::IntakeNote;
use super::noting::Note;
use super::pipeline::Pipeline;
use crate::backup::RESTORING;
use crate::config::{Config, field_table};

/// Everything that one process holds of a data directory.
pub(crate) struct Opened {
    pub(crate) catalog: Catalog,
    /// This collector's name in the store.
    pub(crate) collector: String,
    pub(crate) tape: TapeWriter,
    pub(crate) upkeep: Upkeep,
    pub(crate) folder: CheckpointFolder,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) intake: IntakeNote,
    /// What was known at the checkpoint, or at the last place that is still told.
    pub(crate) state: Option<PipelineState>,
    pub(crate) rules: Rules,
    pub(crate) pipeline: Pipeline,
    pub(crate) reader: TapeReader,
    /// What the tape keeps from its opening on.
    pub(crate) pins: Pins,
}

impl Opened {
    /// Opens everything, the tape first: its lock tells two processes apart.
    pub(crate) async fn open(config: &Config, rules: impl FnOnce(Rules) -> Rules) -> Result<Self> {
        config.make_data_dir()?;
        if config.path(RESTORING).exists() {
            bail!(
                "{}: a restore was not finished here; remove the folder, and restore the backup again",
                config.data_dir.display()
            );
        }
        let tape_config = TapeConfig {
            dir: config.path("tape"),
            ..config.tape.clone()
        };
        let (mut tape, recovery) = TapeWriter::open(tape_config, clock::now())?;
        if recovery.cut_octets + recovery.damaged_places + recovery.damaged_headers > 0 {
            tracing::warn!(?recovery, "the tape was mended");
        }
        let catalog = Catalog::open(&config.path("catalog.db")).await?;
        catalog.fail_interrupted_imports(clock::now()).await?;
        let (mut folder, found) = CheckpointFolder::open(config.path("checkpoint"))?;
        let is_new = found.checkpoint.is_none() && tape.datagrams_total() == 0;
        let is_doubtful = !is_new && !found.trouble.is_empty();
        let (mut checkpoint, state) = judge(found, tape.datagrams_total());
        let collector = identity::name(config, &catalog, &mut checkpoint, is_new).await?;
        let intake = IntakeNote::open(&config.path("checkpoint"), checkpoint.intake);
        checkpoint.intake = intake.noted();
        // From here on there is one, and a tape without one has lost it.
        folder.write(checkpoint.clone(), None)?;
        // A tape that lost its end gives no position and no number away twice.
        let (passed, now) = (checkpoint.passed.datagrams, clock::now());
        let mut lost = tape.begin_after(checkpoint.position, passed, now)?;
        if let Some(intent) = checkpoint.intent {
            lost += tape.begin_after(intent, checkpoint.intent_datagrams, now)?;
        }
        if is_new && config.store.collector.is_some() {
            tape.begin_after(identity::first_place(now), 0, now)?;
        }
        if is_doubtful || checkpoint.is_found_lost() {
            tape.begin_after(far_behind(tape.end()), 0, now)?;
            if let Some(mend) = &mut checkpoint.mend {
                // Once: whoever starts again and again would run out of numbers.
                mend.is_behind = true;
                folder.write(checkpoint.clone(), None)?;
            }
        }
        say_what_is_lost(&recovery, lost, &config.tape);
        let rules = rules(catalog.rules().await?);
        let known = state.clone().filter(|_| checkpoint.search().is_none());
        let pipeline = pipeline(config, &checkpoint, known, tape.end(), &rules)?;
        if checkpoint.search().is_none() {
            // What this start found out is told once: the next one may find the tape's end elsewhere, or less of what waits,
            // and has to make the same batches of it.
            checkpoint.books = pipeline.books().clone();
            folder.write(checkpoint.clone(), Some(&pipeline.state()))?;
        }
        let reader = TapeReader::open(&config.path("tape"), checkpoint.position, Some(tape.tail()))
            .expecting(checkpoint.passed.datagrams);
        let pins = archive::pins(config, &catalog, Note::of(config).pins()).await?;
        let upkeep = Upkeep::start(&tape.tail())?;
        Ok(Self {
            catalog,
            collector,
            tape,
            upkeep,
            folder,
            checkpoint,
            intake,
            state,
            rules,
            pipeline,
            reader,
            pins,
        })
    }
}

/// Where to go on, by what the checkpoint's folder holds. Says what is lost, and what is done about it.
fn judge(found: Found, tape_datagrams: u64) -> (Checkpoint, Option<PipelineState>) {
    let mut checkpoint = match found.checkpoint {
        Some(checkpoint) => {
            for trouble in &found.trouble {
                tracing::error!(
                    trouble,
                    "the checkpoint is damaged: goes on from the one before, and stores nothing twice"
                );
            }
            checkpoint
        }
        None if tape_datagrams == 0 => return (Checkpoint::default(), None),
        None => {
            tracing::error!(
                trouble = found.trouble.join("; "),
                tape.datagrams = tape_datagrams,
                "the checkpoint is lost: how far the tape is in the store is found out from both"
            );
            Checkpoint::lost(Search::Checkpoint, found.intake)
        }
    };
    if let Some(mend) = &mut checkpoint.mend {
        mend.until.get_or_insert(tape_datagrams);
    }
    (checkpoint, found.state)
}

/// A place behind all that the store may have, where nobody remembers what was the last: the tape may have lost its end as
/// well, or be an old one, and rows of the store bear the places of what it had. There are 4 billion segment numbers.
fn far_behind(end: TapePosition) -> TapePosition {
    const SEGMENTS: u32 = 1_000_000;
    TapePosition {
        segment: end.segment.saturating_add(SEGMENTS),
        offset: 0,
    }
}

/// A power cut takes what was appended after the tape was last forced to disk.
fn say_what_is_lost(recovery: &Recovery, known_lost: u64, tape: &TapeConfig) {
    if recovery.end == End::PowerCut {
        tracing::warn!(
            tape.last_datagram = ?recovery.last_received_at,
            tape.fsync_interval_ms = tape.fsync_interval_ms,
            "the machine stopped while the tape was written: what had arrived within that interval before it is lost"
        );
    }
    if known_lost > 0 {
        tracing::warn!(
            datagrams = known_lost,
            "the tape lost its end: of these datagrams, those that were not stored yet are counted as tape_lost"
        );
    }
}

/// The pipeline as it was at the checkpoint. From the tape's end on its templates may have changed while nobody listened.
pub(super) fn pipeline(
    config: &Config,
    checkpoint: &Checkpoint,
    state: Option<PipelineState>,
    tape_end: TapePosition,
    rules: &Rules,
) -> Result<Pipeline> {
    let fields = field_table(config.fields.as_deref()).context("fields")?;
    let mut normaliser = Normaliser::new(config.normalise.clone(), rules);
    let mut known = DecoderState::default();
    if let Some(state) = state {
        normaliser.restore(&state.normaliser);
        known = state.decoder;
        if state.position != checkpoint.position {
            known = known.elsewhere();
        }
    }
    let known = known
        .with_books(checkpoint.books.clone())
        .away_before(tape_end);
    let waiting: Vec<_> = known.waiting_positions().collect();
    let waiting = waiting
        .into_iter()
        .filter_map(|position| read_again(config, position));
    let decoder = Decoder::restore(config.decode.clone(), fields, known, waiting);
    Ok(Pipeline::new(
        decoder,
        normaliser,
        checkpoint.position,
        checkpoint.passed,
    ))
}

/// A datagram that waits for its template, from the tape; one that is gone is counted by the decoder.
fn read_again(config: &Config, position: TapePosition) -> Option<(TapePosition, flow::Datagram)> {
    match TapeReader::get(&config.path("tape"), position) {
        Ok(datagram) => Some((position, datagram)),
        Err(error) => {
            tracing::warn!(tape.position = %position, error = %crate::output::chain(&error), "a waiting datagram is gone");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use flow::{Datagram, Feed};

    use super::*;

    fn config(folder: &std::path::Path, collector: Option<&str>) -> Config {
        let mut config = Config {
            data_dir: folder.to_owned(),
            ..Config::default()
        };
        config.store.collector = collector.map(str::to_owned);
        config.tape.min_free_octets = 0;
        config
    }

    /// Opens, lets somebody look, and dies.
    async fn opened<T>(config: &Config, look: impl FnOnce(&mut Opened) -> T) -> T {
        let mut opened = Opened::open(config, |rules| rules).await.unwrap();
        let seen = look(&mut opened);
        opened.catalog.close().await;
        drop(opened.tape);
        opened.upkeep.stop();
        seen
    }

    fn append(opened: &mut Opened) {
        let datagram = Datagram {
            received_at: clock::now(),
            source: "192.0.2.1:2055".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: vec![0; 20].into(),
        };
        opened.tape.append(&[datagram], clock::now());
    }

    #[tokio::test]
    async fn where_the_collector_was_away_is_known_to_the_next_start_too() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), None);
        let mut ends = Vec::new();
        for _ in 0..3 {
            // It dies each time before anything is cut.
            let end = opened(&config, |opened| {
                let end = opened.tape.end();
                append(opened);
                end
            });
            ends.push(end.await);
        }
        let (_, found) = CheckpointFolder::open(config.path("checkpoint")).unwrap();
        let state = serde_json::to_value(found.state.unwrap().decoder).unwrap();
        let known: Vec<TapePosition> = serde_json::from_value(state["away"].clone()).unwrap();
        assert_eq!(known, ends);
        assert_eq!(found.checkpoint.unwrap().position, TapePosition::START);
    }

    #[tokio::test]
    async fn a_batch_that_was_begun_under_a_name_is_ended_under_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = |opened: &mut Opened| opened.collector.clone();
        let (own, berlin) = (
            config(folder.path(), None),
            config(folder.path(), Some("berlin")),
        );
        let first = opened(&own, |opened| {
            append(opened);
            opened.checkpoint.intent = Some(opened.tape.end());
            let begun = opened.checkpoint.clone();
            opened.folder.write(begun, None).unwrap();
            opened.collector.clone()
        });
        let first = first.await;
        assert_eq!(opened(&berlin, name).await, first);
        let ended = opened(&berlin, |opened| {
            opened.checkpoint.position = opened.checkpoint.intent.take().unwrap();
            let ended = opened.checkpoint.clone();
            opened.folder.write(ended, None).unwrap();
            opened.checkpoint.position
        });
        let ended = ended.await;
        let renamed = opened(&berlin, |opened| {
            (opened.collector.clone(), opened.checkpoint.named_from)
        });
        assert_eq!(renamed.await, ("berlin".to_owned(), ended));
        // The catalog is lost, and the name that was made with it: the checkpoint tells it.
        assert_eq!(opened(&own, name).await, first);
        std::fs::remove_file(folder.path().join("catalog.db")).unwrap();
        assert_eq!(opened(&own, name).await, first);
        assert_eq!(opened(&own, name).await, first);
    }

    #[tokio::test]
    async fn tape_and_checkpoint_lost_under_a_configured_name_give_no_place_twice() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), Some("berlin"));
        let end = |opened: &mut Opened| {
            append(opened);
            opened.tape.end()
        };
        let first = opened(&config, end).await;
        std::fs::remove_dir_all(folder.path()).unwrap();
        // Segments are numbered from the second on in which the tape begins.
        while clock::now().seconds() < i64::from(first.segment) {
            std::thread::yield_now();
        }
        assert!(opened(&config, end).await.segment > first.segment);
    }

    #[tokio::test]
    async fn a_lost_checkpoint_takes_a_million_numbers_once_not_at_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), None);
        opened(&config, append).await;
        std::fs::remove_dir_all(config.path("checkpoint")).unwrap();
        let end = |opened: &mut Opened| opened.tape.end().segment;
        let first = opened(&config, end).await;
        assert!(first > 1_000_000);
        // Where to begin is not found out yet.
        for _ in 0..3 {
            assert!(opened(&config, end).await < first + 10);
        }
    }
}
