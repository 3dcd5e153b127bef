//! REST `query` and `queryAll` as a source of rows: runs of pages along a cursor.
//!
//! REST API Developer Guide, "Query": at most 2,000 records a page, `nextRecordsUrl` until `done`; a cursor lives two
//! days, and a page of it may be asked for again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::memory::KnownRun;
use super::wide;
use super::{BodyStream, ExtractOptions};
use crate::client::{Call, Client};
use crate::error::{Error, Result, same_code};
use crate::rest_query::DATA_ROOT;

/// A run ends with the page that reaches so many rows. One run is one unit: files of it are of a decent size, and what
/// is lost by a cut is bounded.
const RUN_ROWS: u64 = 50_000;
/// The most that a page can have; Salesforce gives fewer of wide records.
const PAGE_ROWS: &str = "batchSize=2000";
const QUERY_OPTIONS: HeaderName = HeaderName::from_static("sforce-query-options");
/// A page is held in memory; 200 records of the longest texts come to less.
const MAX_PAGE_BYTES: usize = 256 * 1024 * 1024;

/// One run of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RestRef {
    pub(super) index: u64,
    /// Path of its first page; none for the first of all.
    pub(super) start: Option<String>,
}

pub(super) enum NextRun {
    Run(RestRef),
    /// The run before has not told yet where it ends.
    Waiting,
    End,
}

/// A query, and what is known of its pages.
pub(super) struct RestQuery {
    client: Client,
    soql: String,
    all: bool,
    version: String,
    /// Rows of the whole result, as an earlier process heard of them.
    total: Option<u64>,
    chain: Mutex<Chain>,
}

#[derive(Default)]
struct Chain {
    /// The first page: it comes with the query, and asking again would open another cursor.
    first: Option<Page>,
    /// The run to hand out next, once known.
    ready: Option<RestRef>,
    /// Where each run ends, which must stay the same when it is read again; `None`: at the end of all.
    ends: HashMap<u64, Option<String>>,
    /// Runs that an earlier process has committed, as far as they were not passed yet.
    known: BTreeMap<u64, KnownRun>,
    begun: bool,
    seen: HashSet<String>,
}

/// One page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    total: u64,
    next: Option<String>,
    /// A JSON array.
    records: Bytes,
    rows: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(borrow)]
    records: &'a RawValue,
}

impl RestQuery {
    pub(super) fn new(client: &Client, soql: &str, options: &ExtractOptions) -> Result<Self> {
        let version = match &options.api_version {
            Some(version) => crate::resolved::check_api_version(version)?,
            None => client.api_version().to_owned(),
        };
        let (all, soql) = (options.sees_all(), soql.to_owned());
        Ok(Self { client: client.clone(), soql, all, version, total: None, chain: Mutex::default() })
    }

    /// Goes on behind the runs that are committed. Without the first of them there is no way to its rows: they came
    /// with the query, and the cursor leads on from there only.
    pub(super) fn without(mut self, total: Option<u64>, known: BTreeMap<u64, KnownRun>) -> Result<Self> {
        if known.is_empty() {
            return Ok(self);
        }
        if total.is_none() || !known.contains_key(&0) {
            return Err(lost("the first page came with the query, and cannot be asked for again"));
        }
        self.total = total;
        self.chain().known = known;
        Ok(self)
    }

    pub(super) fn api_version(&self) -> &str {
        &self.version
    }

    /// The total is known.
    pub(super) fn has_begun(&self) -> bool {
        self.chain().begun
    }

    /// Runs the query; gives the rows of the whole result.
    pub(super) async fn begin(&self) -> Result<u64> {
        if let Some(total) = self.total {
            let mut chain = self.chain();
            chain.offer(0, None)?;
            chain.begun = true;
            return Ok(total);
        }
        let resource = format!("/services/data/v{}/{}", self.version, if self.all { "queryAll" } else { "query" });
        let page = match wide::is_wide(&self.soql) {
            true => wide::query(&self.client, &self.version, &resource, &self.soql).await?,
            false => {
                let mut call = Call::get(WHAT, resource.clone());
                call.query.push(("q", self.soql.clone()));
                match self.ask(call).await {
                    // a proxy may have less room than Salesforce
                    Err(Error::Api { status: 414 | 431, .. }) => {
                        wide::query(&self.client, &self.version, &resource, &self.soql).await?
                    }
                    other => other?,
                }
            }
        };
        let total = page.total;
        let mut chain = self.chain();
        chain.first = Some(page);
        chain.offer(0, None)?;
        chain.begun = true;
        Ok(total)
    }

    pub(super) fn next(&self) -> Result<NextRun> {
        let mut chain = self.chain();
        if let Some(run) = chain.ready.take() {
            return Ok(NextRun::Run(run));
        }
        let ended = chain.ends.values().any(Option::is_none);
        match ended {
            false => Ok(NextRun::Waiting),
            true if chain.known.is_empty() => Ok(NextRun::End),
            true => Err(lost("its pages end before one that is committed")),
        }
    }

    async fn ask(&self, mut call: Call) -> Result<Page> {
        call.headers.push((QUERY_OPTIONS, HeaderValue::from_static(PAGE_ROWS)));
        call.max_bytes = MAX_PAGE_BYTES;
        let reply = self.client.whole(&call).await?;
        Page::read(&call.what, &reply.body)
    }

    async fn page(&self, path: Option<&str>) -> Result<Page> {
        match path {
            None => {
                self.chain().first.clone().ok_or_else(|| Error::protocol(WHAT, "a page was asked for before the query"))
            }
            Some(path) => {
                let page = self.ask(Call::get(format!("next page of {WHAT}"), path.to_owned())).await;
                page.map_err(cursor_gone)
            }
        }
    }

    /// A run was read to its end; what comes after it may be read now.
    fn learned(&self, run: &RestRef, next: Option<String>) -> Result<()> {
        let mut chain = self.chain();
        if chain.ends.contains_key(&run.index) {
            return Ok(());
        }
        chain.ends(run.index, next.clone())?;
        match next {
            Some(next) => chain.offer(run.index + 1, Some(next)),
            None => Ok(()),
        }
    }

    /// Notes a page of a run that is read for the first time.
    fn pass(&self, run: &RestRef, next: &str) -> Result<()> {
        let mut chain = self.chain();
        // pages of a run that is read again were seen; once its end is known it cannot run away
        if chain.ends.contains_key(&run.index) || chain.seen.insert(format!("{} {next}", run.index)) {
            return Ok(());
        }
        Err(endless())
    }

    pub(super) fn end_of(&self, run: &RestRef) -> Option<Option<String>> {
        self.chain().ends.get(&run.index).cloned()
    }

    /// A page that comes again for a run which broke off before its end was known.
    fn begin_run(&self, run: &RestRef) {
        let start = format!("{} ", run.index);
        self.chain().seen.retain(|seen| !seen.starts_with(&start));
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    fn ends(&mut self, index: u64, next: Option<String>) -> Result<()> {
        if next.is_some() && self.ends.values().any(|end| *end == next) {
            return Err(endless());
        }
        self.ends.insert(index, next);
        Ok(())
    }

    /// Gives a run, or the one behind those that are committed.
    fn offer(&mut self, mut index: u64, mut start: Option<String>) -> Result<()> {
        while let Some(known) = self.known.remove(&index) {
            if known.start != start {
                return Err(lost("its pages begin elsewhere than when some of them were committed"));
            }
            self.ends(index, known.end.clone())?;
            match known.end {
                None => return Ok(()),
                next => (index, start) = (index + 1, next),
            }
        }
        self.ready = Some(RestRef { index, start });
        Ok(())
    }
}

const WHAT: &str = "the query";

fn lost(detail: &str) -> Error {
    Error::Lost { what: WHAT.to_owned(), detail: detail.to_owned() }
}

fn endless() -> Error {
    Error::protocol(WHAT, "the next page's address comes a second time: an endless loop")
}

impl Page {
    pub(super) fn read(what: &str, body: &Bytes) -> Result<Self> {
        let broken = |e: serde_json::Error| {
            let start: String = String::from_utf8_lossy(body).chars().take(60).collect();
            Error::protocol(what, format!("the answer is not a page of records ({e}); it starts with {start:?}"))
        };
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(broken)?;
        let records = wire.records.get();
        let rows = serde_json::from_str::<Vec<IgnoredAny>>(records).map_err(broken)?.len() as u64;
        let next = match (wire.done, wire.next_records_url) {
            (true, _) => None,
            (false, None) => {
                let text = "done is false, but nextRecordsUrl is missing; the rows that follow are out of reach";
                return Err(Error::protocol(what, text));
            }
            (false, Some(next)) if !next.starts_with(DATA_ROOT) => {
                return Err(Error::protocol(what, "nextRecordsUrl leads away from the API"));
            }
            (false, Some(next)) => Some(next),
        };
        Ok(Self { total: wire.total_size, next, records: body.slice_ref(records.as_bytes()), rows })
    }
}

/// The records of a run as JSON arrays, one a page.
pub(super) fn body(query: Arc<RestQuery>, run: RestRef, learned: impl Fn() + Send + 'static) -> BodyStream {
    query.begin_run(&run);
    let state = Walk { at: Some(run.start.clone()), rows: 0, query, run, learned };
    Box::pin(stream::unfold(Some(state), |walk| async move {
        let mut walk = walk?;
        match walk.step().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(walk))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// A run being read.
struct Walk<F> {
    query: Arc<RestQuery>,
    run: RestRef,
    /// The next page; `None`: the run is at its end.
    at: Option<Option<String>>,
    rows: u64,
    learned: F,
}

impl<F: Fn()> Walk<F> {
    async fn step(&mut self) -> Result<Option<Bytes>> {
        let Some(path) = self.at.take() else { return Ok(None) };
        let page = self.query.page(path.as_deref()).await?;
        self.rows += page.rows;
        match (page.next, self.query.end_of(&self.run)) {
            // read for the first time: the end is where enough rows are
            (next, None) if next.is_none() || self.rows >= RUN_ROWS => {
                self.query.learned(&self.run, next)?;
                (self.learned)();
            }
            (next, Some(end)) if next == end => {}
            (None, Some(Some(_))) => {
                let text =
                    "pages of a cursor ended elsewhere when they were asked for again; nothing of it counts as read";
                return Err(Error::protocol(WHAT, text));
            }
            (Some(next), _) => {
                self.query.pass(&self.run, &next)?;
                self.at = Some(Some(next));
            }
            (None, _) => {}
        }
        Ok(Some(page.records))
    }
}

/// A cursor that Salesforce has forgotten.
fn cursor_gone(error: Error) -> Error {
    match error {
        Error::Api { what, status, code, message, retry_after, .. } if same_code(&code, "INVALID_QUERY_LOCATOR") => {
            let hint = "\n  hint: the cursor of the query is gone (Salesforce keeps one for 2 days); what is committed stays, \
                        but the rows that follow are out of reach: run again"
                .to_owned();
            Error::Api { what, status, code, message, hint, retry_after }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Page> {
        Page::read("page", &Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn pages_are_read_whatever_the_order_of_their_keys() {
        let page = read(r#"{"records":[{"a":[1]},{}],"done":false,"nextRecordsUrl":"/services/data/v62.0/query/01g-2","totalSize":3}"#)
            .unwrap();
        assert_eq!((page.total, page.rows, page.next.as_deref()), (3, 2, Some("/services/data/v62.0/query/01g-2")));
        assert_eq!(page.records, r#"[{"a":[1]},{}]"#);
        let last = read(r#"{"totalSize":0,"done":true,"records":[]}"#).unwrap();
        assert_eq!((last.rows, last.next), (0, None));
    }

    #[test]
    fn pages_that_would_lose_rows_are_errors() {
        for (text, word) in [
            (r#"{"totalSize":3,"done":false,"records":[]}"#, "out of reach"),
            (r#"{"totalSize":3,"done":false,"nextRecordsUrl":"https://evil.example/","records":[]}"#, "away"),
            (r#"{"totalSize":3,"done":true}"#, "not a page"),
            (r#"{"totalSize":3,"done":true,"records":{}}"#, "not a page"),
            ("[]", "not a page"),
            ("<html>", "not a page"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
