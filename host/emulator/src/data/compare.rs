//! Values against values: without case, as numbers, as moments, as patterns.

use std::cmp::Ordering;

use super::ids::{self, Id};
use super::number::Decimal;

/// The right side of a comparison.
#[derive(Debug, Clone)]
pub enum Operand {
    Null,
    Exactly(Vec<u8>),
    Text { ordering: &'static [Ordering], folded: String, exact: Option<String> },
    Like(Vec<Wild>),
    Number { ordering: &'static [Ordering], value: Decimal },
    Span { ordering: &'static [Ordering], from: Vec<u8>, until: Vec<u8> },
    Id { ordering: &'static [Ordering], id: Id },
    Includes(Vec<String>),
}

/// One element of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wild {
    /// `%`
    Any,
    /// `_`
    One,
    /// A character, in lower case.
    Char(char),
}

/// Text in the form in which texts are compared: case does not matter in SOQL.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

fn text_of(cell: &[u8]) -> &str {
    std::str::from_utf8(cell).unwrap_or_default()
}

impl Operand {
    /// The id that a value must be to compare as equal.
    pub fn exact_id(&self) -> Option<Id> {
        match self {
            Operand::Id { ordering: [Ordering::Equal], id } => Some(*id),
            _ => None,
        }
    }

    /// Whether the comparison holds for a value; an empty value is null.
    pub fn holds(&self, cell: &[u8]) -> bool {
        if cell.is_empty() {
            return matches!(self, Operand::Null);
        }
        match self {
            Operand::Null => false,
            Operand::Exactly(value) => cell == value,
            Operand::Text { ordering, folded, exact } => match exact {
                Some(exact) => ordering.contains(&text_of(cell).cmp(exact)),
                None => ordering.contains(&compare_folded(text_of(cell), folded)),
            },
            Operand::Like(pattern) => matches(&fold(text_of(cell)), pattern),
            Operand::Number { ordering, value } => {
                Decimal::parse(text_of(cell)).is_some_and(|cell| ordering.contains(&cell.cmp(value)))
            }
            Operand::Span { ordering, from, until } => ordering.contains(&within(cell, from, until)),
            Operand::Id { ordering, id } => ids::normalise(cell).is_some_and(|cell| ordering.contains(&cell.cmp(id))),
            Operand::Includes(values) => {
                let cell = fold(text_of(cell));
                values.iter().all(|value| cell.split(';').any(|part| part == value))
            }
        }
    }
}

/// Before, within or after a span; dates and moments in their held form sort as text.
fn within(cell: &[u8], from: &[u8], until: &[u8]) -> Ordering {
    if cell < from {
        Ordering::Less
    } else if cell < until {
        Ordering::Equal
    } else {
        Ordering::Greater
    }
}

/// Compares a text with one that is folded already.
fn compare_folded(text: &str, folded: &str) -> Ordering {
    if text.is_ascii() {
        return text.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(folded.bytes());
    }
    fold(text).as_str().cmp(folded)
}

/// A LIKE pattern; `\` takes the meaning from the character that follows.
pub fn like(pattern: &str) -> Vec<Wild> {
    let mut out = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => out.push(Wild::Any),
            '_' => out.push(Wild::One),
            '\\' => out.extend(rest.next().into_iter().flat_map(char::to_lowercase).map(Wild::Char)),
            c => out.extend(c.to_lowercase().map(Wild::Char)),
        }
    }
    out
}

/// Whether folded text matches; goes back to the last `%` only, so it needs no more than length × pattern steps.
fn matches(text: &str, pattern: &[Wild]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut wild, mut back) = (0, 0, None);
    while at < text.len() {
        match pattern.get(wild) {
            Some(Wild::Any) => {
                back = Some((wild + 1, at));
                wild += 1;
            }
            Some(Wild::One) => (at, wild) = (at + 1, wild + 1),
            Some(Wild::Char(c)) if text.get(at) == Some(c) => (at, wild) = (at + 1, wild + 1),
            _ => match back {
                Some((resume, from)) => {
                    (at, wild) = (from + 1, resume);
                    back = Some((resume, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(wild..).unwrap_or_default().iter().all(|rest| *rest == Wild::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_soql() {
        for (pattern, text, expected) in [
            ("acme%", "ACME Corp", true),
            ("%corp", "Acme Corp", true),
            ("%m%r%", "Acme Corp", true),
            ("a_me", "acme", true),
            ("a_me", "acmee", false),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("a\\_b", "axb", false),
            ("%", "x", true),
            ("ÉCOLE%", "école normale", true),
            ("_", "😀", true),
        ] {
            assert_eq!(Operand::Like(like(pattern)).holds(text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn null_is_only_equal_to_null() {
        assert!(Operand::Null.holds(b""));
        assert!(!Operand::Null.holds(b"x"));
        assert!(!Operand::Like(like("%")).holds(b""));
    }
}
