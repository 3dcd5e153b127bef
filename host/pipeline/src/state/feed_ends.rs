//! How the feeds of a run of several ended, so that a run that goes on leaves out those that are complete.

use super::State;
use crate::error::Error;

impl State {
    /// A feed of the run ended; what it reported is kept.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn feed_ended(&self, run: &str, feed: &str, report: &str) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO feed_end (run, feed, report) VALUES (?1, ?2, ?3)";
        self.transaction(|t| t.execute(sql, (run, feed, report)))?;
        Ok(())
    }

    /// The reports of the run's feeds that ended, by name.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn feed_ends(&self, run: &str) -> Result<Vec<(String, String)>, Error> {
        self.read(|c| {
            let mut statement = c.prepare("SELECT feed, report FROM feed_end WHERE run = ?1 ORDER BY feed")?;
            statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_end_of_a_feed_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        for (run, feed, report) in [("r", "B", "failed"), ("r", "A", "a"), ("r", "B", "whole"), ("s", "A", "x")] {
            state.feed_ended(run, feed, report).unwrap();
        }
        let ends: Vec<(String, String)> = [("A", "a"), ("B", "whole")].map(|(f, r)| (f.into(), r.into())).into();
        assert_eq!(state.feed_ends("r").unwrap(), ends);
    }
}
