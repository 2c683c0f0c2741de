//! A new recording: which time, which flows, and what of the tape is pinned for it. Nothing has to run beforehand.

use std::ops::RangeInclusive;
use std::time::Duration;

use api::archive::{ArchiveError, Cut, Recorded};
use api::chance;
use api::people::Person;
use flow::clock::Stopwatch;
use flow::{Filter, Timestamp, clock};
use replay::{Pins, Stretch, stretches_between};
use store::Slice;
use store::catalog::{Catalog, NewTicket, Recording, RecordingCounts, RecordingState};
use store::question::{Scope, Window};

use super::failing::failed;
use super::keeping::rows_due;
use super::spool::{PRE_ROLL, is_head};
use super::{NOBODY, RunningArchive, author};
use crate::config::Config;
use crate::server::taping::Request;

/// How long a recording goes on that nobody stops. Longer ones are cut from the past, or by their end.
const UNTIL_STOPPED: Duration = Duration::from_secs(24 * 3600);

/// How much of what arrived before and after a press is a ticket's recording.
const TICKET_BEFORE: Duration = Duration::from_secs(10 * 60);
const TICKET_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long a press may rely on another's look at the quota.
const QUOTA_GOOD: Duration = Duration::from_secs(1);

/// All that can be on a tape.
const EVER: Window = Window {
    from: Timestamp::from_nanos(i64::MIN),
    to: Timestamp::MAX,
};

impl RunningArchive {
    pub(super) async fn cut_one(&self, who: &Person, cut: Cut) -> Result<Recorded, ArchiveError> {
        self.check_store()?;
        let Ok(_steady) = self.changing.try_read() else {
            let why = "what arrived in the past is being decoded again: cut it when that is done";
            return Err(ArchiveError::Conflict(why.to_owned()));
        };
        let recording = self.planned(who, cut, clock::now())?;
        self.check_quota(Some(recording.slice.arrived), 0).await?;
        let id = recording.id.clone();
        let noted = self.while_all_is_pinned(&id, async {
            self.check_something_is_there(&recording).await?;
            let number = self.catalog.add_recording(&recording).await?;
            let recording = Recording {
                number,
                ..recording
            };
            self.pin_recording(&recording).await?;
            Ok(recording)
        });
        let recording = noted.await?;
        tracing::info!(
            recording.name, recording.number, from = %recording.slice.arrived.from, to = %recording.slice.arrived.to,
            "a recording was cut"
        );
        self.shown(who, recording).await
    }

    /// Notes a ticket and its recording, or neither. Gives the ticket's number.
    ///
    /// The store may be away, and rows of the past may be stored again meanwhile: the recording is of tape and rows as they will be when
    /// it is over.
    pub(crate) async fn press(&self, new: &NewTicket, filter: Filter) -> Result<u32, ArchiveError> {
        self.check_keeps()?;
        let (from, to) = (
            new.pressed_at - TICKET_BEFORE,
            new.pressed_at + TICKET_AFTER,
        );
        let arrived = Window { from, to };
        self.check_quota_lately(arrived).await?;
        let recording = Recording {
            cut_at: new.pressed_at,
            cut_by: new.reporter.clone(),
            ..self.new_recording(String::new(), Slice { arrived, filter })?
        };
        self.while_all_is_pinned(&recording.id, async {
            let (ticket, number) = self.catalog.press(new, &recording).await?;
            let recording = Recording {
                number,
                ..recording.clone()
            };
            // It is noted: who looks after recordings pins it otherwise.
            if let Err(error) = self.pin_recording(&recording).await {
                let error = crate::output::chain(&error);
                tracing::warn!(ticket, %error, "the tape of a ticket's recording is not pinned yet");
            }
            Ok(ticket)
        })
        .await
    }

    /// Notes a recording while the tape lets nothing go.
    async fn while_all_is_pinned<T>(
        &self,
        id: &str,
        note: impl Future<Output = Result<T, ArchiveError>>,
    ) -> Result<T, ArchiveError> {
        let cutting = format!("cutting {id}");
        self.pin(cutting.clone(), 0..=u32::MAX).await?;
        let noted = note.await;
        self.unpin(cutting).await?;
        noted
    }

    fn planned(&self, who: &Person, cut: Cut, now: Timestamp) -> Result<Recording, ArchiveError> {
        let refused = |why: String| Err(ArchiveError::Refused(why));
        // It can be given rows of its own when it is over only.
        let due = rows_due(cut.from, self.config.store.retention.flows_days);
        let to = cut.to.unwrap_or((now + UNTIL_STOPPED).min(due));
        if cut.from >= to {
            return refused(format!("'from' ({}) is not before 'to' ({to})", cut.from));
        }
        if cut.from > now || to > now + UNTIL_STOPPED {
            return refused(format!(
                "a recording begins by now ({now}) and ends within 24 hours from now"
            ));
        }
        if to > now && to > due {
            return refused(format!(
                "its first flows expire before it would end ({to}): let it end by {due}, or begin later"
            ));
        }
        let filter = seen(&cut.filter, &who.scope)?;
        let arrived = Window { from: cut.from, to };
        let slice = Slice { arrived, filter };
        Ok(Recording {
            scope: who.scope.clone(),
            owner: who.account().map(str::to_owned),
            cut_by: author(who, cut.by),
            cut_at: now,
            ..self.new_recording(cut.name, slice)?
        })
    }

    /// One by reference, of what is named here and now.
    fn new_recording(&self, name: String, slice: Slice) -> Result<Recording, ArchiveError> {
        Ok(Recording {
            number: 0,
            id: chance::hex::<16>().map_err(failed("no id can be made"))?,
            name,
            state: RecordingState::Referenced,
            slice,
            scope: Scope::default(),
            owner: None,
            cut_by: NOBODY.to_owned(),
            cut_at: Timestamp::EPOCH,
            collector: self.collector.clone(),
            imported_at: None,
            anonymized: false,
            enrichment: self.naming.in_force(),
            counts: RecordingCounts::default(),
        })
    }

    /// A recording of nothing is a mistake in its time.
    async fn check_something_is_there(&self, recording: &Recording) -> Result<(), ArchiveError> {
        let Window { from, to } = recording.slice.arrived;
        if to > clock::now() {
            return Ok(());
        }
        if self.stretches(recording.slice.arrived).await?.is_empty()
            && self.held(recording).await?.flows == 0
        {
            let reaches = self.reaches().await?;
            let why = format!("nothing that arrived from {from} to {to} is left: {reaches}");
            return Err(ArchiveError::Refused(why));
        }
        Ok(())
    }

    /// How far the tape reaches, for people.
    async fn reaches(&self) -> Result<String, ArchiveError> {
        let all = self.stretches(EVER).await?;
        let oldest = all.iter().map(|stretch| stretch.oldest).min();
        let newest = all.iter().map(|stretch| stretch.newest).max();
        Ok(match oldest.zip(newest) {
            Some((oldest, newest)) => {
                format!("the tape holds what arrived from {oldest} to {newest}")
            }
            None => "the tape is empty".to_owned(),
        })
    }

    /// Where on the tape may lie what arrived then.
    pub(super) async fn stretches(&self, arrived: Window) -> Result<Vec<Stretch>, ArchiveError> {
        let tape = self.tape();
        let found = move || stretches_between(&tape, arrived.from, arrived.to);
        self.blocking(move || found().map_err(failed("the tape can't be read")))
            .await
    }

    /// What all recordings take against what they may, with one that is cut of what arrived then, or comes in with so many octets.
    pub(super) async fn check_quota(
        &self,
        cut: Option<Window>,
        octets: u64,
    ) -> Result<(), ArchiveError> {
        let most = self.config.recordings.max_octets;
        let (own, mut by_reference) = self.catalog.recordings_take().await?;
        let mut taken = octets + own;
        by_reference.extend(cut);
        // What several need is there once.
        let on_tape = self.stretches(EVER).await?.into_iter().filter(|stretch| {
            let is_in = |its: &Window| stretch.oldest < its.to && stretch.newest >= its.from;
            by_reference.iter().any(is_in)
        });
        taken += on_tape.map(|stretch| stretch.octets()).sum::<u64>();
        if taken > most {
            return Err(ArchiveError::Full(format!(
                "the recordings would take {} MiB, and may take {} MiB: delete some, or raise recordings.max_octets",
                taken >> 20,
                most >> 20
            )));
        }
        Ok(())
    }

    /// The same for who is one of many at nearly the same time: what one found good a second ago still is.
    async fn check_quota_lately(&self, cut: Window) -> Result<(), ArchiveError> {
        let mut lately = self.quota_was_good.lock().await;
        if !lately.is_some_and(|watch| watch.elapsed() < QUOTA_GOOD) {
            *lately = None;
            self.check_quota(Some(cut), 0).await?;
            *lately = Some(Stopwatch::start());
        }
        Ok(())
    }

    pub(super) async fn stop_one(
        &self,
        who: &Person,
        name: &str,
    ) -> Result<Recorded, ArchiveError> {
        let recording = self.recording(who, name).await?;
        let now = clock::now();
        if recording.slice.arrived.to <= now {
            let why = format!("'{name}' ended at {}", recording.slice.arrived.to);
            return Err(ArchiveError::Conflict(why));
        }
        self.end(&recording, now).await?;
        let ended = self.catalog.recording_by_number(recording.number).await?;
        self.shown(who, ended).await
    }

    /// Ends a recording that goes on.
    pub(super) async fn end(
        &self,
        recording: &Recording,
        now: Timestamp,
    ) -> Result<(), ArchiveError> {
        let states = (recording.state, recording.state);
        let (number, counts) = (recording.number, recording.counts);
        let updated = self.catalog.update_recording(number, states, now, counts);
        Ok(updated.await?)
    }

    /// Pins what a recording needs of the tape, and nothing more once it is over. Gives the first segment.
    pub(super) async fn pin_recording(
        &self,
        recording: &Recording,
    ) -> Result<Option<u32>, ArchiveError> {
        let name = pin_name(recording.number);
        let (arrived, now) = (recording.slice.arrived, clock::now());
        let all = Window {
            from: arrived.from - PRE_ROLL,
            to: arrived.to,
        };
        let all = self.stretches(all).await?;
        let segments = match segments(&all, arrived, now) {
            // Nothing of it is there yet: all that comes may be.
            None if arrived.to > now => Some(0..=u32::MAX),
            found => found,
        };
        let first = segments.as_ref().map(|segments| *segments.start());
        match segments {
            Some(segments) => self.pin(name.clone(), segments).await?,
            None => self.unpin(name.clone()).await?,
        }
        // It may have been removed, or got a tape of its own, while the tape was looked at.
        let now = self.catalog.recording_by_number(recording.number).await;
        match now {
            Ok(now) if now.state == RecordingState::Referenced => Ok(first),
            _ => {
                self.unpin(name).await?;
                Ok(None)
            }
        }
    }

    async fn pin(&self, name: String, segments: RangeInclusive<u32>) -> Result<(), ArchiveError> {
        self.of_tape(|answer| Request::Pin {
            name,
            segments,
            answer,
        })
        .await
    }

    async fn unpin(&self, name: String) -> Result<(), ArchiveError> {
        self.of_tape(|answer| Request::Unpin { name, answer }).await
    }

    /// Lets go of what was pinned for a recording.
    pub(super) async fn unpin_recording(&self, number: u32) -> Result<(), ArchiveError> {
        self.unpin(pin_name(number)).await
    }
}

/// What is asked for, of what may be seen. It is written down, so it must be read from there as it is.
fn seen(filter: &str, scope: &Scope) -> Result<Filter, ArchiveError> {
    let wrong = |error| ArchiveError::Refused(format!("the filter is wrong at {error}"));
    let filter = Filter::parse(filter).map_err(wrong)?;
    let seen = filter.and(scope.only.clone().unwrap_or_default());
    match Filter::parse(seen.text()) {
        Ok(read) if read == seen => Ok(seen),
        _ => {
            let why = "the filter is too long beside that of what you may see";
            Err(ArchiveError::Refused(why.to_owned()))
        }
    }
}

fn pin_name(number: u32) -> String {
    format!("recording {number}")
}

/// The segments that a recording needs: those of its time, and before it those that may hold its templates.
fn segments(
    all: &[Stretch],
    Window { from, to }: Window,
    now: Timestamp,
) -> Option<RangeInclusive<u32>> {
    let within = all
        .iter()
        .filter(|stretch| stretch.oldest < to && stretch.newest >= from);
    let (first, last) = within.fold(None, |found: Option<(u32, u32)>, stretch| {
        let (first, last) = (stretch.begin.segment, stretch.end.segment);
        Some(found.map_or((first, last), |(a, b)| (a.min(first), b.max(last))))
    })?;
    let before = all.iter().filter(|stretch| {
        stretch.oldest < from && stretch.newest >= from - PRE_ROLL && is_head(stretch.begin, first)
    });
    let head = before.map(|stretch| stretch.begin.segment).min();
    let last = if to > now { u32::MAX } else { last };
    Some(head.unwrap_or(first).min(first)..=last)
}

/// Pins for all recordings that the tape holds, before it makes room for the first time.
///
/// # Errors
///
/// The catalog or the tape can't be read: nothing may be removed from the tape.
pub(crate) async fn pins(
    config: &Config,
    catalog: &Catalog,
    mut pins: Pins,
) -> anyhow::Result<Pins> {
    let recordings = catalog.recordings_by_reference().await?;
    if recordings.is_empty() {
        return Ok(pins);
    }
    let all = stretches_between(&config.path("tape"), EVER.from, EVER.to)?;
    for recording in recordings {
        // One that goes on holds what comes, though nothing of it is there yet.
        let arrived = recording.slice.arrived;
        let now = clock::now();
        let newest = all.iter().map(|stretch| stretch.end.segment).max();
        let none = (arrived.to > now).then_some(newest.unwrap_or(0)..=u32::MAX);
        if let Some(segments) = segments(&all, arrived, now).or(none) {
            pins.pin(&pin_name(recording.number), segments);
        }
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_what_may_be_seen_of_what_is_asked_for() {
        let scope = |text: &str| Scope::of(Filter::parse(text).unwrap());
        let (all, berlin) = (scope(""), scope("site berlin or site bonn"));
        let text = |filter: &str, scope| seen(filter, scope).unwrap().text().to_owned();
        assert_eq!(text("app web", &all), "app web");
        assert_eq!(text("", &berlin), "site berlin or site bonn");
        let both = "(app web or any) and (site berlin or site bonn)";
        assert_eq!(text("app web or any", &berlin), both);
        // It would not be read again as what it was.
        let long = format!("app \"{}\"", "x".repeat(16_000));
        let wide = scope(&format!("site \"{}\"", "y".repeat(1000)));
        assert!(seen(&long, &all).is_ok());
        assert!(matches!(seen(&long, &wide), Err(ArchiveError::Refused(_))));
        assert!(matches!(
            seen("app web)", &berlin),
            Err(ArchiveError::Refused(_))
        ));
    }
}
