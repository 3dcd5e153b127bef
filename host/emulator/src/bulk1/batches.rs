//! Batches: add, list, look at one, what was asked.

use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::LOCATION;

use super::chunking::{applies, statement_of};
use super::info;
use super::job::{Batch, ClassicJobState, Fate, Job, Role};
use super::jobs::unknown_job;
use super::wire::{self, Failure};
use crate::data::{Chunk, Prepared, QUERY_TIMEOUT, QueryMode, SoqlError};
use crate::faults::{Action, CountLie, Fired, PageFault};
use crate::ids::{serial_of, short};
use crate::server::{ApiVersion, Call, Reply, State, lock};
use crate::soql::parse;

/// Job and batch as the path names them.
pub(super) type Names<'a> = (&'a str, &'a str);

/// Refuses calls of another version than the job's.
fn same_version(job: &Job, version: ApiVersion) -> Result<(), Failure> {
    if job.version == version {
        return Ok(());
    }
    let message = format!("The job was created with API version {}, use the same version", job.version);
    Err(Failure::new("InvalidVersion", message))
}

/// Gives the batch of a job to `show`, after a look where `look` says so.
pub(super) fn with_batch<T>(
    state: &State,
    call: &Call,
    (job, batch): Names<'_>,
    version: ApiVersion,
    look: bool,
    show: impl FnOnce(&Job, &Batch) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut jobs = lock(&state.classic_jobs);
    let found = jobs.find(job, &state.options, &call.fired.job_faults(), look).ok_or_else(|| unknown_job(job))?;
    same_version(found, version)?;
    let serial = serial_of(super::job::BATCH_PREFIX, batch);
    let wanted = found
        .batches
        .iter()
        .find(|held| Some(held.serial) == serial && short(&held.id) == short(batch))
        .ok_or_else(|| Failure::new("InvalidBatch", format!("Invalid batch id: {batch}")))?;
    show(found, wanted)
}

/// `POST /job/ID/batch`: the body is the statement.
pub(super) fn add(state: &State, call: &Call, id: &str, version: ApiVersion) -> Result<Reply, Failure> {
    let mut jobs = lock(&state.classic_jobs);
    let job = jobs.find(id, &state.options, &call.fired.job_faults(), false).ok_or_else(|| unknown_job(id))?;
    same_version(job, version)?;
    if job.state != ClassicJobState::Open {
        let message = format!("Unable to add a batch: the job is {:?}", job.state);
        return Err(Failure::new("InvalidJobState", message));
    }
    let asked = job.clone();
    let most = state.options.daily_bulk_batches;
    if jobs.batches() >= most {
        return Err(Failure::new("ExceededQuota", "ApiBatchItems Limit exceeded."));
    }
    drop(jobs);
    let body = wire::body(call)?;
    let soql = String::from_utf8_lossy(&body).trim().to_owned();
    if soql.is_empty() {
        return Err(Failure::new("ClientInputError", "Unable to find any data to create batch"));
    }
    let now = state.now();
    // Evaluated outside the lock: large results take a while.
    let made = evaluate(state, &asked, soql, &call.fired, now);
    let mut jobs = lock(&state.classic_jobs);
    let serial = jobs.serials().next_batch();
    let job = jobs.find(id, &state.options, &[], false).ok_or_else(|| unknown_job(id))?;
    let batch = Batch { serial, id: crate::ids::id18(super::job::BATCH_PREFIX, serial), ..made };
    let location = format!("/services/async/{version}/job/{}/batch/{}", job.id, batch.id);
    let reply = info::batch(job, &batch, job.content.form(), StatusCode::CREATED);
    job.batches.push(batch);
    Ok(reply.with(LOCATION, &location).uncompressed())
}

/// A batch with its rows or with the reason why it will fail; its number is still to come.
fn evaluate(state: &State, job: &Job, soql: String, fired: &Fired, now: DateTime<Utc>) -> Batch {
    let mut batch = Batch::new(0, soql, now);
    match prepared(state, job, &batch.soql) {
        Err(message) => batch.fate = Fate::Failed(message),
        Ok(prepared) => {
            cut(job, &mut batch, &prepared);
            give_up(state, job.mode(), &mut batch);
            batch.prepared = Some(prepared);
        }
    }
    for action in &fired.actions {
        meet(&mut batch, action);
    }
    batch
}

fn prepared(state: &State, job: &Job, soql: &str) -> Result<Prepared, String> {
    let prepared = state.org.prepare(soql, job.mode()).map_err(|error| state_message(&error))?;
    if prepared.object() != job.object {
        return Err(format!(
            "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: The root entity of the requested \
             query ({}) does not match the entity of the requested Bulk API Job ({}).",
            prepared.object(),
            job.object
        ));
    }
    Ok(prepared)
}

/// Codes of the Bulk API itself stand alone, those of the query behind its own prefix.
fn state_message(error: &SoqlError) -> String {
    match error.code {
        "FeatureNotEnabled" | "InvalidEntity" => format!("{} : {}", error.code, error.message),
        code => format!("InvalidBatch : Failed to process query: {code}: {}", error.message),
    }
}

fn cut(job: &Job, batch: &mut Batch, prepared: &Prepared) {
    let (Some(chunking), Ok(statement)) = (&job.chunking, parse(&batch.soql)) else { return };
    if !applies(&statement) {
        return;
    }
    let start = chunking.start.as_deref().and_then(|start| crate::data::ids::normalise(start.as_bytes()));
    if let Some(chunks) = prepared.chunks(chunking.size, start.as_ref()) {
        let waiting = chunks.into_iter().map(|chunk| (statement_of(&statement, &chunk), chunk, Fate::Complete));
        batch.role = Role::Original { waiting: waiting.collect(), late: 0 };
    }
}

/// What runs for too long will fail: the batch, or those of its chunks that do.
fn give_up(state: &State, mode: QueryMode, batch: &mut Batch) {
    let is_slow = |soql: &str| state.org.is_slow(soql, mode, state.options.query_timeout_rows);
    match &mut batch.role {
        Role::Original { waiting, .. } => {
            for (_, _, fate) in waiting.iter_mut().filter(|(soql, ..)| is_slow(soql)) {
                *fate = Fate::Failed(QUERY_TIMEOUT.to_owned());
            }
        }
        _ if is_slow(&batch.soql) => batch.fate = Fate::Failed(QUERY_TIMEOUT.to_owned()),
        _ => {}
    }
}

/// Faults of the request that adds the batch.
fn meet(batch: &mut Batch, action: &Action) {
    let failed =
        |reason: &Option<String>, known: &str| Fate::Failed(reason.clone().unwrap_or_else(|| known.to_owned()));
    const RETRIED: &str = "InternalServerError : Retried more than 15 times";
    if let Some(PageFault::Count(CountLie::By(by))) = action.page_fault() {
        batch.lie = by;
    }
    match (action, &mut batch.role) {
        (Action::JobFailed { reason }, _) => batch.fate = failed(reason, RETRIED),
        (Action::JobStuck {}, _) => batch.fate = Fate::Never,
        (Action::OriginalFailed { reason }, _) => batch.fate = failed(reason, QUERY_TIMEOUT),
        (Action::ChunkFailed { nth, reason }, Role::Original { waiting, .. }) => {
            let place = usize::try_from(nth.saturating_sub(1)).unwrap_or(usize::MAX);
            if let Some(chunk) = waiting.get_mut(place) {
                chunk.2 = failed(reason, QUERY_TIMEOUT);
            }
        }
        (Action::LateChunks { looks }, Role::Original { late, .. }) => *late = *looks,
        (Action::EmptyChunks { count }, Role::Original { waiting, .. }) => {
            let Some((_, last, _)) = waiting.last() else { return };
            let empty =
                Chunk { from: last.until.clone(), until: last.until.clone(), prepared: last.prepared.emptied() };
            let Ok(soql) = parse(&batch.soql).map(|statement| statement_of(&statement, &empty)) else { return };
            for place in 0..usize::from(*count) {
                let place = (place * 2).min(waiting.len());
                waiting.insert(place, (soql.clone(), empty.clone(), Fate::Complete));
            }
        }
        (Action::LargeChunk {}, Role::Original { waiting, .. }) if waiting.len() > 1 => {
            let (_, second, _) = waiting.remove(1);
            if let Some((_, first, _)) = waiting.first_mut() {
                first.prepared = first.prepared.joined(&second.prepared);
                first.until = second.until;
            }
        }
        _ => {}
    }
}

/// `GET /job/ID/batch`.
pub(super) fn list(state: &State, call: &Call, id: &str, version: ApiVersion) -> Result<Reply, Failure> {
    let mut jobs = lock(&state.classic_jobs);
    let job = jobs.find(id, &state.options, &call.fired.job_faults(), true).ok_or_else(|| unknown_job(id))?;
    same_version(job, version)?;
    Ok(info::batches(job, job.content.form()))
}

/// `GET /job/ID/batch/ID`.
pub(super) fn get(state: &State, call: &Call, names: Names<'_>, version: ApiVersion) -> Result<Reply, Failure> {
    with_batch(state, call, names, version, true, |job, batch| {
        Ok(info::batch(job, batch, job.content.form(), StatusCode::OK))
    })
}

/// `GET /job/ID/batch/ID/request`: the statement as it runs.
pub(super) fn request(state: &State, call: &Call, names: Names<'_>, version: ApiVersion) -> Result<Reply, Failure> {
    with_batch(state, call, names, version, false, |job, batch| {
        let content_type = super::results::content_type(job.content);
        Ok(Reply::text(StatusCode::OK, content_type, batch.soql.clone()))
    })
}
