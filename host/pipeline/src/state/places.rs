//! Where the host carried the rows of a committed unit: files and tables, so that they can be counted again later.

use rusqlite::Row;

use super::{State, count, stored};
use crate::error::Error;

/// A file, or a table of a database, that rows of one unit went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceRow {
    pub feed: String,
    /// id of the unit
    pub unit: String,
    pub place: PlaceKind,
    /// rows that went there
    pub rows: u64,
}

/// What kind of place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    File {
        /// the granted folder, as the pipeline file has it
        folder: String,
        /// below it
        path: String,
        /// as the contract names it
        format: String,
        compression: String,
        bytes: u64,
        sha256: String,
    },
    Table {
        /// the database file, as the pipeline file has it
        database: String,
        table: String,
        /// how rows met rows that were there: `append`, `upsert` or `replace`
        mode: String,
    },
}

const COLUMNS: &str = "feed, unit, kind, place, name, format, compression, rows, bytes, sha256";

impl State {
    /// Notes where the rows of a unit went, in the place of what was noted of it before.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_places(&self, run: &str, feed: &str, unit: &str, places: &[PlaceRow]) -> Result<(), Error> {
        self.lazily(|t| put_places(t, (run, feed, unit), places))
    }

    /// Where the rows of a run's committed units went, unit after unit.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn places(&self, run: &str) -> Result<Vec<PlaceRow>, Error> {
        self.read(|c| {
            // Those of a unit whose commit was not answered are noted too.
            let sql = format!(
                "SELECT {COLUMNS} FROM unit_place WHERE run = ?1
                 AND (feed, unit) IN (SELECT feed, unit FROM unit WHERE run = ?1 AND standing < 2)
                 ORDER BY feed, unit, number"
            );
            let mut statement = c.prepare(&sql)?;
            statement.query_map([run], place_row)?.collect()
        })
    }
}

/// Puts the places of a unit, run, feed and id, where what was noted of it before stood.
pub(super) fn put_places(
    t: &rusqlite::Transaction<'_>,
    (run, feed, unit): (&str, &str, &str),
    places: &[PlaceRow],
) -> rusqlite::Result<()> {
    t.execute("DELETE FROM unit_place WHERE run = ?1 AND feed = ?2 AND unit = ?3", (run, feed, unit))?;
    let sql = format!(
        "INSERT INTO unit_place (run, number, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    );
    let mut statement = t.prepare_cached(&sql)?;
    for (number, PlaceRow { feed, unit, place, rows }) in (0_i64..).zip(places) {
        let (kind, at, name, how, compression, bytes, sha256) = match place {
            PlaceKind::File { folder, path, format, compression, bytes, sha256 } => {
                ("file", folder, path, format, Some(compression), Some(stored(*bytes)), Some(sha256))
            }
            PlaceKind::Table { database, table, mode } => ("table", database, table, mode, None, None, None),
        };
        statement.execute(rusqlite::params![
            run,
            number,
            feed,
            unit,
            kind,
            at,
            name,
            how,
            compression,
            stored(*rows),
            bytes,
            sha256
        ])?;
    }
    Ok(())
}

fn place_row(row: &Row<'_>) -> rusqlite::Result<PlaceRow> {
    let kind: String = row.get(2)?;
    let place = match kind.as_str() {
        "file" => PlaceKind::File {
            folder: row.get(3)?,
            path: row.get(4)?,
            format: row.get(5)?,
            compression: row.get(6)?,
            bytes: count(row, 8)?,
            sha256: row.get(9)?,
        },
        _ => PlaceKind::Table { database: row.get(3)?, table: row.get(4)?, mode: row.get(5)? },
    };
    Ok(PlaceRow { feed: row.get(0)?, unit: row.get(1)?, place, rows: count(row, 7)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_a_unit_are_noted_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let row = |place, rows| PlaceRow { feed: "Account".into(), unit: "p00000".into(), place, rows };
        let file = PlaceKind::File {
            folder: "/out".into(),
            path: "a.csv".into(),
            format: "csv".into(),
            compression: "none".into(),
            bytes: 7,
            sha256: "ab".into(),
        };
        let table = PlaceKind::Table { database: "/x.db".into(), table: "t".into(), mode: "append".into() };
        let rows = [row(file, 3), row(table, 4)];
        for _ in 0..2 {
            state.unit_places("r", "Account", "p00000", &rows).unwrap();
        }
        assert!(state.places("r").unwrap().is_empty(), "the unit is not committed");
        let unit = "INSERT INTO unit VALUES ('r', 'Account', '', 'p00000', 0, 7, 0, 0, 0, 7, 0, '', NULL, 0, NULL, NULL, 1, NULL, NULL, NULL, 0, 0, 0)";
        state.transaction(|t| t.execute(unit, [])).unwrap();
        assert_eq!(state.places("r").unwrap(), rows);
        assert!(state.places("other").unwrap().is_empty());
    }
}
