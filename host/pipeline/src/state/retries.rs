//! Rejected rows that were tried again: which run tries whose rows, and which of them went through.

use std::collections::{BTreeSet, HashMap};

use super::State;
use crate::error::Error;

/// Rows of one unit that were rejected once and went through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MendedRows<'a> {
    /// the run at the beginning of the chain of retries
    pub first: &'a str,
    /// as the rejects file has it
    pub feed: &'a str,
    pub ids: &'a [String],
}

impl MendedRows<'_> {
    /// Notes them with the unit of the run `by` that holds them: one is not known without the other.
    pub(super) fn note(&self, t: &rusqlite::Transaction<'_>, by: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO mended (run, feed, id, by) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = t.prepare_cached(sql)?;
        self.ids.iter().try_for_each(|id| statement.execute((self.first, self.feed, id, by)).map(|_| ()))
    }
}

impl State {
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

    /// The runs of a chain of retries; `first` is its beginning, and one of them.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn retries_of(&self, first: &str) -> Result<BTreeSet<String>, Error> {
        let sql = "WITH RECURSIVE chain (id) AS (
                       SELECT ?1
                       UNION
                       SELECT run.id FROM chain JOIN run ON run.retry_of = chain.id
                   )
                   SELECT id FROM chain";
        self.read(|c| c.prepare(sql)?.query_map([first], |row| row.get(0))?.collect())
    }

    /// A run that retried rows did not end whole, and will not go on: files that it wrote for feeds which did not
    /// come to their end do not count, and so their rows are open again. `only`: of this feed, as the rejects file has it.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn forget_mended_files(&self, by: &str, only: Option<&str>) -> Result<(), Error> {
        let sql = "DELETE FROM mended WHERE by = ?1
                   AND EXISTS (SELECT 1 FROM unit_place WHERE run = ?1 AND kind = 'file')
                   AND feed NOT IN (SELECT object FROM feed WHERE run = ?1 AND concluded = 1)
                   AND (?2 IS NULL OR feed = ?2)";
        self.transaction(|t| t.execute(sql, (by, only)))?;
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
    use crate::state::{PlaceKind, PlaceRow, RunBegun};

    #[test]
    fn a_chain_of_retries_has_one_list_of_mended_rows() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        for (run, of) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)] {
            let begun = RunBegun::new(run, "p", Path::new("p.toml"), 1);
            state.run_begins(&RunBegun { retry_of: of, ..begun }).unwrap();
        }
        assert_eq!(
            ["a", "b", "c", "d", "nowhere"].map(|run| state.first_of(run).unwrap()),
            ["a", "a", "a", "d", "nowhere"]
        );
        let chain: Vec<String> = state.retries_of("a").unwrap().into_iter().collect();
        assert_eq!(chain, ["a", "b", "c"]);
        assert_eq!(state.retries_of("d").unwrap().len(), 1);
        let mends = |by: &str, ids: &[String]| {
            state.transaction(|t| MendedRows { first: "a", feed: "Account", ids }.note(t, by)).unwrap();
        };
        mends("b", &["001".to_owned(), "002".to_owned()]);
        mends("c", &["002".to_owned()]);
        let mended = state.mended("a").unwrap();
        assert_eq!((mended.len(), &mended[&("Account".to_owned(), "002".to_owned())]), (2, &"b".to_owned()));
        assert!(state.mended("d").unwrap().is_empty());
        state.forget_mended_files("b", None).unwrap();
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
        state.forget_mended_files("b", Some("Contact")).unwrap();
        assert_eq!(state.mended("a").unwrap().len(), 2, "another feed's stay");
        state.forget_mended_files("b", Some("Account")).unwrap();
        assert!(state.mended("a").unwrap().is_empty());
    }
}
