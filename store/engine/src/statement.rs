//! What kind of statement a request holds: one to run, or an INSERT whose data follows.
//!
//! The library's insert stream wants the statement without its `FORMAT` clause, and reads data inline after a
//! statement only up to a newline: so INSERTs with data are cut apart here. What ClickHouse's own HTTP interface
//! refuses (files of the client, several statements) is refused here too, as the library does not.

use crate::exception::{Exception, SYNTAX_ERROR};
use crate::lexer::{Kind, Lexer, Token};

/// A statement, ready for the library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Statement<'a> {
    /// Runs as it is written.
    Plain,
    /// An INSERT that takes data.
    Insert {
        /// The statement without its `FORMAT` clause.
        head: &'a [u8],
        /// The format's name.
        format: &'a str,
        /// Data that came inline after the statement.
        inline: &'a [u8],
    },
}

/// Looks at a statement.
///
/// # Errors
///
/// An exception for more than one statement, `INTO OUTFILE`, `FROM INFILE`, and backups elsewhere than in files; the
/// client gets it.
pub(crate) fn classify(text: &[u8]) -> Result<Statement<'_>, Exception> {
    let word = |token: Token| Word::of(text, token);
    let mut lexer = Lexer::new(text);
    let (mut depth, mut ended, mut previous) = (0_u32, false, Word::Other);
    let mut insert = Taking::Nothing;
    let mut backup = false;
    while let Some(token) = lexer.next() {
        if ended {
            let reason = "Multi-statements are not allowed";
            return Err(Exception::new(SYNTAX_ERROR, "SYNTAX_ERROR", reason));
        }
        let current = word(token);
        match (token.kind, current) {
            // Its other places are other machines, which no grant forbids it.
            (Kind::Open, _) if backup && previous != Word::File => {
                return Err(Exception::refused("backups are files: File('name')"));
            }
            (Kind::Open, _) => depth += 1,
            (Kind::Close, _) => depth = depth.saturating_sub(1),
            (Kind::Semicolon, _) => ended = true,
            (_, Word::Outfile) if previous == Word::Into => {
                return Err(Exception::refused("INTO OUTFILE is not allowed"));
            }
            (_, Word::Infile) if previous == Word::From => {
                return Err(Exception::refused("FROM INFILE is not allowed"));
            }
            (_, Word::Backup) if token.start == first(text) => backup = true,
            (_, Word::Insert) if insert == Taking::Nothing && token.start == first(text) => {
                insert = Taking::Data;
            }
            (_, Word::Select) if insert == Taking::Data && depth == 0 => insert = Taking::Rows,
            (_, Word::Values) if insert == Taking::Data && depth == 0 => {
                return Ok(values(text, token));
            }
            (_, Word::Format) if insert == Taking::Data && depth == 0 && previous != Word::Into => {
                if let Some(cut) = lexer.next().and_then(|name| with_format(text, token, name)) {
                    return Ok(cut);
                }
            }
            _ => {}
        }
        previous = current;
    }
    Ok(Statement::Plain)
}

/// What an INSERT takes: nothing yet known, data that follows, or rows of a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taking {
    Nothing,
    Data,
    Rows,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Insert,
    Into,
    From,
    Outfile,
    Infile,
    Select,
    Values,
    Format,
    Backup,
    File,
    Other,
}

impl Word {
    fn of(text: &[u8], token: Token) -> Self {
        const WORDS: [(&[u8], Word); 12] = [
            (b"insert", Word::Insert),
            (b"into", Word::Into),
            (b"from", Word::From),
            (b"outfile", Word::Outfile),
            (b"infile", Word::Infile),
            (b"select", Word::Select),
            (b"with", Word::Select),
            (b"values", Word::Values),
            (b"format", Word::Format),
            (b"backup", Word::Backup),
            (b"restore", Word::Backup),
            (b"file", Word::File),
        ];
        let text = text.get(token.start..token.end).unwrap_or_default();
        let found = WORDS
            .iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word));
        found.map_or(Self::Other, |(_, word)| *word)
    }
}

fn first(text: &[u8]) -> usize {
    Lexer::new(text).next().map_or(0, |token| token.start)
}

/// `INSERT … VALUES`: rows that are written in the statement run as they are; none means that the data follows.
fn values(text: &[u8], values: Token) -> Statement<'_> {
    let rest = text.get(values.end..).unwrap_or_default();
    if Lexer::new(rest).next().is_some() {
        return Statement::Plain;
    }
    Statement::Insert {
        head: text.get(..values.start).unwrap_or_default(),
        format: "Values",
        inline: &[],
    }
}

/// `INSERT … FORMAT name`: what follows the name and one line end is data.
fn with_format(text: &[u8], format: Token, name: Token) -> Option<Statement<'_>> {
    if name.kind != Kind::Word {
        return None;
    }
    let rest = text.get(name.end..).unwrap_or_default();
    let blanks = rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let rest = rest.get(blanks..).unwrap_or_default();
    let inline = rest.strip_prefix(b";").unwrap_or(rest);
    let inline = inline.strip_prefix(b"\r").unwrap_or(inline);
    Some(Statement::Insert {
        head: text.get(..format.start)?,
        format: std::str::from_utf8(text.get(name.start..name.end)?).ok()?,
        inline: inline.strip_prefix(b"\n").unwrap_or(inline),
    })
}

/// A string literal of ClickHouse.
pub(crate) fn quote_string(text: &str) -> String {
    quote(text, '\'')
}

/// A name, quoted.
pub(crate) fn quote_name(name: &str) -> String {
    quote(name, '`')
}

fn quote(text: &str, mark: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for c in text.chars() {
        match c {
            '\0' => quoted.push_str("\\0"),
            c if c == mark || c == '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c => quoted.push(c),
        }
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert<'a>(head: &'a str, format: &'a str, inline: &'a [u8]) -> Statement<'a> {
        Statement::Insert {
            head: head.as_bytes(),
            format,
            inline,
        }
    }

    #[test]
    fn cuts_the_format_off_an_insert() {
        assert_eq!(
            classify(b"INSERT INTO db.t(`a`, `format`) FORMAT Native"),
            Ok(insert("INSERT INTO db.t(`a`, `format`) ", "Native", b""))
        );
        assert_eq!(
            classify(b" insert into t (format, x) settings a=1 format RowBinary\n\0\nformat x"),
            Ok(insert(
                " insert into t (format, x) settings a=1 ",
                "RowBinary",
                b"\0\nformat x"
            ))
        );
    }

    #[test]
    fn an_insert_of_values_or_of_a_query_runs_as_it_is() {
        for text in [
            "INSERT INTO t VALUES (1, 'a; FORMAT b')",
            "INSERT INTO t SELECT * FROM u FORMAT Null",
            "INSERT INTO t WITH 1 AS x SELECT x",
            "SELECT 'INSERT' FORMAT Native",
            "SELECT 1;",
            "",
        ] {
            assert_eq!(classify(text.as_bytes()), Ok(Statement::Plain), "{text}");
        }
        assert_eq!(
            classify(b"INSERT INTO t VALUES "),
            Ok(insert("INSERT INTO t ", "Values", b""))
        );
    }

    #[test]
    fn refuses_files_of_the_client_and_several_statements() {
        for (text, code) in [
            ("SELECT 1 INTO OUTFILE '/etc/x'", 344),
            ("SELECT 1 into /**/ outfile '/etc/x'", 344),
            ("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", 344),
            ("SELECT 1; SELECT 2", 62),
        ] {
            let refused = classify(text.as_bytes()).map_err(|e| e.code);
            assert_eq!(refused, Err(code), "{text}");
        }
    }

    #[test]
    fn quotes_what_could_end_a_literal() {
        assert_eq!(quote_string("it's \\ \0"), r"'it\'s \\ \0'");
        assert_eq!(quote_name("a`b"), r"`a\`b`");
    }
}
