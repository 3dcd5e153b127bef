//! Tokens to statement.

use winnow::combinator::{peek, separated};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::{Stream, TokenSlice};
use winnow::token::any;

use super::ast::{Comparison, Condition, Expression, FieldGroup, Grouping, Item, Order, Path, Statement, TypeOf};
use super::error::SoqlError;
use super::lexer::{Kind, Token, tokens};
use super::literal::literal;

/// Longest statement that Salesforce takes (SOQL reference, "SOQL limits").
const STATEMENT_LIMIT_CHARS: usize = 100_000;
/// Brackets inside brackets; keeps recursion off the end of the stack.
const NESTING_LIMIT: usize = 64;
/// Words that cannot be an alias or begin a field name (SOQL reference, "Alias notation").
const RESERVED: [&str; 20] = [
    "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST", "LIKE", "LIMIT",
    "NOT", "NULL", "NULLS", "OR", "SELECT", "WHERE", "WITH",
];
/// Words that end the FROM clause although they may be names elsewhere.
const CLAUSES: [&str; 7] = ["ALL", "FOR", "OFFSET", "ORDER", "TYPEOF", "UPDATE", "USING"];

pub(super) type Tokens<'t, 's> = TokenSlice<'t, Token<'s>>;
pub(super) type Parsed<T> = Result<T, Syntax>;

/// A syntax error at the token that `rest` tokens follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    rest: usize,
    message: Option<String>,
}

impl Syntax {
    pub(super) fn new(input: &Tokens<'_, '_>, message: impl Into<String>) -> Syntax {
        Syntax { rest: input.eof_offset(), message: Some(message.into()) }
    }
}

impl ParserError<Tokens<'_, '_>> for Syntax {
    type Inner = Self;

    fn from_input(input: &Tokens<'_, '_>) -> Self {
        Syntax { rest: input.eof_offset(), message: None }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }

    /// Of two ways that both failed, the one that got further tells more.
    fn or(self, other: Self) -> Self {
        if other.rest < self.rest { other } else { self }
    }
}

/// Parses one statement.
///
/// # Errors
/// `MALFORMED_QUERY` with the words of the REST API.
pub fn parse(statement: &str) -> Result<Statement, SoqlError> {
    if statement.trim().is_empty() {
        return Err(SoqlError::malformed("SOQL statements cannot be empty or null"));
    }
    if statement.chars().count() > STATEMENT_LIMIT_CHARS {
        return Err(SoqlError::malformed(format!(
            "SOQL statements cannot be longer than {STATEMENT_LIMIT_CHARS} characters"
        )));
    }
    let lexed = tokens(statement);
    let mut input = Tokens::new(&lexed);
    let found = select(&mut input, 0).and_then(|found| end(&mut input).map(|()| found));
    found.map_err(|syntax| {
        let token = lexed.len().checked_sub(syntax.rest).and_then(|index| lexed.get(index));
        SoqlError::malformed(
            syntax
                .message
                .unwrap_or_else(|| format!("unexpected token: {}", token.map_or("<EOF>", |token| token.text))),
        )
    })
}

fn end(input: &mut Tokens<'_, '_>) -> Parsed<()> {
    if input.eof_offset() == 0 { Ok(()) } else { Err(Syntax::from_input(input)) }
}

fn next<'s>(input: &Tokens<'_, 's>) -> Option<Token<'s>> {
    input.peek_token().copied()
}

pub(super) fn token<'s>(input: &mut Tokens<'_, 's>, kind: Kind) -> Parsed<Token<'s>> {
    any.verify(|token: &Token<'s>| token.kind == kind).parse_next(input).copied()
}

fn is_word(token: &Token<'_>, word: &str) -> bool {
    token.kind == Kind::Name && token.text.eq_ignore_ascii_case(word)
}

fn sees(input: &Tokens<'_, '_>, word: &str) -> bool {
    next(input).is_some_and(|token| is_word(&token, word) || (token.kind == Kind::Sign && token.text == word))
}

/// Takes the word or sign when it is next.
pub(super) fn takes(input: &mut Tokens<'_, '_>, word: &str) -> bool {
    let found = sees(input, word);
    if found {
        let _ = input.next_token();
    }
    found
}

pub(super) fn expect(input: &mut Tokens<'_, '_>, word: &str) -> Parsed<()> {
    if takes(input, word) { Ok(()) } else { Err(Syntax::from_input(input)) }
}

fn deeper(input: &Tokens<'_, '_>, depth: usize) -> Parsed<usize> {
    if depth < NESTING_LIMIT {
        Ok(depth + 1)
    } else {
        Err(Syntax::new(input, format!("statement is nested more than {NESTING_LIMIT} levels deep")))
    }
}

fn select(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Statement> {
    let depth = deeper(input, depth)?;
    expect(input, "SELECT")?;
    let mut found = Statement {
        items: separated(1.., |i: &mut Tokens<'_, '_>| item(i, depth), comma).parse_next(input)?,
        ..Statement::default()
    };
    expect(input, "FROM")?;
    from(input, &mut found)?;
    if takes(input, "WHERE") {
        found.filter = Some(logical(input, depth)?);
    }
    if takes(input, "WITH") {
        found.with = Some(with(input)?);
    }
    grouping(input, &mut found, depth)?;
    if takes(input, "ORDER") {
        expect(input, "BY")?;
        found.order_by = separated(1.., |i: &mut Tokens<'_, '_>| order(i, depth), comma).parse_next(input)?;
    }
    tail(input, &mut found)?;
    Ok(found)
}

fn comma(input: &mut Tokens<'_, '_>) -> Parsed<()> {
    expect(input, ",")
}

fn from(input: &mut Tokens<'_, '_>, found: &mut Statement) -> Parsed<()> {
    found.from = path_of(input, false)?;
    found.alias = alias(input, true)?;
    while takes(input, ",") {
        let path = path_of(input, false)?;
        let Some(name) = alias(input, true)? else {
            return Err(Syntax::from_input(input));
        };
        found.joins.push((path, name));
    }
    if takes(input, "USING") {
        expect(input, "SCOPE")?;
        found.scope = Some(token(input, Kind::Name)?.text.to_owned());
    }
    Ok(())
}

/// `WITH SECURITY_ENFORCED`, `WITH USER_MODE`, `WITH DATA CATEGORY …`: kept as words, they change nothing here.
fn with(input: &mut Tokens<'_, '_>) -> Parsed<String> {
    let mut words = vec![token(input, Kind::Name)?.text.to_owned()];
    while let Some(token) = next(input).filter(|token| token.kind == Kind::Name && !ends_with_clause(token)) {
        words.push(token.text.to_owned());
        let _ = input.next_token();
    }
    Ok(words.join(" "))
}

fn ends_with_clause(token: &Token<'_>) -> bool {
    ["GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ALL", "FOR", "UPDATE"].iter().any(|word| is_word(token, word))
}

fn grouping(input: &mut Tokens<'_, '_>, found: &mut Statement, depth: usize) -> Parsed<()> {
    if takes(input, "GROUP") {
        expect(input, "BY")?;
        let list =
            |i: &mut Tokens<'_, '_>| separated(1.., |i: &mut Tokens<'_, '_>| expression(i, depth), comma).parse_next(i);
        found.grouping = rolled_up(input);
        if found.grouping == Grouping::Plain {
            found.group_by = list(input)?;
        } else {
            expect(input, "(")?;
            found.group_by = list(input)?;
            expect(input, ")")?;
        }
    }
    if takes(input, "HAVING") {
        found.having = Some(logical(input, depth)?);
    }
    Ok(())
}

/// Takes `ROLLUP` or `CUBE` when a bracket follows; both may be names of fields otherwise.
fn rolled_up(input: &mut Tokens<'_, '_>) -> Grouping {
    for (word, grouping) in [("ROLLUP", Grouping::Rollup), ("CUBE", Grouping::Cube)] {
        let mut ahead = *input;
        if takes(&mut ahead, word) && sees(&ahead, "(") {
            *input = ahead;
            return grouping;
        }
    }
    Grouping::Plain
}

fn tail(input: &mut Tokens<'_, '_>, found: &mut Statement) -> Parsed<()> {
    if takes(input, "LIMIT") {
        found.limit = Some(whole(input)?);
    }
    if takes(input, "OFFSET") {
        found.offset = Some(whole(input)?);
    }
    if takes(input, "ALL") {
        expect(input, "ROWS")?;
        found.all_rows = true;
    }
    while takes(input, "FOR") {
        let word = token(input, Kind::Name)?.text.to_ascii_uppercase();
        found.purposes.push(word);
    }
    if takes(input, "UPDATE") {
        let word = |i: &mut Tokens<'_, '_>| token(i, Kind::Name).map(|word| word.text.to_ascii_uppercase());
        found.updates = separated(1.., word, comma).parse_next(input)?;
    }
    Ok(())
}

fn whole(input: &mut Tokens<'_, '_>) -> Parsed<u64> {
    any.verify_map(|token: &Token<'_>| (token.kind == Kind::Number).then(|| token.text.parse().ok()).flatten())
        .parse_next(input)
}

fn alias(input: &mut Tokens<'_, '_>, clauses_end: bool) -> Parsed<Option<String>> {
    let Some(token) = next(input).filter(|token| token.kind == Kind::Name) else {
        return Ok(None);
    };
    if RESERVED.iter().any(|word| is_word(&token, word))
        || (clauses_end && CLAUSES.iter().any(|word| is_word(&token, word)))
    {
        return Ok(None);
    }
    let _ = input.next_token();
    Ok(Some(token.text.to_owned()))
}

/// A dotted name; `reserved` refuses keywords at its beginning.
fn path_of(input: &mut Tokens<'_, '_>, reserved: bool) -> Parsed<Path> {
    let first = peek(any).parse_next(input)?;
    if reserved && RESERVED.iter().any(|word| is_word(first, word)) {
        return Err(Syntax::from_input(input));
    }
    let dot = |i: &mut Tokens<'_, '_>| expect(i, ".");
    let name = |i: &mut Tokens<'_, '_>| token(i, Kind::Name).map(|name| name.text.to_owned());
    let parts = separated(1.., name, dot).parse_next(input)?;
    Ok(Path { parts, at: first.at })
}

fn item(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Item> {
    if takes(input, "(") {
        let inner = select(input, depth)?;
        expect(input, ")")?;
        return Ok(Item::Children(Box::new(inner)));
    }
    if sees(input, "TYPEOF") {
        return type_of(input);
    }
    let found = expression(input, depth)?;
    if let Some(group) = field_group(&found) {
        return group.map(Item::Fields).ok_or_else(|| Syntax::from_input(input));
    }
    Ok(Item::Expression(found, alias(input, false)?))
}

fn field_group(found: &Expression) -> Option<Option<FieldGroup>> {
    let Expression::Call { name, argument: Some(argument) } = found else {
        return None;
    };
    let Expression::Field(argument) = argument.as_ref() else {
        return None;
    };
    if !name.dotted().eq_ignore_ascii_case("FIELDS") {
        return None;
    }
    Some(match argument.dotted().to_ascii_uppercase().as_str() {
        "ALL" => Some(FieldGroup::All),
        "STANDARD" => Some(FieldGroup::Standard),
        "CUSTOM" => Some(FieldGroup::Custom),
        _ => None,
    })
}

fn type_of(input: &mut Tokens<'_, '_>) -> Parsed<Item> {
    expect(input, "TYPEOF")?;
    let paths = |i: &mut Tokens<'_, '_>| separated(1.., |i: &mut Tokens<'_, '_>| path_of(i, true), comma).parse_next(i);
    let mut found = TypeOf { path: path_of(input, true)?, branches: Vec::new(), otherwise: Vec::new() };
    while takes(input, "WHEN") {
        let object = token(input, Kind::Name)?.text.to_owned();
        expect(input, "THEN")?;
        found.branches.push((object, paths(input)?));
    }
    if takes(input, "ELSE") {
        found.otherwise = paths(input)?;
    }
    expect(input, "END")?;
    Ok(Item::TypeOf(found))
}

fn expression(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Expression> {
    let depth = deeper(input, depth)?;
    let path = path_of(input, true)?;
    if !takes(input, "(") {
        return Ok(Expression::Field(path));
    }
    if takes(input, ")") {
        return Ok(Expression::Call { name: path, argument: None });
    }
    let argument = Some(Box::new(expression(input, depth)?));
    expect(input, ")")?;
    Ok(Expression::Call { name: path, argument })
}

fn order(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Order> {
    let by = expression(input, depth)?;
    let descending = !takes(input, "ASC") && takes(input, "DESC");
    let nulls_first = if !takes(input, "NULLS") {
        None
    } else if takes(input, "FIRST") {
        Some(true)
    } else {
        expect(input, "LAST")?;
        Some(false)
    };
    Ok(Order { by, descending, nulls_first })
}

/// One level of conditions: AND and OR do not mix, and NOT stands alone (grammar of Salesforce's apex-parser).
fn logical(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Condition> {
    let depth = deeper(input, depth)?;
    if takes(input, "NOT") {
        return Ok(Condition::Not(Box::new(simple(input, depth)?)));
    }
    let first = simple(input, depth)?;
    let word = match next(input) {
        Some(token) if is_word(&token, "AND") => "AND",
        Some(token) if is_word(&token, "OR") => "OR",
        _ => return Ok(first),
    };
    let mut parts = vec![first];
    while takes(input, word) {
        parts.push(simple(input, depth)?);
    }
    Ok(if word == "AND" { Condition::And(parts) } else { Condition::Or(parts) })
}

fn simple(input: &mut Tokens<'_, '_>, depth: usize) -> Parsed<Condition> {
    if takes(input, "(") {
        let inner = logical(input, depth)?;
        expect(input, ")")?;
        return Ok(inner);
    }
    let left = expression(input, depth)?;
    if takes(input, "NOT") {
        expect(input, "IN")?;
        return membership(input, left, false, depth);
    }
    if takes(input, "IN") {
        return membership(input, left, true, depth);
    }
    if takes(input, "INCLUDES") {
        return Ok(Condition::Includes(left, true, values(input)?));
    }
    if takes(input, "EXCLUDES") {
        return Ok(Condition::Includes(left, false, values(input)?));
    }
    let operator = comparison(input)?;
    Ok(Condition::Compare(left, operator, literal(input, operator == Comparison::Like)?))
}

fn comparison(input: &mut Tokens<'_, '_>) -> Parsed<Comparison> {
    any.verify_map(|token: &Token<'_>| match (token.kind, token.text) {
        (Kind::Sign, "=") => Some(Comparison::Equal),
        (Kind::Sign, "!=" | "<>") => Some(Comparison::NotEqual),
        (Kind::Sign, "<") => Some(Comparison::Less),
        (Kind::Sign, "<=") => Some(Comparison::LessOrEqual),
        (Kind::Sign, ">") => Some(Comparison::Greater),
        (Kind::Sign, ">=") => Some(Comparison::GreaterOrEqual),
        _ => is_word(token, "LIKE").then_some(Comparison::Like),
    })
    .parse_next(input)
}

fn membership(input: &mut Tokens<'_, '_>, left: Expression, positive: bool, depth: usize) -> Parsed<Condition> {
    let mut ahead = *input;
    if takes(&mut ahead, "(") && sees(&ahead, "SELECT") {
        *input = ahead;
        let inner = select(input, depth)?;
        expect(input, ")")?;
        return Ok(Condition::InSelect(left, positive, Box::new(inner)));
    }
    Ok(Condition::In(left, positive, values(input)?))
}

fn values(input: &mut Tokens<'_, '_>) -> Parsed<Vec<super::ast::Literal>> {
    expect(input, "(")?;
    let found = separated(1.., |i: &mut Tokens<'_, '_>| literal(i, false), comma).parse_next(input)?;
    expect(input, ")")?;
    Ok(found)
}
