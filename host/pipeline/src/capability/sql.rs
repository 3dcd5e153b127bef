//! SQL connections of the transfer crate, offered to the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use arrow_array::RecordBatch;
use forcepump_sandbox as sandbox;
use forcepump_transfer::sql;

/// A granted SQLite file, opened when the plugin asks for it.
pub struct Database {
    pub path: PathBuf,
    /// a statement may compute for as long as a call of the plugin may take: the sandbox cannot end it
    pub call_limit: Duration,
}

impl sandbox::SqlProvider for Database {
    fn open(&self) -> Result<Box<dyn sandbox::SqlConnection>, sandbox::SqlError> {
        let dsn = format!("sqlite:{}", self.path.display());
        let connection = sql::Connection::open(&dsn).map_err(refusal)?;
        Ok(Box::new(Open(connection.with_call_limit(self.call_limit))))
    }
}

struct Open(sql::Connection);

impl sandbox::SqlConnection for Open {
    fn begin(&mut self) -> Result<(), sandbox::SqlError> {
        self.0.begin().map_err(refusal)
    }

    fn commit(&mut self) -> Result<(), sandbox::SqlError> {
        self.0.commit().map_err(refusal)
    }

    fn rollback(&mut self) -> Result<(), sandbox::SqlError> {
        self.0.rollback().map_err(refusal)
    }

    fn execute(&mut self, statement: &str, params: &[sandbox::Value]) -> Result<u64, sandbox::SqlError> {
        self.0.execute(statement, &values(params)).map_err(refusal)
    }

    fn query(
        &mut self,
        statement: &str,
        params: &[sandbox::Value],
        max_rows: u32,
    ) -> Result<sandbox::SqlRows, sandbox::SqlError> {
        let sql::Rows { batch, more } = self.0.query(statement, &values(params), max_rows).map_err(refusal)?;
        Ok(sandbox::SqlRows { batch, more })
    }

    fn bulk_insert(
        &mut self,
        table: &str,
        data: &RecordBatch,
        options: &sandbox::InsertOptions,
    ) -> Result<sandbox::Inserted, sandbox::SqlError> {
        let mode = match options.mode {
            sandbox::InsertMode::Append => sql::InsertMode::Append,
            sandbox::InsertMode::Upsert => sql::InsertMode::Upsert,
            sandbox::InsertMode::Replace => sql::InsertMode::Replace,
        };
        let options = sql::InsertOptions {
            mode,
            columns: options.columns.clone(),
            keys: options.keys.clone(),
            collect_rejects: options.collect_rejects,
        };
        let sql::Inserted { rows, rejects } = self.0.bulk_insert(table, data, &options).map_err(refusal)?;
        Ok(sandbox::Inserted { rows, rejects })
    }
}

fn values(params: &[sandbox::Value]) -> Vec<sql::Value> {
    params.iter().map(value).collect()
}

fn value(param: &sandbox::Value) -> sql::Value {
    match param {
        sandbox::Value::Null => sql::Value::Null,
        sandbox::Value::Boolean(truth) => sql::Value::Boolean(*truth),
        sandbox::Value::Int(number) => sql::Value::Int(*number),
        sandbox::Value::Float(number) => sql::Value::Float(*number),
        sandbox::Value::Text(text) => sql::Value::Text(text.clone()),
        sandbox::Value::Bytes(bytes) => sql::Value::Bytes(bytes.clone()),
        sandbox::Value::Decimal(text) => sql::Value::Decimal(text.clone()),
        sandbox::Value::Date(days) => sql::Value::Date(*days),
        sandbox::Value::Timestamp(micros) => sql::Value::Timestamp(*micros),
    }
}

fn refusal(error: sql::SqlError) -> sandbox::SqlError {
    match error {
        sql::SqlError::Denied(text) => sandbox::SqlError::Denied(text),
        sql::SqlError::UnknownConnection => sandbox::SqlError::UnknownConnection,
        sql::SqlError::Database { state, message } => sandbox::SqlError::Database { sqlstate: state, message },
        sql::SqlError::Retryable(text) => sandbox::SqlError::Retryable(text),
        sql::SqlError::TooLarge(bytes) => sandbox::SqlError::TooLarge(bytes),
        sql::SqlError::Lost => sandbox::SqlError::Lost,
    }
}
