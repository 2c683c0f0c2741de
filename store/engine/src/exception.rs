//! A ClickHouse exception: its code, its text, and the HTTP status that goes with it.

use hyper::StatusCode;

/// What the engine answers when a statement fails, in ClickHouse's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    /// ClickHouse's error code (`src/Common/ErrorCodes.cpp`), 1002 if unknown.
    pub(crate) code: u32,
    /// `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`.
    pub(crate) text: String,
}

/// `SYNTAX_ERROR`.
pub(crate) const SYNTAX_ERROR: u32 = 62;
/// `UNKNOWN_SETTING`.
pub(crate) const UNKNOWN_SETTING: u32 = 115;
/// `TIMEOUT_EXCEEDED`.
pub(crate) const TIMEOUT_EXCEEDED: u32 = 159;
/// `TOO_MANY_SIMULTANEOUS_QUERIES`.
pub(crate) const TOO_MANY_QUERIES: u32 = 202;
/// `INCORRECT_DATA`.
pub(crate) const INCORRECT_DATA: u32 = 117;
/// `QUERY_WAS_CANCELLED`.
pub(crate) const CANCELLED: u32 = 394;
/// `SUPPORT_IS_DISABLED`.
pub(crate) const SUPPORT_IS_DISABLED: u32 = 344;
/// `UNKNOWN_EXCEPTION`.
pub(crate) const UNKNOWN_EXCEPTION: u32 = 1002;

impl Exception {
    /// From the engine's text, which starts with the code.
    pub(crate) fn parse(text: String) -> Self {
        let code = text
            .split_once("Code: ")
            .and_then(|(_, rest)| rest.split_once('.'))
            .and_then(|(code, _)| code.trim().parse().ok())
            .unwrap_or(UNKNOWN_EXCEPTION);
        Self { code, text }
    }

    /// An exception of ours, in the same form.
    pub(crate) fn new(code: u32, name: &str, reason: &str) -> Self {
        Self {
            code,
            text: format!("Code: {code}. DB::Exception: {reason}. ({name})"),
        }
    }

    /// Something that the engine did not explain.
    pub(crate) fn unknown(reason: &str) -> Self {
        Self::new(UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", reason)
    }

    /// A statement that this interface does not take.
    pub(crate) fn refused(reason: &str) -> Self {
        Self::new(SUPPORT_IS_DISABLED, "SUPPORT_IS_DISABLED", reason)
    }

    /// A request that can't be read.
    pub(crate) fn malformed(reason: &str) -> Self {
        Self::new(INCORRECT_DATA, "INCORRECT_DATA", reason)
    }

    /// The status that ClickHouse's own HTTP interface gives (its `exceptionCodeToHTTPStatus`).
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            // Parsing, types, arguments: the statement or the data is wrong.
            6 | 26 | 27 | 33 | 36 | 38 | 41 | 42 | 43 | 53 | 62 | 69 | 70 | 72 | 117 | 130
            | 131 | 321 | 349 | 386 | 456 | 457 => StatusCode::BAD_REQUEST,
            // Unknown table, function, identifier, type, database, setting, …
            16 | 46 | 47 | 50 | 60 | 63 | 73 | 81 | 115 => StatusCode::NOT_FOUND,
            497 => StatusCode::FORBIDDEN,
            48 | SUPPORT_IS_DISABLED => StatusCode::NOT_IMPLEMENTED,
            TOO_MANY_QUERIES => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_code_of_the_engines_text() {
        let text = "Code: 60. DB::Exception: Table flowreel.nope does not exist. (UNKNOWN_TABLE)";
        let exception = Exception::parse(text.to_owned());
        assert_eq!(exception.code, 60);
        assert_eq!(exception.text, text);
        assert_eq!(exception.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_text_without_a_code_is_an_unknown_exception() {
        assert_eq!(Exception::parse("out of luck".to_owned()).code, 1002);
        assert_eq!(Exception::parse("Code: many. x".to_owned()).code, 1002);
    }
}
