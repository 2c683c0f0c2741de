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

    fn silence_ns_max(&self) -> i64 {
        let beats = self.beat * BEATS_MISSED_MAX;
        i64::try_from(beats.as_nanos()).unwrap_or(i64::MAX)
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
    /// # Errors
    ///
    /// [`StoreError::NameTaken`]: write nothing, tell the operator, and try again later, as the other one may just have
    /// died. Else the store's trouble.
    pub async fn take_name(&self, claim: Claim) -> Result<Tenure, StoreError> {
        let others = self.others(&claim, "").await?;
        if let Some(other) = others
            .into_iter()
            .find(|other| other.silent_ns < claim.silence_ns_max())
        {
            return Err(taken(&claim, other.host));
        }
        let now = "SELECT toInt64(toUnixTimestamp64Nano(now64(9)))";
        let tenure = Tenure {
            life: format!("{}-{}", clock::now().nanos(), std::process::id()),
            begun: self.client.query_raw(now).fetch_one().await?,
            claim,
        };
        self.say(&tenure).await?;
        Ok(tenure)
    }

    /// Says once more that the name is held. To be called every [`Claim::beat`].
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTaken`] if another process took it, as this one had been silent for too long (a machine that
    /// slept): write nothing more. Else the store's trouble; try again at the next beat.
    pub async fn keep_name(&self, tenure: &Tenure) -> Result<(), StoreError> {
        let claim = &tenure.claim;
        let others = self.others(claim, &tenure.life).await?;
        let later = |other: &Other| (other.begun, &other.life) > (tenure.begun, &tenure.life);
        if let Some(other) = others
            .into_iter()
            .find(|other| later(other) && other.silent_ns < claim.silence_ns_max())
        {
            return Err(taken(claim, other.host));
        }
        self.say(tenure).await
    }

    /// Whether no other collector writes. For [`Store::rebuild`], which counts all rows of an hour: what another one
    /// inserted meanwhile would count twice.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] with the name of one that does: tell the asker. Else the store's trouble.
    pub async fn check_alone(&self, collector: &str) -> Result<(), StoreError> {
        let asked = Sql::text(format!(
            "SELECT collector FROM {}.collectors\n\
             WHERE collector != ? AND seen_at > now64(9) - toIntervalSecond(?)\nORDER BY collector\nLIMIT 1",
            self.config.database
        ))
        .bind(collector)
        .bind((BEAT * BEATS_MISSED_MAX).as_secs());
        let others: Vec<String> = asked.query(&self.client).fetch_all().await?;
        let Some(other) = others.first() else {
            return Ok(());
        };
        Err(StoreError::Question(format!(
            "collector {other} writes into the same store: what it stores meanwhile would count twice in the rollups; stop \
             the other collectors until this is done (what arrives for them is lost meanwhile, unless another takes it)"
        )))
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
