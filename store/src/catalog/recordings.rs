//! Network recordings: what was cut, by whom, and where its rows and datagrams are.

use flow::site::Rules;
use flow::{Filter, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteExecutor};
use utoipa::ToSchema;

use super::{Catalog, CatalogError, signed};
use crate::question::{Scope, Window};
use crate::recording::Slice;

/// Where a recording's datagrams and rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It is being imported, and can't be asked yet.
    Making,
    /// The tape and the tables of flows hold it.
    Referenced,
    /// It has a tape and tables of its own.
    Own,
    /// What it has is being removed.
    Deleting,
}

/// How much a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingCounts {
    /// Datagrams with a flow in it.
    pub datagrams: u64,
    /// Flow records.
    pub flows: u64,
    /// Exporters, told apart by address and observation domain.
    pub exporters: u64,
    /// On disk, of its own; 0 as long as it is held by reference.
    pub octets: u64,
}

/// A recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// In the names of its database and folder; no other ever gets it.
    pub number: u32,
    /// 32 hex digits, the same wherever the recording goes.
    pub id: String,
    /// As people call it; unique here.
    pub name: String,
    /// Where it is.
    pub state: RecordingState,
    /// Which flows: when they arrived, and what the filter and the scope say. An end that lies ahead: it goes on until then.
    pub slice: Slice,
    /// What its cutter could see.
    pub scope: Scope,
    /// The account that cut it here.
    pub owner: Option<String>,
    /// Who cut it.
    pub cut_by: String,
    /// When.
    pub cut_at: Timestamp,
    /// The collector that heard it.
    pub collector: String,
    /// When it came here from elsewhere.
    pub imported_at: Option<Timestamp>,
    /// Whether its addresses are not the real ones.
    pub anonymized: bool,
    /// The rules in force when it was cut.
    pub enrichment: Rules,
    /// What it holds, as far as it was counted.
    pub counts: RecordingCounts,
}

/// Who looks for recordings.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The account's name; `None` is no account.
    pub name: Option<&'a str>,
    /// What they see.
    pub scope: &'a Scope,
}

impl Recording {
    /// Whether somebody may know that it is there: who sees every flow, who cut it, and who sees exactly what its cutter saw. What they
    /// see of it is within their own scope once more.
    pub fn is_shown_to(&self, viewer: Viewer<'_>) -> bool {
        let is_owner = self.owner.is_some() && self.owner.as_deref() == viewer.name;
        is_owner || self.is_told_to(viewer)
    }

    /// Whether somebody may know how much it holds, and what others have noted: not who sees something else by now.
    pub fn is_told_to(&self, viewer: Viewer<'_>) -> bool {
        viewer.scope.sees_all() || self.scope == *viewer.scope
    }
}

/// A note to a moment of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// The moment in the recording.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who wrote it.
    pub written_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub written_at: Timestamp,
    /// What is to be said.
    pub text: String,
}

/// Characters of a name, and of who wrote something.
pub const NAME_CHARS_MAX: usize = 200;
/// Octets of a note.
const NOTE_OCTETS_MAX: usize = 10_000;
/// Recordings, and notes of each: a list that is read as a whole.
const RECORDINGS_MAX: u32 = 1000;
const NOTES_MAX: u32 = 1000;
/// How many there are beside those of tickets, which have a limit of their own.
const COUNTED: &str =
    "SELECT (SELECT count(*) FROM recordings) - (SELECT count(recording) FROM tickets)";

/// What all recordings take, of an index alone.
pub(super) const OWN_OCTETS: &str =
    "SELECT coalesce(sum(octets), 0) FROM recordings WHERE state IN ('making', 'own', 'deleting')";
pub(super) const ARRIVED: &str = "SELECT arrived_from, arrived_to FROM recordings WHERE state = 'referenced' ORDER BY arrived_from";

impl Catalog {
    /// Notes a new recording under the next number, which is given back; `recording.number` means nothing.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Taken`] if there is one of this name or id, [`CatalogError::Wrong`] if the name is none or there are too many;
    /// else the catalog can't be written.
    pub async fn add_recording(&self, recording: &Recording) -> Result<u32, CatalogError> {
        check_text("name", &recording.name, NAME_CHARS_MAX)?;
        check_text("author", &recording.cut_by, NAME_CHARS_MAX)?;
        let all: u32 = sqlx::query_scalar(COUNTED)
            .fetch_one(&self.pool)
            .await
            .map_err(CatalogError::reading("the recordings"))?;
        if all >= RECORDINGS_MAX {
            let why = format!("there are {all} recordings, and no more are kept: delete some");
            return Err(CatalogError::Wrong(why));
        }
        insert(&self.pool, recording).await
    }

    /// All recordings, oldest first, those that are being made or removed as well; without their enrichment, which may be long.
    ///
    /// # Errors
    ///
    /// The catalog can't be read or is damaged.
    pub async fn recordings(&self) -> Result<Vec<Recording>, CatalogError> {
        self.listed("", &[]).await
    }

    /// Those that are held by reference, oldest first.
    ///
    /// # Errors
    ///
    /// As [`Catalog::recordings`].
    pub async fn recordings_by_reference(&self) -> Result<Vec<Recording>, CatalogError> {
        self.listed("WHERE state = 'referenced'", &[]).await
    }

    /// Those that go on after an instant.
    ///
    /// # Errors
    ///
    /// As [`Catalog::recordings`].
    pub async fn recordings_going_on(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Recording>, CatalogError> {
        let going_on = "WHERE state = 'referenced' AND arrived_to > ?";
        self.listed(going_on, &[now.nanos()]).await
    }

    /// Those that are being made or removed.
    ///
    /// # Errors
    ///
    /// As [`Catalog::recordings`].
    pub async fn recordings_in_between(&self) -> Result<Vec<Recording>, CatalogError> {
        self.listed("WHERE state IN ('making', 'deleting')", &[])
            .await
    }

    /// What all recordings take: octets of their own, and when what those by reference need arrived, joined where it overlaps.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn recordings_take(&self) -> Result<(u64, Vec<Window>), CatalogError> {
        let reading = || CatalogError::reading("the recordings");
        let octets: i64 = sqlx::query_scalar(OWN_OCTETS)
            .fetch_one(&self.pool)
            .await
            .map_err(reading())?;
        let windows: Vec<(i64, i64)> = sqlx::query_as(ARRIVED)
            .fetch_all(&self.pool)
            .await
            .map_err(reading())?;
        let mut joined: Vec<Window> = Vec::new();
        for (from, to) in windows {
            let (from, to) = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
            match joined.last_mut().filter(|last| from <= last.to) {
                Some(last) => last.to = last.to.max(to),
                None => joined.push(Window { from, to }),
            }
        }
        Ok((u64::try_from(octets).unwrap_or(0), joined))
    }

    async fn listed(
        &self,
        which: &'static str,
        values: &[i64],
    ) -> Result<Vec<Recording>, CatalogError> {
        let columns = "number, id, name, state, arrived_from, arrived_to, filter, cut_by, cut_at, collector, imported_at, anonymized, \
             '{}' AS enrichment, datagrams, flows, exporters, octets, scope, owner";
        let sql = format!("SELECT {columns} FROM recordings {which} ORDER BY number");
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
        let query = values.iter().fold(query, |query, value| query.bind(*value));
        let rows: Result<Vec<RecordingRow>, _> = query.fetch_all(&self.pool).await;
        let rows = rows.map_err(CatalogError::reading("the recordings"))?;
        rows.into_iter().map(Recording::try_from).collect()
    }

    /// The recording of a number, in whatever state.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is none; else as [`Catalog::recordings`].
    pub async fn recording_by_number(&self, number: u32) -> Result<Recording, CatalogError> {
        let row: Option<RecordingRow> = sqlx::query_as("SELECT * FROM recordings WHERE number = ?")
            .bind(number)
            .fetch_optional(&self.pool)
            .await
            .map_err(CatalogError::reading("a recording"))?;
        let unknown = || CatalogError::Unknown {
            what: "recording with the number",
            name: number.to_string(),
        };
        row.ok_or_else(unknown)?.try_into()
    }

    /// The recording of a name, an id, or a number, for somebody.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if there is none that they may know of, or it can't be asked yet or any more; else as
    /// [`Catalog::recordings`].
    pub async fn recording(
        &self,
        name: &str,
        viewer: Viewer<'_>,
    ) -> Result<Recording, CatalogError> {
        let row: Option<RecordingRow> = sqlx::query_as(
            "SELECT * FROM recordings WHERE state IN ('referenced', 'own')
             AND (name = ?1 OR id = ?1 OR CAST(number AS TEXT) = ?1)
             ORDER BY name = ?1 DESC, id = ?1 DESC LIMIT 1",
        )
        .bind(name)
        .fetch_optional(&self.pool)
        .await
        .map_err(CatalogError::reading("a recording"))?;
        let unknown = || CatalogError::Unknown {
            what: "recording",
            name: name.to_owned(),
        };
        let found: Recording = row.ok_or_else(unknown)?.try_into()?;
        match found.is_shown_to(viewer) {
            true => Ok(found),
            false => Err(unknown()),
        }
    }

    /// Notes where a recording is from now on, when it ends, and what it holds, if it is where it was thought to be.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if it is somewhere else by now; else the catalog can't be written. Nothing has changed.
    pub async fn update_recording(
        &self,
        number: u32,
        (was, state): (RecordingState, RecordingState),
        to: Timestamp,
        counts: RecordingCounts,
    ) -> Result<(), CatalogError> {
        let done = sqlx::query(
            "UPDATE recordings SET state = ?, arrived_to = ?, datagrams = ?, flows = ?, exporters = ?, octets = ?
             WHERE number = ? AND state = ?",
        )
        .bind(state.name())
        .bind(to.nanos())
        .bind(signed(counts.datagrams))
        .bind(signed(counts.flows))
        .bind(signed(counts.exporters))
        .bind(signed(counts.octets))
        .bind(number)
        .bind(was.name())
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("a recording"))?;
        match done.rows_affected() {
            0 => Err(CatalogError::Unknown {
                what: "recording of this state with the number",
                name: number.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Notes that a recording that was being made is whole, and what it holds.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; it is not whole then.
    pub async fn made_recording(
        &self,
        number: u32,
        arrived: Window,
        counts: RecordingCounts,
    ) -> Result<(), CatalogError> {
        sqlx::query("UPDATE recordings SET arrived_from = ? WHERE number = ?")
            .bind(arrived.from.nanos())
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a recording"))?;
        let states = (RecordingState::Making, RecordingState::Own);
        self.update_recording(number, states, arrived.to, counts)
            .await
    }

    /// Forgets a recording and its notes. What it has must be gone.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; nothing has changed.
    pub async fn forget_recording(&self, number: u32) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM recordings WHERE number = ?")
            .bind(number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::writing("a recording"))?;
        Ok(())
    }

    /// Adds a note.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Wrong`] if it is empty or too long, or there are too many; else the catalog can't be written.
    pub async fn add_note(&self, number: u32, note: &Note) -> Result<(), CatalogError> {
        check_text("author", &note.written_by, NAME_CHARS_MAX)?;
        if note.text.trim().is_empty() || note.text.len() > NOTE_OCTETS_MAX {
            let why = format!("a note has 1 to {NOTE_OCTETS_MAX} octets");
            return Err(CatalogError::Wrong(why));
        }
        let done = sqlx::query(
            "INSERT INTO recording_notes (recording, at, written_by, written_at, text)
             SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM recording_notes WHERE recording = ?1) < ?6",
        )
        .bind(number)
        .bind(note.at.nanos())
        .bind(&note.written_by)
        .bind(note.written_at.nanos())
        .bind(&note.text)
        .bind(NOTES_MAX)
        .execute(&self.pool)
        .await
        .map_err(CatalogError::writing("a note"))?;
        match done.rows_affected() {
            0 => Err(CatalogError::Wrong(format!(
                "a recording has at most {NOTES_MAX} notes"
            ))),
            _ => Ok(()),
        }
    }

    /// The notes of a recording, by their moment.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub async fn notes(&self, number: u32) -> Result<Vec<Note>, CatalogError> {
        let rows: Vec<(i64, String, i64, String)> = sqlx::query_as(
            "SELECT at, written_by, written_at, text FROM recording_notes WHERE recording = ? ORDER BY at, number",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::reading("the notes"))?;
        let notes = rows.into_iter();
        Ok(notes
            .map(|(at, written_by, written_at, text)| Note {
                at: Timestamp::from_nanos(at),
                written_by,
                written_at: Timestamp::from_nanos(written_at),
                text,
            })
            .collect())
    }
}

impl RecordingState {
    const ALL: [Self; 4] = [Self::Making, Self::Referenced, Self::Own, Self::Deleting];

    /// The name in the catalog and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Making => "making",
            Self::Referenced => "referenced",
            Self::Own => "own",
            Self::Deleting => "deleting",
        }
    }
}

/// Writes a recording's row, and gives its number.
pub(super) async fn insert<'c>(
    place: impl SqliteExecutor<'c>,
    recording: &Recording,
) -> Result<u32, CatalogError> {
    let rules = serde_json::to_string(&recording.enrichment)
        .map_err(|error| CatalogError::damaged("recording", &recording.name, error))?;
    sqlx::query_scalar(
        "INSERT INTO recordings (id, name, state, arrived_from, arrived_to, filter, cut_by, cut_at, collector, imported_at,
         anonymized, enrichment, datagrams, flows, exporters, octets, scope, owner)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
    )
    .bind(&recording.id)
    .bind(&recording.name)
    .bind(recording.state.name())
    .bind(recording.slice.arrived.from.nanos())
    .bind(recording.slice.arrived.to.nanos())
    .bind(recording.slice.filter.text())
    .bind(&recording.cut_by)
    .bind(recording.cut_at.nanos())
    .bind(&recording.collector)
    .bind(recording.imported_at.map(Timestamp::nanos))
    .bind(recording.anonymized)
    .bind(rules)
    .bind(signed(recording.counts.datagrams))
    .bind(signed(recording.counts.flows))
    .bind(signed(recording.counts.exporters))
    .bind(signed(recording.counts.octets))
    .bind(recording.scope.text())
    .bind(&recording.owner)
    .fetch_one(place)
    .await
    .map_err(|error| match &error {
        sqlx::Error::Database(refusal) if refusal.is_unique_violation() => {
            let is_same = refusal.message().contains("recordings.id");
            CatalogError::Taken {
                what: if is_same { "recording with the id" } else { "recording" },
                name: if is_same { recording.id.clone() } else { recording.name.clone() },
            }
        }
        _ => CatalogError::writing("a recording")(error),
    })
}

/// A name that a person can type and see.
pub(super) fn check_text(what: &str, text: &str, chars_max: usize) -> Result<(), CatalogError> {
    if text.trim() == text
        && (1..=chars_max).contains(&text.chars().count())
        && !text.chars().any(|letter| !flow::text::is_shown(letter))
    {
        return Ok(());
    }
    Err(CatalogError::Wrong(format!(
        "the {what} {text:?} is none: write 1 to {chars_max} characters that can be shown, and no space around them"
    )))
}

/// A row of the table.
#[derive(FromRow)]
struct RecordingRow {
    number: u32,
    id: String,
    name: String,
    state: String,
    arrived_from: i64,
    arrived_to: i64,
    filter: String,
    cut_by: String,
    cut_at: i64,
    collector: String,
    imported_at: Option<i64>,
    anonymized: bool,
    enrichment: String,
    datagrams: i64,
    flows: i64,
    exporters: i64,
    octets: i64,
    scope: String,
    owner: Option<String>,
}

impl TryFrom<RecordingRow> for Recording {
    type Error = CatalogError;
    fn try_from(row: RecordingRow) -> Result<Self, CatalogError> {
        let name = row.name.clone();
        let damaged = |why: String| CatalogError::damaged("recording", &name, why);
        let mut states = RecordingState::ALL.into_iter();
        let state = states.find(|state| state.name() == row.state);
        let parsed = |text| Filter::parse(text).map_err(|error| damaged(error.to_string()));
        let (filter, scope) = (parsed(&row.filter)?, parsed(&row.scope)?);
        let enrichment =
            serde_json::from_str(&row.enrichment).map_err(|error| damaged(error.to_string()))?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Self {
            number: row.number,
            id: row.id,
            state: state.ok_or_else(|| damaged(format!("unknown state '{}'", row.state)))?,
            name: row.name,
            slice: Slice {
                arrived: Window {
                    from: Timestamp::from_nanos(row.arrived_from),
                    to: Timestamp::from_nanos(row.arrived_to),
                },
                filter,
            },
            scope: Scope::of(scope),
            owner: row.owner,
            cut_by: row.cut_by,
            cut_at: Timestamp::from_nanos(row.cut_at),
            collector: row.collector,
            imported_at: row.imported_at.map(Timestamp::from_nanos),
            anonymized: row.anonymized,
            enrichment,
            counts: RecordingCounts {
                datagrams: count(row.datagrams),
                flows: count(row.flows),
                exporters: count(row.exporters),
                octets: count(row.octets),
            },
        })
    }
}
