//! `sql`: connections by granted name; the driver is the pipeline's.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::forcepump::plugin::{sql, types};
use crate::carried::{Carried, CarriedTo, mode_word};
use crate::convert::{rejects_to_wit, value_from_wit};
use crate::host::blocking;
use crate::limits::{MAX_OPEN_CONNECTIONS, MAX_QUERY_ROWS, MAX_ROWS};
use crate::provider::{InsertMode, InsertOptions, SqlConnection, SqlError, Value};
use crate::state::HostState;

/// One connection that a guest has open.
pub struct OpenConnection {
    connection: Box<dyn SqlConnection>,
    name: String,
    /// Within a transaction that the guest began.
    in_transaction: bool,
    /// Rows of the open transaction.
    open: BTreeMap<CarriedTo, u64>,
    /// Rows that statements of the open transaction changed.
    changed: u64,
}

impl From<SqlError> for sql::SqlError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Denied(why) => sql::SqlError::Denied(why),
            SqlError::UnknownConnection => sql::SqlError::UnknownConnection,
            SqlError::Database { sqlstate, message } => sql::SqlError::Database((sqlstate, message)),
            SqlError::Retryable(why) => sql::SqlError::Retryable(why),
            SqlError::TooLarge(bytes) => sql::SqlError::TooLarge(bytes),
            SqlError::Lost => sql::SqlError::Lost,
        }
    }
}

impl OpenConnection {
    /// A bulk insert was done.
    fn took(&mut self, to: CarriedTo, rows: u64, whole: bool, carried: &mut Carried) {
        carried.take(&to, rows, whole);
        if self.in_transaction {
            *self.open.entry(to).or_default() += rows;
        } else {
            carried.keep(&to, rows);
        }
    }

    /// The transaction is durable.
    fn kept(&mut self, carried: &mut Carried) {
        self.in_transaction = false;
        carried.unknown += std::mem::take(&mut self.changed);
        for (to, rows) in std::mem::take(&mut self.open) {
            carried.keep(&to, rows);
        }
    }

    /// The transaction is gone.
    fn lost(&mut self, carried: &mut Carried) {
        (self.in_transaction, self.changed) = (false, 0);
        for (to, rows) in std::mem::take(&mut self.open) {
            carried.lose(&to, rows);
        }
    }
}

/// An error of the contract, not of the database.
fn rule(text: String) -> sql::SqlError {
    sql::SqlError::Denied(text)
}

type Answer<T> = wasmtime::Result<Result<T, sql::SqlError>>;

impl HostState {
    fn connection(&mut self, of: &Resource<OpenConnection>) -> wasmtime::Result<&mut dyn SqlConnection> {
        Ok(self.table.get_mut(of)?.connection.as_mut())
    }

    fn on_connection<T>(
        &mut self,
        of: &Resource<OpenConnection>,
        work: impl FnOnce(&mut dyn SqlConnection) -> Result<T, SqlError>,
    ) -> Answer<T> {
        let connection = self.connection(of)?;
        Ok(blocking(|| work(connection)).map_err(sql::SqlError::from))
    }
}

fn params(given: Vec<types::Value>) -> Result<Vec<Value>, sql::SqlError> {
    given.into_iter().map(value_from_wit).collect::<Result<_, _>>().map_err(rule)
}

impl sql::Host for HostState {}

impl sql::HostConnection for HostState {
    fn open(&mut self, name: String) -> Answer<Resource<OpenConnection>> {
        let Some(provider) = self.grants.sql.get(&name).map(Arc::clone) else {
            return Ok(Err(sql::SqlError::UnknownConnection));
        };
        if self.open_connections >= MAX_OPEN_CONNECTIONS {
            let text = format!("more than {MAX_OPEN_CONNECTIONS} connections are open at once; drop one first");
            return Ok(Err(rule(text)));
        }
        match blocking(|| provider.open()) {
            Ok(connection) => {
                let (open, in_transaction) = (BTreeMap::new(), false);
                let connection = OpenConnection { connection, name, in_transaction, open, changed: 0 };
                let connection = self.table.push(connection)?;
                self.open_connections += 1;
                Ok(Ok(connection))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn begin(&mut self, of: Resource<OpenConnection>) -> Answer<()> {
        let done = self.on_connection(&of, |connection| connection.begin())?;
        if done.is_ok() {
            self.table.get_mut(&of)?.in_transaction = true;
        }
        Ok(done)
    }

    fn commit(&mut self, of: Resource<OpenConnection>) -> Answer<()> {
        let done = self.on_connection(&of, |connection| connection.commit())?;
        if done.is_ok() {
            self.table.get_mut(&of)?.kept(&mut self.carried);
        }
        Ok(done)
    }

    fn rollback(&mut self, of: Resource<OpenConnection>) -> Answer<()> {
        let done = self.on_connection(&of, |connection| connection.rollback())?;
        if done.is_ok() {
            self.table.get_mut(&of)?.lost(&mut self.carried);
        }
        Ok(done)
    }

    fn execute(&mut self, of: Resource<OpenConnection>, statement: String, given: Vec<types::Value>) -> Answer<u64> {
        let params = match params(given) {
            Ok(params) => params,
            Err(error) => return Ok(Err(error)),
        };
        let changed = self.on_connection(&of, |connection| connection.execute(&statement, &params))?;
        if let Ok(rows) = &changed {
            let connection = self.table.get_mut(&of)?;
            let count = if connection.in_transaction { &mut connection.changed } else { &mut self.carried.unknown };
            *count += rows;
        }
        Ok(changed)
    }

    fn query(
        &mut self,
        of: Resource<OpenConnection>,
        statement: String,
        given: Vec<types::Value>,
        max_rows: u32,
    ) -> Answer<sql::Rows> {
        let params = match params(given) {
            Ok(params) => params,
            Err(error) => return Ok(Err(error)),
        };
        let max_rows = max_rows.min(MAX_QUERY_ROWS).min(MAX_ROWS);
        let rows = self.on_connection(&of, |connection| connection.query(&statement, &params, max_rows))?;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match self.border.add_batch(&rows.batch) {
            Ok((shape, data)) => Ok(sql::Rows { shape, data, more: rows.more }),
            Err(_) => Err(sql::SqlError::TooLarge(rows.batch.get_array_memory_size() as u64)),
        })
    }

    fn bulk_insert(
        &mut self,
        of: Resource<OpenConnection>,
        table: String,
        data: u32,
        options: sql::InsertOptions,
    ) -> Answer<sql::Inserted> {
        let batch = match self.border.sheet(data).and_then(|sheet| sheet.batch()) {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(rule(error))),
        };
        let whole = self.border.is_whole(data);
        let options = InsertOptions {
            mode: match options.mode {
                sql::InsertMode::Append => InsertMode::Append,
                sql::InsertMode::Upsert => InsertMode::Upsert,
                sql::InsertMode::Replace => InsertMode::Replace,
            },
            columns: options.columns,
            keys: options.keys,
            collect_rejects: options.collect_rejects,
        };
        let inserted = self.on_connection(&of, |connection| connection.bulk_insert(&table, &batch, &options))?;
        if let Ok(inserted) = &inserted {
            let connection = self.table.get_mut(&of)?;
            let (name, mode) = (connection.name.clone(), mode_word(options.mode));
            connection.took(
                CarriedTo::Table { connection: name, table, mode },
                inserted.rows,
                whole,
                &mut self.carried,
            );
        }
        Ok(inserted.map(|inserted| sql::Inserted { rows: inserted.rows, rejects: rejects_to_wit(inserted.rejects) }))
    }

    fn drop(&mut self, of: Resource<OpenConnection>) -> wasmtime::Result<()> {
        let mut connection = self.table.delete(of)?;
        self.open_connections = self.open_connections.saturating_sub(1);
        connection.lost(&mut self.carried);
        blocking(|| drop(connection));
        Ok(())
    }
}
