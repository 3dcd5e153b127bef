//! From tokens to an expression. `or` binds least, then `and`, then `not`.

use crate::lexer::{Kind, Token, tokens};
use crate::syntax::{Expression, Fault, Literal, Located, Name, Op, Operand};
use winnow::combinator::{opt, separated};
use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::stream::TokenSlice;
use winnow::token::any;

/// Parentheses and `not` within each other: far more than people write, and the stack is small.
const DEPTH_MAX: usize = 64;
/// Words that are no column unless they stand in backticks.
const KEYWORDS: [&str; 11] = ["and", "or", "not", "in", "like", "ilike", "is", "null", "between", "true", "false"];

type Input<'i> = TokenSlice<'i, Token>;
type Parsed<T> = Result<T, ErrMode<Fault>>;

impl winnow::stream::Location for Token {
    fn previous_token_end(&self) -> usize {
        self.at
    }

    fn current_token_start(&self) -> usize {
        self.at
    }
}

/// The expression that `text` spells.
pub(crate) fn parse(text: &str) -> Result<Expression, Fault> {
    let all = tokens(text)?;
    let mut input = TokenSlice::new(&all);
    let end = text.len();
    let expression = disjunction(end, DEPTH_MAX).parse_next(&mut input).map_err(inner)?;
    match input.first() {
        None => Ok(expression),
        Some(token) => Err(Fault::new(token.at, "expected \"and\", \"or\" or the end")),
    }
}

fn inner(error: ErrMode<Fault>) -> Fault {
    match error {
        ErrMode::Backtrack(fault) | ErrMode::Cut(fault) => fault,
        ErrMode::Incomplete(_) => Fault::new(0, "the expression is not complete"),
    }
}

fn disjunction<'i>(end: usize, depth: usize) -> impl Parser<Input<'i>, Expression, ErrMode<Fault>> {
    move |input: &mut Input<'i>| {
        let parts: Vec<Expression> = separated(1.., conjunction(end, depth), keyword("or")).parse_next(input)?;
        Ok(joined(parts, Expression::Any))
    }
}

fn conjunction<'i>(end: usize, depth: usize) -> impl Parser<Input<'i>, Expression, ErrMode<Fault>> {
    move |input: &mut Input<'i>| {
        let parts: Vec<Expression> = separated(1.., negation(end, depth), keyword("and")).parse_next(input)?;
        Ok(joined(parts, Expression::All))
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

fn negation<'i>(end: usize, depth: usize) -> impl Parser<Input<'i>, Expression, ErrMode<Fault>> {
    move |input: &mut Input<'i>| {
        let at = position(input, end);
        if opt(keyword("not")).parse_next(input)?.is_some() {
            let inner = negation(end, deeper(depth, at)?).parse_next(input)?;
            return Ok(Expression::Not(Box::new(inner)));
        }
        if opt(kind(Kind::Open)).parse_next(input)?.is_some() {
            let inner = disjunction(end, deeper(depth, at)?).parse_next(input)?;
            required(input, end, kind(Kind::Close), "expected \"and\", \"or\" or the closing )")?;
            return Ok(inner);
        }
        condition(input, end)
    }
}

fn deeper(depth: usize, at: usize) -> Parsed<usize> {
    depth
        .checked_sub(1)
        .ok_or_else(|| cut(at, format!("parentheses and \"not\" are nested deeper than {DEPTH_MAX}; write it flatter")))
}

/// One test of one column, or a comparison of two.
fn condition(input: &mut Input<'_>, end: usize) -> Parsed<Expression> {
    let left = operand(input, end)?;
    if let Some(op) = opt(comparison).parse_next(input)? {
        let right = operand(input, end)?;
        return Ok(Expression::Compare { left, op, right });
    }
    let at = position(input, end);
    let Operand::Column(name) = left else {
        return Err(cut(at, "expected a comparison such as = or >"));
    };
    let after_is = opt(keyword("is")).parse_next(input)?.is_some();
    let negated = opt(keyword("not")).parse_next(input)?.is_some();
    let test = if after_is {
        required(input, end, keyword("null"), "expected \"null\" or \"not null\"")?;
        Expression::IsNull(name)
    } else {
        match test(input, end, &name)? {
            Some(test) => test,
            None if negated => {
                return Err(cut(at, "expected \"in\", \"like\", \"ilike\" or \"between\" after \"not\""));
            }
            None => Expression::Truth(name),
        }
    };
    Ok(if negated { Expression::Not(Box::new(test)) } else { test })
}

fn test(input: &mut Input<'_>, end: usize, name: &Name) -> Parsed<Option<Expression>> {
    let left = name.clone();
    if opt(keyword("in")).parse_next(input)?.is_some() {
        return Ok(Some(Expression::In { left, list: list(input, end)? }));
    }
    if opt(keyword("between")).parse_next(input)?.is_some() {
        let low = literal(input, end)?;
        required(input, end, keyword("and"), "expected \"and\" and the upper end")?;
        let high = literal(input, end)?;
        return Ok(Some(Expression::Between { left, low, high }));
    }
    let ignore_case = opt(keyword("ilike")).parse_next(input)?.is_some();
    if ignore_case || opt(keyword("like")).parse_next(input)?.is_some() {
        return match literal(input, end)? {
            Located { of: Literal::Text(pattern), .. } => Ok(Some(Expression::Like { left, pattern, ignore_case })),
            other => Err(cut(other.at, "expected a pattern in quotes; % stands for any text, _ for one character")),
        };
    }
    Ok(None)
}

fn list(input: &mut Input<'_>, end: usize) -> Parsed<Vec<Located<Literal>>> {
    required(input, end, kind(Kind::Open), "expected a list such as (\"A\", \"B\")")?;
    let item = |input: &mut Input<'_>| literal(input, end);
    let items = separated(1.., item, kind(Kind::Comma)).parse_next(input)?;
    required(input, end, kind(Kind::Close), "expected \",\" or the closing )")?;
    Ok(items)
}

fn literal(input: &mut Input<'_>, end: usize) -> Parsed<Located<Literal>> {
    match operand(input, end)? {
        Operand::Literal(literal) => Ok(literal),
        Operand::Column(name) => {
            Err(cut(name.at, format!("expected a fixed value; a text stands in quotes: \"{}\"", name.of)))
        }
    }
}

fn operand(input: &mut Input<'_>, end: usize) -> Parsed<Operand> {
    let at = position(input, end);
    let missing = |_: ErrMode<Fault>| cut(at, "expected a column or a value");
    let token: &Token = any.parse_next(input).map_err(missing)?;
    let fixed = |of| Ok(Operand::Literal(Located { at, of }));
    match &token.kind {
        Kind::Quoted(name) => Ok(Operand::Column(Located { at, of: name.clone() })),
        Kind::Literal(literal) => fixed(literal.clone()),
        Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
            "true" => fixed(Literal::Boolean(true)),
            "false" => fixed(Literal::Boolean(false)),
            "null" => fixed(Literal::Null),
            lower if KEYWORDS.contains(&lower) => Err(cut(
                at,
                format!("expected a column or a value; a column that is named \"{word}\" stands in backticks"),
            )),
            _ => Ok(Operand::Column(Located { at, of: word.clone() })),
        },
        _ => Err(cut(at, "expected a column or a value")),
    }
}

fn comparison(input: &mut Input<'_>) -> Parsed<Op> {
    let op = |token: &Token| match token.kind {
        Kind::Op(op) => Some(op),
        _ => None,
    };
    any.verify_map(op).parse_next(input)
}

fn keyword<'i>(word: &'static str) -> impl Parser<Input<'i>, (), ErrMode<Fault>> {
    any.verify_map(move |token: &'i Token| match &token.kind {
        Kind::Word(found) if found.eq_ignore_ascii_case(word) => Some(()),
        _ => None,
    })
}

fn kind<'i>(wanted: Kind) -> impl Parser<Input<'i>, (), ErrMode<Fault>> {
    any.verify_map(move |token: &'i Token| (token.kind == wanted).then_some(()))
}

fn required<'i>(
    input: &mut Input<'i>,
    end: usize,
    mut wanted: impl Parser<Input<'i>, (), ErrMode<Fault>>,
    message: &str,
) -> Parsed<()> {
    let at = position(input, end);
    wanted.parse_next(input).map_err(|_| cut(at, message))
}

fn position(input: &Input<'_>, end: usize) -> usize {
    input.first().map_or(end, |token| token.at)
}

fn cut(at: usize, message: impl Into<String>) -> ErrMode<Fault> {
    ErrMode::Cut(Fault::new(at, message))
}
