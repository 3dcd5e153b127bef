//! The first rows of what a run wrote, read back from the files and databases themselves.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use arrow_array::RecordBatch;
use forcepump_transfer::sql::Connection;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

use crate::error::Error;
use crate::report::ResultPlace;
use crate::run::cell;

/// The longest line of a text file that is shown, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// The beginning of one table or file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// table or file
    pub title: String,
    /// column names; for text files the one column `line`
    pub columns: Vec<String>,
    /// cells as text; null is absent
    pub rows: Vec<Vec<Option<String>>>,
}

/// Reads the first `rows` rows of each table of a database, or of the first file of a folder.
///
/// # Errors
/// [`Error::Host`] when the result cannot be read.
pub fn head(place: &ResultPlace, rows: usize) -> Result<Vec<Head>, Error> {
    match place {
        ResultPlace::Sqlite { path } => tables(path, rows).map_err(|text| unreadable(path, text)),
        ResultPlace::Folder { path, files } => match files.iter().min() {
            Some(name) => {
                let file = Path::new(path).join(name);
                let read = file_head(&file, name, rows);
                Ok(vec![read.map_err(|text| unreadable(&file.display().to_string(), text))?])
            }
            None => Ok(Vec::new()),
        },
    }
}

fn unreadable(path: &str, text: String) -> Error {
    Error::Host { what: format!("cannot read {path} back"), error: std::io::Error::other(text) }
}

fn tables(path: &str, rows: usize) -> Result<Vec<Head>, String> {
    let mut database = Connection::open(&format!("sqlite:{path}")).map_err(|error| error.to_string())?;
    let list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_forcepump%' ESCAPE '\\' ORDER BY name";
    let names = database.query(list, &[], u32::MAX).map_err(|error| error.to_string())?.batch;
    let names = (0..names.num_rows()).filter_map(|row| cell(names.column(0), row));
    names.map(|name| table(&mut database, &name, rows)).collect()
}

fn table(database: &mut Connection, name: &str, rows: usize) -> Result<Head, String> {
    let limit = u32::try_from(rows).unwrap_or(u32::MAX);
    let query = format!("SELECT * FROM \"{}\" LIMIT {limit}", name.replace('"', "\"\""));
    let read = database.query(&query, &[], limit).map_err(|error| error.to_string())?;
    Ok(from_batch(name, &read.batch, rows))
}

fn file_head(path: &Path, name: &str, rows: usize) -> Result<Head, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => parquet_head(file, name, rows),
        _ => Ok(lines(file, name, rows)),
    }
}

fn parquet_head(file: File, name: &str, rows: usize) -> Result<Head, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    let schema = builder.schema().clone();
    let mut reader = builder.with_batch_size(rows.max(1)).build().map_err(|error| error.to_string())?;
    match reader.next() {
        Some(batch) => Ok(from_batch(name, &batch.map_err(|error| error.to_string())?, rows)),
        None => Ok(from_batch(name, &RecordBatch::new_empty(schema), rows)),
    }
}

fn lines(file: File, name: &str, rows: usize) -> Head {
    let text = BufReader::new(file).lines().map_while(Result::ok).take(rows);
    let rows = text.map(|line| vec![Some(line.chars().take(MAX_LINE_BYTES).collect())]).collect();
    Head { title: name.to_owned(), columns: vec!["line".to_owned()], rows }
}

fn from_batch(title: &str, batch: &RecordBatch, rows: usize) -> Head {
    let schema = batch.schema();
    let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
    let row = |number: usize| batch.columns().iter().map(|column| cell(column, number)).collect();
    Head { title: title.to_owned(), columns, rows: (0..batch.num_rows().min(rows)).map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_and_a_text_file_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db").display().to_string();
        let mut database = Connection::open(&format!("sqlite:{path}")).unwrap();
        database.execute("CREATE TABLE \"t\" (a TEXT, b INTEGER)", &[]).unwrap();
        database.execute("INSERT INTO t VALUES ('x', 1), (NULL, 2)", &[]).unwrap();
        drop(database);
        let heads = head(&ResultPlace::Sqlite { path }, 1).unwrap();
        assert_eq!(heads[0].columns, ["a", "b"]);
        assert_eq!(heads[0].rows, [[Some("x".to_owned()), Some("1".to_owned())]]);
        std::fs::write(folder.path().join("u.jsonl"), "{}\n{}\n").unwrap();
        let place = ResultPlace::Folder { path: folder.path().display().to_string(), files: vec!["u.jsonl".into()] };
        assert_eq!(head(&place, 1).unwrap()[0].rows.len(), 1);
    }
}
