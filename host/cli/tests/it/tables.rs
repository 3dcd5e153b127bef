//! One form for what the org holds and for what each destination holds: names, and rows of texts.

use std::path::Path;

use forcepump_batch::ColumnText;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rusqlite::types::ValueRef;

/// A cell: its canonical text, or null.
pub type Cell = Option<String>;

/// Names and rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// column names in their order
    pub columns: Vec<String>,
    /// rows in their order
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// One column.
    #[track_caller]
    pub fn column(&self, name: &str) -> Vec<Cell> {
        let at = self.columns.iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns));
        self.rows.iter().map(|row| row[at].clone()).collect()
    }

    /// The same rows in an order that does not depend on pages.
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self
    }

    /// The same table with numbers of one column in plain notation, as many decimals as the scale.
    pub fn plain(mut self, column: &str, scale: usize) -> Self {
        self.edit(column, |text| plain(text, scale));
        self
    }

    /// Changes each text of one column.
    pub fn edit(&mut self, column: &str, change: impl Fn(&str) -> String) {
        let at = self.columns.iter().position(|name| name == column).expect("the column");
        for row in &mut self.rows {
            row[at] = row[at].as_deref().map(&change);
        }
    }
}

/// What a Bulk result says: a cell without a character in it is null, whatever its quotes.
pub fn bulk(text: &str) -> Table {
    let mut table = csv(text);
    for cell in table.rows.iter_mut().flatten() {
        *cell = cell.take().filter(|text| !text.is_empty());
    }
    table
}

/// RFC 4180 text with a header line; an empty cell is null, an empty text is in quotes.
pub fn csv(text: &str) -> Table {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (cell, after) = csv_cell(rest);
        row.push(cell);
        rest = match after.strip_prefix(',') {
            Some(more) => more,
            None => {
                rows.push(std::mem::take(&mut row));
                let after = after.strip_prefix('\r').unwrap_or(after);
                after.strip_prefix('\n').unwrap_or_else(|| panic!("a line end, not {after:.20}"))
            }
        };
    }
    let columns = if rows.is_empty() { Vec::new() } else { rows.remove(0) };
    Table { columns: columns.into_iter().map(Option::unwrap_or_default).collect(), rows }
}

fn csv_cell(text: &str) -> (Cell, &str) {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\r', '\n']).unwrap_or(text.len());
        return (Some(text[..end].to_owned()).filter(|text| !text.is_empty()), &text[end..]);
    };
    let mut cell = String::new();
    loop {
        let end = rest.find('"').expect("a closing quote");
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return (Some(cell), rest),
        }
    }
}

/// JSON lines, members in the order of the first line; numbers keep the digits they are written with.
pub fn jsonl(text: &str) -> Table {
    let mut table = Table::default();
    for line in text.lines() {
        let (columns, cells): (Vec<String>, Vec<Cell>) = members(line).into_iter().unzip();
        if table.columns.is_empty() {
            table.columns = columns;
        } else {
            assert_eq!(table.columns, columns, "each line has the same members in the same order");
        }
        table.rows.push(cells);
    }
    table
}

fn members(line: &str) -> Vec<(String, Cell)> {
    serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let mut rest = line.strip_prefix('{').expect("an object");
    let mut found = Vec::new();
    while !rest.starts_with('}') {
        let (name, after) = token(rest);
        let (value, after) = token(after.strip_prefix(':').expect("a colon"));
        let text = |token: &str| serde_json::from_str::<String>(token).expect("a string");
        let cell = match value {
            "null" => None,
            quoted if quoted.starts_with('"') => Some(text(quoted)),
            bare => Some(bare.to_owned()),
        };
        found.push((text(name), cell));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    found
}

/// A string with its quotes, or a bare word, and what follows it.
fn token(text: &str) -> (&str, &str) {
    let mut escaped = false;
    let string = text.starts_with('"');
    let end = text.char_indices().skip(1).find(|(_, c)| {
        if !string {
            return [',', ':', '}'].contains(c);
        }
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    let end = end.expect("an end").0 + usize::from(string);
    text.split_at(end)
}

/// A Parquet file.
pub fn parquet(path: &Path) -> Table {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let columns = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in builder.build().expect("a reader") {
        let batch = batch.expect("a batch");
        let texts: Vec<_> = batch.columns().iter().map(|c| ColumnText::new(c.as_ref()).expect("a text")).collect();
        rows.extend((0..batch.num_rows()).map(|row| texts.iter().map(|text| cell(text, row)).collect()));
    }
    Table { columns, rows }
}

fn cell(column: &ColumnText<'_>, row: usize) -> Cell {
    if column.is_null(row) {
        return None;
    }
    let mut text = Vec::new();
    column.write(row, &mut text);
    Some(String::from_utf8(text).expect("UTF-8"))
}

/// A whole table of a SQLite database.
pub fn sqlite(path: &Path, table: &str) -> Table {
    let db = rusqlite::Connection::open(path).expect("a database");
    let mut statement = db.prepare(&format!("SELECT * FROM \"{table}\"")).expect("a table");
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let rows = statement
        .query_map([], |row| (0..width).map(|at| row.get_ref(at).map(sql_cell)).collect())
        .and_then(Iterator::collect)
        .expect("rows");
    Table { columns, rows }
}

fn sql_cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8(text.to_vec()).expect("UTF-8")),
        ValueRef::Blob(bytes) => Some(format!("{bytes:?}")),
    }
}

/// A number in plain notation with `scale` decimals, worked out on its digits: `9.99E2` at 2 is `999.00`.
pub fn plain(text: &str, scale: usize) -> String {
    let (mantissa, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().expect("an exponent");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let shift = exponent - fraction.len() as i64 + scale as i64;
    if shift >= 0 {
        digits.push_str(&"0".repeat(shift as usize));
    } else {
        let cut = digits.len().saturating_sub(shift.unsigned_abs() as usize);
        assert!(digits[cut..].chars().all(|digit| digit == '0'), "{text} has more than {scale} decimals");
        digits.truncate(cut);
    }
    let digits = format!("{:0>1$}", digits.trim_start_matches('0'), scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if digits.chars().all(|digit| digit == '0') { "" } else { sign };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[test]
fn numbers_become_plain() {
    let table = [
        ("9.99E2", 2, "999.00"),
        ("-0.5", 1, "-0.5"),
        ("1.2E-3", 4, "0.0012"),
        ("100.0", 0, "100"),
        ("0.0", 2, "0.00"),
    ];
    for (text, scale, expected) in table {
        assert_eq!(plain(text, scale), expected);
    }
}

#[test]
fn readers_keep_what_is_awkward() {
    let table = csv("a,b\n,\"\"\n\"x\"\"y\n\",1\n");
    assert_eq!(table.rows, [[None, Some(String::new())], [Some("x\"y\n".to_owned()), Some("1".to_owned())]]);
    let table = jsonl("{\"a\":1.10,\"b\":\"q\\\"\\\\,}\"}\n{\"a\":null,\"b\":\"\"}\n");
    assert_eq!(table.rows[0], [Some("1.10".to_owned()), Some("q\"\\,}".to_owned())]);
    assert_eq!(table.rows[1], [None, Some(String::new())]);
}
