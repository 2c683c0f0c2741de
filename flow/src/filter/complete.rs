//! Completion for the search box: what could stand where somebody is typing.

use super::lexer::{Kind, Token, scan};
use super::parser::{Expected, Parser};
use super::words::protocol;
use crate::application::PROTOCOLS;
use serde::Serialize;
use utoipa::ToSchema;

/// One thing that could be typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Completion {
    /// The whole word, for a keyword; what was typed of it so far, for a value.
    pub text: String,
    /// Characters of the filter before the word: from here to the cursor it is replaced.
    pub start: usize,
    /// What it is.
    pub what: What,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A word of the language.
    Keyword,
    /// A value: who knows such values offers those that begin with the text.
    Value(Wanted),
}

/// What kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The name of an application.
    Application,
    /// The name of a site.
    Site,
    /// The name or address of an exporter.
    Exporter,
    /// The name or ifIndex of an interface.
    Interface,
    /// An address or a prefix.
    Address,
    /// A port or a range of ports.
    Port,
    /// The name or number of a protocol.
    Protocol,
    /// TCP flags.
    Flags,
    /// An AS number.
    AsNumber,
    /// A MAC address.
    Mac,
    /// A number, perhaps with a comparison before it.
    Number,
    /// A duration, perhaps with a comparison before it.
    Duration,
}

impl Wanted {
    /// How a message calls it.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Application => "the name of an application",
            Self::Site => "the name of a site",
            Self::Exporter => "the name or address of an exporter",
            Self::Interface => "the name or ifIndex of an interface",
            Self::Address => "an address such as 10.0.0.1 or 10.0.0.0/8",
            Self::Port => "a port",
            Self::Protocol => "a protocol such as tcp",
            Self::Flags => "TCP flags such as SA",
            Self::AsNumber => "an AS number",
            Self::Mac => "a MAC address",
            Self::Number => "a number",
            Self::Duration => "a duration such as 5s",
        }
    }
}

/// What could stand at `cursor`, which counts the characters before it. Nothing if the text before it is wrong.
///
/// Keywords come complete and only those that begin with what was typed; for values, the kind that is wanted.
pub fn complete(text: &str, cursor: usize) -> Vec<Completion> {
    let before: String = text.chars().take(cursor).collect();
    let cursor = before.chars().count();
    if before.len() > super::OCTETS_MAX {
        return Vec::new();
    }
    let Ok(mut tokens) = scan(&before) else {
        return Vec::new();
    };
    let typed = take_typed(&mut tokens, cursor);
    let mut parser = Parser::new(&tokens);
    // The error is that the filter goes on; what was expected there is the answer.
    let _ = parser.filter();
    parser
        .into_expected()
        .into_iter()
        .flat_map(|expected| typed.completions(expected))
        .collect()
}

/// The word that touches the cursor.
struct Typed {
    text: String,
    start: usize,
    is_quoted: bool,
}

/// Takes the word that touches the cursor out of the tokens, so that they end where it begins.
fn take_typed(tokens: &mut Vec<Token>, cursor: usize) -> Typed {
    let nothing = Typed {
        text: String::new(),
        start: cursor,
        is_quoted: false,
    };
    let Some(touching) = tokens.len().checked_sub(2) else {
        return nothing;
    };
    let token = &tokens[touching];
    let (text, is_quoted) = match &token.kind {
        Kind::Unclosed(text) => (text.clone(), true),
        Kind::Word(text) if token.end == cursor + 1 => (text.clone(), false),
        Kind::And if token.end == cursor + 1 => ("and".to_owned(), false),
        Kind::Or if token.end == cursor + 1 => ("or".to_owned(), false),
        Kind::Not if token.end == cursor + 1 => ("not".to_owned(), false),
        _ => return nothing,
    };
    let start = token.column - 1;
    tokens.remove(touching);
    Typed {
        text,
        start,
        is_quoted,
    }
}

impl Typed {
    fn completions(&self, expected: Expected) -> Vec<Completion> {
        match expected.what {
            What::Keyword => self.keyword(expected.word).into_iter().collect(),
            What::Value(Wanted::Protocol) if !self.is_quoted => PROTOCOLS
                .iter()
                .filter(|(number, name)| protocol(name) == Some(*number))
                .filter_map(|(_, name)| self.keyword(name))
                .collect(),
            what => vec![Completion {
                text: self.text.clone(),
                start: self.start,
                what,
            }],
        }
    }

    fn keyword(&self, word: &'static str) -> Option<Completion> {
        let lower = self.text.to_ascii_lowercase();
        let fits = !self.is_quoted && word.starts_with(&lower);
        fits.then(|| Completion {
            text: word.to_owned(),
            start: self.start,
            what: What::Keyword,
        })
    }
}
