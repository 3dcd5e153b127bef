//! Bulk API 1.0 query jobs: create, wait for batch after batch, fetch their files, close or abort.
//!
//! Bulk API guide, "Bulk Query" and "PK Chunking". Answers are XML or JSON whatever was asked for: their Content-Type
//! decides.

mod batches;
mod chunking;
mod info;
mod supported;

use bytes::Bytes;
use forcepump_batch::ResultFormat;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) use batches::{Batches, FileRef, KnownFile, NextFile, Probe};
pub use chunking::{ChunkingFault, PkChunking, check_chunking};
pub(crate) use info::{BatchInfo, BatchState, JobInfo};

use crate::body::{BodyStream, WireBody};
use crate::bulk2::{QueryAction, check_job_id, orphan};
use crate::client::{Call, Client, Reply};
use crate::error::{Error, Result, same_code};
use crate::extract::Api;
use crate::send::Making;
use crate::xml_json::xml_to_json;

const PK_CHUNKING: HeaderName = HeaderName::from_static("sforce-enable-pkchunking");

/// How a job is made.
#[derive(Debug, Clone)]
pub(crate) struct JobOptions {
    pub(crate) action: QueryAction,
    pub(crate) format: ResultFormat,
    pub(crate) chunking: Option<PkChunking>,
    /// For example `62.0`.
    pub(crate) api_version: String,
}

/// A query job with its one batch, which Salesforce may split into chunks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    client: Client,
    pub(crate) id: String,
    pub(crate) object: String,
    /// Every call of a job has the version that created it.
    api_version: String,
    pub(crate) format: ResultFormat,
    pub(crate) chunked: bool,
    /// The batch that was posted.
    pub(crate) batch: String,
}

impl Job {
    /// Creates the job and posts its query. When the query is not taken, no open job is left behind.
    pub(crate) async fn create(client: &Client, object: &str, soql: &str, options: &JobOptions) -> Result<Self> {
        let path = format!("/services/async/{}/job", options.api_version);
        let mut call = Call::new(Method::POST, format!("creation of a Bulk API 1.0 job on {object}"), path);
        call.json = Some(json!({
            "operation": options.action.as_str(),
            "object": object,
            "contentType": content_type(options.format).0,
            "concurrencyMode": "Parallel",
        }));
        if let Some(chunking) = &options.chunking {
            let value = HeaderValue::from_str(&chunking.header())
                .map_err(|_| Error::config("pk_chunking holds characters that no header has"))?;
            call.headers.push((PK_CHUNKING, value));
        }
        let since_micros = client.server_now_micros();
        let answer = client.whole(&call).await;
        if let Err(error) = &answer
            && error.may_have_been_executed()
        {
            let (action, api_version) = (options.action, options.api_version.as_str());
            let missing = orphan::Missing { api: Api::Bulk1, object, action, api_version, since_micros };
            orphan::end(client, &missing).await;
        }
        // an open job without its batch must not be left behind
        let _making = Making::begin(client);
        let answer = answer.map_err(|error| unsplit(error, object, options));
        let info: JobInfo = read(&call.what, &answer?)?;
        info::check_id("job", &info.id)?;
        orphan::made(&info.id);
        let mut job = Self {
            client: client.clone(),
            id: info.id,
            object: object.to_owned(),
            api_version: options.api_version.clone(),
            format: options.format,
            chunked: options.chunking.is_some(),
            batch: String::new(),
        };
        match job.post(soql).await {
            Ok(batch) => job.batch = batch,
            Err(error) => {
                // the query is what went wrong; an open job would only be clutter
                let _ = job.set_state("Aborted", "abort").await;
                return Err(error);
            }
        }
        Ok(job)
    }

    /// A job that this process did not make, without asking for it. `batch`: the one that was posted.
    pub(crate) fn remembered(
        client: &Client,
        id: &str,
        object: &str,
        batch: &str,
        options: &JobOptions,
    ) -> Result<Self> {
        check_job_id(id)?;
        Ok(Self {
            client: client.clone(),
            id: id.to_owned(),
            object: object.to_owned(),
            api_version: options.api_version.clone(),
            format: options.format,
            chunked: options.chunking.is_some(),
            batch: batch.to_owned(),
        })
    }

    async fn post(&self, soql: &str) -> Result<String> {
        let mut call = Call::new(Method::POST, format!("query of {}", self.words()), self.path("/batch"));
        call.text = Some((content_type(self.format).1, soql.to_owned()));
        let batch: BatchInfo = read(&call.what, &self.client.whole(&call).await?)?;
        info::check_id("batch", &batch.id)?;
        Ok(batch.id)
    }

    /// The job with its counters. One API call.
    pub(crate) async fn info(&self) -> Result<JobInfo> {
        self.get(self.words(), "").await
    }

    /// Every batch there is by now. One API call.
    pub(crate) async fn batches(&self) -> Result<Vec<BatchInfo>> {
        let what = format!("batches of {}", self.words());
        let answer: Value = self.get(what.clone(), "/batch").await?;
        info::batches(answer).map_err(|detail| Error::protocol(what, detail))
    }

    /// The files of a complete batch: several when it was retried or is larger than 1 GB. One API call.
    pub(crate) async fn files(&self, batch: &str) -> Result<Vec<String>> {
        let what = format!("results of batch {batch} of {}", self.words());
        let answer: Value = self.get(what.clone(), &format!("/batch/{batch}/result")).await?;
        info::result_ids(answer).map_err(|detail| Error::protocol(what, detail))
    }

    /// Asks for a file; gives its format and its bytes as they come.
    pub(crate) async fn fetch(&self, file: &FileRef) -> Result<(ResultFormat, BodyStream)> {
        let what = format!("{}, batch {}, result {}", self.words(), file.batch, file.result);
        let mut call = Call::get(&what, self.path(&format!("/batch/{}/result/{}", file.batch, file.result)));
        call.accept = "*/*";
        let response = self.client.stream(&call).await?;
        let format = format_of(&what, response.headers(), self.format)?;
        let wire = WireBody::new(&what, response, self.client.options().stall_timeout);
        Ok((format, wire.into_stream()))
    }

    /// Ends the job after its results are read.
    pub(crate) async fn close(&self) -> Result<()> {
        self.set_state("Closed", "closing").await.map(drop)
    }

    /// Stops the job. `false`: it had ended already.
    pub(crate) async fn abort(&self) -> Result<bool> {
        self.set_state("Aborted", "abort").await
    }

    async fn set_state(&self, state: &str, verb: &str) -> Result<bool> {
        let mut call = Call::new(Method::POST, format!("{verb} of {}", self.words()), self.path(""));
        call.json = Some(json!({ "state": state }));
        // a state that is set twice is the same state
        call.idempotent = true;
        match self.client.whole(&call.tidying()).await {
            Ok(_) => Ok(true),
            // ended by then, or gone
            Err(Error::Api { code, .. }) if ["InvalidJobState", "InvalidJob"].iter().any(|c| same_code(c, &code)) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn get<T: DeserializeOwned>(&self, what: String, rest: &str) -> Result<T> {
        let call = Call::get(what, self.path(rest));
        read(&call.what, &self.client.whole(&call).await?)
    }

    pub(crate) fn api_version(&self) -> &str {
        &self.api_version
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn path(&self, rest: &str) -> String {
        format!("/services/async/{}/job/{}{rest}", self.api_version, self.id)
    }

    pub(crate) fn words(&self) -> String {
        format!("Bulk API 1.0 job {} on {}", self.id, self.object)
    }
}

/// The job's word for a format, and the Content-Type of its batches.
fn content_type(format: ResultFormat) -> (&'static str, &'static str) {
    match format {
        ResultFormat::Csv => ("CSV", "text/csv; charset=UTF-8"),
        ResultFormat::Json => ("JSON", "application/json; charset=UTF-8"),
        ResultFormat::Xml => ("XML", "application/xml; charset=UTF-8"),
    }
}

fn kind_of(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).map(|v| String::from_utf8_lossy(v.as_bytes()).to_ascii_lowercase()).unwrap_or_default()
}

/// A page of another kind, sent with 200, is not data.
fn format_of(what: &str, headers: &HeaderMap, asked: ResultFormat) -> Result<ResultFormat> {
    let kind = kind_of(headers);
    match kind.as_str() {
        kind if kind.contains("csv") => Ok(ResultFormat::Csv),
        kind if kind.contains("json") => Ok(ResultFormat::Json),
        kind if kind.contains("html") => {
            Err(Error::protocol(what, format!("the answer is {kind} and no result; not taken as rows")))
        }
        kind if kind.contains("xml") => Ok(ResultFormat::Xml),
        _ => Ok(asked),
    }
}

/// Reads an answer by what it says it is.
/// What Salesforce says of an object that it does not split is not published: any refusal of a chunked job may mean that.
fn unsplit(error: Error, object: &str, options: &JobOptions) -> Error {
    let is_other = options.chunking.is_none() || error.refused().is_some();
    match error {
        Error::Api { what, status: status @ 400, code, message, retry_after, .. } if !is_other => {
            let hint = format!(
                "\n  the org may not split {object} by id\n  hint: leave pk_chunking out, or see in Salesforce's \"PK Chunking\" \
                 page which objects and parents it takes"
            );
            Error::Api { what, status, code, message, hint, retry_after }
        }
        error => error,
    }
}

fn read<T: DeserializeOwned>(what: &str, reply: &Reply) -> Result<T> {
    let is_xml = kind_of(&reply.headers).contains("xml") || reply.body.trim_ascii_start().starts_with(b"<");
    let read = match is_xml {
        true => {
            let text = String::from_utf8_lossy(&reply.body);
            xml_to_json(&text).and_then(|value| serde_json::from_value(value).map_err(|e| e.to_string()))
        }
        false => serde_json::from_slice(&reply.body).map_err(|e| e.to_string()),
    };
    read.map_err(|reason| unreadable(what, &reply.body, &reason))
}

fn unreadable(what: &str, body: &Bytes, reason: &str) -> Error {
    let start: String = String::from_utf8_lossy(body).chars().take(60).collect();
    Error::protocol(what, format!("the answer is not what Bulk API 1.0 gives ({reason}); it starts with {start:?}"))
}
