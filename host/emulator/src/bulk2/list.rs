//! `GET /jobs/query`.

use serde::Serialize;
use serde_json::Value;

use super::job::{Job, JobJson, View};
use crate::bulk1::classic_json;
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
    records: Vec<Entry<'a>>,
    next_records_url: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Query(Box<JobJson<'a>>),
    Classic(Value),
}

/// `POST /jobs/ingest`.
pub(crate) fn refuse_ingest() -> Reply {
    let message = "the emulator runs query jobs only, it does not take ingest jobs";
    Reply::bad_request("FEATURENOTENABLED", message)
}

/// Every living job that fits the filters, Bulk 1.0 ones too; this org has no ingest jobs.
pub(crate) fn list(state: &State, call: &Call, version: ApiVersion) -> Reply {
    let locator = id18(LOCATOR_PREFIX, 0);
    let from = match call.param("queryLocator").map(|given| offset(given, &locator)) {
        None => 0,
        Some(Some(from)) => from,
        Some(None) => return Reply::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator"),
    };
    let jobs = lock(&state.jobs);
    let own = jobs.living().filter(|_| fits(call, "V2Query", "Parallel", false));
    let mut fitting: Vec<Entry<'_>> = own.map(|job: &Job| Entry::Query(Box::new(job.json(View::List)))).collect();
    let classic = classic_json(state, call, None, |kind, mode, chunking| fits(call, kind, mode, chunking));
    fitting.extend(classic.into_iter().map(Entry::Classic));
    let end = fitting.len().min(from.saturating_add(PAGE_JOBS));
    let done = end == fitting.len();
    let records = fitting.drain(from.min(end)..end).collect();
    // The guide prints the next link of query lists below /jobs/ingest.
    let next_records_url =
        (!done).then(|| format!("/services/data/v{version}/jobs/ingest?queryLocator={locator}-{end}"));
    Reply::ok(&List { done, records, next_records_url })
}

fn offset(given: &str, locator: &str) -> Option<usize> {
    given.strip_prefix(locator)?.strip_prefix('-')?.parse().ok()
}

fn fits(call: &Call, kind: &str, mode: &str, chunking: bool) -> bool {
    let is = |name: &str, value: &str| call.param(name).is_none_or(|given| given.eq_ignore_ascii_case(value));
    is("jobType", kind) && is("concurrencyMode", mode) && is("isPkChunkingEnabled", &chunking.to_string())
}
