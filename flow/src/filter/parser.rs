//! Reads the structure of a filter: `or` of `and` of `not` of conditions.
//!
//! While it reads, it notes what could stand where the text ends: completion is the same grammar, not a second one.

use super::complete::{Wanted, What};
use super::lexer::{Kind, Token};
use super::words::starters;
use super::{CONDITIONS_MAX, Comparison, DEPTH_MAX, Expr, FilterError};

pub(super) struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    conditions: usize,
    expected: Vec<Expected>,
}

/// What could stand where the text ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    /// The keyword; empty for a value.
    pub(super) word: &'static str,
    pub(super) what: What,
}

impl<'t> Parser<'t> {
    /// `tokens` ends with [`Kind::End`].
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
            conditions: 0,
            expected: Vec::new(),
        }
    }

    /// What could stand where the text ends, as far as it was read.
    pub(super) fn into_expected(self) -> Vec<Expected> {
        self.expected
    }

    /// Reads all of it.
    pub(super) fn filter(&mut self) -> Result<Expr, FilterError> {
        if *self.peek() == Kind::End {
            self.expect_starters();
            return Ok(Expr::Any);
        }
        let expr = self.or()?;
        match self.peek() {
            Kind::End => Ok(expr),
            Kind::Close => self.wrong("this ')' has no '(' before it"),
            kind => self.wrong(format!("'and' or 'or' is missing before {}", kind.shown())),
        }
    }

    fn or(&mut self) -> Result<Expr, FilterError> {
        let mut expr = self.and()?;
        self.expect_keyword("or");
        while self.eat(&Kind::Or) {
            expr = Expr::Or(Box::new(expr), Box::new(self.and()?));
            self.expect_keyword("or");
        }
        Ok(expr)
    }

    fn and(&mut self) -> Result<Expr, FilterError> {
        let mut expr = self.not()?;
        self.expect_keyword("and");
        while self.eat(&Kind::And) {
            expr = Expr::And(Box::new(expr), Box::new(self.not()?));
            self.expect_keyword("and");
        }
        Ok(expr)
    }

    fn not(&mut self) -> Result<Expr, FilterError> {
        match self.peek() {
            Kind::Not => self.deeper(|parser| {
                parser.at += 1;
                Ok(Expr::Not(Box::new(parser.not()?)))
            }),
            Kind::Open => self.deeper(Self::parenthesised),
            _ => self.condition(),
        }
    }

    fn parenthesised(&mut self) -> Result<Expr, FilterError> {
        self.at += 1;
        let expr = self.or()?;
        match self.peek() {
            Kind::Close => {
                self.at += 1;
                Ok(expr)
            }
            Kind::End => {
                self.expect_keyword(")");
                self.wrong("a ')' is missing")
            }
            kind => self.wrong(format!(
                "'and', 'or' or ')' is missing before {}",
                kind.shown()
            )),
        }
    }

    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Expr, FilterError>,
    ) -> Result<Expr, FilterError> {
        if self.depth == DEPTH_MAX {
            return self.wrong(format!(
                "too deep: at most {DEPTH_MAX} '(' and 'not' in each other"
            ));
        }
        self.depth += 1;
        let expr = read(self);
        self.depth -= 1;
        expr
    }

    /// Counts a condition that begins here.
    ///
    /// # Errors
    ///
    /// There are too many: a chain of `or` is a tree as deep as it is long, and readers of trees recurse.
    pub(super) fn count_condition(&mut self) -> Result<(), FilterError> {
        if self.conditions == CONDITIONS_MAX {
            return self.wrong(format!(
                "too long: at most {CONDITIONS_MAX} conditions; many addresses or ports go in a list, as in ip in [10.0.0.1, 10.0.0.2]"
            ));
        }
        self.conditions += 1;
        Ok(())
    }

    pub(super) fn peek(&self) -> &'t Kind {
        // The last token is `End`, and nothing steps over it.
        self.tokens
            .get(self.at)
            .map_or(&Kind::End, |token| &token.kind)
    }

    /// Steps over what [`Parser::peek`] showed.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    pub(super) fn eat(&mut self, kind: &Kind) -> bool {
        let is_there = self.peek() == kind;
        if is_there {
            self.at += 1;
        }
        is_there
    }

    /// Steps over `word` if it stands here.
    pub(super) fn eat_word(&mut self, word: &'static str) -> bool {
        self.expect_keyword(word);
        let is_there = matches!(self.peek(), Kind::Word(text) if text.eq_ignore_ascii_case(word));
        if is_there {
            self.at += 1;
        }
        is_there
    }

    /// Steps over a comparison if one stands here.
    pub(super) fn eat_comparison(&mut self) -> Option<Comparison> {
        let Kind::Compare(comparison) = self.peek() else {
            return None;
        };
        self.at += 1;
        Some(*comparison)
    }

    /// `[a, b c]`: at least one value, commas as one likes.
    pub(super) fn list<T>(
        &mut self,
        wanted: Wanted,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, FilterError> {
        self.expect_keyword("[");
        if !self.eat(&Kind::OpenList) {
            return self.wrong("a list is written in brackets: in [a, b]");
        }
        let mut values = vec![self.value(wanted, &read)?];
        loop {
            if self.eat(&Kind::CloseList) {
                return Ok(values);
            }
            let needs_value = self.eat(&Kind::Comma);
            match self.peek() {
                Kind::Word(_) => values.push(self.value(wanted, &read)?),
                Kind::CloseList if !needs_value => {}
                Kind::End => {
                    self.expect_value(wanted);
                    if !needs_value {
                        self.expect_keyword("]");
                    }
                    return self.wrong("a ']' is missing");
                }
                kind => {
                    return self.wrong(format!("{} has no place in a list", kind.shown()));
                }
            }
        }
    }

    /// A value that is written without quotes, as `read` takes it.
    pub(super) fn value<T>(
        &mut self,
        wanted: Wanted,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, FilterError> {
        self.expect_value(wanted);
        let Kind::Word(text) = self.peek() else {
            return self.wrong(format!("{} is missing {}", wanted.noun(), self.after()));
        };
        match read(text) {
            Ok(value) => {
                self.at += 1;
                Ok(value)
            }
            Err(message) => self.wrong(message),
        }
    }

    /// "after 'src'": where the parser stands, for messages.
    pub(super) fn after(&self) -> String {
        match self
            .at
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before))
        {
            Some(token) => format!("after {}", token.kind.shown()),
            None => "here".into(),
        }
    }

    /// The error that is to be shown where the parser stands.
    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        let last = self.tokens.len().saturating_sub(1);
        let column = self
            .tokens
            .get(self.at.min(last))
            .map_or(1, |token| token.column);
        Err(FilterError {
            column,
            message: message.into(),
        })
    }

    /// Notes that `word` could stand here, if here is the end.
    pub(super) fn expect_keyword(&mut self, word: &'static str) {
        self.expect(Expected {
            word,
            what: What::Keyword,
        });
    }

    /// Notes that a value could stand here, if here is the end.
    pub(super) fn expect_value(&mut self, wanted: Wanted) {
        self.expect(Expected {
            word: "",
            what: What::Value(wanted),
        });
    }

    /// Notes every word that may begin a condition, if here is the end.
    pub(super) fn expect_starters(&mut self) {
        for word in starters().chain(["not", "("]) {
            self.expect_keyword(word);
        }
    }

    fn expect(&mut self, expected: Expected) {
        if *self.peek() == Kind::End && !self.expected.contains(&expected) {
            self.expected.push(expected);
        }
    }
}
