//! Rejects as a table, as counts and as lines of CSV.

use std::collections::HashSet;

use console::style;
use forcepump_pipeline::{DeadRow, Refusal, RefusalPlugin};

use super::numbers::count;
use super::table;
use crate::output::clean;

/// Different reasons that are listed; the others are one line.
const SHOWN_REASONS: usize = 50;
/// The table's columns.
const HEADER: [&str; 5] = ["Id", "row", "plugin", "code", "reason"];
/// What stands in a cell that is null.
const NULL_TEXT: &str = "null";

/// The first rows, and how many there are.
pub fn table(run: &str, shown: &[DeadRow], total: u64, width: usize) -> String {
    // Which feed it was is told when there are several.
    let several = shown.windows(2).any(|pair| pair[0].refusal.feed != pair[1].refusal.feed);
    let header: Vec<String> = several.then_some("feed").into_iter().chain(HEADER).map(str::to_owned).collect();
    let of = |row: &DeadRow| {
        let feed = several.then(|| row.refusal.feed.clone());
        feed.into_iter().chain(cells(&row.refusal)).collect()
    };
    let rows: Vec<Vec<String>> = shown.iter().map(of).collect();
    let mut text = format!("{}, {}", style(clean(run)).bold(), refused(total));
    if !shown.is_empty() {
        text.push_str(&format!("\n{}", table::last_in_full(&header, &rows, width)));
    }
    if total > shown.len() as u64 {
        let more = count(total - shown.len() as u64);
        text.push_str(&format!("\n … {more} more; --count counts them, --export FILE.csv writes them all"));
    }
    text
}

fn refused(total: u64) -> String {
    if total == 1 { "1 row refused".to_owned() } else { format!("{} rows refused", count(total)) }
}

fn cells(row: &Refusal) -> Vec<String> {
    let reason = match &row.column {
        Some(column) => format!("{column}: {}", row.reason),
        None => row.reason.clone(),
    };
    let id = row.id.clone().unwrap_or_else(|| NULL_TEXT.to_owned());
    vec![id, format!("{}:{}", row.unit, row.row), row.stage.clone(), row.code.clone(), reason]
}

/// How often each plugin gave each reason.
pub fn counts(run: &str, counts: &[([String; 3], u64)], total: u64, others: u64) -> String {
    let row = |([plugin, code, reason], rows): &([String; 3], u64)| {
        vec![plugin.clone(), code.clone(), count(*rows), reason.clone()]
    };
    let mut rows: Vec<Vec<String>> = counts.iter().take(SHOWN_REASONS).map(row).collect();
    let rest = counts.iter().skip(SHOWN_REASONS).map(|(_, rows)| rows).sum::<u64>() + others;
    if rest > 0 {
        rows.push(vec![String::new(), String::new(), count(rest), "other reasons".to_owned()]);
    }
    let heading = format!("{}, {}", style(clean(run)).bold(), refused(total));
    if rows.is_empty() {
        return heading;
    }
    format!("{heading}\n{}", table::whole(&["plugin", "code", "rows", "reason"], &rows))
}

/// Columns that are ours; Salesforce has no field that begins with an underscore.
const OURS: [&str; 11] =
    ["_run", "_feed", "_unit", "_row", "_plugin", "_version", "_digest", "_id", "_code", "_reason", "_column"];

/// The columns of the refused rows, in the order in which they first come.
#[derive(Default)]
pub struct CsvColumns {
    names: Vec<String>,
    known: HashSet<String>,
}

impl CsvColumns {
    /// Takes the columns of a row that are not known yet.
    pub fn add(&mut self, row: &Refusal) {
        for name in row.values.keys() {
            if !self.known.contains(name) {
                self.known.insert(name.clone());
                self.names.push(name.clone());
            }
        }
    }

    /// The first line.
    pub fn header(&self) -> String {
        let names = OURS.iter().copied().chain(self.names.iter().map(String::as_str));
        names.map(|name| cell(Some(name))).collect::<Vec<_>>().join(",")
    }

    /// A row: a null is nothing, an empty text is `""`, anything else is as it is.
    pub fn line(&self, row: &Refusal) -> String {
        let plugin = row.plugin.as_ref();
        let version = plugin.map(|RefusalPlugin { version, .. }| version.as_str());
        let digest = plugin.map(|RefusalPlugin { digest, .. }| digest.as_str());
        let number = row.row.to_string();
        let ours = [
            Some(row.run.as_str()),
            Some(&row.feed),
            Some(&row.unit),
            Some(&number),
            Some(&row.stage),
            version,
            digest,
            row.id.as_deref(),
            Some(&row.code),
            Some(&row.reason),
            row.column.as_deref(),
        ];
        let values = self.names.iter().map(|name| row.values.get(name).and_then(Option::as_deref));
        ours.into_iter().chain(values).map(cell).collect::<Vec<_>>().join(",")
    }
}

fn cell(value: Option<&str>) -> String {
    let Some(text) = value else { return String::new() };
    let plain = !text.is_empty()
        && !text.contains(['"', ',', '\n', '\r'])
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn refusal(values: &[(&str, Option<&str>)]) -> Refusal {
        let values: BTreeMap<_, _> =
            values.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        Refusal { code: "bad".to_owned(), reason: "say \"no\"".to_owned(), values, ..Refusal::default() }
    }

    #[test]
    fn values_are_as_they_are_and_quoted_where_they_must() {
        let row = refusal(&[("Name", Some("=1+1,2")), ("Note", Some("a\nb")), ("Empty", Some("")), ("Null", None)]);
        let mut columns = CsvColumns::default();
        columns.add(&row);
        columns.add(&refusal(&[("Later", Some("-5"))]));
        assert!(columns.header().ends_with(",_column,Empty,Name,Note,Null,Later"), "{}", columns.header());
        let line = columns.line(&row);
        assert!(line.ends_with("bad,\"say \"\"no\"\"\",,\"\",\"=1+1,2\",\"a\nb\",,"), "{line}");
        let line = columns.line(&refusal(&[("Later", Some("-5"))]));
        assert!(line.ends_with(",,,,-5"), "{line}");
    }
}
