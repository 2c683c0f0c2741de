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
    /// ClickHouse will never do it: the schema or a type is wrong. Trying again is of no use.
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
    /// The question can't be answered as it is put: tell the asker.
    #[error("{0}")]
    Question(String),
    /// The answer was not of the expected form.
    #[error("the store's answer cannot be read")]
    Answer(#[source] clickhouse::error::Error),
}

impl StoreError {
    /// Whether the same attempt may succeed later. A batch that is refused for good is counted as
    /// [`flow::DropKind::Refused`].
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::TimedOut | Self::Busy { .. }
        )
    }
}

/// Codes of ClickHouse that say that this statement or this data can never be right (`src/Common/ErrorCodes.cpp` there).
/// Every other code is taken as passing: a batch that waits is late, a batch that is dropped is lost.
const FOR_GOOD: &[u32] = &[
    6,   // CANNOT_PARSE_TEXT
    16,  // NO_SUCH_COLUMN_IN_TABLE
    20,  // NUMBER_OF_COLUMNS_DOESNT_MATCH
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    36,  // BAD_ARGUMENTS
    42,  // NUMBER_OF_ARGUMENTS_DOESNT_MATCH
    43,  // ILLEGAL_TYPE_OF_ARGUMENT
    44,  // ILLEGAL_COLUMN
    46,  // UNKNOWN_FUNCTION
    47,  // UNKNOWN_IDENTIFIER
    50,  // UNKNOWN_TYPE
    53,  // TYPE_MISMATCH
    62,  // SYNTAX_ERROR
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    115, // UNKNOWN_SETTING
    117, // INCORRECT_DATA
    158, // TOO_MANY_ROWS
    306, // TOO_DEEP_RECURSION
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    396, // TOO_MANY_ROWS_OR_BYTES
    469, // VIOLATED_CONSTRAINT
    516, // AUTHENTICATION_FAILED
    691, // UNKNOWN_ELEMENT_OF_ENUM
];

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
        code if FOR_GOOD.contains(&code) => StoreError::Refused { code, message },
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
        let wrong = from_exception("Code: 53. DB::Exception: Type mismatch".to_owned());
        assert!(!wrong.is_retryable());
        assert!(from_exception("proxy says no".to_owned()).is_retryable());
        assert!(matches!(
            from_exception("Code: 159. DB::Exception: Timeout exceeded".to_owned()),
            StoreError::TimedOut
        ));
    }
}
