//! The outcome of a run: what was counted, where the results lie, and how it ended.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::drift::FieldChange;
use crate::feed_report::FeedReport;

/// Rows at each station of a run. `announced = read`, and `read + added = filtered + rejected + written`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// rows that Salesforce said the job holds
    pub announced: u64,
    /// rows parsed from the result pages, rejected ones included
    pub read: u64,
    /// rows that transforms left out
    pub filtered: u64,
    /// rows that transforms made beyond their input (explode, aggregate)
    pub added: u64,
    /// rows that could not be decoded, or that a plugin refused; they are in the rejects file
    pub rejected: u64,
    /// rows committed in the destination
    pub written: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Every row is in the destination.
    Complete,
    /// Every row is in the destination or in the rejects file.
    CompleteWithRejects,
    /// The run stopped on an error after something was committed, and can go on.
    Partial,
    /// The run stopped on an error, with nothing committed or for good.
    Failed,
    /// The operator interrupted the run.
    Cancelled,
}

impl RunState {
    /// The word used in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithRejects => "complete-with-rejects",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One place that the run wrote to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ResultPlace {
    /// A folder of files.
    Folder {
        /// the folder
        path: String,
        /// files that this run committed, relative to the folder
        files: Vec<String>,
    },
    /// A SQLite database file.
    Sqlite {
        /// the database file
        path: String,
    },
}

/// What became of one plugin in a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginReport {
    /// the name it gives itself
    pub plugin: String,
    /// where it stands in the file: `transform[0]`, `destination`
    pub step: String,
    /// batches that broke it: a trap, a time-out, too much memory or output, a broken rule, refused data
    pub bad_batches: u64,
    /// instances made in place of those that were lost
    pub fresh_instances: u64,
    /// rows rejected because they broke it; those of units that were tried again count each time
    pub rows_lost: u64,
    /// log lines over its rate
    pub log_lines_dropped: u64,
    /// calls for metrics that it did not declare
    pub metrics_dropped: u64,
    /// the numbers that it reported, over all of its instances
    pub metrics: std::collections::BTreeMap<String, PluginMetric>,
}

/// What one metric of a plugin came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PluginMetric {
    /// The sum of all additions.
    Counter(u64),
    /// The last value that an instance set.
    Gauge(f64),
    /// All observations.
    Histogram {
        /// how many
        count: u64,
        /// their sum
        sum: f64,
        /// the least
        min: f64,
        /// the greatest
        max: f64,
    },
}

impl PluginMetric {
    /// Adds what another instance came to.
    pub(crate) fn add(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::Counter(ours), Self::Counter(theirs)) => Self::Counter(ours.saturating_add(theirs)),
            (
                Self::Histogram { count, sum, min, max },
                Self::Histogram { count: more, sum: added, min: least, max: most },
            ) => Self::Histogram { count: count + more, sum: sum + added, min: min.min(least), max: max.max(most) },
            (_, other) => other,
        };
    }
}

impl From<forcepump_sandbox::MetricValue> for PluginMetric {
    fn from(value: forcepump_sandbox::MetricValue) -> Self {
        match value {
            forcepump_sandbox::MetricValue::Counter(sum) => Self::Counter(sum),
            forcepump_sandbox::MetricValue::Gauge(last) => Self::Gauge(last),
            forcepump_sandbox::MetricValue::Histogram { count, sum, min, max } => {
                Self::Histogram { count, sum, min, max }
            }
        }
    }
}

/// The summary of a run, also what `--json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// unique per run, sorts by time
    pub run_id: String,
    /// the pipeline's name
    pub pipeline: String,
    /// how the run ended
    pub state: RunState,
    /// the run whose rejected rows it read again
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// the API that the rows came by: `bulk2`, `bulk1` or `rest`
    #[serde(default)]
    pub api: Option<String>,
    /// the Salesforce job's id, when one was made
    pub job_id: Option<String>,
    /// rows at each station
    pub rows: RowCounts,
    /// bytes of CSV decoded
    pub bytes_read: u64,
    /// units committed
    pub units: u64,
    /// SHA-256 over the committed units, their counts and the hashes of their rows: the same for the same work
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// what earlier processes had committed of this run; it is among the figures above
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_on: Option<WentOn>,
    /// what was unfinished and could not go on, and was given up for this run
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<GivenUp>,
    /// the run is unfinished, and the next one goes on with it
    #[serde(default)]
    pub resumable: bool,
    /// units that were tried again after a fault
    pub retries: u64,
    /// wall time, seconds
    pub seconds: f64,
    /// HTTP requests sent to Salesforce, retries and polls included; logins, which Salesforce does not count, are not
    pub calls_used: u64,
    /// requests that were to be expected for the rows announced
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_estimated: Option<u64>,
    /// the org's own count of API requests: used and allowed per day
    pub api_usage: Option<(u64, u64)>,
    /// where the results lie
    pub results: Vec<ResultPlace>,
    /// the file with the rejected rows, when there are any
    pub rejects_file: Option<String>,
    /// reject codes and how often each occurred
    pub rejects_by_code: std::collections::BTreeMap<String, u64>,
    /// the plugins in the order of the steps
    pub plugins: Vec<PluginReport>,
    /// fields of the object that could not be read, and why
    pub skipped_fields: Vec<SkippedField>,
    /// what an incremental run read
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<crate::incremental::ShownWindow>,
    /// fields that are gone, new or of another type since the last whole run
    #[serde(default)]
    pub field_changes: Vec<FieldChange>,
    /// each feed of the run; one when the pipeline has no list of objects
    #[serde(default)]
    pub feeds: Vec<FeedReport>,
    /// of the rows written, those that were deleted in the destination
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// of a backfill, the fields that it filled in
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backfilled: Vec<String>,
    /// the error that ended the run
    pub error: Option<ReportedError>,
}

/// What was committed of a run when it went on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WentOn {
    /// units committed
    pub units: u64,
    /// rows read by them
    pub read: u64,
    /// rows written by them
    pub written: u64,
}

impl WentOn {
    /// What is left of it when some is begun anew.
    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            units: self.units.saturating_sub(other.units),
            read: self.read.saturating_sub(other.read),
            written: self.written.saturating_sub(other.written),
        }
    }
}

/// An unfinished run, or a feed of one, that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// the run
    pub run_id: String,
    /// the feed that was begun anew within its run; none: the whole run was given up for another
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// why it could not go on
    pub why: String,
    /// units that it had committed
    pub units: u64,
    /// rows that they wrote
    pub rows: u64,
}

/// A field left out of the query.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkippedField {
    /// API name
    pub name: String,
    /// why, and what to use instead
    pub reason: String,
}

/// An error as a report shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportedError {
    /// `input`, `source`, `destination`, `plugin`, `interrupted` or `host`
    pub class: Cow<'static, str>,
    /// the whole text
    pub message: String,
}

impl From<&forcepump_salesforce::SkippedField> for SkippedField {
    fn from(field: &forcepump_salesforce::SkippedField) -> Self {
        Self { name: field.name.clone(), reason: field.reason.clone() }
    }
}
