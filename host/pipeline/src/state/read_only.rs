//! A state that this user may only read: what former runs did can be looked at, nothing is noted.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, OpenFlags};

use super::migrations::MIGRATIONS;
use super::{BUSY, State};

/// The state for reading; none where that cannot be done either, or it has another version than ours.
pub(super) fn open(path: &Path) -> Option<State> {
    let as_it_is = || Some(path.to_str()?.to_owned());
    // Beside a log nothing but the log's own shared memory tells what is in it; without one the file is the whole.
    let alone = || if has_log(path) { None } else { immutable(path) };
    let connection = [as_it_is(), alone()].into_iter().flatten().find_map(|name| ours(&name))?;
    Some(State { path: path.to_owned(), connection: Mutex::new(connection) })
}

fn ours(name: &str) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(name, flags).ok()?;
    connection.busy_timeout(BUSY).ok()?;
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).ok()?;
    let runs = connection.query_row("SELECT count(*) FROM run", [], |row| row.get::<_, i64>(0));
    (runs.is_ok() && usize::try_from(version) == Ok(MIGRATIONS.len())).then_some(connection)
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|data| data.len() > 0)
}

/// A name that says that nobody changes the file; what a name cannot hold is written as `%20`.
fn immutable(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mut name = "file:".to_owned();
    for byte in path.to_str()?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(name + "?immutable=1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::RunBegun;

    #[test]
    fn a_state_is_read_without_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a b?#%ü");
        std::fs::create_dir(&place).unwrap();
        let state = State::open(&place).unwrap();
        state.run_begins(&RunBegun::new("r", "p", Path::new("p.toml"), 1)).unwrap();
        let file = place.join(super::super::FOLDER).join(super::super::FILE);
        // Its log is there, and read with it.
        assert_eq!(open(&file).unwrap().runs(None, 9).unwrap().len(), 1);
        drop(state);
        assert!(!has_log(&file), "the last one to leave empties the log");
        let read = State { path: file.clone(), connection: Mutex::new(ours(&immutable(&file).unwrap()).unwrap()) };
        assert_eq!(read.runs(None, 9).unwrap().len(), 1);
        let refused = read.run_begins(&RunBegun::new("s", "p", Path::new("p.toml"), 1)).unwrap_err().to_string();
        assert!(refused.contains("this user may not write there"), "{refused}");
        drop(read);
        std::fs::write(&file, "something else").unwrap();
        assert!(open(&file).is_none());
    }
}
