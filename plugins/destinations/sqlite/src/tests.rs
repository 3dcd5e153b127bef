//! The plugin as a whole, run natively against a real SQLite.

use super::*;
use forcepump_plugin_sdk::sql::{InsertMode, InsertOptions, Inserted, SqlError};
use forcepump_plugin_sdk::testing::{DestinationRun, Table, sql, take_metrics, target};
use forcepump_plugin_sdk::{DataType, Reject, Value};
use rusqlite::types::Value as Stored;
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

/// A SQLite in memory in the place of the host's connection.
struct InMemory(rusqlite::Connection);

fn failed(error: &rusqlite::Error) -> SqlError {
    SqlError::Database(("HY000".to_owned(), error.to_string()))
}

fn stored(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Boolean(value) => Stored::Integer((*value).into()),
        Value::Int(value) | Value::Timestamp(value) => Stored::Integer(*value),
        Value::Float(value) => Stored::Real(*value),
        Value::Text(text) | Value::Decimal(text) => Stored::Text(text.clone()),
        Value::Bytes(bytes) => Stored::Blob(bytes.clone()),
        Value::Date(day) => Stored::Text(forcepump_plugin_sdk::calendar::format_date(*day)),
    }
}

impl sql::Database for InMemory {
    fn transaction(&mut self, word: &str) -> Result<(), SqlError> {
        self.0.execute_batch(word).map_err(|error| failed(&error))
    }

    fn execute(&mut self, statement: &str, params: &[Value]) -> Result<u64, SqlError> {
        let params = rusqlite::params_from_iter(params.iter().map(stored));
        self.0.execute(statement, params).map(|rows| rows as u64).map_err(|error| failed(&error))
    }

    fn query(&mut self, statement: &str, params: &[Value]) -> Result<Table, SqlError> {
        self.rows(statement, params).map_err(|error| failed(&error))
    }

    fn bulk_insert(&mut self, table: &str, data: &Table, options: &InsertOptions) -> Result<Inserted, SqlError> {
        let names: Vec<String> = data.names().into_iter().map(forcepump_plugin_sdk::sql::quote).collect();
        let mut statement = format!(
            "INSERT {} INTO \"{table}\" ({}) VALUES ({})",
            if options.mode == InsertMode::Replace { "OR REPLACE" } else { "" },
            names.join(","),
            vec!["?"; names.len()].join(",")
        );
        if options.mode == InsertMode::Upsert {
            let sets: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
            statement += &format!(" ON CONFLICT ({}) DO UPDATE SET {}", options.keys.join(","), sets.join(","));
        }
        let mut inserted = Inserted { rows: 0, rejects: Vec::new() };
        for row in 0..data.rows() {
            let cells: Vec<Value> = (0..names.len()).map(|column| data.cells(column)[row].clone()).collect();
            match self.execute(&statement, &cells) {
                Ok(_) => inserted.rows += 1,
                Err(SqlError::Database((_, message))) => {
                    inserted.rejects.push(Reject::new(row as u32, "constraint", message));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(inserted)
    }
}

impl InMemory {
    fn rows(&self, statement: &str, params: &[Value]) -> rusqlite::Result<Table> {
        let mut prepared = self.0.prepare(statement)?;
        let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let mut columns = vec![Vec::new(); names.len()];
        let mut rows = prepared.query(rusqlite::params_from_iter(params.iter().map(stored)))?;
        while let Some(row) = rows.next()? {
            for (index, column) in columns.iter_mut().enumerate() {
                column.push(match row.get(index)? {
                    Stored::Null => Value::Null,
                    Stored::Integer(value) => Value::Text(value.to_string()),
                    Stored::Real(value) => Value::Text(value.to_string()),
                    Stored::Text(text) => Value::Text(text),
                    Stored::Blob(bytes) => Value::Bytes(bytes),
                });
            }
        }
        let all = names.iter().zip(columns);
        Ok(all.fold(Table::new(), |table, (name, cells)| table.column(name, DataType::Utf8, cells)))
    }
}

type Run = DestinationRun<Sqlite>;
type Outcome = Result<(), PluginError>;

struct Database(Rc<RefCell<InMemory>>);

impl Database {
    fn new() -> Self {
        let connection = rusqlite::Connection::open_in_memory().expect("opens");
        let shared = Rc::new(RefCell::new(InMemory(connection)));
        sql::grant("db", shared.clone());
        Database(shared)
    }

    fn run(&self, statement: &str) {
        self.0.borrow().0.execute_batch(statement).expect("runs");
    }

    /// Rows as `a|b`, null as `∅`.
    fn rows(&self, statement: &str) -> Vec<String> {
        let table = self.0.borrow().rows(statement, &[]).expect("answers");
        let columns: Vec<_> = table.names().into_iter().map(|name| table.texts(name)).collect();
        let cell = |column: &Vec<Option<String>>, row: usize| column[row].clone().unwrap_or_else(|| "∅".to_owned());
        (0..table.rows()).map(|row| columns.iter().map(|c| cell(c, row)).collect::<Vec<_>>().join("|")).collect()
    }
}

fn people(rows: &[(&str, Option<&str>)]) -> Table {
    Table::new().text("Id", rows.iter().map(|row| row.0)).text("Name", rows.iter().map(|row| row.1))
}

fn prepare(mode: WriteMode, keys: &[u32]) -> Result<Run, PluginError> {
    Run::prepare(target(&json!({"table": "t"}), &people(&[]).schema, mode, keys))
}

/// The same with a run of another id.
fn prepare_as(run: &str, mode: WriteMode) -> Result<Run, PluginError> {
    let mut target = target(&json!({"table": "t"}), &people(&[]).schema, mode, &[]);
    target.run_id = run.to_owned();
    Run::prepare(target)
}

const ALL: &str = "SELECT Id, Name FROM t ORDER BY 1, 2";

#[test]
fn the_same_unit_twice_has_the_effect_of_once() -> Outcome {
    let db = Database::new();
    let mut run = prepare(WriteMode::Append, &[])?;
    for unit in ["0", "1", "0"] {
        run.unit(unit, &[people(&[(unit, None)])])?;
    }
    prepare(WriteMode::Append, &[])?.unit("1", &[people(&[("1", None)])])?;
    assert_eq!(db.rows(ALL), ["0|∅", "1|∅"]);
    assert_eq!(run.tokens, ["1 rows in t", "1 rows in t", "1 rows in t"]);
    prepare_as("another", WriteMode::Append)?.unit("0", &[people(&[("0", Some("again"))])])?;
    assert_eq!(db.rows(ALL), ["0|∅", "0|again", "1|∅"]);
    Ok(())
}

#[test]
fn an_abandoned_unit_leaves_nothing() -> Outcome {
    let db = Database::new();
    let mut run = prepare(WriteMode::Append, &[])?;
    run.abandoned_unit("0", &[people(&[("0", None)])])?;
    assert!(db.rows(ALL).is_empty());
    run.unit("0", &[people(&[("0", None)])])?;
    assert_eq!(db.rows(ALL), ["0|∅"]);
    Ok(())
}

#[test]
fn a_table_grows_the_columns_that_it_lacks() -> Outcome {
    let db = Database::new();
    db.run("CREATE TABLE t (id TEXT); INSERT INTO t VALUES ('old')");
    prepare(WriteMode::Append, &[])?.unit("0", &[people(&[("new", Some("n"))])])?;
    assert_eq!(db.rows(ALL), ["new|n", "old|∅"]);
    Ok(())
}

#[test]
fn overwriting_shows_the_new_rows_only_at_the_end() -> Outcome {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT, Name TEXT); INSERT INTO t VALUES ('old', 'o'); CREATE INDEX i ON t (Name)");
    db.run("CREATE VIEW v AS SELECT Id FROM t; CREATE VIEW w AS SELECT Id FROM v");
    let mut run = prepare(WriteMode::Overwrite, &[])?;
    run.unit("0", &[people(&[("a", None)])])?;
    // A resumed run prepares again and keeps what is in.
    let again = prepare(WriteMode::Overwrite, &[])?;
    run.unit("1", &[people(&[("b", None)])])?;
    assert_eq!(db.rows(ALL), ["old|o"]);
    again.conclude(Ending::Complete)?;
    assert_eq!(db.rows(ALL), ["a|∅", "b|∅"]);
    assert_eq!(db.rows("SELECT Id FROM w ORDER BY 1"), ["a", "b"]);
    assert_eq!(db.rows("SELECT name FROM sqlite_master WHERE tbl_name = 't' ORDER BY 1"), ["i", "t"]);
    // And once more has the effect of once.
    prepare(WriteMode::Overwrite, &[])?.conclude(Ending::Complete)?;
    assert_eq!(db.rows(ALL), ["a|∅", "b|∅"]);
    prepare_as("next", WriteMode::Overwrite)?.conclude(Ending::Complete)?;
    assert!(db.rows(ALL).is_empty());
    Ok(())
}

#[test]
fn overwriting_takes_no_rows_of_other_tables() {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT PRIMARY KEY, Name TEXT)");
    db.run("CREATE TABLE child (t TEXT REFERENCES T (Id) ON DELETE CASCADE)");
    let refused = prepare(WriteMode::Overwrite, &[]).err().map(|error| format!("{error:?}")).unwrap_or_default();
    assert!(refused.contains("\\\"child\\\""), "{refused}");
}

#[test]
fn a_failed_overwrite_leaves_the_old_rows_and_nothing_else() -> Outcome {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT, Name TEXT); INSERT INTO t VALUES ('old', 'o')");
    let mut run = prepare(WriteMode::Overwrite, &[])?;
    run.unit("0", &[people(&[("a", None)])])?;
    run.conclude(Ending::Failed)?;
    assert_eq!(db.rows(ALL), ["old|o"]);
    assert!(db.rows("SELECT 1 FROM sqlite_master WHERE name = '_forcepump_new_t'").is_empty());
    assert!(matches!(prepare(WriteMode::Overwrite, &[]), Err(PluginError::Fatal(_))));
    prepare_as("next", WriteMode::Overwrite)?.conclude(Ending::Complete)
}

#[test]
fn merging_replaces_and_adds() -> Outcome {
    let db = Database::new();
    let mut run = prepare(WriteMode::Merge, &[0])?;
    run.unit("0", &[people(&[("1", Some("one")), ("2", Some("two"))])])?;
    run.unit("1", &[people(&[("2", Some("zwei")), ("3", None)])])?;
    prepare(WriteMode::Merge, &[0])?;
    assert_eq!(db.rows(ALL), ["1|one", "2|zwei", "3|∅"]);
    Ok(())
}

#[test]
fn merging_into_rows_with_equal_keys_names_the_way_out() {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT, Name TEXT); INSERT INTO t VALUES ('1', 'a'), ('1', 'b')");
    match prepare(WriteMode::Merge, &[0]) {
        Err(PluginError::Config(problems)) => assert!(problems[0].message.contains("remove the rows"), "{problems:?}"),
        other => panic!("expected a config error, got {other:?}"),
    }
}

#[test]
fn updating_changes_what_is_there_and_deleting_removes_it() -> Outcome {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT, Name TEXT); INSERT INTO t VALUES ('1', 'a'), ('2', 'b'), ('3', 'c')");
    let mut update = prepare(WriteMode::Update, &[0])?;
    update
        .unit("0", &[people(&[("1", Some("x")), ("9", Some("y"))]), people(&[("2", Some("p")), ("2", Some("q"))])])?;
    assert_eq!(db.rows(ALL), ["1|x", "2|q", "3|c"]);
    assert_eq!(update.tokens, ["2 rows in t"]);
    assert_eq!(take_metrics(), [("unmatched_rows".to_owned(), 1.0)], "9 is nowhere");
    let mut target = target(&json!({"table": "t"}), &people(&[]).schema, WriteMode::Delete, &[0]);
    target.run_id = "delete".to_owned();
    Run::prepare(target)?.unit("0", &[people(&[("1", None), ("3", None), ("7", None)])])?;
    assert_eq!(db.rows(ALL), ["2|q"]);
    assert_eq!(take_metrics(), [("unmatched_rows".to_owned(), 1.0)], "7 is nowhere");
    assert!(db.rows("SELECT 1 FROM sqlite_master WHERE name LIKE '%stage%'").is_empty());
    Ok(())
}

#[test]
fn text_does_not_go_where_numbers_are_kept() -> Outcome {
    let db = Database::new();
    let numbers = Table::new().text("Id", ["1"]).decimal("Budget", (18, 2), ["1.50"]).text("Note", ["a"]);
    let before = target(&json!({"table": "t"}), &numbers.schema, WriteMode::Append, &[]);
    db.run("CREATE TABLE t (Id TEXT, Budget NUMERIC, Note VARCHAR(9))");
    Run::prepare(before)?;
    let texts = Table::new().text("Id", ["1"]).text("Budget", ["007"]).text("Note", ["a"]);
    match Run::prepare(target(&json!({"table": "t"}), &texts.schema, WriteMode::Append, &[])) {
        Err(PluginError::Schema(text)) => assert!(text.contains("\"Budget\"") && text.contains("NUMERIC"), "{text}"),
        other => panic!("expected a schema error, got {other:?}"),
    }
    Ok(())
}

#[test]
fn one_index_is_enough_for_merging_and_deleting() -> Outcome {
    let db = Database::new();
    let indices = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 't'";
    prepare(WriteMode::Merge, &[0])?;
    prepare(WriteMode::Delete, &[0])?;
    assert_eq!(db.rows(indices), ["t__key_id"]);
    Ok(())
}

#[test]
fn rows_that_a_constraint_refuses_are_rejects() -> Outcome {
    let db = Database::new();
    db.run("CREATE TABLE t (Id TEXT, Name TEXT NOT NULL)");
    let rejects = prepare(WriteMode::Append, &[])?.unit("0", &[people(&[("1", None), ("2", Some("b"))])])?;
    assert_eq!(rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [0]);
    assert_eq!(db.rows(ALL), ["2|b"]);
    Ok(())
}

#[test]
fn names_may_hold_anything() -> Outcome {
    let db = Database::new();
    let table = Table::new().text("Account.Name", ["a"]).text("say \"hi\"", ["b"]).decimal("select", (18, 2), ["1.50"]);
    let target = target(&json!({"table": "my \"t\""}), &table.schema, WriteMode::Merge, &[0]);
    let mut run = Run::prepare(target)?;
    run.unit("0", &[])?;
    assert_eq!(db.rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name LIKE 'my%'").len(), 1);
    Ok(())
}

#[test]
fn wrong_targets_are_named() {
    let _db = Database::new();
    let problem = |config, mode, keys: &[u32]| match Run::prepare(target(&config, &people(&[]).schema, mode, keys)) {
        Err(PluginError::Config(problems)) => (problems[0].pointer.clone(), problems[0].message.clone()),
        other => panic!("expected a config error, got {other:?}"),
    };
    assert_eq!(problem(json!({"table": "sqlite_x"}), WriteMode::Append, &[]).0, "/table");
    assert!(problem(json!({}), WriteMode::Merge, &[]).1.contains("keys = [\"Id\"]"));
    assert_eq!(problem(json!({"tabel": "x"}), WriteMode::Append, &[]).0, "/tabel");
    let twice = Table::new().text("Id", ["1"]).text("id", ["1"]);
    let result = Run::prepare(target(&json!({}), &twice.schema, WriteMode::Append, &[]));
    assert!(matches!(result, Err(PluginError::Schema(_))));
}
