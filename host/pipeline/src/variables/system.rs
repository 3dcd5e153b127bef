//! The variables that the program sets, by the names that the users of Integrate.io know.

use chrono::{DateTime, SecondsFormat};
use rusqlite::types::Value;

/// Every predefined variable, and what it holds.
pub(crate) const PREDEFINED: [(&str, &str); 6] = [
    ("_JOB_ID", "id of this run"),
    ("_JOB_SUBMISSION_TIMESTAMP", "when this run began"),
    ("_PACKAGE_NAME", "name of the pipeline"),
    ("_PACKAGE_LAST_SUCCESSFUL_JOB_ID", "id of the pipeline's last successful run"),
    ("_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP", "when that run began"),
    ("_PACKAGE_LAST_SUCCESSFUL_JOB_COMPLETION_TIMESTAMP", "when that run ended"),
];

/// What the predefined variables are made of. Moments are microseconds since the epoch.
#[derive(Debug, Clone)]
pub(crate) struct System {
    run_id: String,
    pipeline: String,
    submitted_at: i64,
    /// the last run of the pipeline that was complete, also with rejects
    pub last: Option<LastRun>,
}

/// A run that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastRun {
    pub id: String,
    pub submitted_at: i64,
    pub ended_at: i64,
}

impl System {
    pub(crate) fn new(run_id: &str, pipeline: &str, submitted_at: i64) -> Self {
        Self { run_id: run_id.to_owned(), pipeline: pipeline.to_owned(), submitted_at, last: None }
    }

    /// Name, value, meaning.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Value, &'static str)> {
        let last = self.last.as_ref();
        let of_last = |value: fn(&LastRun) -> String| last.map_or(Value::Null, |run| Value::Text(value(run)));
        let values = [
            Value::Text(self.run_id.clone()),
            Value::Text(moment(self.submitted_at)),
            Value::Text(self.pipeline.clone()),
            of_last(|run| run.id.clone()),
            of_last(|run| moment(run.submitted_at)),
            of_last(|run| moment(run.ended_at)),
        ];
        PREDEFINED.into_iter().zip(values).map(|((name, meaning), value)| (name, value, meaning))
    }
}

/// As SOQL writes it, in UTC with milliseconds.
fn moment(micros: i64) -> String {
    let moment = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}
