//! CSV tables to held rows: columns found, cells checked, then what the org itself adds to each record.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::csv_read::CsvReader;
use super::ids::{self, Id};
use super::schema::{ObjectDef, Schema};
use super::stored::{Stored, TextColumn};
use super::value;

/// Why an org could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not CSV.
    #[error("{}, line {line}: {problem}; expected comma-separated UTF-8 with doubled quotes", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file is named after nothing the org has.
    #[error("{}: there is no object '{object}'{}; name the file after an object, or after a custom object that ends in __c", path.display(), hint(nearest))]
    UnknownObject {
        /// The file.
        path: PathBuf,
        /// Its name without the extension.
        object: String,
        /// The object whose name is nearest.
        nearest: Option<String>,
    },
    /// A column is named after no field.
    #[error("{}: {object} has no field '{column}'{}", path.display(), hint(nearest))]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The object.
        object: String,
        /// The column's header.
        column: String,
        /// The field whose name is nearest.
        nearest: Option<String>,
    },
    /// A cell does not fit its field.
    #[error("{}, line {line}: {column} is '{value}', expected {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column's header.
        column: String,
        /// The cell, shortened.
        value: String,
        /// What would have fitted.
        expected: String,
    },
    /// Rows are to be generated for an object that the org does not have, or cannot have many of.
    #[error("cannot generate rows for '{object}'{}", hint(nearest))]
    Generate {
        /// What was asked for.
        object: String,
        /// The object whose name is nearest.
        nearest: Option<String>,
    },
    /// The tables inside the binary are broken.
    #[error("built-in schema: {0}")]
    Schema(String),
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

/// The name that is most like `wanted`, if any is like it at all.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Below this, names have little in common.
    const LIKE: f64 = 0.7;
    let wanted = wanted.to_lowercase();
    let score = |name: &str| strsim::jaro_winkler(&wanted, &name.to_lowercase());
    let best = names.into_iter().map(|name| (score(name), name)).filter(|(score, _)| *score >= LIKE);
    best.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, name)| name.to_owned())
}

/// The ids of records by the text of a field, for each object and field that is asked for.
pub type Indexes = HashMap<(usize, usize), HashMap<Vec<u8>, Vec<u8>>>;

/// A reference that is known by a field of its parent, until all tables are loaded.
#[derive(Debug, Clone)]
struct Unresolved {
    field: usize,
    parent: usize,
    key: usize,
    values: TextColumn,
}

/// Rows of one object while they are loaded.
#[derive(Debug, Clone)]
pub struct Draft {
    object: std::sync::Arc<ObjectDef>,
    rows: Stored,
    unresolved: Vec<Unresolved>,
}

enum Target {
    Field(usize),
    Parent(usize),
}

impl Draft {
    /// No rows yet.
    pub fn new(object: &std::sync::Arc<ObjectDef>) -> Draft {
        Draft { object: object.clone(), rows: Stored::empty(object), unresolved: Vec::new() }
    }

    /// Appends one record of fields whose values are in the held form; the other fields are null.
    pub fn push(&mut self, cells: &[(&str, &str)]) {
        let row = self.rows.rows;
        for (name, cell) in cells {
            if let Some(column) = self.object.field(name).and_then(|field| self.rows.columns.get_mut(field)) {
                column.pad(row);
                column.push(cell.as_bytes());
            }
        }
        self.rows.rows += 1;
    }

    /// Appends the records of a CSV text; `path` is for messages.
    ///
    /// # Errors
    /// When a column is unknown or a cell does not fit.
    pub fn read(&mut self, schema: &Schema, path: &Path, text: &str) -> Result<(), DataError> {
        let mut reader = CsvReader::new(text);
        let mut cells = Vec::new();
        let fault = |fault: super::csv_read::CsvFault| DataError::Csv {
            path: path.to_owned(),
            line: fault.line,
            problem: fault.problem.to_owned(),
        };
        if !reader.record(&mut cells).map_err(fault)? {
            return Ok(());
        }
        let header = cells.clone();
        let targets = header.iter().map(|column| self.target(schema, path, column)).collect::<Result<Vec<_>, _>>()?;
        loop {
            let line = reader.line();
            if !reader.record(&mut cells).map_err(fault)? {
                return Ok(());
            }
            if cells.len() != header.len() {
                let problem = format!("{} cells under {} headers", cells.len(), header.len());
                return Err(DataError::Csv { path: path.to_owned(), line, problem });
            }
            for ((target, column), cell) in targets.iter().zip(&header).zip(&cells) {
                self.take(target, cell).map_err(|expected| DataError::Cell {
                    path: path.to_owned(),
                    line,
                    column: column.clone(),
                    value: cell.chars().take(40).collect(),
                    expected,
                })?;
            }
            self.rows.rows += 1;
        }
    }

    fn take(&mut self, target: &Target, cell: &str) -> Result<(), String> {
        let row = self.rows.rows;
        match *target {
            Target::Field(index) => {
                let (Some(field), Some(column)) = (self.object.fields.get(index), self.rows.columns.get_mut(index))
                else {
                    return Ok(());
                };
                column.pad(row);
                column.push(value::canonical(field, cell)?.as_bytes());
            }
            Target::Parent(index) => {
                if let Some(parent) = self.unresolved.get_mut(index) {
                    parent.values.pad(row);
                    parent.values.push(cell.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// A column is a field, or `Relationship.Field` of a parent.
    fn target(&mut self, schema: &Schema, path: &Path, column: &str) -> Result<Target, DataError> {
        if let Some(field) = self.object.field(column) {
            return Ok(Target::Field(field));
        }
        let parent = column.split_once('.').and_then(|(relationship, key)| {
            let field = self.object.relationship(relationship)?;
            let parent = schema.find(self.object.fields.get(field)?.references.first()?)?;
            let key = schema.objects.get(parent)?.field(key)?;
            Some(Unresolved { field, parent, key, values: TextColumn::default() })
        });
        let Some(parent) = parent else {
            let names = self.object.fields.iter().map(|field| field.name.as_str());
            return Err(DataError::UnknownColumn {
                path: path.to_owned(),
                object: self.object.name.clone(),
                column: column.to_owned(),
                nearest: nearest(column, names),
            });
        };
        let known = self.unresolved.iter().position(|known| (known.field, known.key) == (parent.field, parent.key));
        Ok(Target::Parent(known.unwrap_or_else(|| {
            self.unresolved.push(parent);
            self.unresolved.len() - 1
        })))
    }

    /// Gives every row an id: the one in the data, else one that says the row's number.
    pub fn number(&mut self) {
        let Some(index) = self.object.field("Id") else { return };
        let prefix = self.object.prefix_bytes();
        let given = self.rows.columns.get(index).is_some_and(|column| !column.is_empty());
        self.rows.fill_gaps(Some(index), |_, row| ids::of_row(prefix, row).to_vec());
        if given {
            let all = (0..self.rows.rows).filter_map(|row| Some((Id::try_from(self.rows.cell(row, index)).ok()?, row)));
            self.rows.given_ids = Some(all.collect());
        }
    }

    /// The id of the row whose `key` holds each value.
    pub fn index(&self, key: usize) -> HashMap<Vec<u8>, Vec<u8>> {
        (0..self.rows.rows).map(|row| (self.rows.cell(row, key).to_vec(), self.rows.cell(row, 0).to_vec())).collect()
    }

    /// Parent objects and keys that references are still known by.
    pub fn wanted(&self) -> Vec<(usize, usize)> {
        self.unresolved.iter().map(|unresolved| (unresolved.parent, unresolved.key)).collect()
    }

    /// Turns parent keys into ids; `generated` gives the id for a parent whose rows are not held.
    /// A key that no parent has leaves the reference null.
    pub fn resolve(&mut self, indexes: &Indexes, generated: impl Fn(usize, &[u8]) -> Option<Vec<u8>>) {
        for unresolved in std::mem::take(&mut self.unresolved) {
            let index = indexes.get(&(unresolved.parent, unresolved.key));
            let id = |row: u64| {
                let key = Some(unresolved.values.get(row)).filter(|key| !key.is_empty())?;
                match index {
                    Some(index) => index.get(key).cloned(),
                    None => generated(unresolved.parent, key),
                }
            };
            self.rows.fill_gaps(Some(unresolved.field), |_, row| id(row).unwrap_or_default());
        }
    }

    /// The finished rows.
    pub fn finish(mut self, users: &[Vec<u8>]) -> Stored {
        super::complete::complete(&self.object, &mut self.rows, users);
        self.rows
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.rows
    }

    /// The ids of all rows.
    pub fn ids(&self) -> Vec<Vec<u8>> {
        (0..self.rows.rows).map(|row| self.rows.cell(row, 0).to_vec()).collect()
    }
}
