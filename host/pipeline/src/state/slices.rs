//! The slices that a feed of a run is read in, so that a later process reads the same ones.

use rusqlite::Row;

use super::State;
use super::jobs::FeedKey;
use crate::error::Error;

/// One slice of a pass; a pass of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SliceRow {
    /// the pass that was cut
    pub root: String,
    /// its own name as a pass
    pub name: String,
    /// what it holds, as JSON
    pub cut: String,
}

impl State {
    /// A pass, or a slice of one, is read in these slices from now on; `instead` names the slice that they replace.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn slices_made(
        &self,
        key: FeedKey<'_>,
        instead: Option<&str>,
        slices: &[SliceRow],
    ) -> Result<(), Error> {
        self.transaction(|t| {
            if let Some(name) = instead {
                let sql = "DELETE FROM slice WHERE run = ?1 AND feed = ?2 AND name = ?3";
                t.execute(sql, (key.run, key.feed, name))?;
                // its job has failed, and is of no use to anyone
                let sql = "DELETE FROM job WHERE run = ?1 AND feed = ?2 AND pass = ?3";
                t.execute(sql, (key.run, key.feed, name))?;
            }
            let sql = "INSERT OR REPLACE INTO slice (run, feed, root, name, cut) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut statement = t.prepare(sql)?;
            slices.iter().try_for_each(|slice| {
                statement.execute((key.run, key.feed, &slice.root, &slice.name, &slice.cut)).map(|_| ())
            })
        })
    }

    /// The slices of a feed, in no order.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn slices(&self, key: FeedKey<'_>) -> Result<Vec<SliceRow>, Error> {
        self.read(|c| {
            let mut statement = c.prepare("SELECT root, name, cut FROM slice WHERE run = ?1 AND feed = ?2")?;
            let row = |row: &Row<'_>| Ok(SliceRow { root: row.get(0)?, name: row.get(1)?, cut: row.get(2)? });
            statement.query_map((key.run, key.feed), row)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_take_the_place_of_the_one_they_were_cut_from() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let key = FeedKey { run: "r", feed: "Account" };
        let slice = |name: &str| SliceRow { root: String::new(), name: name.into(), cut: "{}".into() };
        state.slices_made(key, None, &[slice("s0"), slice("s1")]).unwrap();
        state.slices_made(key, Some("s1"), &[slice("s1.0"), slice("s1.1")]).unwrap();
        let mut names: Vec<String> = state.slices(key).unwrap().into_iter().map(|slice| slice.name).collect();
        names.sort();
        assert_eq!(names, ["s0", "s1.0", "s1.1"]);
        assert!(state.slices(FeedKey { run: "r", feed: "Contact" }).unwrap().is_empty());
    }
}
