//! Rejected rows that were tried again: which run tries whose rows, and which of them went through.

use std::collections::HashMap;

use super::State;
use crate::error::Error;

impl State {
    /// A run tries rejected rows of another one again.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn run_retries(&self, run: &str, of: &str) -> Result<(), Error> {
        self.transaction(|t| t.execute("UPDATE run SET retry_of = ?2 WHERE id = ?1", (run, of)))?;
        Ok(())
    }

    /// The run at the beginning of a chain of retries; a run that retries nothing is its own.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn first_of(&self, run: &str) -> Result<String, Error> {
        let sql = "WITH RECURSIVE chain (id, depth) AS (
                       SELECT ?1, 0
                       UNION ALL
                       SELECT run.retry_of, depth + 1 FROM chain JOIN run ON run.id = chain.id
                       WHERE run.retry_of IS NOT NULL AND depth < 10000
                   )
                   SELECT id FROM chain ORDER BY depth DESC LIMIT 1";
        self.read(|c| c.query_row(sql, [run], |row| row.get(0)))
    }

    /// Rows went through in a committed unit of the run `by`; `first` is the beginning of its chain.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn rows_mended(&self, first: &str, feed: &str, ids: &[String], by: &str) -> Result<(), Error> {
        self.transaction(|t| {
            let sql = "INSERT OR IGNORE INTO mended (run, feed, id, by) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = t.prepare_cached(sql)?;
            ids.iter().try_for_each(|id| statement.execute((first, feed, id, by)).map(|_| ()))
        })
    }

    /// A run that retried rows did not end whole: files that it wrote do not count, and so its rows are open again.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn forget_mended_files(&self, by: &str) -> Result<(), Error> {
        let sql = "DELETE FROM mended WHERE by = ?1
                   AND EXISTS (SELECT 1 FROM unit_place WHERE run = ?1 AND kind = 'file')";
        self.transaction(|t| t.execute(sql, [by]))?;
        Ok(())
    }

    /// The rows of a chain of retries that went through, by feed and id: the run that wrote them.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn mended(&self, first: &str) -> Result<HashMap<(String, String), String>, Error> {
        self.read(|c| {
            let mut statement = c.prepare("SELECT feed, id, by FROM mended WHERE run = ?1")?;
            let rows = statement.query_map([first], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::state::{PlaceKind, PlaceRow};

    #[test]
    fn a_chain_of_retries_has_one_list_of_mended_rows() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        for (run, of) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            state.run_begins(run, "p", Path::new("p.toml"), 1).unwrap();
            of.map_or(Ok(()), |of| state.run_retries(run, of)).unwrap();
        }
        assert_eq!(
            ["a", "b", "c", "d", "nowhere"].map(|run| state.first_of(run).unwrap()),
            ["a", "a", "a", "d", "nowhere"]
        );
        state.rows_mended("a", "Account", &["001".to_owned(), "002".to_owned()], "b").unwrap();
        state.rows_mended("a", "Account", &["002".to_owned()], "c").unwrap();
        let mended = state.mended("a").unwrap();
        assert_eq!((mended.len(), &mended[&("Account".to_owned(), "002".to_owned())]), (2, &"b".to_owned()));
        assert!(state.mended("d").unwrap().is_empty());
        state.forget_mended_files("b").unwrap();
        assert_eq!(state.mended("a").unwrap().len(), 2, "rows in a database stay");
        let file = PlaceKind::File {
            folder: "out".into(),
            path: "a.csv".into(),
            format: "csv".into(),
            compression: "none".into(),
            bytes: 1,
            sha256: String::new(),
        };
        let (feed, unit) = ("Account".to_owned(), "r-p00000".to_owned());
        state.unit_places("b", "Account", "r-p00000", &[PlaceRow { feed, unit, place: file, rows: 1 }]).unwrap();
        state.forget_mended_files("b").unwrap();
        assert!(state.mended("a").unwrap().is_empty());
    }
}
