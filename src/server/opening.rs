//! What lies in the data directory, opened: catalog, tape, checkpoint; and the decoder as it was at the checkpoint.

use anyhow::{Context as _, Result, bail};
use collector::decode::{Decoder, DecoderState};
use collector::normalise::Normaliser;
use flow::site::Rules;
use flow::{TapePosition, clock};
use replay::{End, Recovery, TapeConfig, TapeReader, TapeWriter, Upkeep};
use store::catalog::Catalog;

use super::checkpoint::{Checkpoint, CheckpointFolder, Found, PipelineState, Search};
use super::pipeline::Pipeline;
use crate::backup::RESTORING;
use crate::config::{Config, field_table};

/// Everything that one process holds of a data directory.
pub(crate) struct Opened {
    pub(crate) catalog: Catalog,
    /// This collector's name in the store, made at the first start.
    pub(crate) collector: String,
    pub(crate) tape: TapeWriter,
    pub(crate) upkeep: Upkeep,
    pub(crate) folder: CheckpointFolder,
    pub(crate) checkpoint: Checkpoint,
    /// What was known at the checkpoint, or at the last place that is still told.
    pub(crate) state: Option<PipelineState>,
    pub(crate) rules: Rules,
    pub(crate) pipeline: Pipeline,
    pub(crate) reader: TapeReader,
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
        let collector = collector_of_tape(&catalog, is_new).await?;
        let is_doubtful = !is_new && !found.trouble.is_empty();
        let (checkpoint, state) = judge(found, tape.datagrams_total());
        // From here on there is one, and a tape without one has lost it.
        folder.write(checkpoint.clone(), None)?;
        // A tape that lost its end gives no position and no number away twice.
        let (passed, now) = (checkpoint.passed.datagrams, clock::now());
        let mut lost = tape.begin_after(checkpoint.position, passed, now)?;
        if let Some(intent) = checkpoint.intent {
            lost += tape.begin_after(intent, checkpoint.intent_datagrams, now)?;
        }
        if is_doubtful || checkpoint.search().is_some() {
            tape.begin_after(far_behind(tape.end()), 0, now)?;
        }
        say_what_is_lost(&recovery, lost, &config.tape);
        let rules = rules(catalog.rules().await?);
        let known = state.clone().filter(|_| checkpoint.search().is_none());
        let pipeline = pipeline(config, &checkpoint, known, tape.end(), &rules)?;
        let reader = TapeReader::open(&config.path("tape"), checkpoint.position, Some(tape.tail()))
            .expecting(checkpoint.passed.datagrams);
        let upkeep = Upkeep::start(&tape.tail())?;
        Ok(Self {
            catalog,
            collector,
            tape,
            upkeep,
            folder,
            checkpoint,
            state,
            rules,
            pipeline,
            reader,
        })
    }
}

/// The collector's name: that of its tape, as both together name rows. A tape that begins anew gives places away that rows
/// of the old one have, so it has another name.
async fn collector_of_tape(catalog: &Catalog, is_new: bool) -> Result<String> {
    const HAD_TAPE: &str = "had_tape";
    if is_new && catalog.setting::<bool>(HAD_TAPE).await? == Some(true) {
        tracing::warn!(
            "tape and checkpoint are gone: this collector begins anew, under another name"
        );
        return Ok(catalog.renew_collector_id().await?);
    }
    catalog.set_setting(HAD_TAPE, &true).await?;
    Ok(catalog.collector_id().await?)
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
