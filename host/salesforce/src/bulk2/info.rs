//! Job JSON and job states.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::words::jobs::of_reason;

/// State of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Queued.
    UploadComplete,
    /// Running.
    InProgress,
    /// Results are there.
    JobComplete,
    /// Ended without results.
    Failed,
    /// Stopped by someone.
    Aborted,
    /// A state that is not documented for query jobs: waiting for its end would be guessing.
    Unknown(String),
}

impl JobState {
    fn read(text: &str) -> Self {
        match text {
            "UploadComplete" => Self::UploadComplete,
            "InProgress" => Self::InProgress,
            "JobComplete" => Self::JobComplete,
            "Failed" => Self::Failed,
            // `Abort` is the spelling of the platform event's picklist
            "Aborted" | "Abort" => Self::Aborted,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// As Salesforce writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
            Self::Unknown(text) => text,
        }
    }
}

impl<'de> Deserialize<'de> for JobState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}

/// A job as `GET jobs/query/ID` tells it. Counters are zero or missing until it has ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobInfo {
    /// Job id, 18 characters.
    pub id: String,
    /// State.
    pub state: JobState,
    /// Object of the query.
    #[serde(default)]
    pub object: String,
    /// `query` or `queryAll`.
    #[serde(default)]
    pub operation: String,
    /// Rows of the whole result, once complete.
    #[serde(default, deserialize_with = "lenient_number")]
    pub number_records_processed: Option<u64>,
    /// Milliseconds that Salesforce worked.
    #[serde(default, deserialize_with = "lenient_number")]
    pub total_processing_time: Option<u64>,
    /// Times that Salesforce began anew.
    #[serde(default, deserialize_with = "lenient_number")]
    pub retries: Option<u64>,
    /// Version that created the job; results are given to no other.
    #[serde(default, deserialize_with = "lenient_text")]
    pub api_version: Option<String>,
    /// When it was created, as Salesforce writes it (`2024-09-09T13:08:34.000+0000`).
    #[serde(default)]
    pub created_date: Option<String>,
    /// Reason of a failure; not always given.
    #[serde(default)]
    pub error_message: Option<String>,
}

impl JobInfo {
    pub(super) fn check_id(&self) -> Result<()> {
        if !self.id.is_empty() && self.id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(());
        }
        Err(Error::protocol("query job", format!("the answer's job id {:?} is not one", self.id)))
    }

    /// `true`: results are there; `false`: wait. Other ends are errors.
    pub(super) fn is_complete(&self) -> Result<bool> {
        match &self.state {
            JobState::JobComplete => Ok(true),
            JobState::UploadComplete | JobState::InProgress => Ok(false),
            JobState::Failed => Err(self.ended(self.failure())),
            JobState::Aborted => Err(self.ended(
                "someone stopped it (Setup > Bulk Data Load Jobs shows who), or another run did; run again".into(),
            )),
            JobState::Unknown(state) => Err(Error::protocol(
                format!("query job {} on {}", self.id, self.object),
                format!("state {state:?} is not known for query jobs; not taken as success"),
            )),
        }
    }

    pub(super) fn stuck(&self, waited: Duration) -> Error {
        self.ended(format!(
            "no change for {:.0} s; wait for Salesforce, narrow `where`, or allow a longer time without change",
            waited.as_secs_f64()
        ))
    }

    fn ended(&self, message: String) -> Error {
        Error::Job { id: self.id.clone(), object: self.object.clone(), state: self.state.as_str().to_owned(), message }
    }

    fn failure(&self) -> String {
        let reason = self.error_message.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let Some(reason) = reason else {
            return "Salesforce gave no reason; see Setup > Bulk Data Load Jobs".into();
        };
        let words = of_reason(reason).map(|words| words.lines("")).unwrap_or_default();
        format!("{reason}{words}")
    }
}

/// A number, a number as text, or nothing.
pub(crate) fn lenient_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(match value {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    })
}

/// Text, or a number as text: `apiVersion` is `60.0` on the wire and `"60.0"` in the guide.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(match value {
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        Some(serde_json::Value::String(text)) => Some(text),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(extra: &str) -> JobInfo {
        serde_json::from_str(&format!(r#"{{"id":"750ak000009AVi5AAG","object":"Account",{extra}}}"#)).unwrap()
    }

    #[test]
    fn states() {
        assert!(info(r#""state":"JobComplete""#).is_complete().unwrap());
        assert!(!info(r#""state":"UploadComplete""#).is_complete().unwrap());
        assert!(!info(r#""state":"InProgress""#).is_complete().unwrap());
        for (state, expected) in [("Aborted", "Aborted"), ("Abort", "Aborted"), ("Failed", "no reason")] {
            let error = info(&format!(r#""state":"{state}""#)).is_complete().unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("750ak000009AVi5AAG"), "{error}");
        }
        let unknown = info(r#""state":"Paused""#).is_complete().unwrap_err();
        assert!(matches!(unknown, Error::Protocol { .. }), "{unknown}");
    }

    #[test]
    fn failure_reason_and_hint() {
        let failed =
            info(r#""state":"Failed","errorMessage":"QUERY_TIMEOUT: Your query request was running for too long.""#);
        let error = failed.is_complete().unwrap_err().to_string();
        assert!(error.contains("QUERY_TIMEOUT") && error.contains("narrow"), "{error}");
    }

    #[test]
    fn versions_and_counts_in_both_forms() {
        let number = info(r#""state":"JobComplete","apiVersion":60.0,"numberRecordsProcessed":110"#);
        let text = info(r#""state":"JobComplete","apiVersion":"60.0","numberRecordsProcessed":"110""#);
        for job in [number, text] {
            assert_eq!((job.api_version.as_deref(), job.number_records_processed), (Some("60.0"), Some(110)));
        }
    }

    /// Passes over the recordings where `../shared` is not at hand.
    #[test]
    fn recorded_job() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/oracles/recordings/amp-labs/providers/salesforce/test/bulk/read-launch-job-account.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let job: JobInfo = serde_json::from_str(&text).unwrap();
        assert_eq!((job.state, job.object.as_str()), (JobState::UploadComplete, "Account"));
    }
}
