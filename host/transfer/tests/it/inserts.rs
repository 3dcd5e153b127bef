//! Bulk inserts: modes, values, rejects.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use forcepump_batch::RowReject;
use forcepump_transfer::sql::{Connection, InsertMode, InsertOptions, Inserted, SqlError};
use rusqlite::types::Value as Stored;
use tempfile::TempDir;

use super::rows::{NASTY, WIDEST, every_type, plain};

struct Database {
    folder: TempDir,
    connection: Connection,
}

impl Database {
    fn with(table: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let dsn = format!("sqlite:{}", folder.path().join("a.db").display());
        let mut connection = Connection::open(&dsn).expect("open");
        connection.execute(table, &[]).expect(table);
        Self { folder, connection }
    }

    fn insert(&mut self, batch: &RecordBatch, options: &InsertOptions) -> Result<Inserted, SqlError> {
        self.connection.bulk_insert("t", batch, options)
    }

    /// What a plain SQLite client reads.
    fn read(&self, sql: &str) -> Vec<Vec<Stored>> {
        let other = rusqlite::Connection::open(self.folder.path().join("a.db")).expect("open");
        let mut statement = other.prepare(sql).expect(sql);
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|c| row.get(c)).collect()).expect(sql);
        rows.map(|row| row.expect("row")).collect()
    }
}

fn options(mode: InsertMode, keys: &[&str], collect_rejects: bool) -> InsertOptions {
    InsertOptions { mode, columns: Vec::new(), keys: keys.iter().map(|k| (*k).to_owned()).collect(), collect_rejects }
}

fn collecting() -> InsertOptions {
    options(InsertMode::Append, &[], true)
}

fn text(value: &str) -> Stored {
    Stored::Text(value.to_owned())
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).expect("batch")
}

fn ids(ids: &[Option<i64>], names: &[&str]) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    columns(vec![("id", Arc::new(Int64Array::from(ids.to_vec()))), ("name", names)])
}

#[test]
fn every_type_is_stored_as_the_table_says() {
    let batch = every_type();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
    let mut database = Database::with(&format!("CREATE TABLE t ({})", names.join(",")));
    let inserted = database.insert(&batch, &InsertOptions::default()).expect("insert");
    assert_eq!(inserted, Inserted { rows: 3, rejects: Vec::new() });
    let rows = database.read("SELECT * FROM t ORDER BY rowid");
    let (int, real, blob) = (Stored::Integer, Stored::Real, Stored::Blob);
    #[rustfmt::skip]
    assert_eq!(rows[0], [
        Stored::Null, int(1), int(1), int(1), int(1), int(1), int(1), int(1), int(1), int(1), real(1.5), real(0.1),
        text("plain"), blob(b"abc".to_vec()), real(12.5), real(0.001), int(7),
        text("2024-04-16"), text("19:00:00.000"), text("2024-04-16T19:00:00.000Z"),
    ]);
    #[rustfmt::skip]
    assert_eq!(rows[1], [
        Stored::Null, int(0), int(-128), int(-32768), int(i64::from(i32::MIN)), int(i64::MIN), int(255), int(65535),
        int(i64::from(u32::MAX)), text("18446744073709551615"), real(f64::from(f32::MAX)), real(-1e300),
        text(NASTY), blob(vec![0, 255]), text("-9999999999999999.99"), text(WIDEST), int(-7),
        text("0001-01-01"), text("23:59:59.999999"), text("1969-12-31T23:59:59.999999Z"),
    ]);
    assert!(rows[2].iter().all(|value| *value == Stored::Null));
}

fn decimals(values: &[i128], scale: i8) -> RecordBatch {
    let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(38, scale).expect("decimal");
    columns(vec![("d", Arc::new(array))])
}

#[test]
fn decimals_keep_every_digit_or_are_refused() {
    let wide = 1_234_567_890_123_456_789;
    for (declared, kept) in [
        ("TEXT", vec![text("12.50"), text("3.00"), text("12345678901234567.89")]),
        ("VARCHAR(20)", vec![text("12.50"), text("3.00"), text("12345678901234567.89")]),
        ("", vec![Stored::Real(12.5), Stored::Integer(3), text("12345678901234567.89")]),
        ("BLOB", vec![Stored::Real(12.5), Stored::Integer(3), text("12345678901234567.89")]),
        ("NUMERIC", vec![Stored::Real(12.5), Stored::Integer(3)]),
        ("DECIMAL(18,2)", vec![Stored::Real(12.5), Stored::Integer(3)]),
        ("INTEGER", vec![Stored::Real(12.5), Stored::Integer(3)]),
        ("REAL", vec![Stored::Real(12.5), Stored::Real(3.0)]),
    ] {
        let mut database = Database::with(&format!("CREATE TABLE t (d {declared})"));
        let inserted = database.insert(&decimals(&[1250, 300, wide], 2), &collecting()).expect("insert");
        let read: Vec<Stored> = database.read("SELECT d FROM t ORDER BY rowid").into_iter().flatten().collect();
        assert_eq!(read, kept, "{declared}");
        let codes: Vec<(u32, &str)> = inserted.rejects.iter().map(|r| (r.row, r.code.as_str())).collect();
        assert_eq!(codes, [(2, "decimal_not_exact")][..3 - kept.len()], "{declared}");
    }
}

#[test]
fn strict_tables_are_understood() {
    let mut database = Database::with("CREATE TABLE t (d ANY) STRICT");
    database.insert(&decimals(&[1250, 1_234_567_890_123_456_789], 2), &InsertOptions::default()).expect("insert");
    assert_eq!(database.read("SELECT d FROM t"), [[Stored::Real(12.5)], [text("12345678901234567.89")]]);
    let mut database = Database::with("CREATE TABLE t (d INTEGER) STRICT");
    let inserted = database.insert(&decimals(&[100, 150], 2), &collecting()).expect("insert");
    assert_eq!(inserted.rejects[0].code, "type_mismatch");
    assert_eq!(database.read("SELECT d FROM t"), [[Stored::Integer(1)]]);
}

#[test]
fn rows_that_the_database_refuses_become_rejects() {
    let mut database =
        Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> 'bad'))");
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("bad"), Some("again"), Some("z")]));
    let batch = columns(vec![("id", Arc::new(Int64Array::from(vec![1, 2, 3, 1, 5]))), ("name", names)]);
    let inserted = database.insert(&batch, &collecting()).expect("insert");
    let reject = |row, code: &str, reason: &str, column| RowReject {
        row,
        code: code.to_owned(),
        reason: reason.to_owned(),
        column,
    };
    let expected = vec![
        reject(1, "not_null_violation", "NOT NULL constraint failed: t.name", Some(1)),
        reject(2, "check_violation", "CHECK constraint failed: name <> ?", None),
        reject(3, "unique_violation", "UNIQUE constraint failed: t.id", Some(0)),
    ];
    assert_eq!(inserted, Inserted { rows: 2, rejects: expected });
    assert_eq!(database.read("SELECT id FROM t ORDER BY id"), [[Stored::Integer(1)], [Stored::Integer(5)]]);
}

#[test]
fn without_collecting_one_bad_row_takes_the_call_back() {
    let mut database = Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    let bad = ids(&[Some(10), Some(11), Some(10)], &["a", "b", "c"]);
    let error = database.insert(&bad, &InsertOptions::default()).expect_err("duplicate");
    let words = "row 2: UNIQUE constraint failed: t.id (SQLSTATE 23505)";
    assert_eq!(error.to_string(), words);
    assert!(database.read("SELECT * FROM t").is_empty());
    database.connection.begin().expect("begin");
    database.insert(&plain(0, 2), &InsertOptions::default()).expect("insert");
    assert_eq!(database.insert(&bad, &InsertOptions::default()).expect_err("duplicate").to_string(), words);
    database.insert(&plain(2, 2), &InsertOptions::default()).expect("insert");
    database.connection.commit().expect("commit");
    assert_eq!(database.read("SELECT count(*) FROM t"), [[Stored::Integer(4)]]);
}

#[test]
fn upsert_updates_what_the_batch_has() {
    let mut database = Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, kept TEXT)");
    database.connection.execute("INSERT INTO t VALUES (1, 'old', 'kept')", &[]).expect("row");
    let batch = ids(&[Some(1), Some(2), None, Some(2)], &["new", "two", "nobody", "two again"]);
    let inserted = database.insert(&batch, &options(InsertMode::Upsert, &["ID"], true)).expect("insert");
    assert_eq!((inserted.rows, inserted.rejects[0].row, inserted.rejects[0].code.as_str()), (3, 2, "null_key"));
    let expected =
        [[Stored::Integer(1), text("new"), text("kept")], [Stored::Integer(2), text("two again"), Stored::Null]];
    assert_eq!(database.read("SELECT * FROM t ORDER BY id"), expected);
    let keys_only = columns(vec![("id", Arc::new(Int64Array::from(vec![1, 7])))]);
    database.insert(&keys_only, &options(InsertMode::Upsert, &["id"], false)).expect("insert");
    assert_eq!(database.read("SELECT name FROM t WHERE id = 1"), [[text("new")]]);
}

#[test]
fn replace_replaces_the_row() {
    let mut database = Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, kept TEXT)");
    database.connection.execute("INSERT INTO t VALUES (1, 'old', 'kept')", &[]).expect("row");
    database.insert(&plain(1, 1), &options(InsertMode::Replace, &[], false)).expect("insert");
    assert_eq!(database.read("SELECT * FROM t"), [[Stored::Integer(1), text("name 1"), Stored::Null]]);
}

#[test]
fn columns_may_be_renamed_and_names_are_quoted() {
    let mut database = Database::with("CREATE TABLE t (\"or\"\"der by\" INTEGER, \"Account.Name\" TEXT)");
    let names = ["or\"der by", "Account.Name"].map(str::to_owned).to_vec();
    let renamed = InsertOptions { columns: names, ..InsertOptions::default() };
    database.insert(&plain(1, 1), &renamed).expect("insert");
    assert_eq!(database.read("SELECT * FROM t"), [[Stored::Integer(1), text("name 1")]]);
    let injected = database.connection.bulk_insert("t\" (id) VALUES (1); DROP TABLE t; --", &plain(1, 1), &renamed);
    assert!(matches!(&injected, Err(SqlError::Database { state, .. }) if state == "42P01"), "{injected:?}");
}

#[test]
fn wrong_options_are_said() {
    let mut database = Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    let named = |names: &[&str]| InsertOptions {
        columns: names.iter().map(|n| (*n).to_owned()).collect(),
        ..InsertOptions::default()
    };
    for (options, state) in [
        (named(&["id"]), "42601"),
        (named(&["id", "ID"]), "42701"),
        (named(&["id", "nowhere"]), "42703"),
        (named(&["id", ""]), "42602"),
        (named(&["id", "a\0b"]), "42602"),
        (options(InsertMode::Upsert, &[], false), "42P10"),
        (options(InsertMode::Upsert, &["nowhere"], false), "42703"),
        (options(InsertMode::Upsert, &["name"], false), "42P10"),
    ] {
        let error = database.insert(&plain(0, 1), &options).expect_err(state);
        assert!(matches!(&error, SqlError::Database { state: s, .. } if s == state), "{state}: {error:?}");
    }
    let nowhere = database.connection.bulk_insert("nowhere", &plain(0, 1), &InsertOptions::default());
    assert!(matches!(&nowhere, Err(SqlError::Database { state, .. }) if state == "42P01"), "{nowhere:?}");
    let system = database.connection.bulk_insert("sqlite_schema", &plain(0, 1), &named(&["type", "name"]));
    assert!(system.is_err(), "{system:?}");
    assert!(!database.connection.in_transaction());
}

#[test]
fn nan_and_types_without_a_like_are_refused() {
    let mut database = Database::with("CREATE TABLE t (f REAL)");
    let batch = columns(vec![("f", Arc::new(Float64Array::from(vec![1.0, f64::NAN, f64::INFINITY])))]);
    let inserted = database.insert(&batch, &collecting()).expect("insert");
    assert_eq!((inserted.rows, inserted.rejects[0].row, inserted.rejects[0].code.as_str()), (2, 1, "not_a_number"));
    let list = arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([Some([Some(1)])]);
    let error = database.insert(&columns(vec![("f", Arc::new(list))]), &collecting()).expect_err("list");
    assert!(error.to_string().contains("cast it"), "{error}");
}
