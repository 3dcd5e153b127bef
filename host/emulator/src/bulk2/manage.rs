//! One job: look at it, abort it, delete it.

use http::StatusCode;
use serde::Deserialize;

use super::job::{JobState, View};
use crate::bulk1::classic_json;
use crate::server::{Call, Reply, State, lock};

/// `GET /jobs/query/ID`.
pub(crate) fn get(state: &State, call: &Call, id: &str) -> Reply {
    let mut jobs = lock(&state.jobs);
    let Some(job) = jobs.find(id, &state.options, &call.fired.job_faults()) else {
        drop(jobs);
        let classic = classic_json(state, call, Some(id), |_, _, _| true).pop();
        return classic.map_or_else(Reply::not_found, |job| Reply::ok(&job));
    };
    job.poll(&state.options, state.now());
    Reply::ok(&job.json(View::Get))
}

#[derive(Deserialize)]
struct Change {
    state: Option<String>,
}

/// `PATCH /jobs/query/ID` with `{"state":"Aborted"}`, the only change there is.
pub(crate) fn abort(state: &State, call: &Call, id: &str) -> Reply {
    let mut jobs = lock(&state.jobs);
    let Some(job) = jobs.find(id, &state.options, &call.fired.job_faults()) else {
        return Reply::not_found();
    };
    let change: Change = match serde_json::from_slice(&call.body) {
        Ok(change) => change,
        Err(error) => return Reply::bad_request("JSON_PARSER_ERROR", &error.to_string()),
    };
    if change.state.as_deref() != Some("Aborted") {
        return Reply::bad_request("INVALIDJOBSTATE", "A query job can only be changed to state Aborted");
    }
    if job.state.is_terminal() {
        return Reply::bad_request("INVALIDJOBSTATE", "Aborting already Completed Job not allowed");
    }
    job.enter(JobState::Aborted, state.now());
    Reply::ok(&job.json(View::Abort)).uncompressed()
}

/// `DELETE /jobs/query/ID`.
pub(crate) fn delete(state: &State, call: &Call, id: &str) -> Reply {
    let mut jobs = lock(&state.jobs);
    let Some(job) = jobs.find(id, &state.options, &call.fired.job_faults()) else {
        return Reply::not_found();
    };
    if !job.state.is_terminal() {
        let message = "Error encountered when deleting the job because the job is not terminated";
        return Reply::bad_request("API_ERROR", message);
    }
    job.deleted = true;
    Reply::empty(StatusCode::NO_CONTENT)
}
