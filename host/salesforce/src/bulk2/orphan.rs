//! A job whose creation was not answered: found in the org's list of jobs, and ended.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::QueryAction;
use crate::client::{Call, Client};
use crate::error::{Error, Result};
use crate::extract::Api;
use crate::send::Making;

/// The search ends after this, found or not: the run that waits for it has failed already.
const MOST_SEARCHING: Duration = Duration::from_secs(15);
/// `Date` has whole seconds, and clocks are read before and after.
const CLOCK_SLACK_MICROS: i64 = 3_000_000;
/// Pages of the list that are looked at; each holds up to 1000 jobs.
const MAX_PAGES: usize = 10;

/// Ids of the jobs that this process made: none of them is the one that is missing.
static OURS: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    done: bool,
    #[serde(default)]
    records: Vec<Entry>,
    #[serde(default)]
    next_records_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    created_by_id: String,
    #[serde(default)]
    created_date: String,
}

/// What was to be made.
pub(crate) struct Missing<'a> {
    /// Bulk 2.0 or 1.0.
    pub(crate) api: Api,
    /// Empty: not known.
    pub(crate) object: &'a str,
    pub(crate) action: QueryAction,
    pub(crate) api_version: &'a str,
    /// Salesforce's clock when the request was sent, in microseconds.
    pub(crate) since_micros: i64,
}

/// Remembers a job that this process made.
pub(crate) fn made(id: &str) {
    ours().insert(id.to_owned());
}

fn ours() -> MutexGuard<'static, BTreeSet<String>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for the job and ends it; tells the operator what came of it.
pub(crate) async fn end(client: &Client, missing: &Missing<'_>) {
    let _making = Making::begin(client);
    let searched = tokio::time::timeout(MOST_SEARCHING, search_and_end(client, missing)).await;
    let outcome = match searched {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => format!("whether it was made is not known ({error}); {LOOK}"),
        Err(_) => format!("whether it was made is not known, the org does not answer; {LOOK}"),
    };
    client.inner.notices.keep(format!("the creation of the query job was not answered: {outcome}"));
}

const LOOK: &str = "one may be left, see Setup > Bulk Data Load Jobs";

async fn search_and_end(client: &Client, missing: &Missing<'_>) -> Result<String> {
    let user = client.identity().await?.user_id;
    let found = candidates(client, missing, &user).await?;
    match found.as_slice() {
        [] => Ok(format!("no such job is in the org now; should it come later, {LOOK}")),
        [id] => {
            finish(client, missing, id).await?;
            Ok(format!("the job {id} was made, and is ended"))
        }
        several => Ok(format!("these jobs may be it, and are left alone: {}", several.join(", "))),
    }
}

async fn candidates(client: &Client, missing: &Missing<'_>, user: &str) -> Result<Vec<String>> {
    let fits = |entry: &Entry| {
        let since = DateTime::parse_from_str(&entry.created_date, "%Y-%m-%dT%H:%M:%S%.f%z");
        let is_recent = since.is_ok_and(|at| at.timestamp_micros() >= missing.since_micros - CLOCK_SLACK_MICROS);
        is_recent
            && entry.operation == missing.action.as_str()
            && (missing.object.is_empty() || entry.object.eq_ignore_ascii_case(missing.object))
            && same_id(&entry.created_by_id, user)
            && !ours().contains(&entry.id)
    };
    let mut found = Vec::new();
    let mut locator: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let path = format!("/services/data/v{}/jobs/query", missing.api_version);
        let mut call = Call::get("list of query jobs", path).tidying();
        let kind = if missing.api == Api::Bulk1 { "Classic" } else { "V2Query" };
        call.query.push(("jobType", kind.to_owned()));
        call.query.extend(locator.take().map(|locator| ("queryLocator", locator)));
        let list: List = client.json(&call).await?;
        found.extend(list.records.iter().filter(|entry| fits(entry)).map(|entry| entry.id.clone()));
        // the guide's own next link leads to the list of another kind of jobs: only its locator counts
        let next = list.next_records_url.as_deref().and_then(|url| url.split_once("queryLocator="));
        match next {
            Some((_, next)) if !list.done => locator = Some(next.to_owned()),
            _ => return Ok(found),
        }
    }
    Err(Error::protocol("list of query jobs", "it does not end"))
}

async fn finish(client: &Client, missing: &Missing<'_>, id: &str) -> Result<()> {
    let version = missing.api_version;
    let (method, path) = match missing.api {
        Api::Bulk1 => (Method::POST, format!("/services/async/{version}/job/{id}")),
        _ => (Method::PATCH, format!("/services/data/v{version}/jobs/query/{id}")),
    };
    let mut abort = Call::new(method, format!("abort of query job {id}"), path.clone()).tidying();
    abort.json = Some(json!({ "state": "Aborted" }));
    abort.idempotent = true;
    let aborted = client.whole(&abort).await;
    if missing.api == Api::Bulk1 {
        return aborted.map(drop);
    }
    // one that has ended already is only deleted
    match client.whole(&Call::new(Method::DELETE, format!("deletion of query job {id}"), path).tidying()).await {
        Ok(_) | Err(Error::Api { status: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ids have 15 characters, or 18 with a checksum.
fn same_id(left: &str, right: &str) -> bool {
    left.len() >= 15 && right.len() >= 15 && left.get(..15) == right.get(..15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_without_their_checksum() {
        assert!(same_id("005xx0000012345", "005xx0000012345AAA"));
        assert!(!same_id("005xx0000012345AAA", "005xx0000012346AAA") && !same_id("", ""));
    }
}
