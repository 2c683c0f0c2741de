//! Whether the audit log's entries are those that were written.
//!
//! An entry's digest is the SHA-256 of the 32 octets of the digest before it and of its row as compact JSON: `[number, at, who, account,
//! token, address, what, object, detail]`, the detail as the text that is stored. The first entry follows 32 octets of zero.

use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use super::Digest;
use super::audit::{self, Act, EntryRow, as_digest};
use crate::catalog::{Catalog, CatalogError};

/// Rows that are read at a time.
const PAGE: u32 = 5000;

/// What a look at all entries found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheck {
    /// How many entries there are.
    pub entries: u64,
    /// The last one's number.
    pub last: i64,
    /// The last one's digest, in hexadecimal digits: who notes it elsewhere can tell later that nothing before it was made anew.
    pub digest: String,
    /// What is wrong, if anything is.
    pub broken: Option<Broken>,
}

/// What is wrong with the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Entries are gone.
    #[error("entry {number} is not there")]
    Missing {
        /// The first that is gone.
        number: i64,
    },
    /// An entry is not what was written.
    #[error("entry {number}, or the one before it, is not as it was written")]
    Changed {
        /// Which.
        number: i64,
    },
    /// The old end was removed, and no entry says so.
    #[error("the entries up to {number} were removed, and no entry says so")]
    Beheaded {
        /// The last that is gone.
        number: i64,
    },
}

impl Catalog {
    /// Reads all entries and compares their digests. Under one second for 100,000 of them.
    ///
    /// # Errors
    ///
    /// The catalog can't be read. What is wrong with the entries is no error, but the answer.
    pub async fn check_audit(&self) -> Result<AuditCheck, CatalogError> {
        let reading = || CatalogError::reading("the audit log");
        // All of it as of one moment, while others write.
        let mut transaction = self.pool.begin().await.map_err(reading())?;
        check(&mut transaction).await.map_err(reading())
    }
}

async fn check(connection: &mut SqliteConnection) -> Result<AuditCheck, sqlx::Error> {
    let (head, seal) = audit::head(connection).await?;
    let mut walk = Walk {
        last: head,
        seal: as_digest(&seal).unwrap_or_default(),
        entries: 0,
        shortened: None,
    };
    let mut broken = None;
    while broken.is_none() {
        let page: Vec<EntryRow> =
            sqlx::query_as("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?")
                .bind(walk.last)
                .bind(PAGE)
                .fetch_all(&mut *connection)
                .await?;
        if page.is_empty() {
            broken = walk.end(connection, (head, &seal)).await?;
            break;
        }
        broken = page.iter().find_map(|row| walk.step(row).err());
    }
    Ok(AuditCheck {
        entries: walk.entries,
        last: walk.last,
        digest: hex(&walk.seal),
        broken,
    })
}

/// Where the check is.
struct Walk {
    last: i64,
    seal: Digest,
    entries: u64,
    /// What the newest entry about entries that were removed says.
    shortened: Option<String>,
}

impl Walk {
    fn step(&mut self, row: &EntryRow) -> Result<(), Broken> {
        if row.number != self.last + 1 {
            let number = self.last + 1;
            return Err(Broken::Missing { number });
        }
        let sealed = seal(&self.seal, row);
        if row.digest != sealed {
            let number = row.number;
            return Err(Broken::Changed { number });
        }
        if row.what == Act::LogShortened.name() {
            self.shortened = Some(row.detail.clone());
        }
        (self.last, self.seal) = (row.number, sealed);
        self.entries += 1;
        Ok(())
    }

    /// Whether both ends are where they were.
    async fn end(
        &self,
        connection: &mut SqliteConnection,
        (head, seal): (i64, &[u8]),
    ) -> Result<Option<Broken>, sqlx::Error> {
        let given: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
                .fetch_optional(connection)
                .await?;
        if given.is_some_and(|given| given > self.last) {
            let number = self.last + 1;
            return Ok(Some(Broken::Missing { number }));
        }
        let said = serde_json::json!({ "through": head, "digest": hex(seal) }).to_string();
        let is_said = head == 0 || self.shortened.as_deref() == Some(&said);
        Ok((!is_said).then_some(Broken::Beheaded { number: head }))
    }
}

/// The digest of a row that follows another.
pub(super) fn seal(before: &[u8], row: &EntryRow) -> Digest {
    let fields = (
        row.number,
        row.at,
        &row.who,
        row.account,
        row.token,
        &row.address,
        &row.what,
        &row.object,
        &row.detail,
    );
    // Numbers and texts: there is nothing that JSON could not say.
    let text = serde_json::to_vec(&fields).unwrap_or_default();
    Sha256::new()
        .chain_update(before)
        .chain_update(text)
        .finalize()
        .into()
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
