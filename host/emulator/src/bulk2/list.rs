//! `GET /jobs/query`.

use serde::Serialize;

use super::job::{Job, JobJson, View};
use crate::ids::id18;
use crate::server::{ApiVersion, Call, Reply, State, lock};

/// Jobs of one page.
const PAGE_JOBS: usize = 1_000;
/// Key prefix of list locators.
const LOCATOR_PREFIX: [u8; 3] = *b"01g";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    done: bool,
    records: Vec<JobJson<'a>>,
    next_records_url: Option<String>,
}

/// Every living job that fits the filters; this org has no Bulk 1.0 or ingest jobs.
pub(crate) fn list(state: &State, call: &Call, version: ApiVersion) -> Reply {
    let locator = id18(LOCATOR_PREFIX, 0);
    let from = match call.param("queryLocator").map(|given| offset(given, &locator)) {
        None => 0,
        Some(Some(from)) => from,
        Some(None) => return Reply::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator"),
    };
    let jobs = lock(&state.jobs);
    let fitting: Vec<&Job> = jobs.living().filter(|_| fits(call)).collect();
    let end = fitting.len().min(from.saturating_add(PAGE_JOBS));
    let done = end == fitting.len();
    let records = fitting.get(from..end).unwrap_or_default().iter().map(|job| job.json(View::List)).collect();
    // The guide prints the next link of query lists below /jobs/ingest.
    let next_records_url =
        (!done).then(|| format!("/services/data/v{version}/jobs/ingest?queryLocator={locator}-{end}"));
    Reply::ok(&List { done, records, next_records_url })
}

fn offset(given: &str, locator: &str) -> Option<usize> {
    given.strip_prefix(locator)?.strip_prefix('-')?.parse().ok()
}

/// All jobs here are parallel V2 queries without client-side PK chunking.
fn fits(call: &Call) -> bool {
    let is = |name: &str, value: &str| call.param(name).is_none_or(|given| given.eq_ignore_ascii_case(value));
    is("jobType", "V2Query") && is("concurrencyMode", "Parallel") && is("isPkChunkingEnabled", "false")
}
