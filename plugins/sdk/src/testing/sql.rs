//! Database connections to whatever a test puts behind them.

use super::{Table, store};
use crate::sql::{InsertOptions, Inserted, Rows, SqlError};
use crate::{Schema, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What answers for a database in a test.
pub trait Database {
    /// `begin`, `commit` or `rollback`.
    ///
    /// # Errors
    /// What the database says.
    fn transaction(&mut self, word: &str) -> Result<(), SqlError>;
    /// One statement; gives the number of rows it changed.
    ///
    /// # Errors
    /// What the database says.
    fn execute(&mut self, statement: &str, params: &[Value]) -> Result<u64, SqlError>;
    /// One query.
    ///
    /// # Errors
    /// What the database says.
    fn query(&mut self, statement: &str, params: &[Value]) -> Result<Table, SqlError>;
    /// A batch into a table.
    ///
    /// # Errors
    /// What the database says.
    fn bulk_insert(&mut self, table: &str, data: &Table, options: &InsertOptions) -> Result<Inserted, SqlError>;
}

type Shared = Rc<RefCell<dyn Database>>;

thread_local! {
    static GRANTED: RefCell<BTreeMap<String, Shared>> = const { RefCell::new(BTreeMap::new()) };
    static SCHEMA: RefCell<Option<Schema>> = const { RefCell::new(None) };
}

/// Grants a connection of that name.
pub fn grant(name: &str, database: Shared) {
    GRANTED.with_borrow_mut(|granted| granted.insert(name.to_owned(), database));
}

pub(super) fn set_schema(schema: &Schema) {
    SCHEMA.set(Some(schema.clone()));
}

/// One session with a granted database.
pub struct Connection {
    database: Shared,
    in_transaction: Cell<bool>,
}

/// As the contract says: dropped within a transaction, rolled back.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.in_transaction.get() {
            // The test sees what the database holds afterwards.
            let _ = self.rollback();
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// As the contract's `sql.connection.open`.
    ///
    /// # Errors
    /// When no connection of that name is granted.
    pub fn open(name: &str) -> Result<Connection, SqlError> {
        let database = GRANTED.with_borrow(|granted| granted.get(name).cloned()).ok_or(SqlError::UnknownConnection)?;
        Ok(Connection { database, in_transaction: Cell::new(false) })
    }

    /// As the contract's `sql.connection.begin`.
    ///
    /// # Errors
    /// What the database says.
    pub fn begin(&self) -> Result<(), SqlError> {
        self.transaction("begin", true)
    }

    /// As the contract's `sql.connection.commit`.
    ///
    /// # Errors
    /// What the database says.
    pub fn commit(&self) -> Result<(), SqlError> {
        self.transaction("commit", false)
    }

    /// As the contract's `sql.connection.rollback`.
    ///
    /// # Errors
    /// What the database says.
    pub fn rollback(&self) -> Result<(), SqlError> {
        self.transaction("rollback", false)
    }

    fn transaction(&self, word: &str, open_after: bool) -> Result<(), SqlError> {
        self.database.borrow_mut().transaction(word)?;
        self.in_transaction.set(open_after);
        Ok(())
    }

    /// As the contract's `sql.connection.execute`.
    ///
    /// # Errors
    /// What the database says.
    pub fn execute(&self, statement: &str, params: &[Value]) -> Result<u64, SqlError> {
        self.database.borrow_mut().execute(statement, params)
    }

    /// As the contract's `sql.connection.query`.
    ///
    /// # Errors
    /// What the database says.
    pub fn query(&self, statement: &str, params: &[Value], max_rows: u32) -> Result<Rows, SqlError> {
        let mut table = self.database.borrow_mut().query(statement, params)?;
        let more = table.rows() > max_rows as usize;
        table.columns.iter_mut().for_each(|cells| cells.truncate(max_rows as usize));
        Ok(Rows { shape: table.schema.clone(), data: store::add_batch(table.stored()), more })
    }

    /// As the contract's `sql.connection.bulk-insert`.
    ///
    /// # Errors
    /// What the database says.
    pub fn bulk_insert(&self, table: &str, data: u32, options: &InsertOptions) -> Result<Inserted, SqlError> {
        let columns = store::batch(data).map_err(SqlError::Denied)?;
        let schema = SCHEMA.with_borrow(Clone::clone).unwrap_or_else(|| Schema::new(Vec::new()));
        self.database.borrow_mut().bulk_insert(table, &Table::from_stored(schema, columns), options)
    }
}
