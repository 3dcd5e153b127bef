//! Tables of a SQLite database: the units that are noted in it, and the rows that are there.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{Facts, VerifyCheck, VerifyState};
use crate::error::Error;
use crate::file::Mode;
use crate::run::pass::is_of_deletes;
use crate::session::Session;
use crate::state::{BACKFILL, PlaceKind};

/// The table in which the destination `sqlite` notes the units that are in.
pub(super) const NOTES: &str = "_forcepump_units";
/// What the notes hold beside units: the end of a run.
const NO_UNITS: &str = "unit NOT IN ('(concluded)', '(discarded)')";
/// Units that are named.
const NAMED: usize = 5;

/// A database that is only read.
pub(super) fn open(path: &Path) -> Result<Connection, String> {
    if !path.is_file() {
        return Err(format!("{} is gone", path.display()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| format!("{} cannot be opened: {error}", path.display()))
}

/// The notes and the tables of one database.
pub(super) fn checks(
    session: &Session,
    facts: &Facts,
    feed: &str,
    (database, tables): (&str, &[&str]),
) -> Result<Vec<VerifyCheck>, Error> {
    let rows = |table: &str| rows_in(facts, feed, database, table);
    let path = &facts.folder.join(database);
    let db = match open(path) {
        Ok(db) => db,
        Err(note) => {
            let gone = |table: &&str| VerifyCheck::differs(feed, format!("rows of table {table}"), rows(table), &note);
            return Ok(tables.iter().map(gone).collect());
        }
    };
    let read = |error: rusqlite::Error| Error::Place { key: path.display().to_string(), message: error.to_string() };
    let mode = if facts.run.kind == BACKFILL { Mode::Update } else { session.mode_of(feed) };
    let mut checks = Vec::new();
    if has_table(&db, NOTES).map_err(read)? {
        checks.push(notes(&db, facts, (feed, path), mode).map_err(read)?);
    }
    for carried in tables {
        let Some(table) = table_now(&db, &facts.known_as(feed), carried).map_err(read)? else {
            let what = format!("rows of table {carried}");
            checks.push(VerifyCheck::differs(feed, what, rows(carried), "the table is gone"));
            continue;
        };
        checks.push(table_rows(&db, facts, (feed, &table), rows(carried), mode).map_err(read)?);
    }
    Ok(checks)
}

fn rows_in(facts: &Facts, feed: &str, within: &str, name: &str) -> u64 {
    let is_it = |place: &PlaceKind| match place {
        PlaceKind::Table { database, table, .. } => database == within && table == name,
        PlaceKind::File { .. } => false,
    };
    facts.places_of(feed).filter(|row| is_it(&row.place)).map(|row| row.rows).sum()
}

pub(super) fn has_table(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    Ok(db.query_row(sql, [name], |_| Ok(())).optional()?.is_some())
}

/// The table that a carried one is by now: a side table took the place of its target.
pub(super) fn table_now(db: &Connection, run: &str, carried: &str) -> rusqlite::Result<Option<String>> {
    if has_table(db, carried)? {
        return Ok(Some(carried.to_owned()));
    }
    if !has_table(db, NOTES)? {
        return Ok(None);
    }
    let sql = format!("SELECT DISTINCT target FROM {NOTES} WHERE run = ?1");
    let mut statement = db.prepare(&sql)?;
    let targets: Vec<String> = statement.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let is_it = |target: &&String| targets.len() == 1 || carried.to_lowercase().contains(target.as_str());
    let Some(target) = targets.iter().filter(is_it).max_by_key(|target| target.len()) else { return Ok(None) };
    Ok(has_table(db, target)?.then(|| target.clone()))
}

/// The units of the run that are noted in the database, one by one.
fn notes(db: &Connection, facts: &Facts, (feed, path): (&str, &Path), mode: Mode) -> rusqlite::Result<VerifyCheck> {
    // Feeds have units of the same names; the destination knows a feed by its object.
    let object = facts.object(feed);
    let sql = format!("SELECT unit, sum(rows) FROM {NOTES} WHERE run = ?1 AND feed = ?2 AND {NO_UNITS} GROUP BY unit");
    let mut statement = db.prepare(&sql)?;
    let unit = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let noted = statement.query_map([facts.known_as(feed).as_str(), object], unit)?;
    let noted: BTreeMap<String, u64> =
        noted.map(|row| row.map(|(unit, rows)| (unit, rows.max(0).unsigned_abs()))).collect::<rusqlite::Result<_>>()?;
    let counts_rows = !matches!(mode, Mode::Update | Mode::Delete);
    let (mut expected, mut found, mut examples) = (0, 0, Vec::new());
    for unit in facts.units_of(feed) {
        let (written, there) = (unit.tally.written, noted.get(&unit.unit).copied());
        // How many rows a change or a deletion finds is the table's matter.
        let (want, have) = match (counts_rows, is_of_deletes(&unit.pass)) {
            (true, true) => (there.unwrap_or(written), there.unwrap_or(0)),
            (true, false) => (written, there.unwrap_or(0)),
            (false, _) => (1, u64::from(there.is_some())),
        };
        expected += want;
        found += have;
        if want != have || there.is_none() {
            let there = there.map_or_else(|| "not noted".to_owned(), |rows| format!("{rows} rows noted"));
            examples.push(format!("{}: {written} rows committed, {there}", unit.unit));
        }
    }
    let what = if counts_rows { "rows noted in" } else { "units noted in" };
    let mut check = VerifyCheck::counts(feed, format!("{what} {}", path.display()), expected, found);
    if !examples.is_empty() {
        check.state = VerifyState::Differs;
        check.note = Some(format!("{} units are not noted as they were committed", examples.len()));
        examples.truncate(NAMED);
        check.examples = examples;
    }
    Ok(check)
}

fn table_rows(
    db: &Connection,
    facts: &Facts,
    (feed, table): (&str, &str),
    carried: u64,
    mode: Mode,
) -> rusqlite::Result<VerifyCheck> {
    let what = format!("rows of table {table}");
    let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
    let found = db.query_row(&sql, [], |row| row.get::<_, i64>(0))?.max(0).unsigned_abs();
    match mode {
        Mode::Overwrite => Ok(match later_run(db, facts, (feed, table))? {
            Later::Other(run) => VerifyCheck::unknown(feed, what, format!("run {run} wrote the table since")),
            Later::Retries(rows) => VerifyCheck::counts(feed, what, carried + rows, found)
                .noting_difference("rows were added to the table or deleted from it since"),
        }),
        Mode::Append => {
            let all = noted_rows(db, facts, table)?.unwrap_or(carried).max(carried);
            let check = VerifyCheck::counts(feed, what, all, found);
            Ok(match found.cmp(&all) {
                std::cmp::Ordering::Equal => check,
                std::cmp::Ordering::Less => check.noting("rows were deleted from the table since"),
                std::cmp::Ordering::Greater => VerifyCheck { state: VerifyState::Unknown, ..check }.noting(
                    "it holds rows that no run noted: from before the first run, or added since; --keys names them",
                ),
            })
        }
        Mode::Merge | Mode::Update | Mode::Delete => {
            let note =
                format!("it has {found} rows; how many are of this run cannot be told by number, --keys compares ids");
            Ok(VerifyCheck::unknown(feed, what, note))
        }
    }
}

/// Rows of all runs that appended to the table since it was replaced as a whole.
fn noted_rows(db: &Connection, facts: &Facts, table: &str) -> rusqlite::Result<Option<u64>> {
    let noted = noted_by_run(db, table, REPLACED)?;
    let rows = noted.iter().filter(|(run, _)| !is_one_of(run, facts.backfills.iter())).map(|(_, rows)| rows);
    Ok((!noted.is_empty()).then(|| rows.sum()))
}

/// Who wrote an overwritten table after the run.
enum Later {
    /// a run of its own
    Other(String),
    /// runs that read rejected rows of this one again, or none: the rows that they added
    Retries(u64),
}

/// Whether a run that a destination knows by that name is one of these: a feed that began anew has a number behind the id.
fn is_one_of<'a>(name: &str, mut runs: impl Iterator<Item = &'a String>) -> bool {
    runs.any(|run| name.strip_prefix(run.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

fn later_run(db: &Connection, facts: &Facts, (feed, table): (&str, &str)) -> rusqlite::Result<Later> {
    let known_as = facts.known_as(feed);
    let mut noted = noted_by_run(db, table, "''")?;
    noted.retain(|(run, _)| *run > known_as);
    let other = noted.iter().rev().find(|(run, _)| !is_one_of(run, facts.retries.iter()));
    Ok(match other {
        Some((run, _)) => Later::Other(run.clone()),
        None => Later::Retries(noted.iter().map(|(_, rows)| rows).sum()),
    })
}

/// The last run that took the place of all before it; ids of runs sort by time.
const REPLACED: &str =
    "COALESCE((SELECT max(run) FROM _forcepump_units WHERE target = ?1 AND unit = '(concluded)'), '')";

/// The runs that are noted for a table, from one on, in their order, each with its rows.
fn noted_by_run(db: &Connection, table: &str, from: &str) -> rusqlite::Result<Vec<(String, u64)>> {
    if !has_table(db, NOTES)? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT run, sum(rows) FROM {NOTES} WHERE target = ?1 AND run >= {from} AND {NO_UNITS} GROUP BY run ORDER BY run"
    );
    let mut statement = db.prepare(&sql)?;
    let noted = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0).unsigned_abs()));
    statement.query_map([table.to_lowercase()], noted)?.collect()
}
