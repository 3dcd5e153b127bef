//! Runs: begun, ended, and what their reports said.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use forcepump_transfer::folder as folders;
use rusqlite::{OptionalExtension, Row};

use super::{FOLDER, State};
use crate::error::Error;
use crate::variables::system::LastRun;

/// The states after which a run counts as successful.
const SUCCESSFUL: &str = "('complete', 'complete-with-rejects')";
/// The state of a run that has not ended.
pub(crate) const RUNNING: &str = "running";
/// The kind of any other run than a backfill.
const RUN: &str = "run";
/// The kind of a run that fills fields in.
pub(crate) const BACKFILL: &str = "backfill";

/// A run as the state has it. Moments are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRow {
    pub id: String,
    pub pipeline: String,
    /// `run` or `backfill`
    pub kind: String,
    pub file: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub state: String,
    /// the report as JSON, when the run ended
    pub report: Option<String>,
    /// what it was planned from; none: nothing was begun
    pub fingerprint: Option<String>,
    /// its plan as JSON
    pub plan: Option<String>,
    /// it ended unfinished and can go on
    pub resumable: bool,
    /// how often it went on
    pub resumed: u64,
    /// the run whose rejected rows it reads again
    pub retry_of: Option<String>,
    /// why it was given up
    pub given_up: Option<String>,
}

impl RunRow {
    /// Whether all of it is in the destination or in the rejects file.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == "complete" || self.state == "complete-with-rejects"
    }

    /// Whether it can go on, unless it is running.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.fingerprint.is_some() && (self.resumable || self.state == RUNNING)
    }
}

const COLUMNS: &str = "id, pipeline, file, started_at, ended_at, state, report, fingerprint, plan, resumable, resumed, kind, given_up, retry_of";

/// A run as it begins. One that fills fields in, or reads rejected rows again, is no run of the pipeline: the next one
/// neither starts from it nor goes on with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunBegun<'a> {
    pub id: &'a str,
    pub pipeline: &'a str,
    pub file: &'a Path,
    /// microseconds since the epoch
    pub started_at: i64,
    pub is_backfill: bool,
    /// the run whose rejected rows it reads again
    pub retry_of: Option<&'a str>,
}

impl<'a> RunBegun<'a> {
    /// A run of the pipeline.
    pub(crate) fn new(id: &'a str, pipeline: &'a str, file: &'a Path, started_at: i64) -> Self {
        Self { id, pipeline, file, started_at, is_backfill: false, retry_of: None }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunEnd<'a> {
    /// the report's word
    pub state: &'a str,
    /// as JSON
    pub report: &'a str,
    /// it can go on
    pub resumable: bool,
}

impl State {
    /// A run begins.
    pub(crate) fn run_begins(&self, begun: &RunBegun<'_>) -> Result<(), Error> {
        let file = begun.file.display().to_string();
        let kind = if begun.is_backfill { BACKFILL } else { RUN };
        self.transaction(|t| {
            t.execute(
                "INSERT INTO run (id, pipeline, file, started_at, state, kind, retry_of) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (begun.id, begun.pipeline, file, begun.started_at, RUNNING, kind, begun.retry_of),
            )
        })?;
        Ok(())
    }

    /// A run ended; its report is kept.
    pub(crate) fn run_ends(&self, id: &str, ended_at: i64, end: &RunEnd<'_>) -> Result<(), Error> {
        self.transaction(|t| {
            t.execute(
                "UPDATE run SET ended_at = ?2, state = ?3, report = ?4, resumable = ?5 WHERE id = ?1",
                (id, ended_at, end.state, end.report, end.resumable),
            )
        })?;
        Ok(())
    }

    /// The newest runs first; of one pipeline, or of all.
    pub(crate) fn runs(&self, pipeline: Option<&str>, most: usize) -> Result<Vec<RunRow>, Error> {
        self.read(|c| {
            let mut statement = c.prepare(&format!(
                "SELECT {COLUMNS} FROM run
                 WHERE ?1 IS NULL OR pipeline = ?1 ORDER BY started_at DESC, id DESC LIMIT ?2"
            ))?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            statement.query_map((pipeline, most), run_row)?.collect()
        })
    }

    /// The pipeline's newest run, when it is unfinished and knows what it was planned from. To be asked under the
    /// pipeline's turn: a run that is `running` was killed then.
    pub(crate) fn unfinished(&self, pipeline: &str) -> Result<Option<RunRow>, Error> {
        // By the order in which they were begun: a clock may have been set back since.
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE pipeline = ?1 AND kind = 'run' AND retry_of IS NULL ORDER BY rowid DESC LIMIT 1"
        );
        let newest = self.read(|c| c.query_row(&sql, [pipeline], run_row).optional())?;
        Ok(newest.filter(RunRow::is_unfinished))
    }

    /// The newest run of each pipeline but this one, where it is unfinished; the newest of them last.
    pub(crate) fn unfinished_but(&self, pipeline: &str) -> Result<Vec<RunRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE pipeline <> ?1 AND rowid IN
             (SELECT max(rowid) FROM run WHERE kind = 'run' AND retry_of IS NULL GROUP BY pipeline) ORDER BY rowid"
        );
        let newest: Vec<RunRow> = self.read(|c| c.prepare(&sql)?.query_map([pipeline], run_row)?.collect())?;
        Ok(newest.into_iter().filter(RunRow::is_unfinished).collect())
    }

    /// The unfinished run that reads rejected rows of a chain of retries again; `first` is the beginning of the chain. To be
    /// asked under the pipeline's turn, as [`State::unfinished`].
    pub(crate) fn unfinished_retry(&self, first: &str) -> Result<Option<RunRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE kind = 'run' AND retry_of IS NOT NULL AND fingerprint IS NOT NULL
             AND (resumable = 1 OR state = '{RUNNING}') ORDER BY rowid DESC"
        );
        let rows: Vec<RunRow> = self.read(|c| c.prepare(&sql)?.query_map([], run_row)?.collect())?;
        for row in rows {
            if self.first_of(&row.id)? == first {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The newest backfill of the pipeline that said no end. To be asked under the pipeline's turn: it was killed then.
    pub(crate) fn killed_backfill(&self, pipeline: &str) -> Result<Option<RunRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM run WHERE pipeline = ?1 AND kind = ?2 AND state = ?3 ORDER BY rowid DESC LIMIT 1"
        );
        self.read(|c| c.query_row(&sql, (pipeline, BACKFILL, RUNNING), run_row).optional())
    }

    /// The run of that id.
    pub(crate) fn run(&self, id: &str) -> Result<Option<RunRow>, Error> {
        self.read(|c| c.query_row(&format!("SELECT {COLUMNS} FROM run WHERE id = ?1"), [id], run_row).optional())
    }

    /// The runs that filled fields in.
    pub(crate) fn backfills(&self) -> Result<BTreeSet<String>, Error> {
        let sql = "SELECT id FROM run WHERE kind = ?1";
        self.read(|c| c.prepare(sql)?.query_map([BACKFILL], |row| row.get(0))?.collect())
    }

    /// Whether one run was begun after another, whatever the clock said.
    pub(crate) fn began_after(&self, run: &str, other: &str) -> Result<bool, Error> {
        let sql = "SELECT COUNT(*) FROM run WHERE id = ?1 AND rowid > (SELECT rowid FROM run WHERE id = ?2)";
        self.read(|c| c.query_row(sql, (run, other), |row| Ok(row.get::<_, i64>(0)? > 0)))
    }

    /// Id of the pipeline's last run that was complete, and that retried nothing.
    pub(crate) fn last_whole(&self, pipeline: &str) -> Result<Option<String>, Error> {
        self.read(|c| {
            let sql = format!(
                "SELECT id FROM run WHERE pipeline = ?1 AND kind = 'run' AND ended_at IS NOT NULL AND state IN {SUCCESSFUL} AND retry_of IS NULL
                 ORDER BY rowid DESC LIMIT 1"
            );
            c.query_row(&sql, [pipeline], |row| row.get(0)).optional()
        })
    }

    /// The pipeline's last run that was complete. One that retries rejects reads nothing new, and is not it.
    pub(crate) fn last_successful(&self, pipeline: &str) -> Result<Option<LastRun>, Error> {
        self.read(|c| {
            let sql = format!(
                "SELECT id, started_at, ended_at FROM run
                 WHERE pipeline = ?1 AND kind = 'run' AND ended_at IS NOT NULL AND state IN {SUCCESSFUL} AND retry_of IS NULL
                 ORDER BY rowid DESC LIMIT 1"
            );
            let last =
                |row: &Row<'_>| Ok(LastRun { id: row.get(0)?, submitted_at: row.get(1)?, ended_at: row.get(2)? });
            c.query_row(&sql, [pipeline], last).optional()
        })
    }
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        pipeline: row.get(1)?,
        file: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        state: row.get(5)?,
        report: row.get(6)?,
        fingerprint: row.get(7)?,
        plan: row.get(8)?,
        resumable: row.get(9)?,
        resumed: super::count(row, 10)?,
        kind: row.get(11)?,
        given_up: row.get(12)?,
        retry_of: row.get(13)?,
    })
}

/// Somebody who only looks whether the turn is taken holds it for a moment: so often, and so long, a run waits for that.
const LOOKS: u32 = 4;
const LOOK: Duration = Duration::from_millis(25);

/// Held by the one run of a pipeline; let go by its end, also by a kill.
#[derive(Debug)]
pub(crate) struct Turn {
    _file: File,
}

impl Turn {
    /// Takes the pipeline's turn.
    ///
    /// # Errors
    /// [`Error::Busy`] while another process runs the pipeline, [`Error::Host`] when the file cannot be made.
    pub(crate) fn take(folder: &Path, pipeline: &str) -> Result<Self, Error> {
        let path = folder.join(FOLDER).join(format!("{pipeline}.lock"));
        let failed =
            |error| Error::Host { what: format!("locking {}", path.display()), error: super::with_way_out(error) };
        folders::make(&folder.join(FOLDER)).map_err(failed)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let mut locked = file.try_lock();
        for _ in 0..LOOKS {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOOK);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { pipeline: pipeline.to_owned(), lock: path }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Whether a process holds the pipeline's turn, asked also by those who may not take it.
    pub(crate) fn is_held(folder: &Path, pipeline: &str) -> bool {
        let file = File::open(folder.join(FOLDER).join(format!("{pipeline}.lock")));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun_at(id: &str, started_at: i64) -> RunBegun<'_> {
        RunBegun::new(id, "p", Path::new("p.toml"), started_at)
    }

    #[test]
    fn the_last_successful_run_is_neither_failed_nor_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let ended = |state| RunEnd { state, report: "{}", resumable: false };
        let begun = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];
        for (id, at) in begun {
            state.run_begins(&begun_at(id, at)).unwrap();
        }
        let other = RunBegun { pipeline: "q", file: Path::new("q.toml"), ..begun_at("other", 9) };
        state.run_begins(&other).unwrap();
        assert_eq!(state.last_successful("p").unwrap(), None);
        state.run_ends("a", 10, &ended("complete")).unwrap();
        state.run_ends("b", 11, &ended("complete-with-rejects")).unwrap();
        state.run_ends("c", 12, &ended("failed")).unwrap();
        state.run_begins(&RunBegun { is_backfill: true, ..begun_at("e", 5) }).unwrap();
        assert_eq!(state.killed_backfill("p").unwrap().map(|run| run.id).as_deref(), Some("e"));
        state.run_ends("e", 13, &RunEnd { state: "complete", report: "{}", resumable: false }).unwrap();
        assert_eq!(state.run("e").unwrap().unwrap().kind, BACKFILL);
        assert_eq!(state.killed_backfill("p").unwrap(), None);
        let last = state.last_successful("p").unwrap().unwrap();
        assert_eq!((last.id.as_str(), last.submitted_at, last.ended_at), ("b", 2, 11));
        let ids = |runs: Vec<RunRow>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
        assert_eq!(ids(state.runs(Some("p"), 2).unwrap()), ["e", "d"]);
        assert_eq!(ids(state.runs(None, 9).unwrap()), ["other", "e", "d", "c", "b", "a"]);
        assert_eq!(state.run("d").unwrap().unwrap().state, RUNNING);
        assert_eq!(state.run("nothing").unwrap(), None);
    }

    #[test]
    fn the_unfinished_run_is_the_one_begun_last_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let plan = crate::state::RunPlan {
            file: "{}".into(),
            path: "p.toml".into(),
            given: std::collections::BTreeMap::new(),
            variables: Vec::new(),
            as_of: 0,
            retry: None,
        };
        for (id, at) in [("a", 9), ("b", 3)] {
            assert_eq!(state.unfinished("p").unwrap(), None);
            state.run_begins(&begun_at(id, at)).unwrap();
            assert_eq!(state.unfinished("p").unwrap(), None, "nothing is planned yet");
            state.run_planned(id, "f", &plan).unwrap();
            assert_eq!(state.unfinished("p").unwrap().map(|run| run.id).as_deref(), Some(id));
            state.run_given_up(id, "no", 10).unwrap();
        }
        state.run_begins(&begun_at("c", 1)).unwrap();
        state.run_planned("c", "f", &plan).unwrap();
        state.run_ends("c", 2, &RunEnd { state: "failed", report: "{}", resumable: false }).unwrap();
        assert_eq!(state.unfinished("p").unwrap(), None);
        let retries = [("d", "c"), ("e", "d"), ("f", "b")];
        for (id, of) in retries {
            state.run_begins(&RunBegun { retry_of: Some(of), ..begun_at(id, 2) }).unwrap();
            let unfinished = |first: &str| state.unfinished_retry(first).unwrap().map(|run| run.id);
            assert_eq!(unfinished(&state.first_of(id).unwrap()), None, "nothing is planned yet");
            state.run_planned(id, "f", &plan).unwrap();
            assert_eq!(unfinished(&state.first_of(id).unwrap()).as_deref(), Some(id));
            state.run_given_up(id, "no", 10).unwrap();
            assert_eq!((unfinished("c"), unfinished("b"), unfinished("a")), (None, None, None));
        }
        assert_eq!(state.unfinished("p").unwrap(), None, "a retry is no run of the pipeline");
    }

    #[test]
    fn a_pipeline_has_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Turn::is_held(folder.path(), "p"));
        let first = Turn::take(folder.path(), "p").unwrap();
        assert!(Turn::is_held(folder.path(), "p"));
        let second = Turn::take(folder.path(), "p").unwrap_err().to_string();
        assert!(second.contains("`p`") && second.contains("hint"), "{second}");
        Turn::take(folder.path(), "q").unwrap();
        drop(first);
        assert!(!Turn::is_held(folder.path(), "p"));
        Turn::take(folder.path(), "p").unwrap();
    }
}
