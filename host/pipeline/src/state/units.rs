//! The units of a run that are committed in the destination.

use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::jobs::FeedKey;
use super::{State, count, stored};
use crate::error::Error;
use crate::run::{RowHash, UnitTally};

/// A unit that the destination has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitRow {
    pub feed: String,
    /// prefix of the unit's id; empty: the main pass
    pub pass: String,
    /// its id, the prefix included
    pub unit: String,
    /// its place in the order of the commits of its feed, from 0
    pub number: u64,
    pub tally: UnitTally,
    /// what the destination's commit gave
    pub token: String,
    /// what the extract has to know of the part
    pub part: Option<String>,
    /// length of the rejects file after it
    pub rejects_bytes: u64,
    pub ids: IdRange,
    /// files that the host wrote for it, below the granted folders
    pub files: Vec<UnitFile>,
    /// of the rows that were read
    pub read_hash: Option<Vec<u8>>,
    /// of the rows that were written
    pub written_hash: Option<Vec<u8>>,
    /// microseconds since the epoch
    pub committed_at: i64,
}

/// A file that the host wrote for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitFile {
    /// name of the granted folder
    pub root: String,
    /// path below it
    pub path: String,
}

/// Which ids a unit holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdRange {
    /// the first in the order of bytes; none: no row has an id
    pub min: Option<String>,
    pub max: Option<String>,
    /// every id came after the one before
    pub ascending: bool,
}

/// How much of a run is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    pub units: u64,
    /// rows written
    pub rows: u64,
}

const COLUMNS: &str = "feed, pass, unit, number, read, filtered, added, rejected, written, bytes, token, part, rejects_bytes, \
                       min_id, max_id, ascending, files, read_hash, written_hash, committed_at";

impl State {
    /// A unit is durable in the destination; with it are noted the rows that the next incremental run may meet again.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_committed(&self, run: &str, row: &UnitRow, remembered: &[RowHash]) -> Result<(), Error> {
        let files = (!row.files.is_empty()).then(|| serde_json::to_string(&row.files).ok()).flatten();
        self.transaction(|t| {
            {
                let mut statement = t.prepare_cached("INSERT OR IGNORE INTO overlap (run, hash) VALUES (?1, ?2)")?;
                remembered.iter().try_for_each(|hash| statement.execute((run, hash)).map(|_| ()))?;
            }
            let sql = format!(
                "INSERT OR REPLACE INTO unit (run, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
            );
            let tally = &row.tally;
            t.prepare_cached(&sql)?.execute(rusqlite::params![
                run,
                row.feed,
                row.pass,
                row.unit,
                stored(row.number),
                stored(tally.read),
                stored(tally.filtered),
                stored(tally.added),
                stored(tally.rejected),
                stored(tally.written),
                stored(tally.bytes),
                row.token,
                row.part,
                stored(row.rejects_bytes),
                row.ids.min,
                row.ids.max,
                row.ids.ascending,
                files,
                row.read_hash,
                row.written_hash,
                row.committed_at,
            ])
        })?;
        Ok(())
    }

    /// The committed units of a run, feed after feed in the order of their commits.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn units(&self, run: &str) -> Result<Vec<UnitRow>, Error> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM unit WHERE run = ?1 ORDER BY feed, number");
            let mut statement = c.prepare(&sql)?;
            statement.query_map([run], unit_row)?.collect()
        })
    }

    /// How much of a run is committed.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn committed(&self, run: &str) -> Result<Committed, Error> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(written), 0) FROM unit WHERE run = ?1";
        self.read(|c| c.query_row(sql, [run], |row| Ok(Committed { units: count(row, 0)?, rows: count(row, 1)? })))
    }

    /// Forgets the units of a pass: all of them are read again.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn forget_units(&self, key: FeedKey<'_>, pass: &str) -> Result<(), Error> {
        let sql = "DELETE FROM unit WHERE run = ?1 AND feed = ?2 AND pass = ?3";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass)))?;
        Ok(())
    }
}

fn unit_row(row: &Row<'_>) -> rusqlite::Result<UnitRow> {
    let tally = UnitTally {
        read: count(row, 4)?,
        filtered: count(row, 5)?,
        added: count(row, 6)?,
        rejected: count(row, 7)?,
        written: count(row, 8)?,
        bytes: count(row, 9)?,
    };
    let files: Option<String> = row.get(16)?;
    Ok(UnitRow {
        feed: row.get(0)?,
        pass: row.get(1)?,
        unit: row.get(2)?,
        number: count(row, 3)?,
        tally,
        token: row.get(10)?,
        part: row.get(11)?,
        rejects_bytes: count(row, 12)?,
        ids: IdRange { min: row.get(13)?, max: row.get(14)?, ascending: row.get(15)? },
        files: files.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        read_hash: row.get(17)?,
        written_hash: row.get(18)?,
        committed_at: row.get(19)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(pass: &str, unit: &str, number: u64, written: u64) -> UnitRow {
        UnitRow {
            feed: "Account".into(),
            pass: pass.into(),
            unit: unit.into(),
            number,
            tally: UnitTally { read: written + 1, filtered: 1, written, ..UnitTally::default() },
            token: "t".into(),
            part: Some("{}".into()),
            rejects_bytes: 0,
            ids: IdRange { min: Some("001".into()), max: Some("002".into()), ascending: true },
            files: vec![UnitFile { root: "out".into(), path: "Account/a.csv".into() }],
            read_hash: None,
            written_hash: Some(vec![1, 2]),
            committed_at: 9,
        }
    }

    #[test]
    fn units_come_back_in_the_order_of_their_commits() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let rows = [unit("", "p00001", 0, 5), unit("", "p00000", 1, 3), unit("d", "d-p00000", 2, 1)];
        for row in &rows {
            state.unit_committed("r", row, &[[7; 16]]).unwrap();
        }
        assert_eq!(state.units("r").unwrap(), rows);
        assert_eq!(state.committed("r").unwrap(), Committed { units: 3, rows: 9 });
        state.unit_committed("r", &unit("", "p00001", 3, 6), &[]).unwrap();
        assert_eq!(state.committed("r").unwrap(), Committed { units: 3, rows: 10 }, "a unit counts once");
        state.forget_units(FeedKey { run: "r", feed: "Account" }, "").unwrap();
        assert_eq!(state.units("r").unwrap(), rows[2..]);
        let hashes: u32 = state.read(|c| c.query_row("SELECT COUNT(*) FROM overlap", [], |row| row.get(0))).unwrap();
        assert_eq!(hashes, 1);
    }
}
