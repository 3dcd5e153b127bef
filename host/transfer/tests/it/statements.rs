//! Statements, queries and transactions that are allowed.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use forcepump_transfer::sql::{Connection, InsertOptions, SqlError, Value};
use tempfile::TempDir;

use super::rows::plain;

fn open() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().expect("folder");
    let connection = Connection::open(&dsn(&folder)).expect("open");
    (folder, connection)
}

fn dsn(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("a.db").display())
}

fn count(connection: &mut Connection) -> i64 {
    let rows = connection.query("SELECT count(*) FROM t", &[], 1).expect("count");
    rows.batch.column(0).as_primitive::<Int64Type>().value(0)
}

fn state(error: &SqlError) -> &str {
    match error {
        SqlError::Database { state, .. } => state,
        _ => "",
    }
}

#[test]
fn changes_are_counted() {
    let (_folder, mut connection) = open();
    assert_eq!(connection.execute("CREATE TABLE t (a, b)", &[]), Ok(0));
    let two = "INSERT INTO t VALUES (?1, ?2), (3, 4)";
    assert_eq!(connection.execute(two, &[Value::Int(1), Value::Text("x".to_owned())]), Ok(2));
    assert_eq!(connection.execute("CREATE TABLE u (a)", &[]), Ok(0));
    assert_eq!(connection.execute("UPDATE t SET b = NULL", &[]), Ok(2));
    assert_eq!(connection.execute("DELETE FROM t WHERE a = 99", &[]), Ok(0));
}

#[test]
fn parameters_of_every_kind() {
    let (_folder, mut connection) = open();
    let params = [
        Value::Null,
        Value::Boolean(true),
        Value::Int(-5),
        Value::Float(1.5),
        Value::Text("it's".to_owned()),
        Value::Bytes(vec![0, 1]),
        Value::Decimal("12.50".to_owned()),
        Value::Date(19_829),
        Value::Timestamp(1_713_294_000_000_000),
    ];
    let sql = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9";
    let row = connection.query(sql, &params, 1).expect("query").batch;
    let text = |column: usize| row.column(column).as_string::<i32>().value(0).to_owned();
    assert!(row.column(0).is_null(0));
    assert_eq!(row.column(1).as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(row.column(2).as_primitive::<Int64Type>().value(0), -5);
    assert_eq!(row.column(3).as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(text(4), "it's");
    assert_eq!(row.column(5).as_binary::<i32>().value(0), [0, 1]);
    assert_eq!(row.column(6).as_primitive::<Float64Type>().value(0), 12.5);
    assert_eq!((text(7), text(8)), ("2024-04-16".to_owned(), "2024-04-16T19:00:00.000Z".to_owned()));
    assert_eq!(state(&connection.query("SELECT ?1", &[], 1).expect_err("missing")), "07001");
}

#[test]
fn columns_take_the_type_of_their_values() {
    let (_folder, mut connection) = open();
    let mut types = |sql: &str| -> Vec<DataType> {
        let batch = connection.query(sql, &[], 10).expect(sql).batch;
        batch.schema().fields().iter().map(|field| field.data_type().clone()).collect()
    };
    use DataType::{Binary, Float64, Int64, Utf8};
    assert_eq!(types("SELECT 1, 1.5, 'x', x'00', NULL"), [Int64, Float64, Utf8, Binary, Utf8]);
    assert_eq!(types("VALUES (1, 1, 1, NULL), (NULL, 1.5, 'x', 2)"), [Int64, Float64, Utf8, Int64]);
    assert_eq!(types("VALUES (9007199254740993), (0.5)"), [Utf8], "a double would round the first");
    assert_eq!(types("SELECT 1 AS a WHERE 0"), [Utf8]);
}

#[test]
fn rows_beyond_the_limit_are_announced() {
    let (_folder, mut connection) = open();
    let numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x FROM n";
    let mut ask = |max| {
        let rows = connection.query(numbers, &[], max).expect("query");
        (rows.batch.num_rows(), rows.more)
    };
    assert_eq!((ask(0), ask(4), ask(5), ask(6)), ((0, true), (4, true), (5, false), (5, false)));
}

#[test]
fn mistakes_have_their_states() {
    let (_folder, mut connection) = open();
    connection.execute("CREATE TABLE t (a UNIQUE NOT NULL CHECK (a > 0))", &[]).expect("table");
    connection.execute("INSERT INTO t VALUES (1)", &[]).expect("row");
    for (statement, expected) in [
        ("SELEC 1", "42601"),
        ("INSERT INTO nowhere VALUES (1)", "42P01"),
        ("UPDATE t SET z = 1", "42703"),
        ("CREATE TABLE t (a)", "42P07"),
        ("UPDATE t SET a = missing(1)", "42883"),
        ("INSERT INTO t VALUES (1)", "23505"),
        ("INSERT INTO t VALUES (NULL)", "23502"),
        ("INSERT INTO t VALUES (-1)", "23514"),
        ("DELETE FROM t; DELETE FROM t", "42601"),
        ("SELECT 1", "0A000"),
    ] {
        assert_eq!(state(&connection.execute(statement, &[]).expect_err(statement)), expected, "{statement}");
    }
    assert_eq!(state(&connection.query("DELETE FROM t WHERE 0", &[], 1).expect_err("no rows")), "0A000");
    for nothing in ["", "  ", ";", "-- only a comment"] {
        assert_eq!(state(&connection.execute(nothing, &[]).expect_err("no statement")), "42601", "{nothing}");
        assert!(connection.query(nothing, &[], 1).is_err(), "{nothing}");
    }
}

#[test]
fn transactions_hold_and_are_rolled_back_on_drop() {
    let (folder, mut connection) = open();
    connection.execute("CREATE TABLE t (id, name)", &[]).expect("table");
    assert_eq!(state(&connection.commit().expect_err("none open")), "25P01");
    assert_eq!(state(&connection.rollback().expect_err("none open")), "25P01");
    connection.begin().expect("begin");
    assert_eq!(state(&connection.begin().expect_err("open")), "25001");
    connection.bulk_insert("t", &plain(0, 10), &InsertOptions::default()).expect("insert");
    connection.rollback().expect("rollback");
    assert_eq!(count(&mut connection), 0);
    connection.begin().expect("begin");
    connection.bulk_insert("t", &plain(0, 10), &InsertOptions::default()).expect("insert");
    connection.commit().expect("commit");
    connection.begin().expect("begin");
    connection.bulk_insert("t", &plain(10, 10), &InsertOptions::default()).expect("insert");
    drop(connection);
    let mut connection = Connection::open(&dsn(&folder)).expect("open");
    assert_eq!(count(&mut connection), 10);
    drop(connection);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["a.db"], "one clean file");
}

#[test]
fn another_reader_sees_whole_transactions_only() {
    let (folder, mut connection) = open();
    connection.execute("CREATE TABLE t (id, name)", &[]).expect("table");
    let mut reader = Connection::open(&dsn(&folder)).expect("open");
    connection.begin().expect("begin");
    connection.bulk_insert("t", &plain(0, 10), &InsertOptions::default()).expect("insert");
    assert_eq!(count(&mut reader), 0);
    connection.commit().expect("commit");
    assert_eq!(count(&mut reader), 10);
}

#[test]
fn a_batch_comes_back_as_it_went_in() {
    let (_folder, mut connection) = open();
    connection.execute("CREATE TABLE t (id INTEGER, name TEXT)", &[]).expect("table");
    connection.bulk_insert("t", &plain(0, 3), &InsertOptions::default()).expect("insert");
    let rows: RecordBatch = connection.query("SELECT id, name FROM t ORDER BY id", &[], 10).expect("query").batch;
    assert_eq!(rows.columns(), plain(0, 3).columns());
}
