//! What a run left, read back by libraries that are not ours and told as texts that are the same in every run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::harness::Bench;

/// Rows of a table or of a Parquet file that are told.
const FIRST_ROWS: usize = 20;

/// Texts by name: one for each result file or table, and the rejects; run ids are taken out.
pub fn texts_of(bench: &Bench, report: &Value) -> BTreeMap<String, String> {
    let run = report["run_id"].as_str().expect("a run id");
    let mut texts = BTreeMap::new();
    for place in report["results"].as_array().expect("results") {
        let path = bench.path(place["path"].as_str().expect("a path"));
        match place["kind"].as_str() {
            Some("sqlite") => tables(&path, &mut texts),
            _ => files(&path, &place["files"], run, &mut texts),
        }
    }
    if let Some(path) = report["rejects_file"].as_str() {
        texts.insert("rejects.jsonl".to_owned(), rejects(&bench.read(path), run));
    }
    texts
}

/// Without what another build of the plugin, or another run, changes.
fn rejects(lines: &str, run: &str) -> String {
    let digest = |line: &Value| line["plugin"]["digest"].as_str().map(str::to_owned);
    let same = |line: &str| {
        let parsed: Value = serde_json::from_str(line).expect("JSON");
        let line = line.replace(run, "RUN");
        digest(&parsed).map_or_else(|| line.clone(), |digest| line.replace(&digest, "DIGEST")) + "\n"
    };
    lines.lines().map(same).collect()
}

fn files(folder: &Path, names: &Value, run: &str, texts: &mut BTreeMap<String, String>) {
    for name in names.as_array().expect("files").iter().filter_map(Value::as_str) {
        let path = folder.join(name);
        let file = path.file_name().expect("a file name").to_string_lossy().replace(&format!("-{run}"), "");
        match path.extension().and_then(|end| end.to_str()) {
            Some("parquet") => texts.insert(format!("{file}.txt"), parquet(&path)),
            Some("gz") => texts.insert(file.trim_end_matches(".gz").to_owned(), unzipped(&path)),
            _ => texts.insert(file, fs::read_to_string(&path).expect("a text")),
        };
    }
}

/// The schema and the first rows, as the parquet library tells them.
fn parquet(path: &Path) -> String {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    let metadata = reader.metadata().file_metadata();
    let mut schema = Vec::new();
    parquet::schema::printer::print_schema(&mut schema, metadata.schema());
    let mut text = String::from_utf8(schema).expect("a schema in UTF-8");
    text.push_str(&format!("\n{} rows, the first:\n", metadata.num_rows()));
    for row in reader.get_row_iter(None).expect("rows").take(FIRST_ROWS) {
        text.push_str(&format!("{}\n", row.expect("a row")));
    }
    text
}

fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).expect("a file")).read_to_string(&mut text).expect("a text");
    text
}

/// How each table was made and its first rows; not the ledger, which has run ids.
fn tables(path: &Path, texts: &mut BTreeMap<String, String>) {
    let db = rusqlite::Connection::open(path).expect("a database");
    let mut listed = db
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_forcepump%' ESCAPE '\\'",
        )
        .expect("a schema");
    let tables = listed.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).expect("tables");
    for (name, sql) in tables.map(|table| table.expect("a table")) {
        let count: i64 = db.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0)).expect("rows");
        let rows = first_rows(&db, &name);
        texts.insert(format!("{name}.txt"), format!("{sql}\n\n{count} rows, the first:\n{rows}"));
    }
}

fn first_rows(db: &rusqlite::Connection, table: &str) -> String {
    let mut select = db.prepare(&format!("SELECT * FROM \"{table}\" LIMIT {FIRST_ROWS}")).expect("a table");
    let columns = select.column_count();
    let mut rows = select.query([]).expect("rows");
    let mut text = String::new();
    while let Some(row) = rows.next().expect("a row") {
        let cells: Vec<String> = (0..columns).map(|column| cell(row.get_ref(column).expect("a cell"))).collect();
        text.push_str(&format!("{}\n", cells.join(" | ")));
    }
    text
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
