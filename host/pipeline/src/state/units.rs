//! The units of a run that are committed in the destination.

use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::jobs::FeedKey;
use super::places::put_places;
use super::{MendedRows, PlaceRow, State, count, overlap_key, stored};
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

/// What is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// the destination has committed it
    Committed = 0,
    /// the destination has committed it, and it is read again for the sake of a transform's memory
    Again = 1,
    /// its commit was asked for, and the answer is not known
    Unsure = 2,
    /// its commit was answered, and the host knows that it is not there as the destination says
    Denied = 3,
    /// it was begun in a destination that keeps rows as they come, before any commit
    Begun = 4,
}

/// A unit as it was noted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub row: UnitRow,
    /// its commit was asked for, and the answer is not known
    pub is_unsure: bool,
}

/// How much of a run is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    pub units: u64,
    /// rows written
    pub rows: u64,
}

const COLUMNS: &str = "feed, pass, unit, number, read, filtered, added, rejected, written, bytes, token, part, rejects_bytes, \
                       min_id, max_id, ascending, files, read_hash, written_hash, committed_at, refused";

impl State {
    /// A unit's commit is about to be asked of the destination: should the answer be lost, it may be there, and its rows in
    /// `places`.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_unsure(&self, run: &str, row: &UnitRow, places: &[PlaceRow]) -> Result<(), Error> {
        self.note_unit(run, row, Standing::Unsure, |t| match places {
            [] => Ok(()),
            places => put_places(t, (run, &row.feed, &row.unit), places),
        })
    }

    /// A unit's commit was answered, but it is not there as the destination says: it is not taken to be there later, and
    /// what of it may be there still counts as such.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_denied(&self, run: &str, row: &UnitRow) -> Result<(), Error> {
        self.note_unit(run, row, Standing::Denied, |_| Ok(()))
    }

    /// A unit is begun in a destination that keeps rows as they come: should it end here, some may be there. What is noted
    /// of it already stays.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_begun(&self, key: FeedKey<'_>, pass: &str, unit: &str) -> Result<(), Error> {
        let sql = "INSERT OR IGNORE INTO unit (run, feed, pass, unit, number, read, filtered, added, rejected, written, bytes, token, rejects_bytes, ascending, standing, committed_at)
                   VALUES (?1, ?2, ?3, ?4, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, ?5, 0)";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass, unit, Standing::Begun as i64)))?;
        Ok(())
    }

    /// A unit is durable in the destination; with it are noted the rows that the next incremental run may meet again, and
    /// those that were rejected once and went through.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn unit_committed(
        &self,
        run: &str,
        row: &UnitRow,
        remembered: &[RowHash],
        mended: Option<MendedRows<'_>>,
    ) -> Result<(), Error> {
        self.note_unit(run, row, Standing::Committed, |t| {
            let mut statement = t.prepare_cached("INSERT OR IGNORE INTO overlap (run, hash) VALUES (?1, ?2)")?;
            let key = overlap_key(run, &row.feed);
            remembered.iter().try_for_each(|hash| statement.execute((&key, hash)).map(|_| ()))?;
            mended.map_or(Ok(()), |mended| mended.note(t, run))
        })
    }

    fn note_unit(
        &self,
        run: &str,
        row: &UnitRow,
        standing: Standing,
        beside: impl Fn(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        let files = (!row.files.is_empty()).then(|| serde_json::to_string(&row.files).ok()).flatten();
        let note = |t: &rusqlite::Transaction<'_>| {
            beside(t)?;
            let sql = format!(
                "INSERT OR REPLACE INTO unit (run, {COLUMNS}, standing) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)"
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
                stored(tally.refused),
                standing as i64,
            ])
        };
        // Without the note that a unit is committed it is one that may be: it is read again, to no effect.
        match standing {
            Standing::Unsure | Standing::Denied | Standing::Begun => self.transaction(note)?,
            Standing::Committed | Standing::Again => self.lazily(note)?,
        };
        Ok(())
    }

    /// The committed units of a run, feed after feed in the order of their commits.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn units(&self, run: &str) -> Result<Vec<UnitRow>, Error> {
        self.units_standing("standing = 0", run)
    }

    /// As [`State::units`], with those that are read again for the sake of a transform's memory.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn units_in_destination(&self, run: &str) -> Result<Vec<UnitRow>, Error> {
        self.units_standing("standing < 2", run)
    }

    fn units_standing(&self, how: &str, run: &str) -> Result<Vec<UnitRow>, Error> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM unit WHERE run = ?1 AND {how} ORDER BY feed, number");
            let mut statement = c.prepare(&sql)?;
            statement.query_map([run], unit_row)?.collect()
        })
    }

    /// Every unit of a run that is committed or may be, by feed and id.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn noted_units(&self, run: &str) -> Result<Vec<(String, String)>, Error> {
        self.read(|c| {
            let mut statement = c.prepare("SELECT feed, unit FROM unit WHERE run = ?1 AND standing <> 4")?;
            statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// What was noted of a unit before; nothing of one whose commit was denied, or never asked for.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn noted(&self, run: &str, row: &UnitRow) -> Result<Option<Noted>, Error> {
        let sql = format!(
            "SELECT {COLUMNS}, standing FROM unit WHERE run = ?1 AND feed = ?2 AND pass = ?3 AND unit = ?4 AND standing < 3"
        );
        self.read(|c| {
            let noted = |row: &Row<'_>| {
                Ok(Noted { row: unit_row(row)?, is_unsure: row.get::<_, i64>("standing")? == Standing::Unsure as i64 })
            };
            c.prepare_cached(&sql)?.query_row((run, &row.feed, &row.pass, &row.unit), noted).optional()
        })
    }

    /// How much of a run is committed.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn committed(&self, run: &str) -> Result<Committed, Error> {
        self.count_units("SELECT COUNT(*), COALESCE(SUM(written), 0) FROM unit WHERE run = ?1 AND standing < 2", run)
    }

    /// How much of a feed is committed, and what may be.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn perhaps_committed(&self, key: FeedKey<'_>) -> Result<Committed, Error> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(written), 0) FROM unit WHERE run = ?1 AND feed = ?2";
        self.read(|c| c.query_row(sql, (key.run, key.feed), committed))
    }

    /// Units of a run whose commit was asked for, and the answer is not known or not believed; and those that were begun where
    /// rows stay as they come.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn unanswered(&self, run: &str) -> Result<Committed, Error> {
        let sql = "SELECT COUNT(*), COALESCE(SUM(written), 0) FROM unit
                   WHERE run = ?1 AND standing >= 2 AND (written > 0 OR standing = 4)";
        self.count_units(sql, run)
    }

    /// Units of a feed that were begun, and of which no commit was asked for.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn begun_units(&self, key: FeedKey<'_>) -> Result<u64, Error> {
        let sql = "SELECT COUNT(*) FROM unit WHERE run = ?1 AND feed = ?2 AND standing = 4";
        self.read(|c| c.query_row(sql, (key.run, key.feed), |row| count(row, 0)))
    }

    /// Units of a pass that the destination has, or may have, and that [`State::units`] does not give.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn unsure_units(&self, key: FeedKey<'_>, pass: &str) -> Result<u64, Error> {
        let sql = "SELECT COUNT(*) FROM unit WHERE run = ?1 AND feed = ?2 AND pass = ?3 AND standing <> 0";
        self.read(|c| c.query_row(sql, (key.run, key.feed, pass), |row| count(row, 0)))
    }

    fn count_units(&self, sql: &str, run: &str) -> Result<Committed, Error> {
        self.read(|c| c.query_row(sql, [run], committed))
    }

    /// The units of a pass are read again, all of them.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn units_again(&self, key: FeedKey<'_>, pass: &str) -> Result<(), Error> {
        let sql = "UPDATE unit SET standing = ?4 WHERE run = ?1 AND feed = ?2 AND pass = ?3 AND standing = 0";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass, Standing::Again as i64)))?;
        Ok(())
    }
}

fn committed(row: &Row<'_>) -> rusqlite::Result<Committed> {
    Ok(Committed { units: count(row, 0)?, rows: count(row, 1)? })
}

fn unit_row(row: &Row<'_>) -> rusqlite::Result<UnitRow> {
    let tally = UnitTally {
        read: count(row, 4)?,
        filtered: count(row, 5)?,
        added: count(row, 6)?,
        rejected: count(row, 7)?,
        written: count(row, 8)?,
        bytes: count(row, 9)?,
        refused: count(row, 20)?,
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
            tally: UnitTally {
                read: written + 3,
                filtered: 1,
                rejected: 2,
                refused: 1,
                written,
                ..UnitTally::default()
            },
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
            state.unit_committed("r", row, &[[7; 16]], None).unwrap();
        }
        assert_eq!(state.units("r").unwrap(), rows);
        assert_eq!(state.committed("r").unwrap(), Committed { units: 3, rows: 9 });
        state.unit_committed("r", &unit("", "p00001", 3, 6), &[], None).unwrap();
        assert_eq!(state.committed("r").unwrap(), Committed { units: 3, rows: 10 }, "a unit counts once");
        state.units_again(FeedKey { run: "r", feed: "Account" }, "").unwrap();
        assert_eq!(state.units("r").unwrap(), rows[2..]);
        assert_eq!(state.units_in_destination("r").unwrap().len(), 3);
        assert_eq!(state.committed("r").unwrap().units, 3);
        state.unit_unsure("r", &unit("", "p00002", 9, 4), &[]).unwrap();
        assert_eq!(state.committed("r").unwrap().units, 3);
        let key = |feed| FeedKey { run: "r", feed };
        assert_eq!(state.perhaps_committed(key("Contact")).unwrap(), Committed::default());
        assert_eq!(state.perhaps_committed(key("Account")).unwrap(), Committed { units: 4, rows: 14 });
        assert_eq!(state.unsure_units(FeedKey { run: "r", feed: "Account" }, "").unwrap(), 3);
        for (begun, name) in [(0, "p00002"), (1, "p00003")] {
            state.unit_begun(key("Account"), "", name).unwrap();
            assert_eq!(state.begun_units(key("Account")).unwrap(), begun, "what is noted of {name} stays");
        }
        assert_eq!(state.unsure_units(key("Account"), "").unwrap(), 4);
        assert_eq!(state.noted("r", &unit("", "p00003", 9, 4)).unwrap(), None);
        let names = ["p00000", "p00001", "p00002", "d-p00000"].map(|unit| ("Account".to_owned(), unit.to_owned()));
        let noted: std::collections::BTreeSet<_> = state.noted_units("r").unwrap().into_iter().collect();
        assert_eq!(noted, names.into());
        for (row, is_unsure) in [(unit("", "p00001", 3, 6), false), (unit("", "p00002", 9, 4), true)] {
            assert_eq!(state.noted("r", &row).unwrap(), Some(Noted { row, is_unsure }));
        }
        assert_eq!(state.noted("r", &unit("d", "p00002", 9, 4)).unwrap(), None);
        state.unit_denied("r", &unit("", "p00002", 9, 4)).unwrap();
        assert_eq!(state.noted("r", &unit("", "p00002", 9, 4)).unwrap(), None, "it is not believed a second time");
        assert_eq!(
            state.perhaps_committed(FeedKey { run: "r", feed: "Account" }).unwrap().units,
            5,
            "and something of it may be there"
        );
        let hashes: u32 = state.read(|c| c.query_row("SELECT COUNT(*) FROM overlap", [], |row| row.get(0))).unwrap();
        assert_eq!(hashes, 1);
    }
}
