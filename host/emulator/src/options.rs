//! What a caller may choose about an emulated org before it starts.

use std::path::PathBuf;

use serde::Deserialize;

use crate::access::{App, Policy, Profile, UserAccess};
use crate::data::DataSource;
use crate::faults::FaultScript;

/// Rows of one result page when the client gives no smaller `maxRecords`; real orgs were seen at 220 to 250 thousand.
pub const DEFAULT_PAGE_ROWS: u64 = 200_000;
/// Calls in 24 hours of an Enterprise org before licences are added (API Request Limits and Allocations).
pub const DEFAULT_DAILY_API_REQUESTS: u64 = 100_000;
/// Bulk 2.0 query jobs in 24 hours (Bulk API limits, `DailyBulkV2QueryJobs`).
pub const DEFAULT_DAILY_QUERY_JOBS: u64 = 10_000;
/// Bulk 1.0 batches in 24 hours (Bulk API limits, `DailyBulkApiBatches`).
pub const DEFAULT_DAILY_BULK_BATCHES: u64 = 15_000;
/// Bulk 2.0 query results in 24 hours, 1 TB (Bulk API limits, `DailyBulkV2QueryFileStorageMB`), in kilobytes.
pub const DEFAULT_DAILY_QUERY_RESULT_KB: u64 = 1_000_000_000;
/// Long requests at once in a production org, and from when on they are long (API Request Limits and Allocations).
pub const DEFAULT_CONCURRENT_LONG_REQUESTS: u64 = 25;
/// See [`DEFAULT_CONCURRENT_LONG_REQUESTS`].
pub const DEFAULT_LONG_REQUEST_MS: u64 = 20_000;
/// Polls of a query job until it is complete: one sees `InProgress`, the next `JobComplete`.
pub const DEFAULT_JOB_POLLS: u32 = 2;

/// How an emulated org behaves; every field has a default, unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Folder of CSV files named after their objects; none: the demo org.
    pub data: Option<PathBuf>,
    /// Objects whose rows are generated, with their number of rows.
    pub generate: Vec<(String, u64)>,
    /// Seed of generated rows and of every id and token.
    pub seed: u64,
    /// Most rows of one Bulk 2.0 result page and of one Bulk 1.0 result file, whatever `maxRecords` says.
    pub page_size: u64,
    /// Pause before each answer, in milliseconds.
    pub latency_ms: u64,
    /// Body bytes a second of each connection; none: as fast as it goes.
    pub bandwidth: Option<u64>,
    /// The published shape in which `resultPages` answers.
    pub result_pages: ResultPagesShape,
    /// What the results of a query without rows are.
    pub empty_result_body: EmptyResultBody,
    /// A refresh gives a new refresh token, and using the old one again revokes the whole family.
    pub rotation: bool,
    /// Polls until a query job is complete; fewer than 2 skips `InProgress`.
    pub job_polls: u32,
    /// When given, jobs advance by this time in milliseconds instead of by polls: half of it queued, half in progress.
    pub job_ms: Option<u64>,
    /// Calls allowed before `REQUEST_LIMIT_EXCEEDED`.
    pub daily_api_requests: u64,
    /// Bulk 2.0 query jobs allowed before the quota error.
    pub daily_query_jobs: u64,
    /// Bulk 1.0 batches allowed before the quota error; each chunk is one.
    pub daily_bulk_batches: u64,
    /// Kilobytes of Bulk 2.0 query results allowed before the quota error.
    pub daily_query_result_kb: u64,
    /// Long requests that may run at once; one more is `REQUEST_LIMIT_EXCEEDED`.
    pub concurrent_long_requests: u64,
    /// From when on a running request is a long one, in milliseconds.
    pub long_request_ms: u64,
    /// Rows that a query may look at before it is given up with `QUERY_TIMEOUT`: those that its conditions on indexed
    /// fields leave; each chunk of Bulk 1.0 is a query of its own. None: any number.
    pub query_timeout_rows: Option<u64>,
    /// How JSON results of Bulk 1.0 write dates without a time.
    pub json_dates: JsonDates,
    /// Who may log in.
    pub account: Account,
    /// Name of the org; none: that of its `Organization` row.
    pub name: Option<String>,
    /// Name of the sandbox that the org is; its user names end in it, as copies of a production org have them.
    pub sandbox: Option<String>,
    /// Further apps; one with the client id of the account's app takes its place.
    #[serde(rename = "app")]
    pub apps: Vec<App>,
    /// Users that differ from their rows.
    #[serde(rename = "user")]
    pub users: Vec<UserAccess>,
    /// Profiles that hide something or lack permissions.
    #[serde(rename = "profile")]
    pub profiles: Vec<Profile>,
    /// The org's settings around login.
    pub policy: Policy,
    /// Whether `POST /emulator/control` answers: the clock, late rows, lost jobs. No call of Salesforce does that.
    pub control: bool,
    /// What goes wrong, and when.
    pub faults: FaultScript,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            port: 0,
            data: None,
            generate: Vec::new(),
            seed: 1,
            page_size: DEFAULT_PAGE_ROWS,
            latency_ms: 0,
            bandwidth: None,
            result_pages: ResultPagesShape::default(),
            empty_result_body: EmptyResultBody::default(),
            rotation: false,
            job_polls: DEFAULT_JOB_POLLS,
            job_ms: None,
            daily_api_requests: DEFAULT_DAILY_API_REQUESTS,
            daily_query_jobs: DEFAULT_DAILY_QUERY_JOBS,
            daily_bulk_batches: DEFAULT_DAILY_BULK_BATCHES,
            daily_query_result_kb: DEFAULT_DAILY_QUERY_RESULT_KB,
            concurrent_long_requests: DEFAULT_CONCURRENT_LONG_REQUESTS,
            long_request_ms: DEFAULT_LONG_REQUEST_MS,
            query_timeout_rows: None,
            json_dates: JsonDates::default(),
            account: Account::default(),
            name: None,
            sandbox: None,
            apps: Vec::new(),
            users: Vec::new(),
            profiles: Vec::new(),
            policy: Policy::default(),
            control: false,
            faults: FaultScript::default(),
        }
    }
}

impl Options {
    /// Where the rows come from.
    pub fn data_source(&self) -> DataSource {
        match &self.data {
            Some(folder) => DataSource::Folder(folder.clone()),
            None => DataSource::Demo,
        }
    }
}

/// The one user and the one connected app of the org.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Login name; none: that of the org's first user.
    pub username: Option<String>,
    /// Password without the security token.
    pub password: String,
    /// Security token, appended to the password.
    pub security_token: String,
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    pub client_secret: String,
    /// Certificate or public key (PEM) that the app holds for the JWT bearer flow; none: every assertion is refused.
    pub jwt_certificate: Option<String>,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            username: None,
            password: "Emulated-1".to_owned(),
            security_token: "q7vT2mXkR9bWc4JzL8sYpN3d".to_owned(),
            client_id: "3MVG9emulatedForcepumpConsumerKey0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                .to_owned(),
            client_secret: "0A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F60718293A4B5C6D7E8F9".to_owned(),
            jwt_certificate: None,
        }
    }
}

/// Three shapes of `GET /jobs/query/ID/resultPages` are published; an org without the feature answers 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultPagesShape {
    /// Bulk API guide: `resultPages[].resultUrl`, full paths.
    #[default]
    Guide,
    /// Salesforce's Postman collection: `resultPages[].resultLink`, paths below the version.
    Postman,
    /// As reported from orgs in 2026: `resultChunks[].resultLink`, paths below the version.
    Chunks,
    /// Feature absent: 404.
    NotFound,
}

/// Datetimes are milliseconds in JSON results of Bulk 1.0; what dates are is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JsonDates {
    /// `"2024-01-31"`
    #[default]
    Text,
    /// Milliseconds of the day's beginning.
    Epoch,
}

/// Two forms of an empty Bulk 2.0 result are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyResultBody {
    /// The header line alone.
    #[default]
    Header,
    /// No byte at all.
    ZeroBytes,
}
