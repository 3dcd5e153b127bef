//! Whether a table still holds what a run committed to it, as far as that is told without a look at each row.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::tables::{NOTES, has_table, open, table_now};

/// How long a database that is being written is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// What a table has lost.
pub(crate) struct Lack {
    /// in words
    pub what: String,
    /// no row is left in it
    pub is_all: bool,
}

/// What is missing of a run in a table that it has written rows to; none: nothing that could be told, as of a database that
/// is locked. `units`: objects and ids of the units that the database itself must have noted.
pub(crate) fn lack(database: &Path, table: &str, run: &str, units: &[(String, &str)]) -> Option<Lack> {
    let at = database.display();
    let db = open(database).ok()?;
    db.busy_timeout(BUSY).ok()?;
    let all = |what: String| Some(Lack { what, is_all: true });
    let Some(now) = table_now(&db, run, table).ok()? else {
        return all(format!("the table {table} of {at}, which it had written, is gone"));
    };
    if is_empty(&db, &now).ok()? {
        return all(format!("the table {now} of {at}, which it had written, is empty now"));
    }
    let noted = noted(&db, run, units).ok()??;
    let what = format!(
        "{at} knows {noted} of the {} units that it had committed there, as an older copy of it would",
        units.len()
    );
    (noted < units.len()).then_some(Lack { what, is_all: false })
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
