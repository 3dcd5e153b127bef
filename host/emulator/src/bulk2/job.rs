//! One query job: its states, and the JSON in which each call shows it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::data::{CsvDialect, Prepared};
use crate::faults::JobFault;
use crate::options::Options;
use crate::server::ApiVersion;

/// States of a query job; it has no `Open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum JobState {
    /// Queued.
    UploadComplete,
    /// Running.
    InProgress,
    /// Results are ready.
    JobComplete,
    /// Ended without results.
    Failed,
    /// Stopped by somebody.
    Aborted,
}

impl JobState {
    /// Whether the job never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, JobState::JobComplete | JobState::Failed | JobState::Aborted)
    }
}

/// A job as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// 18 character id.
    pub id: String,
    /// Object of the query.
    pub object: String,
    /// `query` or `queryAll`.
    pub operation: String,
    /// Where it stands, or stood when it was deleted.
    pub state: JobState,
    /// A client deleted it, or a fault made it vanish.
    pub deleted: bool,
    /// Rows of the result.
    pub rows: u64,
}

/// `query` or `queryAll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Operation {
    Query,
    QueryAll,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::Query => "query",
            Operation::QueryAll => "queryAll",
        }
    }
}

/// The six delimiters by name.
pub(super) const DELIMITERS: [(&str, u8); 6] =
    [("BACKQUOTE", b'`'), ("CARET", b'^'), ("COMMA", b','), ("PIPE", b'|'), ("SEMICOLON", b';'), ("TAB", b'\t')];

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Complete,
    Failed(Option<String>),
    Aborted,
    Never,
}

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    /// Serial of the result ids inside locators.
    pub(super) result_serial: u64,
    pub(super) operation: Operation,
    pub(super) version: ApiVersion,
    pub(super) created_by: String,
    pub(super) created: DateTime<Utc>,
    pub(super) modified: DateTime<Utc>,
    pub(super) state: JobState,
    pub(super) fate: Fate,
    pub(super) error: Option<String>,
    pub(super) polls: u32,
    pub(super) prepared: Prepared,
    pub(super) dialect: CsvDialect,
    pub(super) deleted: bool,
}

impl Job {
    /// One look at the job: without a time option it is looks that move it.
    pub(super) fn poll(&mut self, options: &Options, now: DateTime<Utc>) {
        self.polls = self.polls.saturating_add(1);
        if options.job_ms.is_none() {
            let done = self.polls >= options.job_polls;
            self.advance(done, true, now);
        }
    }

    /// Moves the job by the time that has passed, where the options say so.
    pub(super) fn pass_time(&mut self, options: &Options, now: DateTime<Utc>) {
        let Some(whole) = options.job_ms else { return };
        let passed = u64::try_from((now - self.created).num_milliseconds()).unwrap_or(0);
        self.advance(passed >= whole, passed >= whole / 2, now);
    }

    fn advance(&mut self, done: bool, started: bool, now: DateTime<Utc>) {
        if self.state.is_terminal() {
            return;
        }
        if done && self.fate != Fate::Never {
            self.end(now);
        } else if started && self.state == JobState::UploadComplete {
            self.enter(JobState::InProgress, now);
        }
    }

    fn end(&mut self, now: DateTime<Utc>) {
        let state = match &self.fate {
            Fate::Failed(reason) => {
                self.error = reason.clone();
                JobState::Failed
            }
            Fate::Aborted => JobState::Aborted,
            Fate::Complete | Fate::Never => JobState::JobComplete,
        };
        self.enter(state, now);
    }

    pub(super) fn enter(&mut self, state: JobState, now: DateTime<Utc>) {
        self.state = state;
        self.modified = now;
    }

    /// Lets a fault decide how the job ends, for a running job at once when `at_once`.
    pub(super) fn meet(&mut self, fault: &JobFault, at_once: bool, now: DateTime<Utc>) {
        match fault {
            JobFault::Failed(reason) => self.fate = Fate::Failed(reason.clone()),
            JobFault::Aborted => self.fate = Fate::Aborted,
            JobFault::Stuck => self.fate = Fate::Never,
            JobFault::Vanish => self.deleted = true,
        }
        if at_once && matches!(fault, JobFault::Failed(_) | JobFault::Aborted) && !self.state.is_terminal() {
            self.end(now);
        }
    }

    pub(super) fn record(&self) -> JobRecord {
        JobRecord {
            id: self.id.clone(),
            object: self.prepared.object().to_owned(),
            operation: self.operation.name().to_owned(),
            state: self.state,
            deleted: self.deleted,
            rows: self.prepared.total(),
        }
    }
}

/// Which call shows the job; each was recorded with its own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Create,
    Get,
    List,
    Abort,
}

/// Job JSON, in the recorded order of fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobJson<'a> {
    id: &'a str,
    operation: Operation,
    object: &'a str,
    created_by_id: &'a str,
    created_date: String,
    system_modstamp: String,
    state: JobState,
    concurrency_mode: &'static str,
    content_type: &'static str,
    api_version: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_ending: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column_delimiter: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    progress: Option<Progress<'a>>,
}

/// What only the job itself shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress<'a> {
    number_records_processed: u64,
    retries: u32,
    total_processing_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_pk_chunking_supported: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

/// `isPkChunkingSupported` was first seen with this version.
const FIRST_VERSION_WITH_PK_FLAG: u16 = 61;

impl Job {
    pub(super) fn json(&self, view: View) -> JobJson<'_> {
        let long = view != View::Abort;
        JobJson {
            id: &self.id,
            operation: self.operation,
            object: self.prepared.object(),
            created_by_id: &self.created_by,
            created_date: date(self.created),
            system_modstamp: date(self.modified),
            state: self.state,
            concurrency_mode: "Parallel",
            content_type: "CSV",
            api_version: self.version.number(),
            job_type: matches!(view, View::Get | View::List).then_some("V2Query"),
            line_ending: long.then_some(if self.dialect.crlf { "CRLF" } else { "LF" }),
            column_delimiter: long.then(|| delimiter_name(self.dialect.delimiter)),
            progress: (view == View::Get).then(|| self.progress()),
        }
    }

    /// Counters stay zero until the job is complete.
    fn progress(&self) -> Progress<'_> {
        let complete = self.state == JobState::JobComplete;
        let taken = u64::try_from((self.modified - self.created).num_milliseconds()).unwrap_or(0);
        Progress {
            number_records_processed: if complete { self.prepared.total() } else { 0 },
            retries: 0,
            total_processing_time: if complete { taken.max(1) } else { 0 },
            is_pk_chunking_supported: (self.version.0 >= FIRST_VERSION_WITH_PK_FLAG).then_some(true),
            error_message: self.error.as_deref(),
        }
    }
}

fn delimiter_name(delimiter: u8) -> &'static str {
    DELIMITERS.iter().find(|(_, byte)| *byte == delimiter).map_or("COMMA", |(name, _)| name)
}

/// Dates of job JSON end in `+0000` and whole seconds.
fn date(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}
