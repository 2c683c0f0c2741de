//! What lies in the data directory, opened: catalog, tape, checkpoint; and the decoder as it was at the checkpoint.

use anyhow::{Context as _, Result, bail};
use collector::decode::{Decoder, DecoderState};
use collector::normalise::Normaliser;
use flow::site::Rules;
use flow::{TapePosition, clock};
use replay::{End, Recovery, TapeConfig, TapeReader, TapeWriter, Upkeep};
use store::catalog::Catalog;

use super::checkpoint::{Checkpoint, CheckpointFolder, PipelineState};
use super::pipeline::Pipeline;
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
    pub(crate) pipeline: Pipeline,
    pub(crate) reader: TapeReader,
}

impl Opened {
    /// Opens everything, the tape first: its lock tells two processes apart.
    pub(crate) async fn open(config: &Config, rules: impl FnOnce(Rules) -> Rules) -> Result<Self> {
        config.make_data_dir()?;
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
        let collector = catalog.collector_id().await?;
        let (folder, found) = CheckpointFolder::open(config.path("checkpoint"))?;
        if found.is_none() && tape.datagrams_total() > 0 {
            bail!(
                "{}: is missing beside a tape of {} datagrams; take it from a backup, as without it they would be stored \
                 twice, or move the whole data directory away to begin anew",
                config.path("checkpoint").join("checkpoint.json").display(),
                tape.datagrams_total()
            );
        }
        let (mut folder, (checkpoint, state)) = (folder, found.unwrap_or_default());
        // From here on there is one, and a tape without one has lost it.
        folder.write(checkpoint.clone(), None)?;
        // A tape that lost its end gives no position and no number away twice.
        let (passed, now) = (checkpoint.passed.datagrams, clock::now());
        let mut lost = tape.begin_after(checkpoint.position, passed, now)?;
        if let Some(intent) = checkpoint.intent {
            lost += tape.begin_after(intent, checkpoint.intent_datagrams, now)?;
        }
        say_what_is_lost(&recovery, lost, &config.tape);
        let rules = rules(catalog.rules().await?);
        let pipeline = pipeline(config, &checkpoint, state, tape.end(), &rules)?;
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
            pipeline,
            reader,
        })
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
            "the tape lost its end: datagrams that had been read from it are counted as tape_lost"
        );
    }
}

/// The pipeline as it was at the checkpoint. From the tape's end on its templates may have changed while nobody listened.
fn pipeline(
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
