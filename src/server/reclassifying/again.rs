//! The tape of a stretch decoded once more, under the rules of today, and inserted.

use std::time::Duration;

use collector::decode::Decoder;
use collector::normalise::Normaliser;
use flow::{FlowBatch, TapePosition, clock};
use replay::{TapeReader, stretches_between};

use super::super::checkpoint::{PipelineState, Refused};
use super::super::noting::Noted;
use super::{READ_DATAGRAMS_MAX, READ_OCTETS_MAX, Reclassifier, ReclassifyError, patiently};

/// How long before the stretch decoding starts, to see the templates that were in force; exporters repeat them at
/// least this often.
const PRE_ROLL: Duration = Duration::from_secs(30 * 60);
/// How long behind the stretch templates are looked for that datagrams of it wait for; they wait no longer than that.
const POST_ROLL: Duration = PRE_ROLL;
/// What decoding a stretch again gave.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) datagrams: u64,
    rows: u64,
    refused: Refused,
}

impl Reclassifier {
    /// Decodes the stretch and inserts what it means. If something of it waits for its template then, the tape is read on
    /// until that comes, as it did the first time.
    pub(super) async fn decode_again(
        &self,
        noted: &Noted,
        known: Option<PipelineState>,
    ) -> Result<Decoded, ReclassifyError> {
        let (mut decoder, mut normaliser) = self.decoder(known)?;
        let mut reader = TapeReader::open(&self.tape_folder(), self.first(noted)?, None);
        let (mut batch, mut decoded, mut number) = (FlowBatch::default(), Decoded::default(), 0);
        let run = clock::now().nanos();
        while reader.position() < noted.end || waiting(&decoder, noted) > 0 {
            let read =
                tokio::task::block_in_place(|| reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX))?;
            let Some((position, first)) = read.first() else {
                break;
            };
            if *position >= noted.end && first.received_at >= noted.to + POST_ROLL {
                break;
            }
            for (position, datagram) in &read {
                if datagram.is_end_of_feed() {
                    decoder.end_feed(datagram.feed);
                    continue;
                }
                decoded.datagrams += u64::from(noted.holds(*position, datagram.received_at));
                decoder.decode(datagram, *position, &mut batch);
            }
            normaliser.normalise(&mut batch, 0);
            let rows = noted.rows_within(&mut batch);
            number += 1;
            let token = format!("{}:again:{run}:{number}", self.collector);
            decoded.rows += rows.rows() as u64;
            decoded.add(self.insert(&rows, &token).await?);
        }
        let waiting = waiting(&decoder, noted);
        if waiting > 0 {
            self.shared.remade.without_template.add(waiting);
            tracing::error!(
                from = %noted.from, to = %noted.to, datagrams = waiting,
                "no template came for some of the stretch: rows that the store had of these are gone from it"
            );
        }
        Ok(decoded)
    }

    async fn insert(
        &self,
        rows: &FlowBatch,
        token: &str,
    ) -> Result<store::Refused, ReclassifyError> {
        let insert = || self.writer.insert(rows, token, clock::now());
        let refused = patiently(&self.shared, insert).await?;
        if let Some(error) = &refused.first_error {
            tracing::error!(
                rows = refused.rows,
                error,
                "the store refuses rows; they stay on tape"
            );
        }
        Ok(refused)
    }

    /// Where decoding starts, before the stretch.
    fn first(&self, noted: &Noted) -> Result<TapePosition, ReclassifyError> {
        let earlier = stretches_between(&self.tape_folder(), noted.from - PRE_ROLL, noted.from)?;
        let first = earlier.iter().map(|stretch| stretch.begin).min();
        Ok(first.unwrap_or(noted.begin).min(noted.begin))
    }

    /// With what is known today of templates and names, but of no one's sequence: that belongs to the present.
    fn decoder(
        &self,
        known: Option<PipelineState>,
    ) -> Result<(Decoder, Normaliser), ReclassifyError> {
        let fields = crate::config::field_table(self.config.fields.as_deref());
        let fields =
            fields.map_err(|error| ReclassifyError::Fields(crate::output::error_text(&error)))?;
        let mut normaliser = Normaliser::new(self.config.normalise.clone(), &(self.rules)());
        let decoder = match known {
            Some(state) => {
                normaliser.restore(&state.normaliser);
                let known = state.decoder.elsewhere().doubted().with_nothing_waiting();
                Decoder::restore(self.config.decode.clone(), fields, known, [])
            }
            None => Decoder::new(self.config.decode.clone(), fields),
        };
        Ok((decoder, normaliser))
    }
}

impl Decoded {
    fn add(&mut self, refused: store::Refused) {
        self.refused.records += refused.rows;
        self.refused.datagrams += refused.datagrams;
    }

    /// What the store refused and had before; the rest of it was refused then, too, and is in the books.
    pub(super) fn refused_now(&self, rows_before: u64) -> Refused {
        let missing_before = self.rows.saturating_sub(rows_before);
        let records = self.refused.records.saturating_sub(missing_before);
        Refused {
            records,
            datagrams: self.refused.datagrams.min(records),
        }
    }
}

/// Datagrams of the stretch that wait for a template.
fn waiting(decoder: &Decoder, noted: &Noted) -> u64 {
    if decoder.holdings().waiting == 0 {
        return 0;
    }
    let state = decoder.state();
    let within = |position: &TapePosition| (noted.begin..noted.end).contains(position);
    state.waiting_positions().filter(within).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_store_had_and_refuses_now_is_booked() {
        let decoded = Decoded {
            datagrams: 50,
            rows: 100,
            refused: Refused {
                datagrams: 5,
                records: 7,
            },
        };
        let now = |rows_before| decoded.refused_now(rows_before);
        assert_eq!((now(100).records, now(100).datagrams), (7, 5));
        // Four had been refused the first time.
        assert_eq!((now(96).records, now(96).datagrams), (3, 3));
        assert_eq!(now(0), Refused::default());
    }
}
