//! SOQL as far as the host must understand it: what is selected, from where; the rest is carried verbatim.

mod group;
mod narrow;
mod path;
mod refuse;
pub(crate) mod scan;

pub use group::{FieldGroup, Selected};
pub use narrow::middle_id;
pub use path::FieldPath;

use crate::describe::check_name;
use crate::error::{Error, Result};
use refuse::{check_item, check_rest, check_where};
use scan::{Kind, MAX_SOQL_CHARS, Token, at, scan};

/// Words that follow the object and are not its alias.
const AFTER_OBJECT: [&str; 12] =
    ["USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ALL", "FOR", "UPDATE", "SCOPE"];

/// A query that Bulk API 2.0 can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Object after FROM.
    pub object: String,
    /// Alias of the object, used by `rest`.
    pub alias: Option<String>,
    /// What is selected; empty: every field that can be read. [`crate::resolve`] leaves nothing but fields.
    pub fields: Vec<Selected>,
    /// Everything after the object and its alias, verbatim.
    pub rest: String,
}

impl Select {
    /// Reads a whole query. Clauses that Bulk API 2.0 cannot run are refused with what to do instead.
    pub fn parse(soql: &str) -> Result<Self> {
        let tokens = scan(soql)?;
        let from = from_position(soql, &tokens)?;
        let fields = select_list(soql, &tokens[1..from])?;
        let (object, alias, rest_start) = object_and_alias(soql, &tokens[from + 1..])?;
        check_rest(soql, rest_start)?;
        let rest = soql[rest_start..].trim().to_owned();
        let fields = match &alias {
            Some(alias) => fields.into_iter().map(|item| item.without_prefix(alias)).collect(),
            None => fields,
        };
        let select = Self { object, alias, fields, rest };
        select.check().map(|()| select)
    }

    /// Builds a query. No `fields`: every field that can be read; a field may also be `FIELDS(ALL)`, `FIELDS(STANDARD)`
    /// or `FIELDS(CUSTOM)`. `filter` is what follows WHERE, without that word.
    pub fn from_fields<S: AsRef<str>>(object: &str, fields: &[S], filter: Option<&str>) -> Result<Self> {
        check_name(object)?;
        let fields = fields.iter().map(|text| Selected::parse(text.as_ref())).collect::<Result<Vec<_>>>()?;
        let filter = filter.map(str::trim).filter(|text| !text.is_empty());
        filter.map_or(Ok(()), check_where)?;
        let rest = filter.map(|text| format!("WHERE {text}")).unwrap_or_default();
        let select = Self { object: object.to_owned(), alias: None, fields, rest };
        select.check().map(|()| select)
    }

    /// The query as it is sent.
    pub fn to_soql(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(Selected::to_string).collect();
        let mut soql = format!("SELECT {} FROM {}", fields.join(", "), self.object);
        for part in self.alias.iter().chain(Some(&self.rest).filter(|rest| !rest.is_empty())) {
            soql.push(' ');
            soql.push_str(part);
        }
        soql
    }

    /// A query that has a row if this one has.
    pub(crate) fn probe(&self) -> String {
        self.counted("Id", 1)
    }

    /// A query that counts the rows of this one, but no further than `most`.
    pub fn count_up_to(&self, most: u64) -> String {
        self.counted("COUNT()", most)
    }

    /// A query that counts the rows of this one, whatever its LIMIT; that is told by [`Select::limit`].
    pub fn count_all(&self) -> String {
        const AFTER_FILTER: [&str; 3] = ["ORDER", "LIMIT", "OFFSET"];
        let tokens = scan(&self.rest).unwrap_or_default();
        let ends = |token: &&Token| token.depth == 0 && AFTER_FILTER.iter().any(|word| token.is_word(&self.rest, word));
        let end = tokens.iter().find(ends).map_or(self.rest.len(), |token| token.at.start);
        self.selecting("COUNT()", self.rest[..end].trim_end())
    }

    /// A query for the ids of this one's rows.
    pub fn ids(&self) -> String {
        self.selecting("Id", &self.rest)
    }

    fn selecting(&self, what: &str, rest: &str) -> String {
        let words = [Some(self.object.as_str()), self.alias.as_deref(), Some(rest).filter(|rest| !rest.is_empty())];
        format!("SELECT {what} FROM {}", words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn counted(&self, what: &str, most: u64) -> String {
        let alias = self.alias.as_ref().map(|alias| format!(" {alias}")).unwrap_or_default();
        let rest = match self.rest.is_empty() {
            true => String::new(),
            false => format!(" {}", self.rest),
        };
        format!("SELECT {what} FROM {}{alias}{rest} LIMIT {most}", self.object)
    }

    /// The number after LIMIT, if there is one at the top level.
    pub fn limit(&self) -> Option<u64> {
        let tokens = scan(&self.rest).ok()?;
        let at = tokens.iter().position(|token| token.depth == 0 && token.is_word(&self.rest, "LIMIT"))?;
        tokens.get(at + 1)?.text(&self.rest).parse().ok()
    }

    /// Whether a group of fields stands in the SELECT list.
    pub fn has_group(&self) -> bool {
        self.fields.iter().any(|item| item.path().is_none())
    }

    /// Keeps the columns of these numbers, in the order of the SELECT list. Numbers that do not exist are ignored.
    /// With none left, the first column stays: a query selects something.
    pub fn keep_columns(&mut self, columns: &[usize]) {
        let mut number = 0;
        let first = self.fields.first().cloned();
        self.fields.retain(|_| {
            number += 1;
            columns.contains(&(number - 1))
        });
        if self.fields.is_empty() {
            self.fields.extend(first);
        }
    }

    fn check(&self) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = self.fields.iter().find(|f| !seen.insert(f.to_string().to_ascii_lowercase())) {
            return Err(Error::query(format!("{twice} is selected twice; Salesforce refuses that, remove one")));
        }
        self.fields.iter().filter_map(Selected::path).try_for_each(|path| path.check_depth(&self.object))?;
        self.check_length()
    }

    pub(crate) fn check_length(&self) -> Result<()> {
        let length = self.to_soql().chars().count();
        if length > MAX_SOQL_CHARS {
            return Err(Error::query(format!(
                "the query has {length} characters, Salesforce takes {MAX_SOQL_CHARS}: name fewer fields or shorten the filter"
            )));
        }
        Ok(())
    }
}

fn from_position(soql: &str, tokens: &[Token]) -> Result<usize> {
    if !tokens.first().is_some_and(|t| t.is_word(soql, "SELECT")) {
        return Err(Error::query("a query starts with SELECT, for example SELECT Id, Name FROM Account"));
    }
    let is_from = |t: &Token| t.depth == 0 && t.is_word(soql, "FROM");
    tokens.iter().position(is_from).ok_or_else(|| Error::query("the query has no FROM, expected SELECT … FROM Object"))
}

fn select_list(soql: &str, tokens: &[Token]) -> Result<Vec<Selected>> {
    if tokens.is_empty() {
        return Err(Error::query("the query selects nothing, expected SELECT Id, Name FROM …"));
    }
    let is_top_comma = |t: &Token| t.kind == Kind::Comma && t.depth == 0;
    tokens.split(is_top_comma).map(|item| select_item(soql, item)).collect()
}

fn select_item(soql: &str, item: &[Token]) -> Result<Selected> {
    let Some(first) = item.first() else {
        return Err(Error::query("a comma too many in the SELECT list"));
    };
    if let Some(group) = FieldGroup::of_tokens(soql, item)? {
        return Ok(Selected::Group(group));
    }
    check_item(soql, item)?;
    match item {
        [_] => FieldPath::parse(first.text(soql)).map(Selected::Field),
        [_, second, ..] if second.kind == Kind::Word => Err(at(
            soql,
            first.at.start,
            "a comma is missing here, or this is an alias: Bulk knows none, rename with the transform `shape`",
        )),
        _ => Err(at(soql, first.at.start, "not a field")),
    }
}

/// Object, alias and where the rest starts, from the tokens after FROM.
fn object_and_alias(soql: &str, tokens: &[Token]) -> Result<(String, Option<String>, usize)> {
    let object = tokens.first().filter(|t| t.kind == Kind::Word);
    let object = object.ok_or_else(|| Error::query("an object is missing after FROM"))?;
    check_name(object.text(soql))?;
    let mut next = 1;
    if tokens.get(next).is_some_and(|t| t.is_word(soql, "AS")) {
        next += 1;
    }
    let is_alias = |t: &&Token| t.kind == Kind::Word && !AFTER_OBJECT.iter().any(|word| t.is_word(soql, word));
    let alias = tokens.get(next).filter(is_alias);
    if alias.is_some() {
        next += 1;
    }
    match tokens.get(next) {
        Some(t) if t.kind == Kind::Comma => Err(at(
            soql,
            t.at.start,
            "one object after FROM only; parents are reached by dots, for example Account.Name",
        )),
        Some(t) => Ok((object.text(soql).to_owned(), alias.map(|a| a.text(soql).to_owned()), t.at.start)),
        None => Ok((object.text(soql).to_owned(), alias.map(|a| a.text(soql).to_owned()), soql.len())),
    }
}

#[cfg(test)]
mod tests;
