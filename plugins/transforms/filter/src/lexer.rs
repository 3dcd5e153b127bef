//! From text to tokens.

use crate::syntax::{Fault, Literal, Op};
use forcepump_plugin_sdk::calendar::{parse_date, parse_datetime};
use winnow::ascii::multispace0;
use winnow::combinator::{alt, opt, preceded, repeat};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{literal, one_of, take_till, take_while};

/// Furthest power of ten: more than any decimal column has digits.
const EXPONENT_MAX: i32 = 76;

/// A piece of the text and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// a word without quotes: a column or a keyword
    Word(String),
    /// a column in backticks
    Quoted(String),
    Literal(Literal),
    Op(Op),
    Open,
    Close,
    Comma,
}

type Input<'i> = LocatingSlice<&'i str>;
type Lexed<T> = Result<T, ErrMode<Fault>>;

impl<I: Stream + Location> ParserError<I> for Fault {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        Fault::new(input.current_token_start(), "this is no part of an expression")
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

/// Every token of `text`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut input = LocatingSlice::new(text);
    let all = preceded(multispace0, repeat(0.., token)).parse_next(&mut input);
    let tokens: Vec<Token> = all.map_err(inner)?;
    if input.is_empty() { Ok(tokens) } else { Err(Fault::from_input(&input)) }
}

fn inner(error: ErrMode<Fault>) -> Fault {
    match error {
        ErrMode::Backtrack(fault) | ErrMode::Cut(fault) => fault,
        ErrMode::Incomplete(_) => Fault::new(0, "the expression is not complete"),
    }
}

fn token(input: &mut Input<'_>) -> Lexed<Token> {
    let at = input.current_token_start();
    let kind = alt((symbol, quoted_text, quoted_name, temporal, number, word));
    (kind, multispace0).map(|(kind, _)| Token { at, kind }).parse_next(input)
}

fn symbol(input: &mut Input<'_>) -> Lexed<Kind> {
    let bracket = alt(("(".value(Kind::Open), ")".value(Kind::Close), ",".value(Kind::Comma)));
    let op = alt((
        alt(("!=", "<>")).value(Op::Unequal),
        "<=".value(Op::LessOrEqual),
        ">=".value(Op::GreaterOrEqual),
        alt(("==", "=")).value(Op::Equal),
        "<".value(Op::Less),
        ">".value(Op::Greater),
    ));
    alt((bracket, op.map(Kind::Op))).parse_next(input)
}

fn quoted_text(input: &mut Input<'_>) -> Lexed<Kind> {
    let text = alt((quoted('"'), quoted('\''))).parse_next(input)?;
    Ok(Kind::Literal(Literal::Text(text)))
}

fn quoted_name(input: &mut Input<'_>) -> Lexed<Kind> {
    quoted('`').map(Kind::Quoted).parse_next(input)
}

/// Between two quotes; a doubled quote stands for one.
fn quoted<'i>(quote: char) -> impl Parser<Input<'i>, String, ErrMode<Fault>> {
    move |input: &mut Input<'i>| {
        let at = input.current_token_start();
        literal(quote).parse_next(input)?;
        let mut text = String::new();
        loop {
            let piece = take_till(0.., quote).parse_next(input)?;
            text.push_str(piece);
            let end: Lexed<&str> = literal(quote).parse_next(input);
            end.map_err(|_| ErrMode::Cut(Fault::new(at, format!("the closing {quote} is missing"))))?;
            let doubled: Lexed<&str> = literal(quote).parse_next(input);
            if doubled.is_err() {
                return Ok(text);
            }
            text.push(quote);
        }
    }
}

fn word(input: &mut Input<'_>) -> Lexed<Kind> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_alphanumeric() || c == '_' || c == '.');
    (first, rest).take().map(|text: &str| Kind::Word(text.to_owned())).parse_next(input)
}

fn digits<'i>(input: &mut Input<'i>) -> Lexed<&'i str> {
    take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input)
}

/// `2016-01-31` or `2016-01-31T12:00:00Z`.
fn temporal(input: &mut Input<'_>) -> Lexed<Kind> {
    let at = input.current_token_start();
    let date = (take_while(4, |c: char| c.is_ascii_digit()), '-', digits, '-', digits).take();
    let clock = (one_of(['T', 't']), take_while(0.., |c: char| c.is_ascii_alphanumeric() || ":.+-".contains(c))).take();
    let (date, clock) = (date, opt(clock)).parse_next(input)?;
    let found = match clock {
        None => parse_date(date).map(Literal::Date),
        Some(clock) => parse_datetime(&format!("{date}{clock}")).map(Literal::Instant),
    };
    let wrong = || Fault::new(at, "this is no date; expected 2016-01-31 or 2016-01-31T12:00:00Z");
    found.map(Kind::Literal).ok_or_else(|| ErrMode::Cut(wrong()))
}

/// `-12.50`, `1e6`.
fn number(input: &mut Input<'_>) -> Lexed<Kind> {
    let at = input.current_token_start();
    let sign = opt(one_of(['-', '+']));
    let fraction = opt(preceded('.', digits));
    let exponent = opt(preceded(one_of(['e', 'E']), (opt(one_of(['-', '+'])), digits).take()));
    let (sign, whole, fraction, exponent) = (sign, digits, fraction, exponent).parse_next(input)?;
    let fraction = fraction.unwrap_or_default();
    let exponent: Option<i32> = exponent.map_or(Some(0), |text: &str| text.parse().ok());
    let value: Option<i128> = format!("{whole}{fraction}").parse().ok();
    let scale = exponent
        .filter(|power| power.abs() <= EXPONENT_MAX)
        .and_then(|power| i32::try_from(fraction.len()).ok().map(|scale| scale - power));
    let (Some(digits), Some(scale)) = (value, scale) else {
        return Err(ErrMode::Cut(Fault::new(at, "this number has more digits than any column; expected 38 at most")));
    };
    let digits = if sign == Some('-') { -digits } else { digits };
    Ok(Kind::Literal(Literal::Number { digits, scale }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).map(|all| all.into_iter().map(|token| token.kind).collect()).unwrap_or_default()
    }

    #[test]
    fn names_have_dots_and_backticks() {
        assert_eq!(kinds("Account.Name"), [Kind::Word("Account.Name".into())]);
        assert_eq!(kinds("`weird ``name`"), [Kind::Quoted("weird `name".into())]);
    }

    #[test]
    fn literals_are_exact() {
        let number = |digits, scale| Kind::Literal(Literal::Number { digits, scale });
        assert_eq!(kinds("-12.50 1e6 0.1"), [number(-1250, 2), number(1, -6), number(1, 1)]);
        assert_eq!(kinds("1970-01-02"), [Kind::Literal(Literal::Date(1))]);
        assert_eq!(kinds("1970-01-01T00:00:01Z"), [Kind::Literal(Literal::Instant(1_000_000))]);
        assert_eq!(kinds("\"say \"\"hi\"\"\""), [Kind::Literal(Literal::Text("say \"hi\"".into()))]);
        assert_eq!(kinds("''"), [Kind::Literal(Literal::Text(String::new()))]);
    }

    #[test]
    fn faults_have_their_place() {
        let fault = |text| tokens(text).map_err(|fault| fault.at);
        assert_eq!(fault("a = \"b"), Err(4));
        assert_eq!(fault("a = 2016-02-30"), Err(4));
        assert_eq!(fault("a = ;"), Err(4));
        assert_eq!(fault("a = 1e999"), Err(4));
    }
}
