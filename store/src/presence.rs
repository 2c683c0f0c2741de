//! Which process writes under a collector's name. Two that do would give two datagrams one name, and the store would take
//! the rows of one for a repetition of the other's.
//!
//! A collector's name lies in its data directory, so a directory that was copied has the same. Whoever writes says so
//! every few seconds in the table `collectors`; who starts with a name that somebody else keeps saying waits until that one
//! is silent. Times are the store's own, so collectors' clocks need not agree.

use std::io;
use std::path::Path;
use std::time::Duration;

use flow::clock;
use serde::Deserialize;

use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::Store;

/// Silence for so many beats means that a process is gone.
const BEATS_MISSED_MAX: u32 = 3;
/// How long it is listened whether another one has the name: who has it is heard once in that time.
const BEATS_WAITED: u32 = 2;
/// How often the product says that it is there.
const BEAT: Duration = Duration::from_secs(5);

/// One process that wants to write under a name.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The collector's name.
    pub collector: String,
    /// What tells this data directory from a copy of it: this start of this machine, and the folder's own number there.
    /// One that starts again in its own place need not wait.
    pub place: String,
    /// The machine's name, for whoever is told that the name is taken.
    pub host: String,
    /// How often it says so.
    pub beat: Duration,
}

/// A name that is held. Goes silent when it is dropped.
#[derive(Clone, Debug)]
pub struct Tenure {
    claim: Claim,
    /// Tells processes apart.
    life: String,
    /// When the name was taken, in nanoseconds of the store's clock.
    begun: i64,
}

/// Another process under the same name.
#[derive(Debug, Deserialize, clickhouse::Row)]
struct Other {
    host: String,
    life: String,
    begun: i64,
    silent_ns: i64,
}

impl Claim {
    /// This machine's claim to the name, for a data directory: every five seconds.
    ///
    /// # Errors
    ///
    /// The folder, or `/proc`, can't be read.
    pub fn of(collector: &str, data_dir: &Path) -> io::Result<Self> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        Ok(Self {
            collector: collector.to_owned(),
            place: place_of(data_dir)?,
            host: host.trim().to_owned(),
            beat: BEAT,
        })
    }

    fn beats_ns(&self, beats: u32) -> i64 {
        let beats = self.beat * beats;
        i64::try_from(beats.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl Other {
    fn is_younger(&self, tenure: &Tenure) -> bool {
        (self.begun, &self.life) > (tenure.begun, &tenure.life)
    }
}

impl Tenure {
    /// How often [`Store::keep_name`] is to be called.
    pub fn beat(&self) -> Duration {
        self.claim.beat
    }
}

impl Store {
    /// Takes the name, if nobody elsewhere has said within three beats that he has it. After [`Store::prepare`].
    ///
    /// Says so first and asks then, so of two that start in the same moment at least one hears the other. Who hears an
    /// older claim gives way. Who hears younger ones only waits until they have given way, or have beaten again: they had
    /// asked before this one was heard.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTaken`]: write nothing, tell the operator, and try again later, as the other one may just have
    /// died. Else the store's trouble.
    pub async fn take_name(&self, claim: Claim) -> Result<Tenure, StoreError> {
        self.check_silence(&claim, claim.beats_ns(BEATS_MISSED_MAX), |_| true)
            .await?;
        let now = "SELECT toInt64(toUnixTimestamp64Nano(now64(9)))";
        let tenure = Tenure {
            life: format!("{}-{}", clock::now().nanos(), std::process::id()),
            begun: self.client.query_raw(now).fetch_one().await?,
            claim,
        };
        self.say(&tenure).await?;
        let (claim, recent) = (&tenure.claim, tenure.claim.beats_ns(BEATS_MISSED_MAX));
        let older = |other: &Other| !other.is_younger(&tenure);
        self.check_silence(claim, recent, older).await?;
        if self.check_silence(claim, recent, |_| true).await.is_err() {
            tokio::time::sleep(claim.beat * BEATS_WAITED).await;
            self.say(&tenure).await?;
            let since = claim.beats_ns(BEATS_WAITED);
            self.check_silence(claim, since, |_| true).await?;
        }
        Ok(tenure)
    }

    /// Whether none of the others that are meant was heard within this time.
    async fn check_silence(
        &self,
        claim: &Claim,
        silence_ns: i64,
        is_meant: impl Fn(&Other) -> bool,
    ) -> Result<(), StoreError> {
        let others = self.others(claim, "").await?;
        let mut heard = others
            .into_iter()
            .filter(|other| other.silent_ns < silence_ns && is_meant(other));
        heard
            .next()
            .map_or(Ok(()), |other| Err(taken(claim, other.host)))
    }

    /// Says once more that the name is held. To be called every [`Claim::beat`], and before anything is written when the
    /// last time is longer ago than two of them.
    ///
    /// While this one is heard nobody else takes the name: another claim beside it is one that is about to give way. After
    /// two beats of silence whoever was heard since has it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTaken`] if another process took it, as this one had been silent for too long (a machine that
    /// slept): write nothing more. Else the store's trouble; try again at the next beat.
    pub async fn keep_name(&self, tenure: &Tenure) -> Result<(), StoreError> {
        let claim = &tenure.claim;
        let silent_ns = self.silent_ns(tenure).await?;
        if silent_ns >= claim.beats_ns(BEATS_WAITED) {
            let since = silent_ns.min(claim.beats_ns(BEATS_MISSED_MAX));
            self.check_silence(claim, since, |_| true).await?;
        }
        self.say(tenure).await
    }

    /// Whether no other collector writes. For [`Store::rebuild`], which counts all rows of an hour: what another one
    /// inserted meanwhile would count twice.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAlone`] with the name of one that does: tell the asker. Else the store's trouble.
    pub(crate) async fn check_alone(&self, collector: &str) -> Result<(), StoreError> {
        let asked = Sql::text(format!(
            "SELECT collector FROM {}.collectors\n\
             WHERE collector != ? AND seen_at > now64(9) - toIntervalSecond(?)\nORDER BY collector\nLIMIT 1",
            self.config.database
        ))
        .bind(collector)
        .bind((BEAT * BEATS_MISSED_MAX).as_secs());
        let others: Vec<String> = asked.query(&self.client).fetch_all().await?;
        match others.into_iter().next() {
            Some(other) => Err(StoreError::NotAlone { other }),
            None => Ok(()),
        }
    }

    async fn say(&self, tenure: &Tenure) -> Result<(), StoreError> {
        let claim = &tenure.claim;
        let statement = Sql::text(format!(
            "INSERT INTO {}.collectors (collector, life, place, host, begun_at)\n\
             SETTINGS async_insert = 0\nSELECT ?, ?, ?, ?, fromUnixTimestamp64Nano(?, 'UTC')",
            self.config.database
        ))
        .bind(claim.collector.as_str())
        .bind(tenure.life.as_str())
        .bind(claim.place.as_str())
        .bind(claim.host.as_str())
        .bind(tenure.begun);
        Ok(statement.query(&self.client).execute().await?)
    }

    /// How long this one was not heard, by the store's clock.
    async fn silent_ns(&self, tenure: &Tenure) -> Result<i64, StoreError> {
        let asked = Sql::text(format!(
            "SELECT toInt64(toUnixTimestamp64Nano(now64(9)) - toUnixTimestamp64Nano(max(seen_at)))\n\
             FROM {}.collectors\nWHERE collector = ? AND life = ?",
            self.config.database
        ))
        .bind(tenure.claim.collector.as_str())
        .bind(tenure.life.as_str());
        Ok(asked.query(&self.client).fetch_one().await?)
    }

    /// Other processes of this name, in other places; the newest first.
    async fn others(&self, claim: &Claim, life: &str) -> Result<Vec<Other>, StoreError> {
        let asked = Sql::text(format!(
            "SELECT any(host) AS host, life, toUnixTimestamp64Nano(max(begun_at)) AS begun,\n\
             toInt64(toUnixTimestamp64Nano(now64(9)) - toUnixTimestamp64Nano(max(seen_at))) AS silent_ns\n\
             FROM {}.collectors\nWHERE collector = ? AND place != ? AND life != ?\n\
             GROUP BY life\nORDER BY silent_ns\nLIMIT 100",
            self.config.database
        ))
        .bind(claim.collector.as_str())
        .bind(claim.place.as_str())
        .bind(life);
        Ok(asked.query(&self.client).fetch_all().await?)
    }
}

fn place_of(data_dir: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let folder = std::fs::metadata(data_dir)?;
    let (device, number) = (folder.dev(), folder.ino());
    Ok(format!("{}/{device}:{number}", start.trim()))
}

fn taken(claim: &Claim, host: String) -> StoreError {
    StoreError::NameTaken {
        collector: claim.collector.clone(),
        host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_another_place() {
        let (one, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = |folder: &tempfile::TempDir| place_of(folder.path()).unwrap();
        assert_eq!(place(&one), place(&one));
        assert_ne!(place(&one), place(&copy));
        assert!(place_of(Path::new("/no/such/folder")).is_err());
    }
}
