//! The field's fault cases, a test or more for each, named after the case. `docs/faults.md` has the list.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod directions;
mod fixed;
mod floods;
mod framing;
mod imports;
mod index;
mod lists;
mod lying;
mod numbers;
mod rates;
mod senders;
mod sequences;
mod strangers;
mod support;
mod suspect;
mod templates;
mod texts;
mod times;
mod wire;
