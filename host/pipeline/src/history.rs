//! Former runs, as the state beside the pipeline file remembers them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::error::Error;
use crate::report::RunReport;
use crate::run::hex;
use crate::state::{JobRow, RUNNING, RunPlan, RunRow, State, Turn, UnitRow};

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
    /// `run`, or `backfill`: fields filled in
    pub kind: String,
    /// the run whose rejected rows it reads again
    pub retry_of: Option<String>,
    /// the pipeline file, as it was given
    pub file: String,
    /// when it began, RFC 3339 in UTC
    pub started_at: String,
    /// when it ended; none while it runs, and when it was killed
    pub ended_at: Option<String>,
    /// `complete`, `complete-with-rejects`, `partial`, `failed`, `cancelled`, `running`, `killed`: it never said its end,
    /// or `given-up`: it was unfinished, and another run took its place
    pub state: String,
    /// of a run that was given up: why
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// it is unfinished, and the pipeline's next run goes on with it
    pub resumable: bool,
    /// units that the destination has committed
    pub units: u64,
    /// rows that they wrote
    pub rows: u64,
    /// its Salesforce jobs
    pub jobs: Vec<PastJob>,
    /// what it reported
    pub report: Option<RunReport>,
}

/// A Salesforce job of a run.
#[derive(Debug, Clone, Serialize)]
pub struct PastJob {
    /// what it reads for: the object, or `query`
    pub feed: String,
    /// the pass; empty: the main one
    pub pass: String,
    /// `bulk2`, `bulk1` or `rest`
    pub api: String,
    /// none of a REST query
    pub id: Option<String>,
    /// when it was made, RFC 3339 in UTC
    pub created_at: String,
    /// rows of its result, once told
    pub announced: Option<u64>,
    /// all of its rows are committed
    pub done: bool,
}

/// An unfinished run, to be gone on with.
#[derive(Debug, Clone)]
pub struct UnfinishedRun {
    /// its id
    pub run_id: String,
    /// the pipeline file
    pub file: PathBuf,
    /// the values of variables that were given
    pub given: BTreeMap<String, String>,
    /// it reads rejected rows of another run again: [`crate::plan_retry`] goes on with it
    pub is_retry: bool,
}

/// The run of that id, or with `latest` the newest one that is unfinished, with what is needed to go on with it. Whether it
/// can is told when it is tried.
///
/// # Errors
/// [`Error::NoSuchRun`] with the ids there are, [`Error::CannotGoOn`] for a run that nothing is kept of,
/// [`Error::Host`] when the state cannot be read.
pub fn unfinished_run(folder: &Path, id: &str) -> Result<UnfinishedRun, Error> {
    let row = match newest_unfinished(folder, id)? {
        Some(row) => row,
        None => row_of(folder, id)?,
    };
    let plan = row.plan.as_deref().and_then(|text| serde_json::from_str::<RunPlan>(text).ok());
    let Some(plan) = plan else {
        let text = format!(
            "run {} cannot go on: it ended before anything was begun, or another version of forcepump began it\nhint: `forcepump run FILE` begins anew",
            row.id
        );
        return Err(Error::CannotGoOn(text));
    };
    // The folder may have been moved since.
    let here = plan.path.file_name().map(|name| folder.join(name)).filter(|path| path.is_file());
    Ok(UnfinishedRun {
        run_id: row.id,
        file: here.unwrap_or(plan.path),
        given: plan.given,
        is_retry: row.retry_of.is_some(),
    })
}

/// What `latest` means to one who wants to go on; none: there is nothing to go on with, or a run was named.
fn newest_unfinished(folder: &Path, id: &str) -> Result<Option<RunRow>, Error> {
    match State::open_existing(folder)? {
        Some(state) if id == LATEST => Ok(state.unfinished_but("")?.pop()),
        _ => Ok(None),
    }
}

/// The newest runs of the pipelines in `folder`, of one pipeline or of all; newest first.
///
/// # Errors
/// [`Error::Host`] when the state cannot be read.
pub fn past_runs(folder: &Path, pipeline: Option<&str>, most: usize) -> Result<Vec<PastRun>, Error> {
    check_folder(folder)?;
    match State::open_existing(folder)? {
        None => Ok(Vec::new()),
        Some(state) => state.runs(pipeline, most)?.into_iter().map(|row| past_run(folder, &state, row)).collect(),
    }
}

/// The run of that id, or with `latest` the newest one.
///
/// # Errors
/// [`Error::NoSuchRun`] with the ids there are, [`Error::Host`] when the state cannot be read.
pub fn past_run_of(folder: &Path, id: &str) -> Result<PastRun, Error> {
    let row = row_of(folder, id)?;
    match State::open_existing(folder)? {
        Some(state) => past_run(folder, &state, row),
        None => Err(Error::NoSuchRun(format!("the state in {} is gone", folder.display()))),
    }
}

/// A folder that is not there remembers nothing, and was not meant.
fn check_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let at = folder.display();
    Err(Error::NoSuchRun(format!("there is no folder {at}\nhint: name the pipeline's folder with --pipeline-folder")))
}

fn row_of(folder: &Path, id: &str) -> Result<RunRow, Error> {
    check_folder(folder)?;
    let state = State::open_existing(folder)?;
    let found = match &state {
        None => None,
        Some(state) if id == LATEST => state.runs(None, 1)?.pop(),
        Some(state) => state.run(id)?,
    };
    if let Some(row) = found {
        return Ok(row);
    }
    let known = state.map(|state| state.runs(None, NAMED_RUNS)).transpose()?.unwrap_or_default();
    let known: Vec<&str> = known.iter().map(|run| run.id.as_str()).collect();
    let (at, there) = (folder.display(), known.join(", "));
    Err(Error::NoSuchRun(match known.is_empty() {
        true => format!("no run is remembered in {at}\nhint: name the pipeline's folder with --pipeline-folder"),
        false => format!(
            "no run `{}` is remembered in {at}; the newest are: {there}\nhint: name the run by its id or by `latest`, and with --pipeline-folder another folder",
            id.escape_debug()
        ),
    }))
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

fn past_run(folder: &Path, state: &State, row: RunRow) -> Result<PastRun, Error> {
    // A run that holds no turn any more and said no end was killed.
    let is_gone = row.state == RUNNING && !Turn::is_held(folder, &row.pipeline);
    let is_running = row.state == RUNNING && !is_gone;
    let unfinished = match &row.retry_of {
        Some(of) => state.unfinished_retry(&state.first_of(of)?)?,
        None => state.unfinished(&row.pipeline)?,
    };
    let is_newest = unfinished.is_some_and(|newest| newest.id == row.id);
    let committed = state.committed(&row.id)?;
    let jobs = state.jobs(&row.id)?.into_iter().map(past_job).collect();
    Ok(PastRun {
        resumable: is_newest && !is_running,
        units: committed.units,
        rows: committed.rows,
        jobs,
        run_id: row.id,
        pipeline: row.pipeline,
        kind: row.kind,
        retry_of: row.retry_of,
        file: row.file,
        started_at: moment(row.started_at),
        ended_at: row.ended_at.map(moment),
        given_up: row.given_up,
        state: if is_gone { "killed".to_owned() } else { row.state },
        // A report of an older program may lack what ours has: the rest of the run's row still stands.
        report: row.report.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

fn past_job(row: JobRow) -> PastJob {
    let JobRow { feed, pass, api, id, announced, done, .. } = row;
    PastJob { feed, pass, api, id, created_at: moment(row.created_at), announced, done }
}

fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
