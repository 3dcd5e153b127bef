//! Values in conditions: strings with escapes, numbers, dates, date literals.

use winnow::error::ParserError;
use winnow::stream::Stream;

use super::ast::Literal;
use super::lexer::Kind;
use super::parse::{Parsed, Syntax, Tokens, takes, token};

/// Longest string in a condition (SOQL reference, "SOQL limits").
const STRING_LIMIT_CHARS: usize = 4_000;
/// Date literals without a number (SOQL reference, "Date formats and date literals").
const RELATIVE: [&str; 23] = [
    "YESTERDAY",
    "TODAY",
    "TOMORROW",
    "LAST_WEEK",
    "THIS_WEEK",
    "NEXT_WEEK",
    "LAST_MONTH",
    "THIS_MONTH",
    "NEXT_MONTH",
    "LAST_QUARTER",
    "THIS_QUARTER",
    "NEXT_QUARTER",
    "LAST_YEAR",
    "THIS_YEAR",
    "NEXT_YEAR",
    "LAST_FISCAL_QUARTER",
    "THIS_FISCAL_QUARTER",
    "NEXT_FISCAL_QUARTER",
    "LAST_FISCAL_YEAR",
    "THIS_FISCAL_YEAR",
    "NEXT_FISCAL_YEAR",
    "LAST_90_DAYS",
    "NEXT_90_DAYS",
];
const UNITS: [&str; 7] = ["DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS"];
/// Length of an ISO 4217 code in front of an amount.
const CURRENCY_CODE_CHARS: usize = 3;

/// One value; `pattern` keeps the escapes that LIKE gives a meaning to.
pub(super) fn literal(input: &mut Tokens<'_, '_>, pattern: bool) -> Parsed<Literal> {
    let Some(next) = input.peek_token().copied() else {
        return Err(Syntax::from_input(input));
    };
    let found = match next.kind {
        Kind::Number => Literal::Number(next.text.to_owned()),
        Kind::Date => Literal::Date(next.text.to_owned()),
        Kind::DateTime => Literal::DateTime(next.text.to_owned()),
        Kind::Time => Literal::Time(next.text.to_owned()),
        Kind::Text => string(input, next.text, pattern)?,
        Kind::Name => return word(input, next.text),
        Kind::Sign | Kind::Bad => return Err(Syntax::from_input(input)),
    };
    let _ = input.next_token();
    Ok(found)
}

fn string(input: &Tokens<'_, '_>, raw: &str, pattern: bool) -> Parsed<Literal> {
    if raw.chars().count() > STRING_LIMIT_CHARS {
        return Err(Syntax::new(input, format!("string literal is longer than {STRING_LIMIT_CHARS} characters")));
    }
    let resolved = unescape(raw, pattern)
        .ok_or_else(|| Syntax::new(input, format!("Invalid string literal '{raw}'. Illegal character sequence")))?;
    Ok(if pattern { Literal::Pattern(resolved) } else { Literal::Text(resolved) })
}

/// Resolves escapes; `None` for a backslash in front of anything that is not one.
fn unescape(raw: &str, pattern: bool) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next()? {
            'n' | 'N' => out.push('\n'),
            'r' | 'R' => out.push('\r'),
            't' | 'T' => out.push('\t'),
            'b' | 'B' => out.push('\u{8}'),
            'f' | 'F' => out.push('\u{c}'),
            c @ ('"' | '\'') => out.push(c),
            '\\' => out.push_str(if pattern { "\\\\" } else { "\\" }),
            c @ ('%' | '_') if pattern => out.extend(['\\', c]),
            'u' | 'U' => out.push(unicode(&mut rest)?),
            _ => return None,
        }
    }
    Some(out)
}

/// Four hexadecimal digits; a pair of surrogates needs the second `\u` too.
fn unicode(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let unit = |rest: &mut std::str::Chars<'_>| -> Option<u16> {
        let digits: String = rest.by_ref().take(4).collect();
        if digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            u16::from_str_radix(&digits, 16).ok()
        } else {
            None
        }
    };
    let first = unit(rest)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(u32::from(first));
    }
    let follows = rest.next()? == '\\' && matches!(rest.next()?, 'u' | 'U');
    let second = follows.then(|| unit(rest)).flatten()?;
    char::decode_utf16([first, second]).next()?.ok()
}

fn word(input: &mut Tokens<'_, '_>, text: &str) -> Parsed<Literal> {
    let upper = text.to_ascii_uppercase();
    let start = *input;
    let _ = input.next_token();
    let found = match upper.as_str() {
        "NULL" => Some(Literal::Null),
        "TRUE" => Some(Literal::Boolean(true)),
        "FALSE" => Some(Literal::Boolean(false)),
        name if RELATIVE.contains(&name) => Some(Literal::Relative(upper, None)),
        name if is_counted(name) => counted(input, upper)?,
        _ => money(input, &upper)?,
    };
    found.ok_or_else(|| Syntax::from_input(&start))
}

fn is_counted(name: &str) -> bool {
    let unit = name.strip_prefix("LAST_N_").or_else(|| name.strip_prefix("NEXT_N_"));
    let ago = name.strip_prefix("N_").and_then(|rest| rest.strip_suffix("_AGO"));
    unit.or(ago).is_some_and(|unit| UNITS.contains(&unit))
}

fn counted(input: &mut Tokens<'_, '_>, name: String) -> Parsed<Option<Literal>> {
    if !takes(input, ":") {
        return Err(Syntax::from_input(input));
    }
    let here = *input;
    let count = token(input, Kind::Number)?.text.parse().map_err(|_| Syntax::from_input(&here))?;
    Ok(Some(Literal::Relative(name, Some(count))))
}

/// `USD5000` comes as one name, `USD5000.25` as a name, and the rest of the number.
fn money(input: &mut Tokens<'_, '_>, upper: &str) -> Parsed<Option<Literal>> {
    let Some((code, amount)) = upper.split_at_checked(CURRENCY_CODE_CHARS) else {
        return Ok(None);
    };
    if amount.is_empty() || !code.bytes().all(|b| b.is_ascii_uppercase()) || !amount.bytes().all(|b| b.is_ascii_digit())
    {
        return Ok(None);
    }
    let mut amount = amount.to_owned();
    if let Some(next) =
        input.peek_token().copied().filter(|next| next.kind == Kind::Number && next.text.starts_with('.'))
    {
        amount.push_str(next.text);
        let _ = input.next_token();
    }
    Ok(Some(Literal::Money(code.to_owned(), amount)))
}
