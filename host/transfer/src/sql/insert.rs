//! Many rows into one table by one prepared statement.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use forcepump_batch::RowReject;
use rusqlite::Statement;

use super::bind::{Affinity, BindFailure, Column};
use super::{Connection, SqlError};

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InsertMode {
    /// It is refused, as any other broken constraint.
    #[default]
    Append,
    /// The columns of the batch are updated, the others stay (`ON CONFLICT … DO UPDATE`).
    Upsert,
    /// The old row goes, the new one comes (`INSERT OR REPLACE`).
    Replace,
}

/// How to insert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InsertOptions {
    /// What happens to a row whose key is there already.
    pub mode: InsertMode,
    /// Column names of the table, in the order of the batch; empty takes the batch's own.
    pub columns: Vec<String>,
    /// Columns that identify a row, for [`InsertMode::Upsert`]; the table has a unique index on them.
    pub keys: Vec<String>,
    /// Whether a row that the database refuses becomes a reject while the others go on.
    pub collect_rejects: bool,
}

/// What a bulk insert did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Rows inserted, updated or replaced.
    pub rows: u64,
    /// Rows refused, in the order of the batch; `column` is the batch's column at fault, where the database names it.
    pub rejects: Vec<RowReject>,
}

/// Savepoint that one call's rows can be taken back to.
const SAVEPOINT: &str = "forcepump_bulk_insert";

/// Inserts within a transaction or a savepoint of its own.
pub(crate) fn bulk_insert(
    connection: &Connection,
    table: &str,
    batch: &RecordBatch,
    options: &InsertOptions,
) -> Result<Inserted, SqlError> {
    let plan = Plan::new(table, batch, options)?;
    let columns = plan.resolve(connection, batch)?;
    let inside = connection.in_transaction();
    connection.host(&if inside { format!("SAVEPOINT {SAVEPOINT}") } else { "BEGIN IMMEDIATE".to_owned() })?;
    let result = insert_rows(connection, &plan, &columns, batch.num_rows());
    match result {
        Ok(inserted) => {
            let kept = connection.host(&if inside { format!("RELEASE {SAVEPOINT}") } else { "COMMIT".to_owned() });
            // A commit that a reader stands in the way of leaves the transaction open.
            kept.inspect_err(|_| take_back(connection, inside)).map(|()| inserted)
        }
        Err(error) => {
            take_back(connection, inside);
            Err(error)
        }
    }
}

/// Undoes the call. Some errors (a full disk) have ended the transaction already.
fn take_back(connection: &Connection, inside: bool) {
    if !connection.in_transaction() {
        return;
    }
    let undo = if inside { format!("ROLLBACK TO {SAVEPOINT}; RELEASE {SAVEPOINT}") } else { "ROLLBACK".to_owned() };
    // The first error is the one to tell; a failing undo leaves the transaction to be rolled back by the caller.
    let _ = connection.host(&undo);
}

/// The statement and its names.
struct Plan<'a> {
    table: &'a str,
    names: Vec<&'a str>,
    keys: Vec<usize>,
    sql: String,
    collect_rejects: bool,
}

impl<'a> Plan<'a> {
    fn new(table: &'a str, batch: &'a RecordBatch, options: &'a InsertOptions) -> Result<Self, SqlError> {
        let names: Vec<&str> = match options.columns.as_slice() {
            [] => batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect(),
            given => given.iter().map(String::as_str).collect(),
        };
        if names.len() != batch.num_columns() || names.is_empty() {
            let text = format!("the batch has {} columns, but {} names were given", batch.num_columns(), names.len());
            return Err(SqlError::database("42601", text));
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(name.to_ascii_lowercase())) {
            return Err(SqlError::database("42701", format!("the column \"{name}\" is named twice")));
        }
        let position = |key: &String| names.iter().position(|name| name.eq_ignore_ascii_case(key));
        let missing =
            |key: &String| SqlError::database("42703", format!("the key \"{key}\" is none of the inserted columns"));
        let keys = options.keys.iter().map(|key| position(key).ok_or_else(|| missing(key)));
        let keys = if options.mode == InsertMode::Upsert { keys.collect::<Result<Vec<_>, _>>()? } else { Vec::new() };
        if options.mode == InsertMode::Upsert && keys.is_empty() {
            return Err(SqlError::database("42P10", "an upsert needs at least one key column"));
        }
        let sql = statement_of(table, &names, &keys, options.mode)?;
        Ok(Self { table, names, keys, sql, collect_rejects: options.collect_rejects })
    }

    /// The batch's columns with the affinities of the table's.
    fn resolve<'b>(&self, connection: &Connection, batch: &'b RecordBatch) -> Result<Vec<Column<'b>>, SqlError> {
        let declared = declared_columns(connection, self.table)?;
        let columns = self.names.iter().zip(batch.columns()).map(|(name, array)| {
            let affinity = declared.get(&name.to_ascii_lowercase()).copied().unwrap_or(Affinity::None);
            Column::new(array.as_ref(), affinity).ok_or_else(|| {
                let text = format!(
                    "the column \"{name}\" has the type {}, which sqlite cannot hold; cast it or leave it out",
                    array.data_type()
                );
                SqlError::database("0A000", text)
            })
        });
        columns.collect()
    }

    /// The batch's column that SQLite names at the end of a message such as `NOT NULL constraint failed: t.Name`.
    fn column_in(&self, message: &str) -> Option<u32> {
        let (_, named) = message.split_once("failed: ")?;
        let first = named.split(", ").next()?;
        let column = first.strip_prefix(self.table)?.strip_prefix('.')?;
        let number = self.names.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        u32::try_from(number).ok()
    }
}

fn statement_of(table: &str, names: &[&str], keys: &[usize], mode: InsertMode) -> Result<String, SqlError> {
    let quoted = names.iter().map(|name| quoted(name)).collect::<Result<Vec<_>, _>>()?;
    let verb = if mode == InsertMode::Replace { "INSERT OR REPLACE" } else { "INSERT" };
    let marks = vec!["?"; names.len()].join(",");
    let mut sql = format!("{verb} INTO main.{} ({}) VALUES ({marks})", self::quoted(table)?, quoted.join(","));
    if mode == InsertMode::Upsert {
        let key_list: Vec<&str> = keys.iter().map(|key| quoted[*key].as_str()).collect();
        let others = quoted.iter().enumerate().filter(|(number, _)| !keys.contains(number));
        let updates: Vec<String> = others.map(|(_, name)| format!("{name}=excluded.{name}")).collect();
        let action =
            if updates.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", updates.join(",")) };
        sql += &format!(" ON CONFLICT ({}) DO {action}", key_list.join(","));
    }
    Ok(sql)
}

/// A name in SQL's quotes.
fn quoted(name: &str) -> Result<String, SqlError> {
    if name.is_empty() || name.contains('\0') {
        return Err(SqlError::database("42602", "a table or column name is empty or has a NUL character in it"));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// Names, in lower case, and affinities of the table's columns; none when there is no such table, which the insert itself will tell.
fn declared_columns(connection: &Connection, table: &str) -> Result<BTreeMap<String, Affinity>, SqlError> {
    connection.as_host(|db| {
        let mut strict = db.prepare_cached("SELECT strict FROM pragma_table_list(?1) WHERE schema = 'main'")?;
        let strict = strict.query_row([table], |row| row.get(0)).unwrap_or(false);
        let mut columns = db.prepare_cached("SELECT name, type FROM pragma_table_xinfo(?1, 'main')")?;
        let declared = columns.query_map([table], |row| {
            let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((name.to_ascii_lowercase(), Affinity::of(&kind, strict)))
        })?;
        declared.collect()
    })
}

fn insert_rows(
    connection: &Connection,
    plan: &Plan<'_>,
    columns: &[Column<'_>],
    rows: usize,
) -> Result<Inserted, SqlError> {
    let prepared = connection.db().prepare_cached(&plan.sql);
    let mut statement = prepared.map_err(|e| connection.failure(&e))?;
    let mut inserted = Inserted::default();
    let mut scratch = Vec::new();
    for row in 0..rows {
        let failure = match insert_row(plan, columns, row, &mut statement, &mut scratch) {
            Ok(()) => {
                inserted.rows += 1;
                continue;
            }
            Err(failure) => failure,
        };
        let reject = reject_of(connection, plan, row, failure)?;
        if !connection.in_transaction() {
            // `ON CONFLICT ROLLBACK` or `RAISE(ROLLBACK)`: the rows before are gone, those after would go in one by one.
            let text = format!("row {row} ended the transaction: {}", reject.reason);
            return Err(SqlError::database("40000", text));
        }
        if !plan.collect_rejects {
            return Err(SqlError::database(state_of(&reject.code), format!("row {row}: {}", reject.reason)));
        }
        inserted.rejects.push(reject);
    }
    Ok(inserted)
}

/// Why one row did not go in.
enum RowFailure {
    NullKey { column: usize },
    Cell { column: usize, failure: BindFailure },
    Refused(rusqlite::Error),
}

#[inline]
fn insert_row(
    plan: &Plan<'_>,
    columns: &[Column<'_>],
    row: usize,
    statement: &mut Statement<'_>,
    scratch: &mut Vec<u8>,
) -> Result<(), RowFailure> {
    // Nulls never conflict in SQL, so an upsert would insert such a row again and again.
    if let Some(column) = plan.keys.iter().find(|key| columns[**key].is_null(row)) {
        return Err(RowFailure::NullKey { column: *column });
    }
    for (number, column) in columns.iter().enumerate() {
        column
            .bind(row, number + 1, statement, scratch)
            .map_err(|failure| RowFailure::Cell { column: number, failure })?;
    }
    statement.raw_execute().map(drop).map_err(RowFailure::Refused)
}

/// The words for a refused row; an error when it is not the row's fault.
fn reject_of(connection: &Connection, plan: &Plan<'_>, row: usize, failure: RowFailure) -> Result<RowReject, SqlError> {
    let at = |column: usize| (u32::try_from(column).ok(), plan.names[column]);
    let (code, reason, column) = match failure {
        RowFailure::NullKey { column } => ("null_key", format!("the key \"{}\" is null", at(column).1), at(column).0),
        RowFailure::Cell { column, failure: BindFailure::NotANumber } => {
            ("not_a_number", format!("\"{}\" is NaN, which sqlite cannot store", at(column).1), at(column).0)
        }
        RowFailure::Cell { column, failure: BindFailure::NotExact } => {
            let name = at(column).1;
            let text =
                format!("\"{name}\" has more digits than its column keeps; declare the column TEXT or without a type");
            ("decimal_not_exact", text, at(column).0)
        }
        RowFailure::Cell { failure: BindFailure::Sqlite(error), .. } | RowFailure::Refused(error) => {
            let column = plan.column_in(&error.to_string());
            let (code, message) = match connection.failure(&error) {
                SqlError::Database { state, message } => {
                    (code_of(&state).ok_or_else(|| SqlError::database(&state, message.clone()))?, message)
                }
                SqlError::TooLarge(bytes) => ("too_large", SqlError::TooLarge(bytes).to_string()),
                other => return Err(other),
            };
            (code, message, column)
        }
    };
    let row = u32::try_from(row)
        .map_err(|_| SqlError::database("54000", "a batch has more rows than a reject can number"))?;
    Ok(RowReject { row, code: code.to_owned(), reason, column })
}

/// States that are one row's fault, with the reject's word for each.
const ROW_STATES: [(&str, &str); 9] = [
    ("23505", "unique_violation"),
    ("23502", "not_null_violation"),
    ("23503", "foreign_key_violation"),
    ("23514", "check_violation"),
    ("23000", "constraint_violation"),
    ("42804", "type_mismatch"),
    ("22003", "not_a_number"),
    ("22003", "decimal_not_exact"),
    ("22004", "null_key"),
];

fn code_of(state: &str) -> Option<&'static str> {
    ROW_STATES.iter().find(|(known, _)| *known == state).map(|(_, code)| *code)
}

fn state_of(code: &str) -> &'static str {
    ROW_STATES.iter().find(|(_, known)| *known == code).map_or("54000", |(state, _)| state)
}
