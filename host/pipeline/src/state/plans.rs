//! What a run was planned from, so that an unfinished one can be told from another and goes on as it began.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::State;
use super::cursors::{forget_rows, overlap_key};
use super::runs::RUNNING;
use crate::again::Retry;
use crate::error::Error;
use crate::variables::KeptVariable;

/// The state of a run that was unfinished, and that a later one did not go on with.
pub(crate) const GIVEN_UP: &str = "given-up";

/// What a run keeps of its beginning. It holds references to secrets, as the pipeline file does, and no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunPlan {
    /// the pipeline file, as JSON
    pub file: String,
    /// the pipeline file's path, absolute
    pub path: std::path::PathBuf,
    /// what `--set` gave
    pub given: BTreeMap<String, String>,
    /// the variables with the values that they had
    pub variables: Vec<KeptVariable>,
    /// the run's one moment, in microseconds since the epoch
    pub as_of: i64,
    /// the rejected rows that it reads again
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl State {
    /// Notes what a run is planned from, before it writes or makes anything: from now on it can go on.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn run_planned(&self, run: &str, fingerprint: &str, plan: &RunPlan) -> Result<(), Error> {
        let text = serde_json::to_string(plan)
            .map_err(|error| Error::Host { what: "writing the plan of a run".to_owned(), error: error.into() })?;
        let sql = "UPDATE run SET fingerprint = ?2, plan = ?3 WHERE id = ?1";
        self.transaction(|t| t.execute(sql, (run, fingerprint, text)))?;
        Ok(())
    }

    /// An unfinished run goes on.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn run_goes_on(&self, run: &str) -> Result<(), Error> {
        let sql = "UPDATE run SET state = ?2, ended_at = NULL, resumable = 0, resumed = resumed + 1 WHERE id = ?1";
        self.transaction(|t| t.execute(sql, (run, RUNNING)))?;
        Ok(())
    }

    /// An unfinished run will never go on: its units and jobs are kept to be looked at, what it
    /// remembered of feeds whose cursor did not move is forgotten.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn run_given_up(&self, run: &str, why: &str, now: i64) -> Result<(), Error> {
        self.transaction(|t| {
            forget_rows(t, &overlap_key(run, "*"))?;
            let sql = "UPDATE run SET state = ?2, ended_at = COALESCE(ended_at, ?3), resumable = 0, given_up = ?4
                       WHERE id = ?1";
            t.execute(sql, (run, GIVEN_UP, now, why))
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::state::{RunBegun, RunEnd};

    #[test]
    fn a_run_is_planned_goes_on_and_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let plan = RunPlan {
            file: "{}".into(),
            path: "p.toml".into(),
            given: BTreeMap::new(),
            variables: Vec::new(),
            as_of: 5,
            retry: None,
        };
        let begun = RunBegun::new("r", "p", Path::new("p.toml"), 1);
        state.run_begins(&begun).unwrap();
        assert_eq!(state.run("r").unwrap().unwrap().fingerprint, None);
        state.run_planned("r", "abc", &plan).unwrap();
        state.run_ends("r", 9, &RunEnd { state: "partial", report: "{}", resumable: true }).unwrap();
        let row = state.run("r").unwrap().unwrap();
        assert_eq!((row.fingerprint.as_deref(), row.resumable, row.resumed), (Some("abc"), true, 0));
        assert_eq!(serde_json::from_str::<RunPlan>(&row.plan.unwrap()).unwrap(), plan);
        state.run_goes_on("r").unwrap();
        let row = state.run("r").unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.ended_at, row.resumed), (RUNNING, None, 1));
        state.run_given_up("r", "its file has changed", 20).unwrap();
        let row = state.run("r").unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.ended_at, row.resumable), (GIVEN_UP, Some(20), false));
        assert_eq!(row.given_up.as_deref(), Some("its file has changed"));
    }
}
