//! A feed that is begun anew within its run: what was kept of it goes.

use super::cursors::{forget_rows, overlap_key};
use super::{FeedKey, State};
use crate::error::Error;

/// Tables that keep rows by run and feed.
const OF_FEED: [&str; 5] = ["unit", "unit_place", "job", "slice", "feed_end"];

impl State {
    /// A feed is being given up, and why. As long as this is noted, its first step is to be given up.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn feed_leaves(&self, key: FeedKey<'_>, why: &str) -> Result<(), Error> {
        let sql = "UPDATE feed SET anew = ?3 WHERE run = ?1 AND feed = ?2";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, why)))?;
        Ok(())
    }

    /// A feed has nothing any more, and begins anew; its window stays.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn feed_anew(&self, key: FeedKey<'_>) -> Result<(), Error> {
        self.transaction(|t| {
            for table in OF_FEED {
                t.execute(&format!("DELETE FROM {table} WHERE run = ?1 AND feed = ?2"), (key.run, key.feed))?;
            }
            forget_rows(t, &overlap_key(key.run, key.feed))?;
            let sql = "UPDATE feed SET attempt = attempt + 1, anew = NULL, concluded = 0 WHERE run = ?1 AND feed = ?2";
            t.execute(sql, (key.run, key.feed))
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{FeedRow, SliceRow};

    #[test]
    fn a_feed_begins_anew_alone_and_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let keys = ["Account", "Contact"].map(|feed| FeedKey { run: "r", feed });
        for key in keys {
            let row = FeedRow {
                feed: key.feed.into(),
                object: key.feed.into(),
                org: "00D".into(),
                window: Some("{}".into()),
                concluded: true,
                attempt: 0,
                anew: None,
            };
            state.feed_begins("r", &row).unwrap();
            state.feed_ended("r", key.feed, "{}").unwrap();
            let slice = SliceRow { root: String::new(), name: "s0".into(), cut: "{}".into() };
            state.slices_made(key, None, &[slice]).unwrap();
        }
        state.feed_leaves(keys[0], "its job is gone").unwrap();
        assert_eq!(state.feeds("r").unwrap()[0].anew.as_deref(), Some("its job is gone"));
        state.feed_anew(keys[0]).unwrap();
        let rows = state.feeds("r").unwrap();
        assert_eq!((rows[0].attempt, &rows[0].anew, rows[0].window.as_deref()), (1, &None, Some("{}")));
        assert_eq!([rows[0].known_as("r"), rows[1].known_as("r")], ["r-2", "r"]);
        let slices = keys.map(|key| state.slices(key).unwrap().len());
        assert_eq!((slices, state.feed_ends("r").unwrap().len()), ([0, 1], 1));
    }
}
