//! What is left of the org's allowances, and approximate record counts.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::server::{Call, NEWEST_VERSION, Reply, State, lock};

/// `GET /limits`; names as in the Bulk API and REST guides.
pub(crate) fn limits(state: &State) -> Reply {
    let calls = state.options.daily_api_requests;
    let jobs = state.options.daily_query_jobs;
    let (created, result_kb) = {
        let jobs = lock(&state.jobs);
        (jobs.created(), jobs.result_kb())
    };
    let left = |max: u64, used: u64| json!({"Max": max, "Remaining": max.saturating_sub(used)});
    let mut out = Map::new();
    out.insert("DailyApiRequests".to_owned(), left(calls, state.calls()));
    out.insert("DailyBulkV2QueryJobs".to_owned(), left(jobs, created));
    out.insert(
        "DailyBulkApiBatches".to_owned(),
        left(state.options.daily_bulk_batches, lock(&state.classic_jobs).batches()),
    );
    let storage = left(state.options.daily_query_result_kb / 1_024, result_kb / 1_024);
    out.insert("DailyBulkV2QueryFileStorageMB".to_owned(), storage);
    for (name, max) in [
        ("ConcurrentAsyncGetReportInstances", 200),
        ("DailyAsyncApexExecutions", 250_000),
        ("DailyDurableGenericStreamingApiEvents", 10_000),
        ("DataStorageMB", 1_073),
        ("FileStorageMB", 1_073),
        ("HourlyTimeBasedWorkflow", 1_000),
        ("MassEmail", 5_000),
        ("SingleEmail", 5_000),
    ] {
        out.insert(name.to_owned(), left(max, 0));
    }
    Reply::ok(&Value::Object(out))
}

#[derive(Serialize)]
struct Count<'a> {
    count: u64,
    name: &'a str,
}

/// `GET /limits/recordCount?sObjects=A,B`; all objects when none is named. Unknown ones are left out.
pub(crate) fn record_count(state: &State, call: &Call) -> Reply {
    let global = state.org.describe_global(NEWEST_VERSION.into());
    let known = super::sobjects::names(&global);
    let wanted: Option<Vec<&str>> = call.param("sObjects").map(|list| list.split(',').map(str::trim).collect());
    let counts: Vec<Count> = known
        .into_iter()
        .filter(|name| wanted.as_ref().is_none_or(|list| list.iter().any(|w| w.eq_ignore_ascii_case(name))))
        .filter_map(|name| state.org.object_rows(name).map(|count| Count { count, name }))
        .collect();
    Reply::ok(&json!({ "sObjects": serde_json::to_value(counts).unwrap_or_default() }))
}
