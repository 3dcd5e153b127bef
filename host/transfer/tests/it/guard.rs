//! What a guest's statement may not do.

use forcepump_transfer::sql::{Connection, SqlError, Value};
use tempfile::TempDir;

fn open() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().expect("folder");
    let connection = Connection::open(&dsn(&folder)).expect("open");
    (folder, connection)
}

fn dsn(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("sub/granted.db").display())
}

#[test]
fn only_the_granted_file_is_touched() {
    let (folder, mut connection) = open();
    let other = folder.path().join("other.db");
    connection.execute("CREATE TABLE t (a)", &[]).expect("table");
    let path = other.display();
    for statement in [
        &format!("ATTACH DATABASE '{path}' AS o"),
        "ATTACH ':memory:' AS o",
        "DETACH main",
        &format!("VACUUM INTO '{path}'"),
        "VACUUM",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = OFF",
        "PRAGMA journal_mode",
        "PRAGMA synchronous = OFF",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA user_version = 7",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA database_list",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "CREATE VIRTUAL TABLE v USING fts5(x)",
        "CREATE TEMP TABLE x (a)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
    ] {
        let error = connection.execute(statement, &[]).err();
        assert!(matches!(&error, Some(SqlError::Denied(_))), "{statement}: {error:?}");
        assert!(connection.query(statement, &[], 1).is_err(), "{statement}");
    }
    assert!(!other.exists());
    let files = std::fs::read_dir(folder.path().join("sub")).expect("folder").count();
    assert_eq!(files, 1, "nothing but the database");
}

#[test]
fn table_valued_pragmas_are_held_to_the_same_list() {
    let (_folder, mut connection) = open();
    connection.execute("CREATE TABLE t (a INTEGER, b TEXT)", &[]).expect("table");
    let rows = connection.query("SELECT name FROM pragma_table_info('t')", &[], 10).expect("allowed");
    assert_eq!(rows.batch.num_rows(), 2);
    connection.query("PRAGMA table_info(t)", &[], 10).expect("allowed");
    let refused = connection.query("SELECT * FROM pragma_database_list", &[], 10);
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
}

#[test]
fn the_schema_table_is_read_only() {
    let (_folder, mut connection) = open();
    connection.query("SELECT * FROM sqlite_schema", &[], 1).expect("readable");
    for statement in ["DELETE FROM sqlite_schema", "UPDATE sqlite_schema SET sql = ''", "DROP TABLE sqlite_schema"] {
        assert!(connection.execute(statement, &[]).is_err(), "{statement}");
    }
}

#[test]
fn statements_that_a_destination_needs_are_allowed() {
    let (_folder, mut connection) = open();
    for statement in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)",
        "ALTER TABLE t ADD COLUMN c NUMERIC",
        "ALTER TABLE t RENAME COLUMN c TO d",
        "CREATE UNIQUE INDEX i ON t (b)",
        "INSERT INTO t (a, b) VALUES (1, 'x') ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        "UPDATE t SET b = upper(b) WHERE a IN (SELECT a FROM t)",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE TABLE t2 AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT x FROM n",
        "DELETE FROM t",
        "DROP VIEW v",
        "DROP INDEX i",
        "ALTER TABLE t RENAME TO t3",
        "DROP TABLE t3",
        "ANALYZE",
        "REINDEX",
    ] {
        connection.execute(statement, &[]).expect(statement);
    }
}

#[test]
fn endless_statements_are_stopped() {
    let (_folder, connection) = open();
    let mut connection = connection.with_call_limit(std::time::Duration::from_millis(20));
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let stopped = connection.query(endless, &[], 1);
    assert!(matches!(&stopped, Err(SqlError::Database { state, .. }) if state == "57014"), "{stopped:?}");
    connection.query("SELECT 1", &[], 1).expect("usable again");
}

#[test]
fn large_values_and_results_are_refused() {
    let (_folder, mut connection) = open();
    let blob = connection.query("SELECT zeroblob(900000000)", &[], 1);
    assert!(matches!(blob, Err(SqlError::TooLarge(_))), "{blob:?}");
    let many =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100) SELECT zeroblob(1000000) FROM n";
    assert!(matches!(connection.query(many, &[], 100), Err(SqlError::TooLarge(_))));
}

#[test]
fn messages_hold_no_literals() {
    let (_folder, mut connection) = open();
    for statement in ["SELECT * FROM t WHERE a = 's3cret' 'x'", "SELEC 's3cret'", "SELECT 's3cret", "INSERT 's3cret'"] {
        let error = connection.execute(statement, &[]).expect_err(statement).to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
    let error = connection.query("SELECT \"s3cret\"", &[Value::Null], 1).expect_err("no column");
    assert!(matches!(error, SqlError::Database { .. }), "{error:?}");
}

#[test]
fn connections_that_cannot_be() {
    let folder = tempfile::tempdir().expect("folder");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, and it is long enough to be looked at by sqlite\n".repeat(20))
        .expect("file");
    for (dsn, state) in [
        ("postgres://user:hunter2@host/db".to_owned(), "08001"),
        ("sqlite:".to_owned(), "08001"),
        ("sqlite::memory:".to_owned(), "08001"),
        (format!("sqlite:{}", folder.path().display()), "08001"),
        (format!("sqlite:{}", text.display()), "XX001"),
    ] {
        let error = Connection::open(&dsn).expect_err(&dsn);
        assert!(matches!(&error, SqlError::Database { state: s, .. } if s == state), "{dsn}: {error:?}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
