//! One open database, and the transaction on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{OpenFlags, types::Value as Stored};

use super::guard::Guard;
use super::{InsertOptions, Inserted, Rows, SqlError, Value, functions, insert, query};

/// Scheme of the only kind of DSN so far.
const SQLITE_SCHEME: &str = "sqlite:";
/// How long a call waits for another writer; well under the ten seconds that a plugin's call has, so that the answer
/// is who holds the database and not that the plugin took too long.
const BUSY_WAIT: Duration = Duration::from_secs(3);
/// How long one call may compute, unless set otherwise.
const CALL_MAX_DURATION: Duration = Duration::from_secs(60);
/// SQLite's virtual machine steps between two looks at the clock. Few, because a single step may work through a value of
/// many megabytes; a look costs less than a step.
const STEPS_PER_CLOCK_LOOK: i32 = 100;
/// Longest pattern of LIKE and GLOB: one step compares it at every place of a value, and no clock is looked at meanwhile.
const PATTERN_MAX_BYTES: i32 = 256;
/// Most arguments of a function: some of JSON's work through the whole value for each, within one step.
const FUNCTION_ARGUMENTS_MAX_COUNT: i32 = 100;
/// The part of a call's time that may go by waiting for another writer.
const BUSY_SHARE: u32 = 2;
/// Largest value, row or statement text.
pub(crate) const VALUE_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Longest statement.
const STATEMENT_MAX_BYTES: i32 = 1024 * 1024;
/// Memory of all of SQLite in this process: a guest's statement that wants more fails, and the host lives on.
const HEAP_MAX_BYTES: i64 = 256 * 1024 * 1024;
/// Page cache, in the KiB that SQLite counts as negative pages.
const CACHE_KIB: i32 = 8 * 1024;

/// A connection to one granted database. An open transaction is rolled back on drop.
pub struct Connection {
    db: rusqlite::Connection,
    guard: Guard,
    clock: Clock,
}

impl Connection {
    /// Opens `sqlite:PATH`, and creates the file and its folder if they are missing. A relative path is
    /// taken from the working folder: the caller resolves it against whatever it means.
    ///
    /// # Errors
    /// [`SqlError::Database`] with state `08001` for another scheme, an in-memory database (its rows would
    /// be lost at the end of the run) or a file that cannot be opened, and whatever the file's own state brings.
    pub fn open(dsn: &str) -> Result<Self, SqlError> {
        let path = path_of(dsn)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            crate::folder::make(folder).map_err(|e| cannot_open(&format!("its folder: {e}")))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|e| cannot_open(&SqlError::from_sqlite(&e).to_string()))?;
        let mut connection = Self { db, guard: Guard::default(), clock: Clock::new(CALL_MAX_DURATION) };
        connection.configure().map_err(|e| SqlError::from_sqlite(&e))?;
        Ok(connection)
    }

    /// The same connection, whose calls may compute for `limit` each.
    #[must_use]
    pub fn with_call_limit(mut self, limit: Duration) -> Self {
        self.clock.limit = limit;
        // Setting the wait cannot fail: it calls no file and no statement.
        let _ = self.db.busy_timeout(BUSY_WAIT.min(limit / BUSY_SHARE));
        self
    }

    fn configure(&mut self) -> rusqlite::Result<()> {
        let db = &mut self.db;
        db.busy_timeout(BUSY_WAIT)?;
        // EXTRA: a commit is on the disk when it returns, the removal of the journal included.
        db.pragma_update(None, "synchronous", "EXTRA")?;
        db.pragma_update(None, "foreign_keys", true)?;
        // Gives the limit that is in force as a row.
        db.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_MAX_BYTES}"), [], |_| Ok(()))?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        db.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(VALUE_MAX_BYTES).unwrap_or(i32::MAX))?;
        db.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT_MAX_BYTES)?;
        db.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_MAX_BYTES)?;
        db.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, FUNCTION_ARGUMENTS_MAX_COUNT)?;
        functions::register(db)?;
        // Reads the header, so that a file that is no database is told now.
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let guard = self.guard.clone();
        db.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| guard.decide(&context)))?;
        let deadline = self.clock.clone();
        db.progress_handler(STEPS_PER_CLOCK_LOOK, Some(move || deadline.is_over()))
    }

    /// Begins a transaction and takes the write lock at once, so that the commit does not meet another writer.
    ///
    /// # Errors
    /// [`SqlError::Database`] with state `25001` when one is open, [`SqlError::Retryable`] when another writer holds the lock.
    pub fn begin(&mut self) -> Result<(), SqlError> {
        if self.in_transaction() {
            return Err(SqlError::database("25001", "a transaction is open already; commit it or roll it back first"));
        }
        self.host("BEGIN IMMEDIATE")
    }

    /// Makes the transaction durable. After an error it is still open, unless the database says it is gone.
    ///
    /// # Errors
    /// [`SqlError::Database`] with state `25P01` when none is open, [`SqlError::Retryable`] when a reader
    /// stands in the way, and whatever the disk brings.
    pub fn commit(&mut self) -> Result<(), SqlError> {
        self.needs_transaction()?;
        self.host("COMMIT")
    }

    /// Forgets the transaction.
    ///
    /// # Errors
    /// [`SqlError::Database`] with state `25P01` when none is open.
    pub fn rollback(&mut self) -> Result<(), SqlError> {
        self.needs_transaction()?;
        self.host("ROLLBACK")
    }

    /// Runs one statement that gives no rows, and says how many rows it changed.
    ///
    /// # Errors
    /// [`SqlError::Denied`] for what a grant does not allow, [`SqlError::Database`] for what the database
    /// refuses, state `57014` when it computed for too long.
    pub fn execute(&mut self, statement: &str, params: &[Value]) -> Result<u64, SqlError> {
        let params = stored(params)?;
        self.run(|db| {
            let before = db.total_changes();
            let mut prepared = db.prepare_cached(statement)?;
            let changed = prepared.execute(rusqlite::params_from_iter(params))?;
            // SQLite keeps the count of the last statement that changed rows; a CREATE TABLE changes none.
            Ok(if db.total_changes() == before { 0 } else { changed as u64 })
        })
    }

    /// Runs one statement that gives rows, of which at most `max_rows` are taken.
    ///
    /// # Errors
    /// As [`Connection::execute`], and [`SqlError::TooLarge`] when the rows hold too many bytes.
    pub fn query(&mut self, statement: &str, params: &[Value], max_rows: u32) -> Result<Rows, SqlError> {
        let params = stored(params)?;
        let table = self.run(|db| query::collect(db, statement, params, max_rows))?;
        table?.into_rows()
    }

    /// Inserts the rows of `batch` into `table`, straight from Arrow memory. Outside of a transaction it is
    /// one of its own; inside, an error takes back this call's rows only.
    ///
    /// # Errors
    /// As [`Connection::execute`]. A row that the database refuses is an error, unless
    /// [`InsertOptions::collect_rejects`] is set.
    pub fn bulk_insert(
        &mut self,
        table: &str,
        batch: &RecordBatch,
        options: &InsertOptions,
    ) -> Result<Inserted, SqlError> {
        self.clock.start();
        let result = insert::bulk_insert(self, table, batch, options);
        self.clock.stop();
        result
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !self.db.is_autocommit()
    }

    pub(crate) fn db(&self) -> &rusqlite::Connection {
        &self.db
    }

    /// A statement of ours, with our rights.
    pub(crate) fn host(&self, statement: &str) -> Result<(), SqlError> {
        self.as_host(|db| db.execute_batch(statement))
    }

    /// Work of ours, with our rights.
    pub(crate) fn as_host<T>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqlError> {
        self.guard.as_host(|| work(&self.db)).map_err(|e| SqlError::from_sqlite(&e))
    }

    /// A failure of the guest's statement, with the reason of a refusal.
    pub(crate) fn failure(&self, error: &rusqlite::Error) -> SqlError {
        match (SqlError::from_sqlite(error), self.guard.take_refusal()) {
            (SqlError::Denied(_) | SqlError::Database { .. }, Some(why)) => SqlError::Denied(why),
            (error, _) => error,
        }
    }

    fn run<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> Result<T, SqlError> {
        self.clock.start();
        let result = work(&self.db);
        self.clock.stop();
        result.map_err(|e| self.failure(&e))
    }

    fn needs_transaction(&self) -> Result<(), SqlError> {
        if self.in_transaction() {
            Ok(())
        } else {
            Err(SqlError::database("25P01", "no transaction is open; call begin first"))
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("in_transaction", &self.in_transaction()).finish_non_exhaustive()
    }
}

fn stored(params: &[Value]) -> Result<Vec<Stored>, SqlError> {
    params.iter().map(Value::to_stored).collect()
}

fn path_of(dsn: &str) -> Result<&Path, SqlError> {
    let Some(path) = dsn.strip_prefix(SQLITE_SCHEME) else {
        // The DSN itself is not shown: that of another database may hold a password.
        return Err(SqlError::database(
            "08001",
            "only sqlite is supported; write the connection as \"sqlite:results/accounts.db\"",
        ));
    };
    if path.is_empty() || path.starts_with(":memory:") || path.contains('\0') {
        let text = "the sqlite connection names no file, and rows in memory would be lost at the end; write \"sqlite:results/accounts.db\"";
        return Err(SqlError::database("08001", text));
    }
    Ok(Path::new(path))
}

fn cannot_open(why: &str) -> SqlError {
    SqlError::database("08001", format!("cannot open the database file: {why}"))
}

/// When the running call has to end; shared with SQLite's progress handler.
#[derive(Clone)]
struct Clock {
    epoch: Instant,
    /// Microseconds from `epoch`; 0 while no call runs.
    deadline: Arc<AtomicU64>,
    limit: Duration,
}

impl Clock {
    fn new(limit: Duration) -> Self {
        Self { epoch: Instant::now(), deadline: Arc::default(), limit }
    }

    fn start(&self) {
        self.deadline.store(micros(self.epoch.elapsed().saturating_add(self.limit)).max(1), Ordering::Relaxed);
    }

    fn stop(&self) {
        self.deadline.store(0, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != 0 && micros(self.epoch.elapsed()) >= deadline
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
