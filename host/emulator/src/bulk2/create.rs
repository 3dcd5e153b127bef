//! `POST /jobs/query`.

use serde::Deserialize;

use super::job::{DELIMITERS, Fate, Job, JobState, Operation, View};
use super::store::JOB_PREFIX;
use crate::data::{CsvDialect, QUERY_TIMEOUT, QueryMode};
use crate::ids::id18;
use crate::server::{ApiVersion, Call, Reply, State, lock};

/// The body of a create call; keys that Salesforce does not know are ignored here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    operation: Option<String>,
    query: Option<String>,
    content_type: Option<String>,
    column_delimiter: Option<String>,
    line_ending: Option<String>,
}

/// What a valid request asks for.
struct Asked {
    operation: Operation,
    query: String,
    dialect: CsvDialect,
}

/// First version with Bulk API 2.0 query.
const FIRST_VERSION: u16 = 47;

/// Creates a job; a statement that cannot run is refused here and leaves no job.
pub(crate) fn create(state: &State, call: &Call, version: ApiVersion) -> Reply {
    if version.0 < FIRST_VERSION {
        return Reply::not_found();
    }
    let asked = match read(call).and_then(check) {
        Ok(asked) => asked,
        Err(refused) => return refused.into(),
    };
    let mode = match asked.operation {
        Operation::Query => QueryMode::Bulk2,
        Operation::QueryAll => QueryMode::Bulk2All,
    };
    let prepared = match state.org.prepare(&asked.query, mode) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let slow = state.org.is_slow(&asked.query, mode, state.options.query_timeout_rows);
    let now = state.now();
    let mut jobs = lock(&state.jobs);
    let max = state.options.daily_query_jobs;
    if jobs.created() >= max {
        let message = format!("Max bulk v2 query jobs ({max}) per 24 hrs has been reached");
        return Reply::bad_request("LIMIT_EXCEEDED", &message);
    }
    let storage = state.options.daily_query_result_kb;
    if jobs.result_kb() >= storage {
        let message = format!("Max bulk v2 query result size stored ({storage}) kb per 24 hrs has been exceeded");
        return Reply::bad_request("LIMIT_EXCEEDED", &message);
    }
    jobs.add_result(prepared.csv_bytes(&asked.dialect));
    let serial = jobs.next_serial();
    let mut job = Job {
        id: id18(JOB_PREFIX, serial),
        result_serial: serial,
        operation: asked.operation,
        version,
        created_by: state.user.id.clone(),
        created: now,
        modified: now,
        state: JobState::UploadComplete,
        fate: if slow { Fate::Failed(Some(QUERY_TIMEOUT.to_owned())) } else { Fate::Complete },
        error: None,
        polls: 0,
        prepared,
        dialect: asked.dialect,
        deleted: false,
    };
    for fault in call.fired.job_faults() {
        job.meet(&fault, false, now);
    }
    Reply::ok(&jobs.insert(serial, job).json(View::Create))
}

/// A request that is not accepted; the texts of these are not published.
struct Refusal {
    code: &'static str,
    message: String,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reply::bad_request(refusal.code, &refusal.message)
    }
}

fn invalid(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}

fn read(call: &Call) -> Result<Request, Refusal> {
    serde_json::from_slice(&call.body).map_err(|error| invalid("JSON_PARSER_ERROR", error.to_string()))
}

fn check(request: Request) -> Result<Asked, Refusal> {
    let operation = match request.operation.as_deref() {
        Some("query") => Operation::Query,
        Some("queryAll") => Operation::QueryAll,
        Some(other) => {
            return Err(invalid("INVALIDOPERATION", format!("Operation '{other}' is not supported")));
        }
        None => return Err(invalid("INVALIDJOB", "No operation specified")),
    };
    let query = request.query.filter(|query| !query.trim().is_empty());
    let query = query.ok_or_else(|| invalid("INVALIDJOB", "No query specified"))?;
    if let Some(other) = request.content_type.filter(|kind| kind != "CSV") {
        return Err(invalid("INVALIDJOB", format!("ContentType '{other}' is not supported")));
    }
    let dialect = dialect(request.column_delimiter.as_deref(), request.line_ending.as_deref())?;
    Ok(Asked { operation, query, dialect })
}

fn dialect(delimiter: Option<&str>, line_ending: Option<&str>) -> Result<CsvDialect, Refusal> {
    let name = delimiter.unwrap_or("COMMA");
    let delimiter = DELIMITERS.iter().find(|(known, _)| *known == name).map(|(_, byte)| *byte);
    let delimiter =
        delimiter.ok_or_else(|| invalid("INVALIDJOB", format!("ColumnDelimiter '{name}' is not supported")))?;
    let crlf = match line_ending.unwrap_or("LF") {
        "LF" => false,
        "CRLF" => true,
        other => {
            return Err(invalid("INVALIDJOB", format!("LineEnding '{other}' is not supported")));
        }
    };
    Ok(CsvDialect { delimiter, crlf })
}
