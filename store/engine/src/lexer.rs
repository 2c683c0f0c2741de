//! The tokens of ClickHouse SQL, as far as it takes to find clauses: words, brackets, semicolons; literals are skipped.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word or number.
    Word,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `;`.
    Semicolon,
    /// A string, a quoted name, a heredoc, or any other sign.
    Other,
}

/// A token and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Walks over the tokens of `text`; blanks and comments are none.
///
/// Never fails: what is not closed reaches to the end of the text, and the engine's own parser complains about it.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves behind the next `mark`, or to the end.
    fn skip_past(&mut self, mark: &[u8]) {
        let rest = self.rest();
        let found = rest.windows(mark.len()).position(|window| window == mark);
        self.at += found.map_or(rest.len(), |position| position + mark.len());
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            match rest {
                [b, ..] if b.is_ascii_whitespace() || *b == 0x0b => self.at += 1,
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => self.skip_past(b"\n"),
                [b'/', b'*', ..] => {
                    self.at += 2;
                    self.skip_past(b"*/");
                }
                _ => return,
            }
        }
    }

    /// Moves behind a literal that `quote` opens: a backslash escapes, and a doubled quote is one of the text.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        loop {
            match self.rest() {
                [] => return,
                [b'\\', _, ..] => self.at += 2,
                [a, b, ..] if *a == quote && *b == quote => self.at += 2,
                [a, ..] => {
                    self.at += 1;
                    if *a == quote {
                        return;
                    }
                }
            }
        }
    }

    /// Moves behind `$tag$ … $tag$`, or behind the one sign if it opens none.
    fn skip_heredoc(&mut self) {
        let rest = self.rest();
        let tag = rest.iter().skip(1).position(|b| !is_word(*b) || *b == b'$');
        match tag.and_then(|length| rest.get(..length + 2)) {
            Some(mark) if mark.last() == Some(&b'$') => {
                self.at += mark.len();
                self.skip_past(mark);
            }
            _ => self.at += 1,
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let first = *self.rest().first()?;
        let kind = match first {
            b'\'' | b'"' | b'`' => {
                self.skip_quoted(first);
                Kind::Other
            }
            b'$' => {
                self.skip_heredoc();
                Kind::Other
            }
            b if is_word(b) => {
                let length = self.rest().iter().take_while(|b| is_word(**b)).count();
                self.at += length;
                Kind::Word
            }
            other => {
                self.at += 1;
                match other {
                    b'(' | b'[' | b'{' => Kind::Open,
                    b')' | b']' | b'}' => Kind::Close,
                    b';' => Kind::Semicolon,
                    _ => Kind::Other,
                }
            }
        };
        Some(Token {
            kind,
            start,
            end: self.at,
        })
    }
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_' || octet >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let lexer = Lexer::new(text.as_bytes());
        lexer.map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn skips_blanks_and_comments() {
        let text = "select -- a ; b\n 1 /* ; ' */ + # x '\n 2";
        assert_eq!(tokens(text), ["select", "1", "+", "2"]);
    }

    #[test]
    fn a_literal_is_one_token() {
        assert_eq!(tokens(r"'it''s \' ; x' y"), [r"'it''s \' ; x'", "y"]);
        assert_eq!(tokens("`a;``b` \"c;\" z"), ["`a;``b`", "\"c;\"", "z"]);
        assert_eq!(tokens("$t$ ' ; $ $t$ y"), ["$t$ ' ; $ $t$", "y"]);
        assert_eq!(tokens("$$ ; $$ y"), ["$$ ; $$", "y"]);
    }

    #[test]
    fn what_is_not_closed_reaches_to_the_end() {
        for text in ["'abc", "/* abc", "-- abc", "$x$ abc", "$", "'\\"] {
            assert!(tokens(text).len() <= 1, "{text}");
        }
    }
}
