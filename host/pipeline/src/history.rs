//! Former runs, as the state beside the pipeline file remembers them.

use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::error::Error;
use crate::report::RunReport;
use crate::run::hex;
use crate::state::{RUNNING, RunRow, State, Turn, UnitRow};

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

/// One committed unit of a former run.
#[derive(Debug, Clone, Serialize)]
pub struct PastUnit {
    /// object, or `query`
    pub feed: String,
    /// its id
    pub unit: String,
    /// rows read from the source
    pub read: u64,
    /// rows that transforms made beyond those
    pub added: u64,
    /// rows that were left out
    pub filtered: u64,
    /// rows refused
    pub rejected: u64,
    /// rows committed in the destination
    pub written: u64,
    /// XXH3-128 of the rows read, hex
    pub read_hash: Option<String>,
    /// XXH3-128 of the rows that the destination took, hex
    pub written_hash: Option<String>,
    /// when it was committed, RFC 3339 in UTC
    pub committed_at: String,
}

/// The committed units of a run, feed after feed in the order of their commits.
///
/// # Errors
/// [`Error::Host`] when the state cannot be read.
pub fn past_units(folder: &Path, run: &str) -> Result<Vec<PastUnit>, Error> {
    let Some(state) = State::open_existing(folder)? else { return Ok(Vec::new()) };
    let hash = |hash: Option<Vec<u8>>| hash.as_deref().map(hex);
    let unit = |row: UnitRow| PastUnit {
        feed: row.feed,
        unit: row.unit,
        read: row.tally.read,
        added: row.tally.added,
        filtered: row.tally.filtered,
        rejected: row.tally.rejected,
        written: row.tally.written,
        read_hash: hash(row.read_hash),
        written_hash: hash(row.written_hash),
        committed_at: moment(row.committed_at),
    };
    Ok(state.units(run)?.into_iter().map(unit).collect())
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
