//! What a destination holds against what the org holds: by key and content.

use std::collections::BTreeMap;
use std::path::Path;

use forcepump_emulator::data::{CsvDialect, QueryMode};

use crate::harness::{Bench, Org};
use crate::tables::{self, Cell, Table};

/// Folder of the file destinations.
pub const FOLDER: &str = "out/Account";
/// Table of the others.
pub const TABLE: &str = "account";
/// The file that holds it.
pub const DATABASE: &str = "out.db";

/// Rows by their key: the first column, which is the id.
pub type Rows = BTreeMap<String, Vec<Cell>>;

/// What the org answers now, without any wire.
pub fn of_org(org: &Org, soql: &str, mode: QueryMode) -> Rows {
    let answer = org.emulator().org().prepare(soql, mode).unwrap_or_else(|error| panic!("{soql}: {error}"));
    let dialect = CsvDialect { delimiter: b',', crlf: false };
    let mut text = Vec::new();
    answer.csv_header(&dialect, &mut text);
    answer.csv_rows(0..answer.total(), &dialect, &mut text);
    let table = tables::bulk(&String::from_utf8(text).expect("UTF-8"));
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    keyed(&table, &columns).expect("ids are unique")
}

/// The rows of a table with these columns, in one form.
///
/// # Errors
/// The key that is there twice, or the column that is not there.
pub fn keyed(table: &Table, columns: &[&str]) -> Result<Rows, String> {
    let place = |name: &&str| table.columns.iter().position(|column| column == name).ok_or(format!("no column {name}"));
    let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Rows::new();
    for row in &table.rows {
        let cells: Vec<Cell> = places.iter().zip(columns).map(|(at, name)| form(name, row[*at].as_deref())).collect();
        let key = cells[0].clone().unwrap_or_default();
        if rows.insert(key.clone(), cells).is_some() {
            return Err(format!("the row {key} is there twice"));
        }
    }
    Ok(rows)
}

/// One form of a value, whatever the destination writes: numbers plain, truth as words, moments in milliseconds.
fn form(column: &str, cell: Option<&str>) -> Cell {
    let text = cell?;
    Some(match column {
        "AnnualRevenue" => tables::plain(text, 2),
        "IsDeleted" => match text {
            "0" => "false".to_owned(),
            "1" => "true".to_owned(),
            word => word.to_owned(),
        },
        "SystemModstamp" => chrono_like(text),
        _ => text.to_owned(),
    })
}

/// `2024-01-31T10:00:00.000Z`, `2024-01-31 10:00:00` and the like, up to the second: records have no parts of it.
fn chrono_like(text: &str) -> String {
    text.replace(' ', "T").chars().take("2024-01-31T10:00:00".len()).collect()
}

/// The table of the database; none when it is not there.
pub fn in_sqlite(bench: &Bench) -> Option<Table> {
    of_sqlite(bench, TABLE)
}

/// A table of the database by its name; none when it is not there.
pub fn of_sqlite(bench: &Bench, table: &str) -> Option<Table> {
    let path = bench.path(DATABASE);
    let opened =
        rusqlite::Connection::open(&path).and_then(|db| db.prepare(&format!("SELECT 1 FROM \"{table}\"")).map(drop));
    opened.is_ok().then(|| tables::sqlite(&path, table))
}

/// Whether the newest run has ended complete as far as the state knows, whether or not its process could say so.
pub fn newest_is_complete(bench: &Bench) -> bool {
    let newest = rusqlite::Connection::open(bench.path(".forcepump/state.db")).and_then(|db| {
        db.query_row("SELECT state FROM run ORDER BY rowid DESC LIMIT 1", [], |row| row.get::<_, String>(0))
    });
    newest.is_ok_and(|state| state.starts_with("complete"))
}

/// The rows of all files of that kind, and the names of files of no kind.
pub fn in_files(bench: &Bench, extension: &str) -> (Table, Vec<String>) {
    let (mut all, mut other) = (Table::default(), Vec::new());
    for path in files(&bench.path(FOLDER)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|found| found == extension) {
            let table = read(&path, extension);
            all.columns = table.columns;
            all.rows.extend(table.rows);
        } else if !name.starts_with("manifest") {
            other.push(name);
        }
    }
    (all, other)
}

fn read(path: &Path, extension: &str) -> Table {
    let text = || std::fs::read_to_string(path).expect("a file");
    match extension {
        "parquet" => tables::parquet(path),
        "jsonl" => tables::jsonl(&text()),
        _ => tables::csv(&text()),
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<_> = found.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// Whether both are the same; else the first keys that are lost, too many or different.
pub fn same(expected: &Rows, found: &Rows) -> Result<(), String> {
    const SHOWN: usize = 3;
    let lost: Vec<&String> = expected.keys().filter(|key| !found.contains_key(*key)).collect();
    let many: Vec<&String> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    let other: Vec<_> =
        found.iter().filter(|(key, row)| expected.get(*key).is_some_and(|known| known != *row)).collect();
    if lost.is_empty() && many.is_empty() && other.is_empty() {
        return Ok(());
    }
    let differ: Vec<String> =
        other.iter().take(SHOWN).map(|(key, row)| format!("{row:?} for {:?}", expected[*key])).collect();
    Err(format!(
        "{} of {} rows are lost {:?}, {} are too many {:?}, {} differ {}",
        lost.len(),
        expected.len(),
        lost.iter().take(SHOWN).collect::<Vec<_>>(),
        many.len(),
        many.iter().take(SHOWN).collect::<Vec<_>>(),
        other.len(),
        differ.join("; ")
    ))
}

/// Whether every row is one of the source's, as it must be at any instant.
pub fn part_of(expected: &Rows, found: &Rows) -> Result<(), String> {
    match found.iter().find(|(key, row)| expected.get(*key) != Some(row)) {
        None => Ok(()),
        Some((_, row)) => Err(format!("a row that the source does not have: {row:?}")),
    }
}
