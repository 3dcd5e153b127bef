//! Bulk API 2.0 query jobs: create or attach, wait, list pages, fetch them, abort, delete.

mod info;
mod links;
pub(crate) mod orphan;
mod page;
mod pages;

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

pub(crate) use info::lenient_number;
pub use info::{JobInfo, JobState};
pub use page::PageBody;
pub(crate) use pages::KnownPage;
pub use pages::{NextPage, PageRef, Pages};

use crate::client::{Call, Client};
use crate::error::{Error, Result, same_code};
use crate::extract::Api;
use crate::resolved::check_api_version;
use crate::soql::Select;

/// Which rows a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryAction {
    /// Live rows.
    #[default]
    Query,
    /// Deleted, merged-away and archived rows too.
    QueryAll,
}

/// How a query job is made.
#[derive(Debug, Clone, Default)]
pub struct QueryOptions {
    /// Which rows.
    pub action: QueryAction,
    /// Rows a page at most; `None`: the server's choice (about 250 000 rows). With a bound, pages are walked by
    /// locators: the guide knows no bound for `resultPages`.
    pub max_records: Option<u64>,
    /// API version of the job, for example `62.0`; `None`: the connection's.
    pub api_version: Option<String>,
}

/// A query job in the org. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueryJob {
    client: Client,
    id: String,
    object: String,
    /// Results are given only to the version that created the job (409 otherwise).
    api_version: String,
    max_records: Option<u64>,
}

impl QueryJob {
    /// Creates a job. SOQL that Salesforce refuses is an error here, and no job exists then.
    ///
    /// Sent again only when the server surely did not execute it, so that no second job is left behind.
    pub async fn create(client: &Client, soql: &str, options: QueryOptions) -> Result<Self> {
        let api_version = match &options.api_version {
            Some(version) => check_api_version(version)?,
            None => client.api_version().to_owned(),
        };
        if options.max_records == Some(0) {
            return Err(Error::config("max_records = 0: a page holds at least one row"));
        }
        let mut call =
            Call::new(Method::POST, creation_words(soql), format!("/services/data/v{api_version}/jobs/query"));
        call.json = Some(json!({
            "operation": options.action.as_str(),
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }));
        let since_micros = client.server_now_micros();
        let info = match client.json::<JobInfo>(&call).await {
            Ok(info) => info,
            Err(error) => {
                if error.may_have_been_executed() {
                    let object = Select::parse(soql).map(|select| select.object).unwrap_or_default();
                    let (action, api_version) = (options.action, api_version.as_str());
                    let object = object.as_str();
                    let missing = orphan::Missing { api: Api::Bulk2, object, action, api_version, since_micros };
                    orphan::end(client, &missing).await;
                }
                return Err(error);
            }
        };
        info.check_id()?;
        orphan::made(&info.id);
        Ok(Self {
            client: client.clone(),
            id: info.id,
            object: info.object,
            api_version,
            max_records: options.max_records,
        })
    }

    /// A job that exists already, for example one that a run which was killed has left. Ids are valid for 7 days.
    pub async fn attach(client: &Client, id: &str, options: QueryOptions) -> Result<Self> {
        check_job_id(id)?;
        let api_version = match &options.api_version {
            Some(version) => check_api_version(version)?,
            None => client.api_version().to_owned(),
        };
        let mut job = Self {
            client: client.clone(),
            id: id.to_owned(),
            object: String::new(),
            api_version,
            max_records: options.max_records,
        };
        let info = job.info().await?;
        job.object = info.object;
        if let Some(version) = info.api_version.as_deref().and_then(|v| check_api_version(v).ok()) {
            job.api_version = version;
        }
        Ok(job)
    }

    /// Job id, 18 characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Version that made the job, for example `62.0`.
    pub(crate) fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Object of the query, as Salesforce names it.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The job as it is now. One API call.
    pub async fn info(&self) -> Result<JobInfo> {
        let info: JobInfo = self.client.json(&Call::get(self.words(), self.path(""))).await?;
        info.check_id()?;
        Ok(info)
    }

    /// Waits for the end of the job, looking at it at growing intervals; `progress` hears of every look.
    ///
    /// Errors: [`Error::Job`] when it failed, was aborted or is stuck; [`Error::Cancelled`] as soon as `cancel`
    /// resolves (the job goes on then: [`QueryJob::abort`] it); [`Error::Protocol`] for a state not known.
    pub async fn wait(
        &self,
        progress: impl FnMut(&JobInfo) + Send,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<JobInfo> {
        tokio::select! {
            biased;
            () = cancel => Err(Error::Cancelled { what: self.words() }),
            info = self.poll(progress) => info,
        }
    }

    async fn poll(&self, mut progress: impl FnMut(&JobInfo) + Send) -> Result<JobInfo> {
        let options = self.client.options();
        let mut delay = options.poll_min_delay;
        let mut last_state: Option<JobState> = None;
        let mut since = tokio::time::Instant::now();
        loop {
            let info = self.info().await?;
            progress(&info);
            if info.is_complete()? {
                return Ok(info);
            }
            if last_state.as_ref() != Some(&info.state) {
                (last_state, since) = (Some(info.state.clone()), tokio::time::Instant::now());
            }
            if options.job_stuck_after.is_some_and(|limit| since.elapsed() > limit) {
                return Err(info.stuck(since.elapsed()));
            }
            tokio::time::sleep(self.client.between_polls(delay)).await;
            delay = (delay * 2).min(options.poll_max_delay);
        }
    }

    /// Pages of a complete job, from the first.
    pub fn pages(&self) -> Pages {
        Pages::new(self.clone())
    }

    /// Pages by the locator chain from `first` on, for a run that goes on where it stopped.
    pub fn pages_from(&self, first: PageRef) -> Pages {
        Pages::chain_from(self.clone(), first)
    }

    /// Pages of a complete job that are not among those `known`.
    pub(crate) fn pages_without(&self, known: BTreeMap<u64, KnownPage>) -> Pages {
        Pages::without(self.clone(), known)
    }

    /// A job that this process did not make, without asking for it.
    pub(crate) fn remembered(
        client: &Client,
        id: &str,
        object: &str,
        api_version: &str,
        max: Option<u64>,
    ) -> Result<Self> {
        check_job_id(id)?;
        let (id, object) = (id.to_owned(), object.to_owned());
        let api_version = check_api_version(api_version)?;
        Ok(Self { client: client.clone(), id, object, api_version, max_records: max })
    }

    /// Asks for a page. Returns with the head of the answer; the body is a stream.
    ///
    /// Retried (session, 5xx, connection) until the head is there. After that an error of the body is
    /// [`crate::ErrorKind::Interrupted`]: drop what was read of the page and fetch the same [`PageRef`] again.
    pub async fn fetch(&self, page: &PageRef) -> Result<PageBody> {
        page::fetch(self, page).await
    }

    /// Stops the job. `false`: it had ended already.
    pub async fn abort(&self) -> Result<bool> {
        let mut call = Call::new(Method::PATCH, format!("abort of {}", self.words()), self.path(""));
        call.json = Some(json!({ "state": "Aborted" }));
        match self.client.whole(&call.tidying()).await {
            Ok(_) => Ok(true),
            Err(Error::Api { code, .. }) if same_code(&code, "INVALIDJOBSTATE") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the job and its results, which count against the org's storage limit. A job already gone is fine.
    pub async fn delete(&self) -> Result<()> {
        let call = Call::new(Method::DELETE, format!("deletion of {}", self.words()), self.path(""));
        match self.client.whole(&call.tidying()).await {
            Ok(_) | Err(Error::Api { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/services/data/v{}/jobs/query/{}{rest}", self.api_version, self.id)
    }

    fn words(&self) -> String {
        match self.object.is_empty() {
            true => format!("query job {}", self.id),
            false => format!("query job {} on {}", self.id, self.object),
        }
    }
}

impl QueryAction {
    /// As Salesforce writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::QueryAll => "queryAll",
        }
    }
}

/// An id becomes part of a path.
pub(crate) fn check_job_id(id: &str) -> Result<()> {
    match !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(Error::config(format!("{id:?} is not a job id: expected 15 or 18 letters and digits, 750…"))),
    }
}

/// The object is told where the query says it plainly.
fn creation_words(soql: &str) -> String {
    match Select::parse(soql) {
        Ok(select) => format!("creation of a query job on {}", select.object),
        Err(_) => "creation of a query job".to_owned(),
    }
}

/// Rows found must be the rows announced; anything else is an error, never a success with fewer rows.
pub fn check_count(what: &str, expected: Option<u64>, found: u64) -> Result<()> {
    match expected {
        Some(expected) if expected != found => Err(Error::CountMismatch { what: what.to_owned(), expected, found }),
        _ => Ok(()),
    }
}
