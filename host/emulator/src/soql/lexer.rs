//! Statement text to tokens with their places.

use winnow::combinator::{alt, opt, preceded};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, one_of, take_while};

/// What a token is; names and numbers keep their text in the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword.
    Name,
    /// A number.
    Number,
    /// A quoted string; the text is what stood between the quotes, escapes unresolved.
    Text,
    /// `2024-01-31`
    Date,
    /// `2024-01-31T10:00:00Z`
    DateTime,
    /// `10:30:00.000Z`
    Time,
    /// An operator or a bracket.
    Sign,
    /// Anything else, also a string without an end.
    Bad,
}

/// A token, its text and where it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text; of a string, without the quotes.
    pub text: &'a str,
    /// Byte offset in the statement.
    pub at: usize,
}

type Input<'a> = LocatingSlice<&'a str>;

/// Splits a statement; never fails, what is not SOQL becomes [`Kind::Bad`].
pub fn tokens(statement: &str) -> Vec<Token<'_>> {
    let mut input = LocatingSlice::new(statement);
    let mut found = Vec::new();
    loop {
        let _: ModalResult<&str> = take_while(0.., char::is_whitespace).parse_next(&mut input);
        let at = winnow::stream::Location::current_token_start(&input);
        match token(&mut input) {
            Ok((kind, text)) => found.push(Token { kind, text, at }),
            Err(_) => return found,
        }
    }
}

fn token<'a>(input: &mut Input<'a>) -> ModalResult<(Kind, &'a str)> {
    alt((
        name.map(|text| (Kind::Name, text)),
        moment,
        clock.map(|text| (Kind::Time, text)),
        number.map(|text| (Kind::Number, text)),
        text.map(|text| (Kind::Text, text)),
        sign.map(|text| (Kind::Sign, text)),
        any.take().map(|text| (Kind::Bad, text)),
    ))
    .parse_next(input)
}

fn name<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    (one_of(|c: char| c.is_alphabetic() || c == '_'), take_while(0.., |c: char| c.is_alphanumeric() || c == '_'))
        .take()
        .parse_next(input)
}

fn digits<'a>(least: usize, most: usize, input: &mut Input<'a>) -> ModalResult<&'a str> {
    take_while(least..=most, |c: char| c.is_ascii_digit()).parse_next(input)
}

fn moment<'a>(input: &mut Input<'a>) -> ModalResult<(Kind, &'a str)> {
    let date = |input: &mut Input<'a>| -> ModalResult<()> {
        (|i: &mut _| digits(4, 4, i), '-', |i: &mut _| digits(2, 2, i), '-', |i: &mut _| digits(2, 2, i))
            .void()
            .parse_next(input)
    };
    let time = (one_of(['T', 't']), take_while(1.., |c: char| c.is_ascii_digit() || c == ':' || c == '.'), opt(zone));
    (date, opt(time))
        .with_taken()
        .map(|((_, time), text)| (if time.is_some() { Kind::DateTime } else { Kind::Date }, text))
        .parse_next(input)
}

fn clock<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    let rest = take_while(2.., |c: char| c.is_ascii_digit() || c == ':' || c == '.');
    (|i: &mut _| digits(2, 2, i), ':', rest, opt(one_of(['Z', 'z']))).take().parse_next(input)
}

fn zone<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    alt((
        one_of(['Z', 'z']).take(),
        (one_of(['+', '-']), take_while(2..=5, |c: char| c.is_ascii_digit() || c == ':')).take(),
    ))
    .parse_next(input)
}

fn number<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    let whole = |i: &mut Input<'a>| -> ModalResult<()> {
        (|i: &mut _| digits(1, 400, i), opt(preceded('.', |i: &mut _| digits(0, 400, i)))).void().parse_next(i)
    };
    let part = |i: &mut Input<'a>| -> ModalResult<()> { ('.', |i: &mut _| digits(1, 400, i)).void().parse_next(i) };
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), |i: &mut _| digits(1, 4, i));
    (opt(one_of(['+', '-'])), alt((whole, part)), opt(exponent)).take().parse_next(input)
}

/// The text between single quotes; a backslash takes the next character with it.
fn text<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    '\''.parse_next(input)?;
    let rest: &'a str = input.as_ref();
    let mut escaped = false;
    for (index, c) in rest.char_indices() {
        match c {
            '\'' if !escaped => {
                let inside =
                    winnow::token::take(rest.get(..index).map_or(0, |s| s.chars().count())).parse_next(input)?;
                '\''.parse_next(input)?;
                return Ok(inside);
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    winnow::combinator::fail.parse_next(input)
}

fn sign<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    alt(("!=", "<>", "<=", ">=", one_of(['=', '<', '>', '(', ')', ',', '.', ':']).take())).parse_next(input)
}
