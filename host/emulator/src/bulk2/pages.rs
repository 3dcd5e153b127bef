//! `GET /jobs/query/ID/resultPages`: links to pages that can be fetched at the same time.

use serde_json::{Value, json};

use super::job::Job;
use super::results::{Locator, refuse};
use crate::options::ResultPagesShape;
use crate::server::{ApiVersion, Call, Reply, State, lock};

/// Links of one answer.
const LINKS: u64 = 5;
/// First version with the resource.
const FIRST_VERSION: u16 = 58;

/// Answers in one of the three published shapes, or 404 where the org lacks the feature.
pub(crate) fn result_pages(state: &State, call: &Call, id: &str, version: ApiVersion) -> Reply {
    if version.0 < FIRST_VERSION || state.options.result_pages == ResultPagesShape::NotFound {
        return Reply::not_found();
    }
    let mut jobs = lock(&state.jobs);
    let Some(job) = jobs.find(id, &state.options, &call.fired.job_faults()) else {
        return Reply::not_found();
    };
    if let Some(refused) = refuse(job, version) {
        return refused;
    }
    let from = match call.param("locator") {
        None => 0,
        Some(text) => match Locator::decode(text, job) {
            Some(locator) => locator.offset,
            None => return Reply::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator"),
        },
    };
    Reply::ok(&links(job, state, version, from))
}

fn links(job: &Job, state: &State, version: ApiVersion, from: u64) -> Value {
    let (total, size) = (job.prepared.total(), state.options.page_size);
    let locator = |offset: u64| query_value(&Locator { offset, result: 0 }.encode(job));
    // A result without rows still has its one page.
    let mut offsets = vec![from];
    offsets.extend((1..LINKS).map(|n| from.saturating_add(n.saturating_mul(size))).filter(|o| *o < total));
    let next = from.saturating_add(LINKS.saturating_mul(size));
    let shape = state.options.result_pages;
    let base = match shape {
        ResultPagesShape::Guide => format!("/services/data/v{version}/jobs/query/{}", job.id),
        _ => format!("/jobs/query/{}", job.id),
    };
    let (list, item) = match shape {
        ResultPagesShape::Chunks => ("resultChunks", "resultLink"),
        ResultPagesShape::Postman => ("resultPages", "resultLink"),
        _ => ("resultPages", "resultUrl"),
    };
    let pages: Vec<Value> =
        offsets.iter().map(|offset| json!({ item: format!("{base}/results?locator={}", locator(*offset)) })).collect();
    let next_url = (next < total).then(|| format!("{base}/resultpages?locator={}", locator(next)));
    json!({ list: pages, "nextRecordsUrl": next_url, "done": next_url.is_none() })
}

/// A locator inside a link; unpadded base64 holds two characters that a query must escape.
fn query_value(locator: &str) -> String {
    form_urlencoded::byte_serialize(locator.as_bytes()).collect()
}
