//! What outlives a run: one SQLite database beside the pipeline files, `.forcepump/state.db`.
//!
//! It holds no secret and no row of data. Each topic has its own file here and its own tables; tables are made by the
//! numbered steps of [`MIGRATIONS`], of which none is ever changed once it was released.

mod anew;
mod cursors;
mod feed_ends;
mod fields;
mod jobs;
mod migrations;
mod places;
mod plans;
mod read_only;
mod refusals;
mod retries;
mod runs;
mod slices;
mod units;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use forcepump_transfer::folder as folders;
use rusqlite::Connection;

use crate::error::Error;
use migrations::MIGRATIONS;
pub(crate) use refusals::Refusal;

pub(crate) use cursors::{CursorKey, overlap_key};
pub(crate) use fields::{ColumnsRead, LastSeen, SeenField, SeenKey};
pub(crate) use jobs::{FeedKey, FeedRow, JobRow};
pub(crate) use places::{PlaceKind, PlaceRow};
pub(crate) use plans::{GIVEN_UP, RunPlan};
pub(crate) use retries::MendedRows;
pub(crate) use runs::{BACKFILL, RUNNING, RunBegun, RunEnd, RunRow, Turn};
pub(crate) use slices::SliceRow;
pub(crate) use units::{Committed, IdRange, Noted, UnitFile, UnitRow};

/// The folder beside the pipeline files that Forcepump keeps its own things in.
pub(crate) const FOLDER: &str = ".forcepump";
const FILE: &str = "state.db";
/// A transaction is on the disk when it is committed: a run whose beginning a power cut takes back would be begun anew,
/// and its committed units with it.
const DURABLE: &str = "full";
/// A power cut may take it back, whole; for notes whose loss only makes work.
const LAZY: &str = "normal";
/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(5);
/// The pause between two tries where SQLite does not wait by itself.
const BUSY_LOOK: Duration = Duration::from_millis(10);

/// The way out for another user.
const MAY_NOT_WRITE: &str = "\nhint: this user may not write there; run as the owner of the folder .forcepump and its files, or change their permissions";
/// The way out of a file that is none of ours any more.
const DAMAGED: &str = "\nhint: the file is damaged; move it away, and the next run starts without memory of former ones: an incremental one from its beginning, and rows that an unfinished one has appended come again";

/// The state of the pipelines of one folder. Calls are short and block.
pub(crate) struct State {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl State {
    /// Opens the state of the pipelines in `folder`, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Host`] when the file cannot be made or read, or was written by a newer Forcepump.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FOLDER).join(FILE);
        folders::make(&folder.join(FOLDER)).map_err(|error| Error::Host {
            what: format!("making {}", folder.join(FOLDER).display()),
            error: with_way_out(error),
        })?;
        let mut connection = Connection::open(&path).map_err(|error| fault(&path, &error))?;
        prepare(&mut connection, &path)?;
        Ok(Self { path, connection: Mutex::new(connection) })
    }

    /// As [`State::open`], but makes nothing; none where no run has left a state. One that may not be written, because it
    /// is another user's, can be read all the same.
    ///
    /// # Errors
    /// As [`State::open`].
    pub(crate) fn open_existing(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FOLDER).join(FILE);
        match path.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => Self::open(folder).or_else(|error| read_only::open(&path).ok_or(error)).map(Some),
            // A folder that is none holds no state.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => {
                Err(Error::Host { what: format!("looking for {}", path.display()), error: with_way_out(error) })
            }
        }
    }

    /// Runs `work` on the database; what it does stands as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Host`] with the file and what SQLite said.
    pub(crate) fn transaction<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        in_transaction(&mut self.connection(), work).map_err(|error| fault(&self.path, &error))
    }

    /// As [`State::transaction`], for what a power cut may take back: it is not waited for the disk.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn lazily<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let run = |connection: &mut Connection| {
            connection.pragma_update(None, "synchronous", LAZY)?;
            let done = in_transaction(connection, work);
            connection.pragma_update(None, "synchronous", DURABLE)?;
            done
        };
        run(&mut self.connection()).map_err(|error| fault(&self.path, &error))
    }

    /// Asks the database.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.connection()).map_err(|error| fault(&self.path, &error))
    }

    /// A panic elsewhere leaves the connection usable: a transaction that was under way is rolled back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// A count as SQLite keeps it.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The count in a column.
fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0).unsigned_abs())
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let newest = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let run = |connection: &mut Connection| {
        connection.busy_timeout(BUSY)?;
        into_wal(connection)?;
        connection.pragma_update(None, "synchronous", DURABLE)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for step in MIGRATIONS.iter().skip(version as usize) {
            transaction.execute_batch(step)?;
        }
        if version < newest {
            transaction.pragma_update(None, "user_version", newest)?;
        }
        transaction.commit()?;
        Ok(version)
    };
    let version = run(connection).map_err(|error| fault(path, &error))?;
    if version <= newest {
        return Ok(());
    }
    let text = format!(
        "it has version {version}, and this forcepump knows {newest}\nhint: use the newer forcepump that wrote it"
    );
    Err(Error::Host { what: format!("reading {}", path.display()), error: std::io::Error::other(text) })
}

/// Of processes that make a state at once only one can do this at a time, and SQLite does not wait for it.
fn into_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && Instant::now() < until =>
            {
                std::thread::sleep(BUSY_LOOK);
            }
            done => return done,
        }
    }
}

fn fault(path: &Path, error: &rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => "\nhint: another forcepump is writing; run again when it is done",
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => DAMAGED,
        Some(rusqlite::ErrorCode::DiskFull) => "\nhint: the disk is full",
        Some(rusqlite::ErrorCode::SystemIoFailure) => "\nhint: look at the disk: it may be full, failing or gone",
        Some(rusqlite::ErrorCode::ReadOnly) => MAY_NOT_WRITE,
        Some(rusqlite::ErrorCode::CannotOpen) => {
            "\nhint: it has to be a file, in a folder that this user may write to; if it is something else, move it away"
        }
        Some(rusqlite::ErrorCode::PermissionDenied) => MAY_NOT_WRITE,
        _ => "",
    };
    // SQLite repeats a whole statement; its own words are the first of it.
    let said = match error {
        rusqlite::Error::SqlInputError { msg, .. } => format!("{msg}{DAMAGED}"),
        error => format!("{error}{hint}"),
    };
    Error::Host { what: format!("the state in {}", path.display()), error: std::io::Error::other(said) }
}

/// What to do about a file or folder of the state that cannot be used.
fn with_way_out(error: std::io::Error) -> std::io::Error {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => MAY_NOT_WRITE,
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory | std::io::ErrorKind::IsADirectory => {
            "\nhint: .forcepump beside the pipeline file has to be a folder with plain files; move away what is there"
        }
        _ => return error,
    };
    std::io::Error::new(error.kind(), format!("{error}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let state = State::open(folder.path()).unwrap();
            let version = state.read(|c| c.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))).unwrap();
            assert_eq!(version as usize, MIGRATIONS.len());
        }
    }

    #[test]
    fn many_may_make_it_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let open = || State::open(folder.path()).map(drop);
            std::thread::scope(|scope| {
                let opened: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                opened.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
            });
        }
    }

    #[test]
    fn a_damaged_or_newer_file_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FOLDER).join(FILE);
        drop(State::open(folder.path()).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 4_000).unwrap();
        let newer = State::open(folder.path()).err().unwrap().to_string();
        assert!(newer.contains("version 4000") && newer.contains("state.db"), "{newer}");
        for beside in ["state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(folder.path().join(FOLDER).join(beside));
        }
        std::fs::write(&path, vec![b'x'; 4_096]).unwrap();
        let damaged = State::open(folder.path()).err().unwrap().to_string();
        assert!(damaged.contains("move it away"), "{damaged}");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let broken = state.transaction(|t| {
            t.execute("INSERT INTO org_refusal VALUES ('00D', 'Account', 'bulk2', 'no', 1)", [])?;
            t.execute("INSERT INTO nowhere VALUES (1)", [])
        });
        assert!(broken.is_err());
        let rows = state.read(|c| c.query_row("SELECT COUNT(*) FROM org_refusal", [], |row| row.get::<_, u32>(0)));
        assert_eq!(rows.unwrap(), 0);
    }
}
