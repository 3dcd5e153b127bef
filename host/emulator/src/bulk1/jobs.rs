//! Jobs: create, look, close, abort.

use http::header::LOCATION;
use http::{HeaderName, StatusCode};

use super::chunking::Chunking;
use super::info;
use super::job::{ClassicJobState, ContentType, Job};
use super::request::JobRequest;
use super::wire::{self, Failure, Form};
use crate::server::{ApiVersion, Call, Reply, State, lock};

const PK_CHUNKING: HeaderName = HeaderName::from_static("sforce-enable-pkchunking");
const LINE_ENDING: HeaderName = HeaderName::from_static("sforce-line-ending");
/// Objects that only the query resource of REST shows.
const NOT_IN_BULK: [&str; 1] = ["EntityDefinition"];

pub(super) fn unknown_job(id: &str) -> Failure {
    Failure::new("InvalidJob", format!("Invalid job id: {id}"))
}

/// `POST /job`.
pub(super) fn create(state: &State, call: &Call, version: ApiVersion) -> Result<Reply, Failure> {
    let form = Form::asked(call).unwrap_or(Form::Xml);
    let request = JobRequest::read(&wire::body(call)?, form)?;
    let job = checked(state, call, request, form, version)?;
    let now = job.created;
    let mut jobs = lock(&state.classic_jobs);
    let job = jobs.insert(job);
    for fault in call.fired.job_faults() {
        job.meet(&fault, now);
    }
    let location = format!("/services/async/{version}/job/{}", job.id);
    Ok(info::job(job, form, StatusCode::CREATED).with(LOCATION, &location).uncompressed())
}

fn checked(state: &State, call: &Call, request: JobRequest, form: Form, version: ApiVersion) -> Result<Job, Failure> {
    let invalid = |message: &str| Failure::new("InvalidJob", message);
    let all = match request.operation.as_deref() {
        Some(name) if name.eq_ignore_ascii_case("query") => false,
        Some(name) if name.eq_ignore_ascii_case("queryAll") => true,
        Some("insert" | "update" | "upsert" | "delete" | "hardDelete") => {
            let message = "the emulator runs query and queryAll jobs only, it does not take ingest jobs";
            return Err(Failure::new("FeatureNotEnabled", message));
        }
        Some(other) => return Err(Failure::new("InvalidOperation", format!("Operation '{other}' is not supported"))),
        None => return Err(invalid("No operation specified")),
    };
    let asked = request.object.ok_or_else(|| invalid("No object specified"))?;
    let known = state.org.object_name(&asked);
    let object = known.ok_or_else(|| invalid(&format!("Unable to find object: {asked}")))?;
    if NOT_IN_BULK.contains(&object.as_str()) {
        let message = format!("Entity '{object}' is not supported by the Bulk API.");
        return Err(Failure::new("InvalidEntity", message));
    }
    let content = match request.content_type.as_deref() {
        None if form == Form::Json => ContentType::Json,
        None => ContentType::Xml,
        Some(name) => ContentType::named(name)
            .ok_or_else(|| Failure::new("UnsupportedContentType", format!("ContentType '{name}' is not supported")))?,
    };
    let serial_mode = match request.concurrency_mode.as_deref() {
        None | Some("0" | "Parallel" | "parallel") => false,
        Some("1" | "Serial" | "serial") => true,
        Some(other) => return Err(invalid(&format!("ConcurrencyMode '{other}' is not supported"))),
    };
    let chunking = call.header(PK_CHUNKING).map(Chunking::parse).transpose()?.flatten();
    if let Some(chunking) = &chunking {
        chunking.check(&object)?;
    }
    let now = state.now();
    Ok(Job {
        id: String::new(),
        all,
        object,
        created_by: state.user.id.clone(),
        created: now,
        modified: now,
        state: ClassicJobState::Open,
        serial_mode,
        content,
        version,
        chunking,
        crlf: call.header(LINE_ENDING).is_some_and(|ending| ending.trim().eq_ignore_ascii_case("CRLF")),
        batches: Vec::new(),
        vanished: false,
        stuck: false,
    })
}

/// `GET /job/ID`.
pub(super) fn get(state: &State, call: &Call, id: &str) -> Result<Reply, Failure> {
    let mut jobs = lock(&state.classic_jobs);
    let job = jobs.find(id, &state.options, &call.fired.job_faults(), true).ok_or_else(|| unknown_job(id))?;
    let form = Form::asked(call).unwrap_or(job.content.form());
    Ok(info::job(job, form, StatusCode::OK))
}

/// `POST /job/ID` with a state.
pub(super) fn change(state: &State, call: &Call, id: &str) -> Result<Reply, Failure> {
    let mut jobs = lock(&state.classic_jobs);
    let job = jobs.find(id, &state.options, &call.fired.job_faults(), false).ok_or_else(|| unknown_job(id))?;
    let form = Form::asked(call).unwrap_or(Form::Xml);
    let request = JobRequest::read(&wire::body(call)?, form)?;
    let now = state.now();
    let running = job.batches.iter().any(|batch| !batch.state.is_terminal());
    match (request.state.as_deref(), job.state) {
        (Some("Closed"), ClassicJobState::Open) => job.enter(ClassicJobState::Closed, now),
        (Some("Aborted"), ClassicJobState::Open) => job.abort(now),
        (Some("Aborted"), ClassicJobState::Closed) if running => job.abort(now),
        (Some("Closed"), held) => return Err(refused("Closing", held)),
        (Some("Aborted"), held) => return Err(refused("Aborting", held)),
        (Some(other), _) => return Err(Failure::new("InvalidJob", format!("Invalid job state: {other}"))),
        (None, _) => return Err(Failure::new("InvalidJob", "No state specified")),
    }
    Ok(info::job(job, form, StatusCode::OK).uncompressed())
}

fn refused(what: &str, held: ClassicJobState) -> Failure {
    let held = match held {
        ClassicJobState::Aborted => "Aborted",
        ClassicJobState::Failed => "Failed",
        ClassicJobState::Open | ClassicJobState::Closed => "Completed",
    };
    Failure::new("InvalidJobState", format!("{what} already {held} Job not allowed"))
}
