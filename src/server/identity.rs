//! The name that rows are stored under: (collector, place on tape, place in the datagram) names a row, and a batch's token is
//! made of the same.

use anyhow::Result;
use flow::{TapePosition, Timestamp};
use store::catalog::Catalog;

use super::checkpoint::Checkpoint;
use super::noting::Note;
use crate::config::Config;

/// In the catalog: whether there was a tape, and the name that was in force last.
const HAD_TAPE: &str = "had_tape";
const STORED_AS: &str = "stored_as";

/// The collector's name, noted in checkpoint and catalog: the configured one, or its tape's own.
///
/// Another one than before waits while it is not known whether the store has a batch under the old one: under both, it
/// would be there twice.
pub(super) async fn name(
    config: &Config,
    catalog: &Catalog,
    checkpoint: &mut Checkpoint,
    is_new: bool,
) -> Result<String> {
    let configured = config.store.collector.clone();
    let own = match configured {
        Some(name) => {
            catalog.set_setting(HAD_TAPE, &true).await?;
            name
        }
        None => name_of_tape(catalog, is_new, checkpoint).await?,
    };
    let noted = catalog.setting::<String>(STORED_AS).await?;
    let before = checkpoint.collector.take().or(noted);
    let reclassifies = Note::of(config).is_there();
    let open = checkpoint.intent.is_some() || checkpoint.mend.is_some() || reclassifies;
    let name = choose(before.filter(|_| !is_new), own, open, checkpoint);
    catalog.set_setting(STORED_AS, &name).await?;
    checkpoint.collector = Some(name.clone());
    Ok(name)
}

fn choose(
    before: Option<String>,
    wanted: String,
    open: bool,
    checkpoint: &mut Checkpoint,
) -> String {
    match before {
        Some(before) if before != wanted && open => {
            tracing::error!(
                collector = before,
                wanted,
                "what was being stored when the last run ended is under the collector's old name, which stays for this \
                 run: restart once more, when all is stored, for the new one"
            );
            before
        }
        Some(before) if before != wanted => {
            tracing::warn!(
                before,
                collector = wanted,
                "stores under another name from here on; what is stored keeps the old one"
            );
            checkpoint.named_from = checkpoint.position;
            wanted
        }
        _ => wanted,
    }
}

/// The name of the tape. One that begins anew gives places away that rows of the old one have, so it has another name.
async fn name_of_tape(catalog: &Catalog, is_new: bool, checkpoint: &Checkpoint) -> Result<String> {
    if is_new && catalog.setting::<bool>(HAD_TAPE).await? == Some(true) {
        tracing::warn!(
            "tape and checkpoint are gone: this collector begins anew, under another name"
        );
        return Ok(catalog.renew_collector_id().await?);
    }
    let had_tape = catalog.setting::<bool>(HAD_TAPE).await? == Some(true);
    catalog.set_setting(HAD_TAPE, &true).await?;
    match &checkpoint.collector {
        // The catalog was lost, and its name with it.
        Some(name) if !had_tape => {
            catalog.set_setting("collector_id", name).await?;
            Ok(name.clone())
        }
        _ => Ok(catalog.collector_id().await?),
    }
}

/// Where a tape begins whose name is configured: behind all places that rows under that name may have, of a data directory
/// that is gone. No tape fills a segment a second, so the time is beyond them; there are 4 billion numbers.
pub(super) fn first_place(now: Timestamp) -> TapePosition {
    TapePosition {
        segment: u32::try_from(now.seconds()).unwrap_or(0),
        offset: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> Checkpoint {
        let position = TapePosition { segment: 1, offset };
        Checkpoint::at(position, Default::default(), Default::default())
    }

    #[test]
    fn another_name_waits_for_what_is_open_under_the_old_one() {
        let name = |name: &str| name.to_owned();
        let mut checkpoint = at(900);
        let chosen = choose(Some(name("a")), name("b"), true, &mut checkpoint);
        assert_eq!(
            (chosen.as_str(), checkpoint.named_from),
            ("a", TapePosition::START)
        );
        let chosen = choose(Some(name("a")), name("b"), false, &mut checkpoint);
        assert_eq!(
            (chosen.as_str(), checkpoint.named_from),
            ("b", checkpoint.position)
        );
        let mut same = at(900);
        let chosen = choose(Some(name("a")), name("a"), true, &mut same);
        assert_eq!(
            (chosen.as_str(), same.named_from),
            ("a", TapePosition::START)
        );
        assert_eq!(choose(None, name("a"), true, &mut same), "a");
    }

    #[test]
    fn a_tape_under_a_configured_name_begins_behind_every_earlier_one() {
        let year_2026 = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(first_place(year_2026).segment, 1_790_000_000);
    }
}
