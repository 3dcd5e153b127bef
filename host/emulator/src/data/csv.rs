//! Rows as Bulk CSV: every cell in quotes, numbers as Java prints doubles, null as nothing.

use std::ops::Range;

use super::generate::Picked;
use super::number::java_double;
use super::resolve::{End, FieldPath};
use super::schema::FieldType;
use super::stored::TextColumn;
use super::tables::{Table, Tables};
use super::{CsvDialect, Rows};

/// Bytes of a row that are made room for ahead.
const ROW_BYTES_GUESS: usize = 256;

/// How the cells of a column are found.
enum Source<'a> {
    Generated(Picked<'a>),
    Held(&'a TextColumn, FieldType),
    /// Over relationships, one after the other.
    Path(&'a FieldPath),
}

/// Appends the header line.
pub fn header(names: impl Iterator<Item = String>, dialect: &CsvDialect, out: &mut Vec<u8>) {
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(dialect.delimiter);
        }
        quoted(name.as_bytes(), out);
    }
    line_end(dialect, out);
}

fn line_end(dialect: &CsvDialect, out: &mut Vec<u8>) {
    out.extend_from_slice(if dialect.crlf { b"\r\n" } else { b"\n" });
}

/// Appends the lines of the rows at these places of the result.
pub fn rows(
    tables: &Tables,
    object: usize,
    columns: &[FieldPath],
    rows: &Rows,
    range: Range<u64>,
    dialect: &CsvDialect,
    out: &mut Vec<u8>,
) {
    let sources: Vec<Source<'_>> = columns.iter().map(|column| source(tables, object, column)).collect();
    let count = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
    out.reserve(count.saturating_mul(ROW_BYTES_GUESS).min(1 << 24));
    let ending: &[u8] = if dialect.crlf { b"\r\n" } else { b"\n" };
    for place in range {
        let Some(row) = rows.at(place) else { return };
        for (index, source) in sources.iter().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            match source {
                Source::Generated(column) => column.csv(row, out),
                Source::Held(column, kind) => held(*kind, column.get(row), out),
                Source::Path(path) => over(tables, path, row, out),
            }
        }
        out.extend_from_slice(ending);
    }
}

fn source<'a>(tables: &'a Tables, object: usize, column: &'a FieldPath) -> Source<'a> {
    let local = column.local().and_then(|field| match tables.tables.get(object)?.as_ref() {
        Table::Generated(generated) => generated.pick(field).map(Source::Generated),
        Table::Stored(stored) => stored.columns.get(field).map(|cells| Source::Held(cells, column.kind)),
    });
    local.unwrap_or(Source::Path(column))
}

fn over(tables: &Tables, path: &FieldPath, row: u64, out: &mut Vec<u8>) {
    let end = path.record(tables, row).and_then(|at| Some((at, path.ends.iter().find(|end| end.0 == at.0)?.1)));
    match end {
        None => out.extend_from_slice(b"\"\""),
        Some(((object, _), End::TypeName)) => quoted(tables.object(object).name.as_bytes(), out),
        Some(((object, row), End::Field(field))) => match tables.tables[object].as_ref() {
            Table::Generated(generated) => generated.csv(row, field, out),
            Table::Stored(stored) => held(path.kind, stored.cell(row, field), out),
        },
    }
}

fn held(kind: FieldType, text: &[u8], out: &mut Vec<u8>) {
    if kind.is_decimal() && !text.is_empty() {
        out.push(b'"');
        java_double(text, out);
        out.push(b'"');
    } else {
        quoted(text, out);
    }
}

/// Appends a cell with its quotes doubled.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        let (head, tail) = rest.split_at(quote + 1);
        out.extend_from_slice(head);
        out.push(b'"');
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
