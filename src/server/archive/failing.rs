//! What goes wrong, as the API wants to tell it.

use api::archive::ArchiveError;
use store::StoreError;

/// It should have worked.
pub(super) fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl FnOnce(E) -> ArchiveError {
    move |source| ArchiveError::Failed {
        what: what.to_owned(),
        source: Box::new(source),
    }
}

/// What the store says to it.
pub(super) fn of_store(what: &'static str) -> impl FnOnce(StoreError) -> ArchiveError {
    move |error| match error {
        StoreError::Question(why) => ArchiveError::Refused(why),
        away if away.heals_by_itself() => {
            ArchiveError::Unavailable(format!("{what}: {}", crate::output::chain(&away)))
        }
        other => failed(what)(other),
    }
}
