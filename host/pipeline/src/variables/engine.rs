//! The engine behind expressions: an empty SQLite database in memory that may compute and nothing else.

use std::collections::BTreeMap;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

use super::scan::{Dialect, Piece, pieces};
use crate::error::Error;

/// Longest text that an expression may be, or make.
const TEXT_MAX_BYTES: i32 = 1 << 20;
/// SQLite's steps that one expression may take: far beyond what a CASE needs, and over in a blink.
const MAX_STEPS: i32 = 10_000_000;
const SQLITE: &str = "sqlite:";

/// Evaluates expressions.
pub(super) struct Engine(Connection);

impl Engine {
    /// `databases`: those of the pipeline file, by name.
    pub(super) fn new(databases: &BTreeMap<String, String>, folder: &Path) -> Result<Self, Error> {
        let paths = paths(databases, folder)?;
        let make = || {
            let mut db = Connection::open_in_memory()?;
            db.set_limit(Limit::SQLITE_LIMIT_LENGTH, TEXT_MAX_BYTES)?;
            db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            db.progress_handler(MAX_STEPS, Some(|| true))?;
            register(&db, paths)?;
            db.authorizer(Some(only_functions))?;
            Ok(Self(db))
        };
        make().map_err(|error: rusqlite::Error| Error::input("variables", error.to_string()))
    }

    /// The value of an expression; variables outside quotes are bound with their type, those inside are text.
    pub(super) fn evaluate(&self, expression: &str, known: &BTreeMap<String, Value>) -> Result<Value, String> {
        let mut sql = String::from("SELECT ");
        let mut bound: Vec<&Value> = Vec::new();
        for piece in pieces(expression, Dialect::Sql) {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Variable { name, quoted } => {
                    let value = known.get(name).unwrap_or(&Value::Null);
                    if quoted {
                        sql.push_str(&super::soql::text(value).unwrap_or_default().replace('\'', "''"));
                    } else {
                        bound.push(value);
                        sql.push_str(&format!("?{}", bound.len()));
                    }
                }
            }
        }
        let run = || {
            let mut statement = self.0.prepare(&sql)?;
            if statement.column_count() != 1 {
                return Err(own("it is more than one value; write one expression"));
            }
            statement.query_row(rusqlite::params_from_iter(bound), |row| row.get::<_, Value>(0))
        };
        run().map_err(|error| format!("`{}` cannot be evaluated: {}", expression, words(&error)))
    }
}

/// Where the databases lie.
fn paths(databases: &BTreeMap<String, String>, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let path = |(name, dsn): (&String, &String)| match dsn.strip_prefix(SQLITE).filter(|path| !path.is_empty()) {
        Some(path) => Ok((name.clone(), folder.join(path))),
        None => Err(Error::input(
            format!("sql.{name}"),
            format!("`{}` is no database this version can open; write \"sqlite:PATH\"", dsn.escape_debug()),
        )),
    };
    databases.iter().map(path).collect()
}

/// An expression computes: it reads no table, attaches nothing and sets nothing.
fn only_functions(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select => Authorization::Allow,
        AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn register(db: &Connection, paths: BTreeMap<String, PathBuf>) -> rusqlite::Result<()> {
    let paths = Arc::new(paths);
    add(db, "ExecuteSqlDatetime", &paths, |value| value)?;
    add(db, "ExecuteSqlString", &paths, |value| super::soql::text(&value).map_or(Value::Null, Value::Text))?;
    add(db, "ExecuteSqlLong", &paths, |value| match value {
        Value::Real(number) => Value::Integer(number as i64),
        Value::Text(text) => text.trim().parse().map_or(Value::Null, Value::Integer),
        other => other,
    })?;
    add(db, "ExecuteSqlDouble", &paths, |value| match value {
        Value::Integer(number) => Value::Real(number as f64),
        Value::Text(text) => text.trim().parse().map_or(Value::Null, Value::Real),
        other => other,
    })
}

/// A function of a database's name and a query, which gives the first value of the first row.
fn add<F>(db: &Connection, name: &str, paths: &Arc<BTreeMap<String, PathBuf>>, shape: F) -> rusqlite::Result<()>
where
    F: Fn(Value) -> Value + Send + UnwindSafe + RefUnwindSafe + 'static,
{
    let paths = Arc::clone(paths);
    db.create_scalar_function(name, 2, FunctionFlags::SQLITE_UTF8, move |context: &Context<'_>| {
        let (database, query) = (text(context, 0)?, text(context, 1)?);
        let path = paths.get(&database).ok_or_else(|| {
            let known = paths.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            own(&format!(
                "there is no database `{}` under [sql] (there: {known}); write {database} = \"sqlite:PATH\"",
                database.escape_debug()
            ))
        })?;
        ask(path, &query).map(&shape).map_err(|error| own(&format!("in `{database}`: {}", words(&error))))
    })
}

fn text(context: &Context<'_>, number: usize) -> rusqlite::Result<String> {
    match context.get_raw(number) {
        ValueRef::Text(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        _ => Err(own("ExecuteSql… takes the name of a database and a query, both in quotes")),
    }
}

/// The first value of the first row. A database or a table that no run has made yet has nothing: NULL.
fn ask(path: &Path, query: &str) -> rusqlite::Result<Value> {
    if !path.exists() {
        return Ok(Value::Null);
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(std::time::Duration::from_secs(3))?;
    let first = || db.query_row(query, [], |row| row.get::<_, Value>(0));
    match first() {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Value::Null),
        Err(error) if error.to_string().contains("no such table") => Ok(Value::Null),
        other => other,
    }
}

fn own(message: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(message.into())
}

fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::UserFunctionError(message) => message.to_string(),
        rusqlite::Error::SqliteFailure(code, message) => match code.code {
            rusqlite::ErrorCode::AuthorizationForStatementDenied => {
                "an expression computes and reads no table; ask a database with ExecuteSqlDatetime('name', 'select …')"
                    .to_owned()
            }
            rusqlite::ErrorCode::OperationInterrupted => "it takes too many steps".to_owned(),
            _ => message.clone().unwrap_or_else(|| error.to_string()),
        },
        // Without our own SELECT around the expression.
        rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such function") => format!(
            "{msg}\nhint: the functions are those of SQLite, for example datetime('now', '-1 day'), and ExecuteSqlDatetime, …String, …Long, …Double"
        ),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(databases: &[(&str, &str)], folder: &Path) -> Engine {
        let databases = databases.iter().map(|(name, dsn)| ((*name).to_owned(), (*dsn).to_owned())).collect();
        Engine::new(&databases, folder).unwrap()
    }

    #[test]
    fn the_greatest_value_of_a_destination_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(&[("crm", "sqlite:crm.db")], folder.path());
        let ask = |query: &str| engine.evaluate(&format!("ExecuteSqlDateTime('crm', '{query}')"), &BTreeMap::new());
        assert_eq!(ask("select max(at) from t").unwrap(), Value::Null, "no file yet");
        let db = Connection::open(folder.path().join("crm.db")).unwrap();
        db.execute_batch(
            "CREATE TABLE t (at TEXT); INSERT INTO t VALUES ('2024-01-01T00:00:00Z'), ('2024-02-01T00:00:00Z')",
        )
        .unwrap();
        assert_eq!(ask("select max(at) from t").unwrap(), Value::Text("2024-02-01T00:00:00Z".into()));
        assert_eq!(ask("select max(at) from absent").unwrap(), Value::Null);
        assert!(ask("select max(at from t").unwrap_err().contains("in `crm`"));
        assert!(ask("delete from t").unwrap_err().contains("readonly"), "{:?}", ask("delete from t"));
    }

    #[test]
    fn an_expression_reaches_nothing() {
        let engine = engine(&[], Path::new("."));
        for bad in [
            "name FROM sqlite_master",
            "1; DROP TABLE x",
            "1, 2",
            "load_extension('x')",
            "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t)",
            "zeroblob(2000000000)",
        ] {
            assert!(engine.evaluate(bad, &BTreeMap::new()).is_err(), "{bad}");
        }
        assert_eq!(engine.evaluate("1 == '1'", &BTreeMap::new()).unwrap(), Value::Integer(0));
    }
}
