//! What no pipeline reads, by whichever API, each with what to do instead: a row is a record, a column one of its fields.
//! Bulk API runs none of it (Bulk API 2.0 guide, "Create a query job"); REST would, and the rows would not be the same.

use super::scan::{Kind, Token, at, scan};
use crate::error::{Error, Result};

const AGGREGATES: [&str; 6] = ["COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"];
const DATE_FUNCTIONS: [&str; 16] = [
    "CALENDAR_MONTH",
    "CALENDAR_QUARTER",
    "CALENDAR_YEAR",
    "DAY_IN_MONTH",
    "DAY_IN_WEEK",
    "DAY_IN_YEAR",
    "DAY_ONLY",
    "FISCAL_MONTH",
    "FISCAL_QUARTER",
    "FISCAL_YEAR",
    "HOUR_IN_DAY",
    "WEEK_IN_MONTH",
    "WEEK_IN_YEAR",
    "convertTimezone",
    "ROLLUP",
    "CUBE",
];
/// Clauses at the top level of a query: words, and why not.
const REFUSED_CLAUSES: [(&[&str], &str); 9] = [
    (
        &["GROUP", "BY"],
        "a pipeline reads records, by whichever API, and does not GROUP BY; read the rows and group them in the transform `aggregate`",
    ),
    (&["HAVING"], "a pipeline reads records and does not group, so there is no HAVING"),
    (&["OFFSET"], "a pipeline reads every row, by whichever API, and has no OFFSET; filter by Id or a date instead"),
    (&["ALL", "ROWS"], "ALL ROWS is for Apex; set action = \"query-all\" to read deleted rows too"),
    (&["FOR", "VIEW"], "FOR VIEW changes the records' last-viewed date and has no place in an export"),
    (&["FOR", "REFERENCE"], "FOR REFERENCE changes the records' last-referenced date and has no place in an export"),
    (&["FOR", "UPDATE"], "FOR UPDATE is for Apex"),
    (&["UPDATE"], "UPDATE TRACKING and UPDATE VIEWSTAT have no place in an export"),
    (&["WITH", "SECURITY_ENFORCED"], "WITH SECURITY_ENFORCED is for Apex; field-level security applies anyway"),
];
/// Clauses that may follow a WHERE in a query but are no condition.
const AFTER_WHERE: [(&[&str], &str); 2] = [(&["ORDER", "BY"], "ORDER BY"), (&["LIMIT"], "LIMIT")];

/// Refuses items of a SELECT list that are not fields.
pub(super) fn check_item(soql: &str, item: &[Token]) -> Result<()> {
    let [first, rest @ ..] = item else {
        return Ok(());
    };
    let word = first.text(soql);
    let is_call = rest.first().is_some_and(|t| t.kind == Kind::Open);
    let why = match first.kind {
        Kind::Open => {
            "sub-selects of children are not possible: a column holds one value; read the child object as a pipeline of its own"
                .into()
        }
        Kind::Word if word.eq_ignore_ascii_case("TYPEOF") => {
            "TYPEOF gives a row fields of its own, and a column is there for all rows; name fields of the parent, for example Owner.Name".into()
        }
        Kind::Word if is_call => why_no_function(word),
        Kind::Word => return Ok(()),
        Kind::Sign if word == "*" => "SOQL has no *; select FIELDS(ALL), which becomes every readable field".into(),
        _ => "not a field".into(),
    };
    Err(at(soql, first.at.start, &why))
}

/// Why a function has no place in a SELECT list, and what has.
fn why_no_function(word: &str) -> String {
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    if is(&AGGREGATES) {
        return "a pipeline reads records, by whichever API, and does not aggregate; read the rows and aggregate them in the \
                transform `aggregate` or at the destination, or look once with `forcepump org query`"
            .to_owned();
    }
    let why = if is(&["toLabel"]) {
        "gives labels in the user's language, which change while the value stays; select the plain field"
    } else if is(&["FORMAT"]) {
        "gives text as the user's locale writes it, which no type fits; select the plain field"
    } else if is(&["convertCurrency"]) {
        "converts to the user's currency at a rate of its own; select the plain field and CurrencyIsoCode"
    } else if is(&["DISTANCE"]) {
        "has no field to take a type from; select the latitude and longitude and work it out"
    } else if is(&["GROUPING"]) || DATE_FUNCTIONS.iter().any(|name| word.eq_ignore_ascii_case(name)) {
        "is for GROUP BY, which a pipeline does not have; select the plain field"
    } else {
        "is not supported; select the plain field"
    };
    format!("{word}() {why}")
}

/// Refuses clauses after the object, from `start` of the query on, that no pipeline reads by.
pub(super) fn check_rest(soql: &str, start: usize) -> Result<()> {
    let rest = soql[start..].trim_end();
    let tokens = top_level(rest)?;
    for (words, why) in REFUSED_CLAUSES {
        if let Some(position) = find(rest, &tokens, words) {
            return Err(at(soql, start + tokens[position].at.start, why));
        }
    }
    let starts = ["USING", "WHERE", "WITH", "ORDER", "LIMIT"];
    match tokens.first() {
        Some(first) if !starts.iter().any(|word| first.is_word(rest, word)) => {
            Err(at(soql, start + first.at.start, "unexpected here; expected WHERE, ORDER BY or LIMIT"))
        }
        _ => slip(rest, &tokens).map_or(Ok(()), |(place, why)| Err(at(soql, start + place, why))),
    }
}

/// Refuses a `where` that is not a plain condition.
pub(super) fn check_where(text: &str) -> Result<()> {
    let tokens = top_level(text)?;
    if tokens.first().is_some_and(|t| t.is_word(text, "WHERE")) {
        let corrected = text["WHERE".len()..].trim();
        return Err(Error::query(format!("`where` is written without the word WHERE: where = {corrected:?}")));
    }
    for (words, name) in AFTER_WHERE {
        if let Some(position) = find(text, &tokens, words) {
            let why = format!("{name} is no condition; give the whole query as query = \"SELECT … {name} …\" instead");
            return Err(at(text, tokens[position].at.start, &why));
        }
    }
    for (words, why) in REFUSED_CLAUSES {
        if let Some(position) = find(text, &tokens, words) {
            return Err(at(text, tokens[position].at.start, why));
        }
    }
    slip(text, &tokens).map_or(Ok(()), |(place, why)| Err(at(text, place, why)))
}

/// A slip that Salesforce answers with "unexpected token": where, and what to write.
fn slip(text: &str, tokens: &[Token]) -> Option<(usize, &'static str)> {
    let is_null = |pair: &&[Token]| pair[0].is_word(text, "IS");
    let pair = tokens.windows(2).find(is_null)?;
    Some((pair[0].at.start, "SOQL has no IS NULL; write Field = null or Field != null"))
}

fn top_level(text: &str) -> Result<Vec<Token>> {
    Ok(scan(text)?.into_iter().filter(|t| t.depth == 0).collect())
}

/// Where these words follow each other as a clause; a field of that name before an operator is not one.
fn find(text: &str, tokens: &[Token], words: &[&str]) -> Option<usize> {
    (0..tokens.len()).find(|&start| {
        let all =
            words.iter().enumerate().all(|(i, word)| tokens.get(start + i).is_some_and(|t| t.is_word(text, word)));
        let compared = tokens.get(start + words.len()).is_some_and(|t| t.kind == Kind::Sign);
        all && !compared
    })
}
