//! Cuts SOQL text into words, strings and signs, so that nothing inside quotes or brackets is mistaken.

use std::ops::Range;

use crate::error::{Error, Result};

/// Salesforce refuses longer statements (SOQL and SOSL reference, "SOQL limits").
pub(crate) const MAX_SOQL_CHARS: usize = 100_000;

/// What a piece of SOQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Name, dotted path, keyword, number or date.
    Word,
    /// `'…'`
    Text,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// Anything else, one character each.
    Sign,
}

/// A piece of SOQL and how many brackets are open around it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
    pub(crate) depth: u32,
}

impl Token {
    pub(crate) fn text<'a>(&self, soql: &'a str) -> &'a str {
        &soql[self.at.clone()]
    }

    pub(crate) fn is_word(&self, soql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(soql).eq_ignore_ascii_case(word)
    }
}

/// Cuts `soql`; refuses unbalanced quotes and brackets, comments, and a statement end.
pub(crate) fn scan(soql: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = soql.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let (kind, end) = match first {
            c if c.is_whitespace() => continue,
            '\'' => (Kind::Text, text_end(soql, start)?),
            '(' => (Kind::Open, start + 1),
            ')' => (Kind::Close, start + 1),
            ',' => (Kind::Comma, start + 1),
            c if is_word_char(c) => (Kind::Word, word_end(soql, start)),
            c => (Kind::Sign, start + c.len_utf8()),
        };
        if kind == Kind::Sign {
            check_sign(soql, start)?;
        }
        if kind == Kind::Close && open.pop().is_none() {
            return Err(at(soql, start, "a closing bracket ) without its opening one"));
        }
        tokens.push(Token { kind, at: start..end, depth: open.len() as u32 });
        if kind == Kind::Open {
            open.push(start);
        }
        while rest.next_if(|(next, _)| *next < end).is_some() {}
    }
    match open.last() {
        Some(start) => Err(at(soql, *start, "an opening bracket ( is never closed")),
        None => Ok(tokens),
    }
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

fn word_end(soql: &str, start: usize) -> usize {
    soql[start..].find(|c| !is_word_char(c)).map_or(soql.len(), |length| start + length)
}

/// End of the string that starts at `start`; a backslash takes the next character with it.
fn text_end(soql: &str, start: usize) -> Result<usize> {
    let mut escaped = false;
    for (offset, c) in soql[start + 1..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return Ok(start + 1 + offset + 1),
            _ => {}
        }
    }
    Err(at(soql, start, "a quote ' is never closed; a quote inside text is written \\'"))
}

fn check_sign(soql: &str, start: usize) -> Result<()> {
    let rest = &soql[start..];
    let why = match rest.as_bytes() {
        [b'"', ..] => "SOQL quotes text with ' and not with \"",
        [b'-', b'-', ..] | [b'/', b'*', ..] | [b'/', b'/', ..] => "SOQL has no comments, remove it",
        [b';', ..] => "a statement has no ; at its end, remove it",
        _ => return Ok(()),
    };
    Err(at(soql, start, why))
}

/// An error that shows the place.
pub(crate) fn at(soql: &str, start: usize, why: &str) -> Error {
    /// Characters shown after the place.
    const SHOWN_CHARS: usize = 30;
    let near: String = soql[start..].chars().take(SHOWN_CHARS).collect();
    let column = soql[..start].chars().count() + 1;
    Error::query(format!("{why} (column {column}, at {near:?})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hide_everything() {
        let soql = r"Name = 'a\'b) FROM (' AND (x = 1)";
        let kinds: Vec<Kind> = scan(soql).unwrap().iter().map(|t| t.kind).collect();
        use Kind::*;
        assert_eq!(kinds, [Word, Sign, Text, Word, Open, Word, Sign, Word, Close]);
    }

    #[test]
    fn refusals_name_the_place() {
        let table = [
            ("Name = 'x", "never closed"),
            ("(a = 1", "opening bracket"),
            ("a = 1)", "closing bracket"),
            ("a = \"x\"", "quotes text with '"),
            ("a = 1 -- x", "no comments"),
            ("a = 1 /* x */", "no comments"),
            ("a = 1;", "no ; at its end"),
            (r"a = 'x\'", "never closed"),
        ];
        for (text, expected) in table {
            let error = scan(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("column"), "{text}: {error}");
        }
    }

    #[test]
    fn negative_numbers_and_dates_are_no_comments() {
        assert!(scan("a > -5 AND d = 2024-01-31T10:00:00-08:00").is_ok());
    }

    proptest! {
        #[test]
        fn never_panics_and_covers_all_but_space(text in ".{0,200}") {
            if let Ok(tokens) = scan(&text) {
                let covered: String = tokens.iter().map(|t| t.text(&text)).collect();
                let given: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                let covered: String = covered.chars().filter(|c| !c.is_whitespace()).collect();
                prop_assert_eq!(covered, given);
            }
        }
    }
}
