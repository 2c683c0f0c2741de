//! Pieces of SQL with the values that are bound to them. A value never becomes text here.

use flow::Timestamp;
use serde::{Serialize, Serializer};

/// A piece of a statement: its text, with a `?` for each value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

/// A value that the ClickHouse client writes as a literal, escaped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    Signed(i64),
    Unsigned(u64),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Signed(number) => number.serialize(serializer),
            Self::Unsigned(number) => number.serialize(serializer),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Signed(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Unsigned(number)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl Sql {
    /// Text without values.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::default().then(text)
    }

    /// Text with one value.
    pub(crate) fn with(text: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::text(text).bind(value)
    }

    /// Adds text; values for its `?` are bound next.
    pub(crate) fn then(mut self, text: impl Into<String>) -> Self {
        self.text.push_str(&text.into());
        self
    }

    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds an instant to the `?` of a `fromUnixTimestamp64Nano(?, 'UTC')`.
    pub(crate) fn instant(self, at: Timestamp) -> Self {
        self.bind(at.nanos())
    }

    /// Adds another piece.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// Puts pieces side by side.
    pub(crate) fn list(pieces: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut all = Self::default();
        for (number, piece) in pieces.into_iter().enumerate() {
            if number > 0 {
                all = all.then(between);
            }
            all = all.join(piece);
        }
        all
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// In parentheses.
    pub(crate) fn parenthesised(self) -> Self {
        Self::text("(").join(self).then(")")
    }

    /// The query, with its values bound.
    pub(crate) fn query(self, client: &clickhouse::Client) -> clickhouse::query::Query {
        debug_assert_eq!(
            self.text.matches('?').count(),
            self.values.len(),
            "{}",
            self.text
        );
        self.values
            .into_iter()
            .fold(client.query(&self.text), |query, value| query.bind(value))
    }
}

/// For snapshot tests: the text, and the values in order.
impl std::fmt::Display for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for value in &self.values {
            match value {
                Value::Text(text) => writeln!(f, "-- {text:?}")?,
                Value::Texts(texts) => writeln!(f, "-- {texts:?}")?,
                Value::Signed(number) => writeln!(f, "-- {number}")?,
                Value::Unsigned(number) => writeln!(f, "-- {number}")?,
            }
        }
        Ok(())
    }
}

/// A text literal for the one statement that can't have bound values: `INSERT … FORMAT Native`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
