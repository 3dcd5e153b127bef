//! The feeds of a run and the Salesforce jobs of their passes, so that the run can go on with them.

use rusqlite::Row;

use super::{State, count, stored};
use crate::error::Error;

/// One feed of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FeedKey<'a> {
    pub run: &'a str,
    pub feed: &'a str,
}

/// A feed as it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedRow {
    pub feed: String,
    /// API name of the object
    pub object: String,
    /// organization id
    pub org: String,
    /// window of an incremental feed, as JSON
    pub window: Option<String>,
    /// the destination has done its last step
    pub concluded: bool,
    /// how often it was begun anew within the run
    pub attempt: u64,
    /// why it is being given up, to be begun anew; none: it is not
    pub anew: Option<String>,
}

impl FeedRow {
    /// The run as the destination knows it: by another name each time that the feed is begun anew, since what it has of
    /// a unit it takes as done.
    pub(crate) fn known_as(&self, run: &str) -> String {
        if self.attempt == 0 { run.to_owned() } else { format!("{run}-{}", self.attempt + 1) }
    }
}

/// The job of a pass. Moments are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRow {
    pub feed: String,
    /// prefix of the units; empty: the main pass
    pub pass: String,
    /// `bulk2`, `bulk1` or `rest`
    pub api: String,
    /// none of a REST query
    pub id: Option<String>,
    pub soql: String,
    /// how it was made, as JSON
    pub options: String,
    /// what the extract has to know to go on with it, as JSON; empty: it was ended
    pub memory: String,
    pub created_at: i64,
    /// rows of the whole result, once told
    pub announced: Option<u64>,
    /// every unit is committed, and the total adds up
    pub done: bool,
    /// it was lost: what it holds beside the committed units is read by the pass that follows
    pub succeeded: bool,
}

/// What `done` says of a job whose rest another pass reads; that of a whole one is 1.
const SUCCEEDED: i64 = 2;

impl State {
    /// A feed of a run begins.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn feed_begins(&self, run: &str, row: &FeedRow) -> Result<(), Error> {
        self.transaction(|t| {
            let sql = "INSERT INTO feed (run, feed, object, org, \"window\") VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (run, feed) DO UPDATE SET object = ?3, org = ?4, \"window\" = ?5";
            t.execute(sql, (run, &row.feed, &row.object, &row.org, &row.window))
        })?;
        Ok(())
    }

    /// The destination did its last step for a feed.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn feed_concluded(&self, key: FeedKey<'_>) -> Result<(), Error> {
        let sql = "UPDATE feed SET concluded = 1 WHERE run = ?1 AND feed = ?2";
        self.transaction(|t| t.execute(sql, (key.run, key.feed)))?;
        Ok(())
    }

    /// The feeds that a run has begun, by name.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn feeds(&self, run: &str) -> Result<Vec<FeedRow>, Error> {
        self.read(|c| {
            let sql =
                "SELECT feed, object, org, \"window\", concluded, attempt, anew FROM feed WHERE run = ?1 ORDER BY feed";
            let mut statement = c.prepare(sql)?;
            let row = |row: &Row<'_>| {
                Ok(FeedRow {
                    feed: row.get(0)?,
                    object: row.get(1)?,
                    org: row.get(2)?,
                    window: row.get(3)?,
                    concluded: row.get(4)?,
                    attempt: count(row, 5)?,
                    anew: row.get(6)?,
                })
            };
            statement.query_map([run], row)?.collect()
        })
    }

    /// A pass has a job from now on, in the place of one that it had before.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn job_created(&self, run: &str, job: &JobRow) -> Result<(), Error> {
        self.transaction(|t| {
            t.execute(
                "INSERT OR REPLACE INTO job (run, feed, pass, api, id, soql, options, memory, created_at, announced, done)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                rusqlite::params![
                    run,
                    job.feed,
                    job.pass,
                    job.api,
                    job.id,
                    job.soql,
                    job.options,
                    job.memory,
                    job.created_at,
                    job.announced.map(stored),
                    if job.succeeded { SUCCEEDED } else { i64::from(job.done) }
                ],
            )
        })?;
        Ok(())
    }

    /// Every unit of a pass is committed, and its total adds up.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn pass_done(&self, key: FeedKey<'_>, pass: &str, announced: u64) -> Result<(), Error> {
        let sql = "UPDATE job SET announced = ?4, done = 1 WHERE run = ?1 AND feed = ?2 AND pass = ?3";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass, stored(announced))))?;
        Ok(())
    }

    /// The job of a pass is lost: its committed units, with that many rows, stand, and the pass that follows reads the rest.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn pass_succeeded(&self, key: FeedKey<'_>, pass: &str, rows: u64) -> Result<(), Error> {
        let sql = "UPDATE job SET announced = ?4, done = ?5 WHERE run = ?1 AND feed = ?2 AND pass = ?3";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass, stored(rows), SUCCEEDED)))?;
        Ok(())
    }

    /// The job of a pass was ended in the org: it is kept to be looked at, and nobody goes on with it.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn job_disposed(&self, key: FeedKey<'_>, pass: &str) -> Result<(), Error> {
        let sql = "UPDATE job SET memory = '' WHERE run = ?1 AND feed = ?2 AND pass = ?3";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass)))?;
        Ok(())
    }

    /// The job of a pass is gone for good.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn job_gone(&self, key: FeedKey<'_>, pass: &str) -> Result<(), Error> {
        let sql = "DELETE FROM job WHERE run = ?1 AND feed = ?2 AND pass = ?3";
        self.transaction(|t| t.execute(sql, (key.run, key.feed, pass)))?;
        Ok(())
    }

    /// The jobs of a run, in the order of their feeds and passes.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn jobs(&self, run: &str) -> Result<Vec<JobRow>, Error> {
        self.read(|c| {
            let sql = "SELECT feed, pass, api, id, soql, options, memory, created_at, announced, done FROM job
                       WHERE run = ?1 ORDER BY feed, pass";
            let mut statement = c.prepare(sql)?;
            statement.query_map([run], job_row)?.collect()
        })
    }
}

fn job_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        feed: row.get(0)?,
        pass: row.get(1)?,
        api: row.get(2)?,
        id: row.get(3)?,
        soql: row.get(4)?,
        options: row.get(5)?,
        memory: row.get(6)?,
        created_at: row.get(7)?,
        announced: row.get::<_, Option<i64>>(8)?.map(|rows| rows.max(0).unsigned_abs()),
        done: row.get(9)?,
        succeeded: row.get::<_, i64>(9)? == SUCCEEDED,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(feed: &str, pass: &str) -> JobRow {
        JobRow {
            feed: feed.into(),
            pass: pass.into(),
            api: "bulk2".into(),
            id: Some("750".into()),
            soql: "SELECT Id FROM Account".into(),
            options: "{}".into(),
            memory: "{}".into(),
            created_at: 7,
            announced: None,
            done: false,
            succeeded: false,
        }
    }

    #[test]
    fn jobs_are_kept_by_run_feed_and_pass() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let key = FeedKey { run: "r", feed: "Account" };
        for row in [job("Account", ""), job("Account", "d"), job("Contact", "")] {
            state.job_created("r", &row).unwrap();
        }
        state.job_created("r", &JobRow { announced: Some(50), ..job("Account", "") }).unwrap();
        state.pass_done(key, "d", 3).unwrap();
        let jobs = state.jobs("r").unwrap();
        assert_eq!(
            jobs.iter().map(|job| (job.announced, job.done)).collect::<Vec<_>>(),
            [(Some(50), false), (Some(3), true), (None, false)]
        );
        state.job_created("r", &JobRow { id: None, ..job("Account", "") }).unwrap();
        assert_eq!(state.jobs("r").unwrap()[0].announced, None, "another job says its rows anew");
        state.pass_succeeded(key, "", 7).unwrap();
        let job = &state.jobs("r").unwrap()[0];
        assert_eq!((job.announced, job.done, job.succeeded), (Some(7), true, true));
        state.job_gone(key, "d").unwrap();
        assert_eq!(state.jobs("r").unwrap().len(), 2);
        assert!(state.jobs("other").unwrap().is_empty());
    }

    #[test]
    fn a_feed_is_begun_once_and_concluded() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let row = FeedRow {
            feed: "Account".into(),
            object: "Account".into(),
            org: "00D".into(),
            window: Some("{}".into()),
            concluded: false,
            attempt: 0,
            anew: None,
        };
        state.feed_begins("r", &row).unwrap();
        state.feed_begins("r", &row).unwrap();
        state.feed_concluded(FeedKey { run: "r", feed: "Account" }).unwrap();
        assert_eq!(state.feeds("r").unwrap(), [FeedRow { concluded: true, ..row }]);
    }
}
