//! How jobs and batches are shown: XML in the order of the schema, JSON in the order of the alphabet.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::job::{Batch, BatchState, Job};
use super::wire::{self, Form};
use crate::options::Options;
use crate::server::{Call, Reply, State, lock};

/// XML dates end in `Z`, JSON ones in `+0000`; both in whole seconds.
fn date(time: DateTime<Utc>, form: Form) -> String {
    let zone = if form == Form::Xml { "Z" } else { "+0000" };
    format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S.000"))
}

fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Sums over batches.
struct Totals {
    records: u64,
    taken_ms: u64,
}

fn totals(job: &Job) -> Totals {
    let each = job.batches.iter();
    Totals { records: each.clone().map(processed).sum(), taken_ms: each.map(Batch::taken_ms).sum() }
}

fn processed(batch: &Batch) -> u64 {
    let rows = batch.rows();
    if batch.state == BatchState::Completed { rows.saturating_add_signed(batch.lie) } else { rows }
}

/// One job.
pub(super) fn job(job: &Job, form: Form, status: StatusCode) -> Reply {
    match form {
        Form::Xml => wire::xml(status, wire::element("jobInfo", &job_fields(job))),
        Form::Json => wire::json(status, &job_json(job)),
    }
}

fn job_fields(job: &Job) -> Vec<(&'static str, String)> {
    let totals = totals(job);
    let count = |state| job.count(state).to_string();
    vec![
        ("id", job.id.clone()),
        ("operation", job.operation().to_owned()),
        ("object", job.object.clone()),
        ("createdById", job.created_by.clone()),
        ("createdDate", date(job.created, Form::Xml)),
        ("systemModstamp", date(job.modified, Form::Xml)),
        ("state", name(&job.state)),
        ("concurrencyMode", job.concurrency().to_owned()),
        ("contentType", job.content.name().to_owned()),
        ("numberBatchesQueued", count(BatchState::Queued)),
        ("numberBatchesInProgress", count(BatchState::InProgress)),
        ("numberBatchesCompleted", count(BatchState::Completed)),
        ("numberBatchesFailed", count(BatchState::Failed)),
        ("numberBatchesTotal", batches_total(job).to_string()),
        ("numberRecordsProcessed", totals.records.to_string()),
        ("numberRetries", "0".to_owned()),
        ("apiVersion", job.version.to_string()),
        ("numberRecordsFailed", "0".to_owned()),
        ("totalProcessingTime", totals.taken_ms.to_string()),
        ("apiActiveProcessingTime", totals.taken_ms.to_string()),
        ("apexProcessingTime", "0".to_owned()),
    ]
}

/// The guide's sample counts four of four while an original that was cut is there too.
fn batches_total(job: &Job) -> usize {
    job.batches.len() - job.count(BatchState::NotProcessed)
}

fn job_json(job: &Job) -> Value {
    let totals = totals(job);
    json!({
        "apexProcessingTime": 0,
        "apiActiveProcessingTime": totals.taken_ms,
        "apiVersion": job.version.number(),
        "assignmentRuleId": null,
        "concurrencyMode": job.concurrency(),
        "contentType": job.content.name(),
        "createdById": job.created_by,
        "createdDate": date(job.created, Form::Json),
        "externalIdFieldName": null,
        "fastPathEnabled": false,
        "id": job.id,
        "numberBatchesCompleted": job.count(BatchState::Completed),
        "numberBatchesFailed": job.count(BatchState::Failed),
        "numberBatchesInProgress": job.count(BatchState::InProgress),
        "numberBatchesQueued": job.count(BatchState::Queued),
        "numberBatchesTotal": batches_total(job),
        "numberRecordsFailed": 0,
        "numberRecordsProcessed": totals.records,
        "numberRetries": 0,
        "object": job.object,
        "operation": job.operation(),
        "state": job.state,
        "systemModstamp": date(job.modified, Form::Json),
        "totalProcessingTime": totals.taken_ms,
    })
}

/// One batch.
pub(super) fn batch(job: &Job, batch: &Batch, form: Form, status: StatusCode) -> Reply {
    match form {
        Form::Xml => wire::xml(status, wire::element("batchInfo", &batch_fields(job, batch))),
        Form::Json => wire::json(status, &batch_json(job, batch)),
    }
}

/// All batches of a job.
pub(super) fn batches(job: &Job, form: Form) -> Reply {
    match form {
        Form::Json => {
            let list: Vec<Value> = job.batches.iter().map(|batch| batch_json(job, batch)).collect();
            wire::json(StatusCode::OK, &json!({ "batchInfo": list }))
        }
        Form::Xml if job.batches.is_empty() => wire::xml(StatusCode::OK, wire::empty("batchInfoList")),
        Form::Xml => {
            let mut text = wire::open("batchInfoList");
            for batch in &job.batches {
                let fields = wire::lines(&batch_fields(job, batch), 2);
                text.push_str(&format!(" <batchInfo>\n{fields} </batchInfo>\n"));
            }
            text.push_str("</batchInfoList>");
            wire::xml(StatusCode::OK, text)
        }
    }
}

fn batch_fields(job: &Job, batch: &Batch) -> Vec<(&'static str, String)> {
    let mut fields = vec![("id", batch.id.clone()), ("jobId", job.id.clone()), ("state", name(&batch.state))];
    fields.extend(batch.message.clone().map(|message| ("stateMessage", message)));
    fields.extend([
        ("createdDate", date(batch.created, Form::Xml)),
        ("systemModstamp", date(batch.modified, Form::Xml)),
        ("numberRecordsProcessed", processed(batch).to_string()),
        ("numberRecordsFailed", "0".to_owned()),
        ("totalProcessingTime", batch.taken_ms().to_string()),
        ("apiActiveProcessingTime", batch.taken_ms().to_string()),
        ("apexProcessingTime", "0".to_owned()),
    ]);
    fields
}

fn batch_json(job: &Job, batch: &Batch) -> Value {
    json!({
        "apexProcessingTime": 0,
        "apiActiveProcessingTime": batch.taken_ms(),
        "createdDate": date(batch.created, Form::Json),
        "id": batch.id,
        "jobId": job.id,
        "numberRecordsFailed": 0,
        "numberRecordsProcessed": processed(batch),
        "state": batch.state,
        "stateMessage": batch.message,
        "systemModstamp": date(batch.modified, Form::Json),
        "totalProcessingTime": batch.taken_ms(),
    })
}

/// The jobs as Bulk 2.0 shows them, in their list or, when `id` is given, that one by itself.
///
/// `fits` sees job type, concurrency mode and whether PK chunking is on.
pub(crate) fn classic_json(
    state: &State,
    call: &Call,
    id: Option<&str>,
    fits: impl Fn(&str, &str, bool) -> bool,
) -> Vec<Value> {
    let options: &Options = &state.options;
    let mut jobs = lock(&state.classic_jobs);
    if let Some(id) = id {
        return jobs.find(id, options, &call.fired.job_faults(), true).map(|job| v2(job, true)).into_iter().collect();
    }
    jobs.living()
        .filter(|job| fits("Classic", job.concurrency(), job.chunking.is_some()))
        .map(|job| v2(job, false))
        .collect()
}

/// As recorded: without line ending and delimiter, alone with the times of ingest jobs.
fn v2(job: &Job, alone: bool) -> Value {
    let mut out = json!({
        "id": job.id,
        "operation": job.operation(),
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": date(job.created, Form::Json),
        "systemModstamp": date(job.modified, Form::Json),
        "state": job.state,
        "concurrencyMode": job.concurrency(),
        "contentType": job.content.name(),
        "apiVersion": job.version.number(),
        "jobType": "Classic",
    });
    if let (true, Value::Object(out)) = (alone, &mut out) {
        let totals = totals(job);
        for (name, value) in [
            ("numberRecordsProcessed", totals.records),
            ("retries", 0),
            ("totalProcessingTime", totals.taken_ms),
            ("apiActiveProcessingTime", totals.taken_ms),
            ("apexProcessingTime", 0),
        ] {
            out.insert(name.to_owned(), value.into());
        }
    }
    out
}
