//! What can go wrong between a question or a batch and the store.

use std::path::PathBuf;

/// Why the store didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configuration contradicts itself.
    #[error("store configuration: {0}")]
    Configuration(String),
    /// The password file can't be read.
    #[error("cannot read the password file {path}")]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is none: `engine = "none"`.
    #[error("there is no store, as [store] engine = \"none\": what arrives is on tape only")]
    NoStore,
    /// Nobody answers, or the connection broke. Try again.
    #[error("the store cannot be reached")]
    Unreachable(#[source] clickhouse::error::Error),
    /// It took longer than it may. Try again.
    #[error("the store did not answer in time")]
    TimedOut,
    /// ClickHouse could not do it now: memory, too many parts, disk, a replica that is away. Try again.
    #[error("the store is busy (code {code}): {message}")]
    Busy {
        /// ClickHouse's error code.
        code: u32,
        /// Its own words.
        message: String,
    },
    /// ClickHouse does not take it as it is set up: the password, a limit, a table, a setting, its version. Somebody has to
    /// mend that; then the same attempt succeeds.
    #[error("the store has to be mended (code {code}): {message}")]
    Unfit {
        /// ClickHouse's error code.
        code: u32,
        /// Its own words.
        message: String,
    },
    /// ClickHouse will never take this data: a value is wrong. Trying again is of no use.
    #[error("the store refused (code {code}): {message}")]
    Refused {
        /// ClickHouse's error code.
        code: u32,
        /// Its own words.
        message: String,
    },
    /// The database was made by a newer program.
    #[error(
        "the database has schema version {found}, this program knows versions up to {known}: \
         install the program that made it, or a newer one"
    )]
    SchemaTooNew {
        /// Version of the database.
        found: u32,
        /// Last version that this program knows.
        known: u32,
    },
    /// The disk did not take what the engine had written. Retryable; what was written may be gone.
    #[error("what the engine has written cannot be forced to disk")]
    Disk(#[source] std::io::Error),
    /// A file that goes with what the store was asked for can't be read or written.
    #[error("a file of rows cannot be read or written")]
    File(#[source] std::io::Error),
    /// A version before the first release made the database on a server. Not retryable.
    #[error(
        "the database has schema version {found}, from before the first release, and cannot be brought to today's on a \
         server: give another one ([store] database), and let the collectors store their tapes anew"
    )]
    SchemaTooOld {
        /// Version of the database.
        found: u32,
    },
    /// Another process writes under this collector's name: most likely a data directory was copied. Nothing may be
    /// written; try again later, as the other one may just have ended.
    #[error(
        "another process, on {host}, writes as collector {collector}, so this one only puts on tape what arrives: \
         if its data directory was copied, stop one of the two, or give it a name of its own ([store] collector)"
    )]
    NameTaken {
        /// The name.
        collector: String,
        /// The other one's machine.
        host: String,
    },
    /// Another collector writes into the same store, so rollups can't be made anew: tell whoever wants it, and try again
    /// when the other one is stopped.
    #[error(
        "collector {other} writes into the same store: what it stores meanwhile would count twice in the rollups; stop \
         the other collectors until this is done (what arrives for them is lost meanwhile, unless another takes it)"
    )]
    NotAlone {
        /// Its name.
        other: String,
    },
    /// The question can't be answered as it is put: tell the asker.
    #[error("{0}")]
    Question(String),
    /// The answer was not of the expected form.
    #[error("the store's answer cannot be read")]
    Answer(#[source] clickhouse::error::Error),
}

impl StoreError {
    /// Whether the same attempt may succeed later, by itself or after somebody has mended the store. Only what is not is
    /// ever given up: a batch that waits is late, a batch that is dropped is lost.
    pub fn is_retryable(&self) -> bool {
        self.heals_by_itself() || matches!(self, Self::Unfit { .. } | Self::Answer(_))
    }

    /// Whether time alone may cure it. If not, tell somebody.
    pub fn heals_by_itself(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::TimedOut | Self::Busy { .. } | Self::Disk(_)
        )
    }

    /// Whether ClickHouse stumbles over its own files: what they should hold is not in them. It looks at them when it starts,
    /// and puts those aside.
    pub fn is_damaged(&self) -> bool {
        const NO_FILE_IN_DATA_PART: u32 = 226;
        const CORRUPTED_DATA: u32 = 246;
        matches!(
            self,
            Self::Busy {
                code: NO_FILE_IN_DATA_PART | CORRUPTED_DATA,
                ..
            }
        )
    }

    /// A refusal of so much that the data can't be the reason.
    pub(crate) fn into_unfit(self) -> Self {
        match self {
            Self::Refused { code, message } => Self::Unfit { code, message },
            other => other,
        }
    }
}

/// Codes of ClickHouse (`src/Common/ErrorCodes.cpp` there) that say that a value can't be stored, whatever is done to the
/// store. Types are ours, so what is said of a type (53 TYPE_MISMATCH, 70 CANNOT_CONVERT_TYPE) is about a table that
/// somebody changed. Every other code is taken as passing, too.
const FOR_GOOD: &[u32] = &[
    6,   // CANNOT_PARSE_TEXT
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    69,  // ARGUMENT_OUT_OF_BOUND
    117, // INCORRECT_DATA
    153, // ILLEGAL_DIVISION
    321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    407, // DECIMAL_OVERFLOW
    469, // VIOLATED_CONSTRAINT
    691, // UNKNOWN_ELEMENT_OF_ENUM
];

/// Codes that time does not cure.
const TO_BE_MENDED: &[u32] = &[
    8,   // THERE_IS_NO_COLUMN
    10,  // NOT_FOUND_COLUMN_IN_BLOCK
    16,  // NO_SUCH_COLUMN_IN_TABLE
    20,  // NUMBER_OF_COLUMNS_DOESNT_MATCH
    36,  // BAD_ARGUMENTS
    42,  // NUMBER_OF_ARGUMENTS_DOESNT_MATCH
    43,  // ILLEGAL_TYPE_OF_ARGUMENT
    44,  // ILLEGAL_COLUMN
    46,  // UNKNOWN_FUNCTION
    47,  // UNKNOWN_IDENTIFIER
    50,  // UNKNOWN_TYPE
    53,  // TYPE_MISMATCH
    60,  // UNKNOWN_TABLE
    62,  // SYNTAX_ERROR
    70,  // CANNOT_CONVERT_TYPE
    81,  // UNKNOWN_DATABASE
    115, // UNKNOWN_SETTING
    158, // TOO_MANY_ROWS
    164, // READONLY
    192, // UNKNOWN_USER
    193, // WRONG_PASSWORD
    194, // REQUIRED_PASSWORD
    306, // TOO_DEEP_RECURSION
    396, // TOO_MANY_ROWS_OR_BYTES
    497, // ACCESS_DENIED
    516, // AUTHENTICATION_FAILED
];

/// What ClickHouse adds where a view failed. By then `flows` may have the rows: only under the same token can they be
/// inserted again, so they wait until the view is mended.
const IN_A_VIEW: &str = "while pushing to view";

impl From<clickhouse::error::Error> for StoreError {
    fn from(error: clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match error {
            Error::TimedOut => Self::TimedOut,
            Error::BadResponse(message) => from_exception(message),
            network @ (Error::Network(_) | Error::Other(_)) => Self::Unreachable(network),
            other => Self::Answer(other),
        }
    }
}

/// ClickHouse writes `Code: 62. DB::Exception: …`.
fn from_exception(message: String) -> StoreError {
    let code = message
        .split_once("Code: ")
        .map(|(_, rest)| rest.trim_start_matches(|letter: char| !letter.is_ascii_digit()))
        .and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    match code {
        159 | 160 => StoreError::TimedOut,
        code if FOR_GOOD.contains(&code) && !message.contains(IN_A_VIEW) => {
            StoreError::Refused { code, message }
        }
        code if FOR_GOOD.contains(&code) || TO_BE_MENDED.contains(&code) => {
            StoreError::Unfit { code, message }
        }
        code => StoreError::Busy { code, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_late_from_never() {
        let memory = from_exception("Code: 241. DB::Exception: Memory limit exceeded".to_owned());
        assert!(memory.is_retryable());
        let parts = from_exception("Code: 252. DB::Exception: Too many parts (3000)".to_owned());
        assert!(parts.is_retryable());
        let wrong = from_exception("Code: 349. DB::Exception: Cannot insert NULL".to_owned());
        assert!(!wrong.is_retryable());
        let view =
            "Code: 349. DB::Exception: NULL: while pushing to view flowreel.traffic_10s_feed";
        assert!(from_exception(view.to_owned()).is_retryable());
        assert!(from_exception("proxy says no".to_owned()).is_retryable());
        let empty = from_exception("Code: 246. DB::Exception: Empty marks file".to_owned());
        assert!(empty.is_damaged() && !memory.is_damaged());
        assert!(matches!(
            from_exception("Code: 159. DB::Exception: Timeout exceeded".to_owned()),
            StoreError::TimedOut
        ));
    }

    #[test]
    fn what_somebody_can_mend_is_not_given_up() {
        for code in [16, 36, 46, 47, 53, 70, 115, 158, 396, 516] {
            let error = from_exception(format!("Code: {code}. DB::Exception: no"));
            assert!(error.is_retryable() && !error.heals_by_itself(), "{error}");
        }
        let client = clickhouse::error::Error::NotEnoughData;
        assert!(StoreError::from(client).is_retryable());
    }
}
