//! Former runs, as the state beside the pipeline file remembers them.

use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::error::Error;
use crate::report::RunReport;
use crate::state::{RUNNING, RunRow, State, Turn};

/// Stands for the newest run.
const LATEST: &str = "latest";
/// Runs that are named when there is none of the name that was asked for.
const NAMED_RUNS: usize = 5;

/// One former run, or one under way.
#[derive(Debug, Clone, Serialize)]
pub struct PastRun {
    /// its id
    pub run_id: String,
    /// name of the pipeline
    pub pipeline: String,
    /// the pipeline file, as it was given
    pub file: String,
    /// when it began, RFC 3339 in UTC
    pub started_at: String,
    /// when it ended; none while it runs, and when it was killed
    pub ended_at: Option<String>,
    /// `complete`, `complete-with-rejects`, `failed`, `cancelled`, `running`, or `killed`: it never said its end
    pub state: String,
    /// what it reported
    pub report: Option<RunReport>,
}

/// The newest runs of the pipelines in `folder`, of one pipeline or of all; newest first.
///
/// # Errors
/// [`Error::Host`] when the state cannot be read.
pub fn past_runs(folder: &Path, pipeline: Option<&str>, most: usize) -> Result<Vec<PastRun>, Error> {
    match State::open_existing(folder)? {
        None => Ok(Vec::new()),
        Some(state) => Ok(state.runs(pipeline, most)?.into_iter().map(|row| past_run(folder, row)).collect()),
    }
}

/// The run of that id, or with `latest` the newest one.
///
/// # Errors
/// [`Error::NoSuchRun`] with the ids there are, [`Error::Host`] when the state cannot be read.
pub fn past_run_of(folder: &Path, id: &str) -> Result<PastRun, Error> {
    let state = State::open_existing(folder)?;
    let found = match &state {
        None => None,
        Some(state) if id == LATEST => state.runs(None, 1)?.pop(),
        Some(state) => state.run(id)?,
    };
    if let Some(row) = found {
        return Ok(past_run(folder, row));
    }
    let known = state.map(|state| state.runs(None, NAMED_RUNS)).transpose()?.unwrap_or_default();
    let known: Vec<&str> = known.iter().map(|run| run.id.as_str()).collect();
    let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::NoSuchRun(format!(
        "no run `{}` is remembered in {}; the newest are: {there}\nhint: name the pipeline's folder with --pipeline-folder, and the run by its id or by `latest`",
        id.escape_debug(),
        folder.display()
    )))
}

fn past_run(folder: &Path, row: RunRow) -> PastRun {
    // A run that holds no turn any more and said no end was killed.
    let is_gone = row.state == RUNNING && !matches!(Turn::take(folder, &row.pipeline), Err(Error::Busy { .. }));
    PastRun {
        run_id: row.id,
        pipeline: row.pipeline,
        file: row.file,
        started_at: moment(row.started_at),
        ended_at: row.ended_at.map(moment),
        state: if is_gone { "killed".to_owned() } else { row.state },
        // A report of an older program may lack what ours has: the rest of the run's row still stands.
        report: row.report.and_then(|text| serde_json::from_str(&text).ok()),
    }
}

fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
