//! Whether a table still holds what a run committed to it, as far as that is told without a look at each row.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::tables::{NOTES, has_table, open, table_now};

/// What a table has lost.
pub(crate) struct Lack {
    /// in words
    pub what: String,
    /// no row is left in it
    pub is_all: bool,
}

/// What is missing of a run in a table that it has written rows to; none: nothing that could be told. `units`: objects and
/// ids of the units that the database itself must have noted.
pub(crate) fn lack(database: &Path, table: &str, run: &str, units: &[(String, &str)]) -> Option<Lack> {
    let at = database.display();
    let all = |what: String| Some(Lack { what, is_all: true });
    let db = match open(database) {
        Ok(db) => db,
        Err(what) => return Some(Lack { what, is_all: !database.exists() }),
    };
    let failed = |error: rusqlite::Error| Some(Lack { what: format!("{at} cannot be read: {error}"), is_all: false });
    let now = match table_now(&db, run, table) {
        Ok(Some(now)) => now,
        Ok(None) => return all(format!("the table {table} of {at}, which it had written, is gone")),
        Err(error) => return failed(error),
    };
    match is_empty(&db, &now) {
        Ok(false) => {}
        Ok(true) => return all(format!("the table {now} of {at}, which it had written, is empty now")),
        Err(error) => return failed(error),
    }
    let noted = match noted(&db, run, units) {
        Ok(Some(noted)) if noted < units.len() => noted,
        Ok(_) => return None,
        Err(error) => return failed(error),
    };
    let what = format!(
        "{at} knows {noted} of the {} units that it had committed there, as an older copy of it would",
        units.len()
    );
    Some(Lack { what, is_all: false })
}

fn is_empty(db: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM \"{}\")", table.replace('"', "\"\""));
    db.query_row(&sql, [], |row| row.get(0))
}

/// How many of the units are noted; none where nothing is noted of any run.
fn noted(db: &Connection, run: &str, units: &[(String, &str)]) -> rusqlite::Result<Option<usize>> {
    if units.is_empty() || !has_table(db, NOTES)? {
        return Ok(None);
    }
    let mut statement = db.prepare(&format!("SELECT feed, unit FROM {NOTES} WHERE run = ?1"))?;
    let there: BTreeSet<(String, String)> =
        statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(Some(units.iter().filter(|(feed, unit)| there.contains(&(feed.clone(), (*unit).to_owned()))).count()))
}
