//! Where incremental runs ended, and the rows that the next one may meet again.

use std::collections::HashSet;

use rusqlite::OptionalExtension;

use super::State;
use crate::error::Error;
use crate::incremental::{Cursor, Window};
use crate::run::RowHash;

/// Whose cursor it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CursorKey {
    pub pipeline: String,
    pub org: String,
    pub object: String,
}

/// Under what the rows are kept that a feed of a run remembers: the feeds of a run end at different times, and what one
/// forgets another may still need.
pub(crate) fn overlap_key(run: &str, feed: &str) -> String {
    format!("{run}/{feed}")
}

impl State {
    /// Where the last complete run ended.
    pub(crate) fn cursor(&self, pipeline: &str, org: &str, object: &str) -> Result<Option<Cursor>, Error> {
        self.read(|c| {
            let sql = "SELECT value, \"window\" FROM cursor LEFT JOIN feed ON cursor.run = feed.run || '/' || feed.feed
                       WHERE pipeline = ?1 AND cursor.org = ?2 AND cursor.object = ?3";
            let cursor = |row: &rusqlite::Row<'_>| {
                let window: Option<String> = row.get(1)?;
                let window = window.and_then(|text| serde_json::from_str::<Window>(&text).ok());
                Ok(Cursor { at: row.get(0)?, remembers_from: window.map(|window| window.remember_from) })
            };
            c.query_row(sql, (pipeline, org, object), cursor).optional()
        })
    }

    /// The rows that the last complete run remembered.
    pub(crate) fn overlap(&self, key: &CursorKey) -> Result<HashSet<RowHash>, Error> {
        self.read(|c| {
            let sql = "SELECT hash FROM overlap JOIN cursor ON cursor.run = overlap.run
                       WHERE pipeline = ?1 AND org = ?2 AND object = ?3";
            let mut statement = c.prepare(sql)?;
            let rows = statement.query_map((&key.pipeline, &key.org, &key.object), |row| row.get::<_, RowHash>(0))?;
            rows.collect()
        })
    }

    /// Every unit of the run is committed: the cursor moves, and what former runs remembered is forgotten.
    pub(crate) fn cursor_moves(&self, key: &CursorKey, field: &str, to: i64, run: &str) -> Result<(), Error> {
        self.transaction(|t| {
            t.execute(
                "DELETE FROM overlap WHERE run IN (SELECT run FROM cursor WHERE pipeline = ?1 AND org = ?2 AND object = ?3)
                 AND run <> ?4",
                (&key.pipeline, &key.org, &key.object, run),
            )?;
            t.execute(
                "INSERT INTO cursor (pipeline, org, object, field, value, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (pipeline, org, object) DO UPDATE SET field = ?4, value = ?5, run = ?6",
                (&key.pipeline, &key.org, &key.object, field, to, run),
            )
        })?;
        Ok(())
    }

    /// A feed that is not complete leaves nothing to be known again. `run`: as [`overlap_key`] has it.
    pub(crate) fn forget(&self, run: &str) -> Result<(), Error> {
        self.transaction(|t| forget_rows(t, run))?;
        Ok(())
    }
}

/// Forgets the rows of runs whose key the pattern fits, but for those of a feed whose cursor has moved: the next window
/// reaches back over them, also where the rest of that run came to nothing.
pub(super) fn forget_rows(t: &rusqlite::Transaction<'_>, pattern: &str) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM overlap WHERE run GLOB ?1 AND run NOT IN (SELECT run FROM cursor)";
    t.execute(sql, [pattern])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remember(state: &State, run: &str, rows: &[RowHash]) {
        let add = |hash: &RowHash| {
            state.transaction(|t| t.execute("INSERT OR IGNORE INTO overlap VALUES (?1, ?2)", (run, hash))).unwrap();
        };
        rows.iter().for_each(add);
    }

    #[test]
    fn a_cursor_moves_with_what_its_run_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let key = CursorKey { pipeline: "p".into(), org: "00D".into(), object: "Account".into() };
        assert_eq!(state.cursor("p", "00D", "Account").unwrap(), None);
        remember(&state, "1/Account", &[[1; 16], [2; 16], [1; 16]]);
        assert!(state.overlap(&key).unwrap().is_empty(), "the run is not complete yet");
        state.cursor_moves(&key, "SystemModstamp", 100, "1/Account").unwrap();
        let cursor = Some(Cursor { at: 100, remembers_from: None });
        assert_eq!(state.cursor("p", "00D", "Account").unwrap(), cursor);
        assert_eq!(state.overlap(&key).unwrap(), HashSet::from([[1; 16], [2; 16]]));
        state.forget("1/Account").unwrap();
        state.run_given_up("1", "no", 9).unwrap();
        assert_eq!(state.overlap(&key).unwrap().len(), 2, "what a cursor stands on stays");
        remember(&state, "2/Account", &[[3; 16]]);
        state.forget("2/Account").unwrap();
        remember(&state, "3/Account", &[[4; 16]]);
        state.cursor_moves(&key, "SystemModstamp", 200, "3/Account").unwrap();
        assert_eq!(state.overlap(&key).unwrap(), HashSet::from([[4; 16]]));
        assert_eq!(state.cursor("p", "00D", "Contact").unwrap(), None);
    }
}
