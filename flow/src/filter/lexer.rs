//! Cuts a filter's text into tokens.

use super::{Comparison, FilterError};

/// A piece of a filter's text, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Column of its first character, from 1.
    pub(super) column: usize,
    /// Column after its last character.
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A keyword, a number, an address or a plain name.
    Word(String),
    /// What stood in quotes, without them and their escapes.
    Quoted(String),
    /// A quote that is never closed: an error, or what is being typed.
    Unclosed(String),
    Compare(Comparison),
    And,
    Or,
    Not,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    End,
}

impl Kind {
    /// How a message calls it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(text) => format!("'{}'", shortened(text)),
            Self::Quoted(text) | Self::Unclosed(text) => format!("\"{}\"", shortened(text)),
            Self::Compare(comparison) => format!("'{}'", comparison.symbol()),
            Self::And => "'and'".into(),
            Self::Or => "'or'".into(),
            Self::Not => "'not'".into(),
            Self::Open => "'('".into(),
            Self::Close => "')'".into(),
            Self::OpenList => "'['".into(),
            Self::CloseList => "']'".into(),
            Self::Comma => "','".into(),
            Self::End => "the end".into(),
        }
    }
}

/// Long enough to be recognised in a message, short enough for one line.
fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// Whether a character may stand in a word: names, addresses, prefixes, interfaces like `ge-0/0/1.0`.
pub(super) fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || "-_.:/".contains(character)
}

/// All tokens, [`Kind::End`] last. A quote that is not closed is an error.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let tokens = scan(text)?;
    match tokens
        .iter()
        .find(|token| matches!(token.kind, Kind::Unclosed(_)))
    {
        Some(open) => Err(FilterError {
            column: open.column,
            message: "this quote is never closed".into(),
        }),
        None => Ok(tokens),
    }
}

/// All tokens, [`Kind::End`] last. A quote that is not closed is a token: somebody is typing it.
pub(super) fn scan(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut scanner = Scanner {
        characters: text.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    loop {
        let token = scanner.token()?;
        let is_last = token.kind == Kind::End;
        tokens.push(token);
        if is_last {
            return Ok(tokens);
        }
    }
}

struct Scanner {
    characters: Vec<char>,
    at: usize,
}

impl Scanner {
    fn token(&mut self) -> Result<Token, FilterError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let column = self.at + 1;
        let kind = match self.peek() {
            None => Kind::End,
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(character) if is_word_character(character) => self.word(),
            Some(character) => self.symbol(character).ok_or_else(|| FilterError {
                column,
                message: unknown_character(character),
            })?,
        };
        Ok(Token {
            kind,
            column,
            end: self.at + 1,
        })
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += 1;
        }
        is_there
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        while self.peek().is_some_and(is_word_character) {
            self.at += 1;
        }
        let word: String = self.characters[start..self.at].iter().collect();
        match word.to_ascii_lowercase().as_str() {
            "and" => Kind::And,
            "or" => Kind::Or,
            "not" => Kind::Not,
            _ => Kind::Word(word),
        }
    }

    fn quoted(&mut self, quote: char) -> Kind {
        self.at += 1;
        let mut text = String::new();
        while let Some(mut character) = self.peek() {
            self.at += 1;
            if character == quote {
                return Kind::Quoted(text);
            }
            if character == '\\' {
                let Some(escaped) = self.peek() else { break };
                self.at += 1;
                character = escaped;
            }
            text.push(character);
        }
        Kind::Unclosed(text)
    }

    fn symbol(&mut self, first: char) -> Option<Kind> {
        self.at += 1;
        Some(match first {
            '(' => Kind::Open,
            ')' => Kind::Close,
            '[' => Kind::OpenList,
            ']' => Kind::CloseList,
            ',' => Kind::Comma,
            '&' if self.eat('&') => Kind::And,
            '|' if self.eat('|') => Kind::Or,
            '=' => {
                self.eat('=');
                Kind::Compare(Comparison::Equal)
            }
            '!' if self.eat('=') => Kind::Compare(Comparison::NotEqual),
            '!' => Kind::Not,
            '<' if self.eat('=') => Kind::Compare(Comparison::LessOrEqual),
            '<' => Kind::Compare(Comparison::Less),
            '>' if self.eat('=') => Kind::Compare(Comparison::GreaterOrEqual),
            '>' => Kind::Compare(Comparison::Greater),
            _ => return None,
        })
    }
}

fn unknown_character(character: char) -> String {
    match character {
        '&' => "write '&&' or 'and'".into(),
        '|' => "write '||' or 'or'".into(),
        _ => format!(
            "{character:?} has no meaning here; names with such characters go in quotes, as in app \"a+b\""
        ),
    }
}
