//! `GET /jobs/query/ID/results`: one page of CSV, and where the next one begins.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use super::job::{Job, JobState};
use crate::faults::{CountLie, PageFault};
use crate::ids::{id18, serial_of};
use crate::options::{EmptyResultBody, Options};
use crate::server::{ApiVersion, Call, Content, CsvRows, Reply, State, lock};

const LOCATOR: HeaderName = HeaderName::from_static("sforce-locator");
const NUMBER_OF_RECORDS: HeaderName = HeaderName::from_static("sforce-numberofrecords");
/// The locator header of the last page.
const LAST_PAGE: &str = "null";
/// Key prefix of the result inside a locator, as in a real one: base64 of `0:0GaHn000005s2T4KAI:1`.
const RESULT_PREFIX: [u8; 3] = *b"0Ga";
/// Result ids of one job; the second and later ones name the same rows and serve empty pages.
const RESULTS_A_JOB: u64 = 1_000;

/// A place in the rows of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Locator {
    pub(super) offset: u64,
    /// Which of the job's result ids is named.
    pub(super) result: u64,
}

impl Locator {
    pub(super) fn encode(self, job: &Job) -> String {
        let id = id18(RESULT_PREFIX, job.result_serial * RESULTS_A_JOB + self.result);
        STANDARD_NO_PAD.encode(format!("0:{id}:{}", self.offset))
    }

    pub(super) fn decode(text: &str, job: &Job) -> Option<Locator> {
        let text = String::from_utf8(STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
        let (id, offset) = text.strip_prefix("0:")?.split_once(':')?;
        let result = serial_of(RESULT_PREFIX, id)?.checked_sub(job.result_serial * RESULTS_A_JOB)?;
        let offset = offset.parse().ok()?;
        (result < RESULTS_A_JOB && offset <= job.prepared.total()).then_some(Locator { offset, result })
    }
}

/// Refuses what results and result pages have in common: another version, or a job that is not complete.
pub(super) fn refuse(job: &Job, version: ApiVersion) -> Option<Reply> {
    if job.version != version {
        // The status is documented, the body is not.
        let message = format!("The job was created with API version {}, use the same version", job.version);
        return Some(Reply::error(StatusCode::CONFLICT, "INVALIDVERSION", &message));
    }
    // Status and text are documented nowhere; it is only known not to be 200.
    (job.state != JobState::JobComplete)
        .then(|| Reply::bad_request("INVALIDJOBSTATE", "The results of the job are not available in its current state"))
}

/// Answers a request for one page.
pub(crate) fn results(state: &State, call: &Call, id: &str, version: ApiVersion) -> Reply {
    let mut jobs = lock(&state.jobs);
    let Some(job) = jobs.find(id, &state.options, &call.fired.job_faults()) else {
        return Reply::not_found();
    };
    if let Some(refused) = refuse(job, version) {
        return refused;
    }
    let asked = match call.param("locator").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match Locator::decode(text, job) {
            Some(locator) => Some(locator),
            None => return Reply::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator"),
        },
    };
    let most = match call.param("maxRecords").map(str::parse::<u64>) {
        None => state.options.page_size,
        Some(Ok(asked)) if asked > 0 => asked.min(state.options.page_size),
        Some(_) => return Reply::bad_request("API_ERROR", "maxRecords must be a positive number"),
    };
    let page = Page::cut(job, asked, most, &call.fired.page_faults());
    page.reply(job, &state.options)
}

/// One page, with its lies.
struct Page {
    rows: Range<u64>,
    /// `None`: the header is absent.
    locator: Option<String>,
    count: Option<u64>,
    header_line: bool,
}

impl Page {
    fn cut(job: &Job, asked: Option<Locator>, most: u64, faults: &[PageFault]) -> Page {
        let at = asked.unwrap_or(Locator { offset: 0, result: 0 });
        let total = job.prepared.total();
        let mut most = most;
        for fault in faults {
            match fault {
                PageFault::Short(rows) => most = most.min((*rows).max(1)),
                PageFault::Empty => most = 0,
                _ => {}
            }
        }
        let end = total.min(at.offset.saturating_add(most));
        // An empty page needs a locator of its own, or it would name itself as the next one.
        let result = if most == 0 { at.result + 1 } else { at.result };
        let next = (end < total).then(|| Locator { offset: end, result }.encode(job));
        let mut page = Page {
            rows: at.offset..end,
            locator: Some(next.unwrap_or_else(|| LAST_PAGE.to_owned())),
            count: Some(end - at.offset),
            header_line: true,
        };
        for fault in faults {
            page.lie(fault, &at.encode(job));
        }
        page
    }

    fn lie(&mut self, fault: &PageFault, asked: &str) {
        match fault {
            PageFault::NoLocator => self.locator = None,
            PageFault::EmptyLocator => self.locator = Some(String::new()),
            PageFault::RepeatLocator => self.locator = Some(asked.to_owned()),
            PageFault::Count(CountLie::Absent) => self.count = None,
            PageFault::Count(CountLie::By(by)) => {
                self.count = self.count.map(|count| count.saturating_add_signed(*by));
            }
            PageFault::NoHeaderLine => self.header_line = false,
            PageFault::Short(_) | PageFault::Empty => {}
        }
    }

    fn reply(self, job: &Job, options: &Options) -> Reply {
        let mut reply = Reply::empty(StatusCode::OK);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=UTF-8"));
        if let Some(count) = self.count {
            reply.headers.insert(NUMBER_OF_RECORDS, HeaderValue::from(count));
        }
        if let Some(locator) = &self.locator {
            reply = reply.with(LOCATOR, locator);
        }
        let nothing = job.prepared.total() == 0 && options.empty_result_body == EmptyResultBody::ZeroBytes;
        if !nothing {
            let rows = CsvRows::new(job.prepared.clone(), job.dialect, self.rows, self.header_line);
            reply.content = Content::Csv(Box::new(rows));
        } else {
            reply.content = Content::Bytes(Vec::new());
        }
        reply.compress = true;
        reply
    }
}
