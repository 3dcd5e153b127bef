//! Jobs, batches and result lists as Bulk API 1.0 tells them, in JSON or XML.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::bulk2::lenient_number;
use crate::error::{Error, Result};

/// A job; in XML all numbers are texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobInfo {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default, deserialize_with = "lenient_number")]
    pub(crate) number_batches_queued: Option<u64>,
    #[serde(default, deserialize_with = "lenient_number")]
    pub(crate) number_batches_in_progress: Option<u64>,
    #[serde(default, deserialize_with = "lenient_number")]
    pub(crate) number_batches_total: Option<u64>,
}

/// State of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BatchState {
    Queued,
    InProgress,
    Completed,
    Failed,
    /// Split into chunks, or never begun because the job was aborted.
    NotProcessed,
    Unknown(String),
}

/// A batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchInfo {
    pub(crate) id: String,
    pub(crate) state: BatchState,
    #[serde(default)]
    pub(crate) state_message: Option<String>,
    #[serde(default, deserialize_with = "lenient_number")]
    pub(crate) number_records_processed: Option<u64>,
}

impl BatchState {
    /// `NotProcessed` is on the wire, `Not Processed` and `NOT_PROCESSED` are in the guide.
    fn read(text: &str) -> Self {
        let plain: String = text.chars().filter(char::is_ascii_alphabetic).collect();
        match plain.to_ascii_lowercase().as_str() {
            "queued" => Self::Queued,
            "inprogress" => Self::InProgress,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "notprocessed" => Self::NotProcessed,
            _ => Self::Unknown(text.to_owned()),
        }
    }

    /// It may still change.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self, Self::Queued | Self::InProgress)
    }
}

impl<'de> Deserialize<'de> for BatchState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}

impl JobInfo {
    /// The job was ended by someone, or by Salesforce.
    pub(crate) fn has_ended_badly(&self) -> bool {
        ["aborted", "abort", "failed"].iter().any(|state| self.state.eq_ignore_ascii_case(state))
    }
}

/// An id: it becomes part of a path.
pub(super) fn check_id(what: &str, id: &str) -> Result<()> {
    if is_id(id) {
        return Ok(());
    }
    Err(Error::protocol("Bulk API 1.0 job", format!("the answer's {what} id {id:?} is not one")))
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())
}

/// `{"batchInfo":[…]}`; in XML one alone is no array, and none is an empty text.
pub(super) fn batches(answer: Value) -> Result<Vec<BatchInfo>, String> {
    let batches: Vec<BatchInfo> = list(answer, "batchInfo")?
        .into_iter()
        .map(|batch| serde_json::from_value(batch).map_err(|e| format!("a batch is not one: {e}")))
        .collect::<Result<_, _>>()?;
    match batches.iter().find(|batch| !is_id(&batch.id)) {
        Some(batch) => Err(format!("the batch id {:?} is not one", batch.id)),
        None => Ok(batches),
    }
}

/// `["752…"]`, or `<result-list><result>752…`.
pub(super) fn result_ids(answer: Value) -> Result<Vec<String>, String> {
    let ids = list(answer, "result")?;
    let id = |value: Value| match value {
        Value::String(id) if is_id(id.trim()) => Ok(id.trim().to_owned()),
        other => Err(format!("the result id {other} is not one")),
    };
    ids.into_iter().map(id).collect()
}

fn list(answer: Value, key: &str) -> Result<Vec<Value>, String> {
    match answer {
        Value::Array(values) => Ok(values),
        Value::Object(mut object) => match object.remove(key) {
            Some(Value::Array(values)) => Ok(values),
            Some(Value::Null) | None if object.is_empty() => Ok(Vec::new()),
            Some(one) if !one.is_null() => Ok(vec![one]),
            _ => Err(format!("the list `{key}` is missing")),
        },
        Value::Null => Ok(Vec::new()),
        Value::String(text) if text.trim().is_empty() => Ok(Vec::new()),
        other => Err(format!("a list was expected, not {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::xml_json::xml_to_json;

    #[test]
    fn states_in_every_spelling() {
        for text in ["NotProcessed", "Not Processed", "NOT_PROCESSED"] {
            assert_eq!(BatchState::read(text), BatchState::NotProcessed);
        }
        assert_eq!(BatchState::read("InProgress"), BatchState::InProgress);
        assert_eq!(BatchState::read("Paused"), BatchState::Unknown("Paused".into()));
    }

    #[test]
    fn lists_in_both_forms() {
        let xml = "<batchInfoList xmlns=\"u\"><batchInfo><id>751a</id><jobId>750</jobId><state>Completed</state>\
            <numberRecordsProcessed>17</numberRecordsProcessed></batchInfo></batchInfoList>";
        let json = json!({"batchInfo": [{"id": "751a", "state": "Completed", "stateMessage": null, "numberRecordsProcessed": 17}]});
        for answer in [xml_to_json(xml).unwrap(), json] {
            let found = batches(answer).unwrap();
            assert_eq!((found.len(), found[0].number_records_processed), (1, Some(17)));
            assert_eq!(found[0].state, BatchState::Completed);
        }
        assert!(batches(json!({"batchInfo": []})).unwrap().is_empty());
        assert!(batches(json!("")).unwrap().is_empty());
        assert!(batches(json!({"batchInfo": [{"id": "../x", "state": "Completed"}]})).is_err());
        assert!(batches(json!(7)).is_err());
    }

    #[test]
    fn result_lists_in_both_forms() {
        let two =
            "<result-list xmlns=\"u\"><result>752x00000000F1</result><result>752x00000000F2</result></result-list>";
        assert_eq!(result_ids(xml_to_json(two).unwrap()).unwrap(), ["752x00000000F1", "752x00000000F2"]);
        assert_eq!(result_ids(json!(["7529H000000xO6L"])).unwrap(), ["7529H000000xO6L"]);
        assert!(result_ids(json!([])).unwrap().is_empty());
        assert!(result_ids(json!(["a/b"])).is_err());
    }

    #[test]
    fn jobs_in_both_forms() {
        let xml =
            "<jobInfo xmlns=\"u\"><id>750a</id><state>Open</state><numberBatchesTotal>4</numberBatchesTotal></jobInfo>";
        let from_xml: JobInfo = serde_json::from_value(xml_to_json(xml).unwrap()).unwrap();
        let from_json: JobInfo =
            serde_json::from_value(json!({"id": "750a", "state": "Open", "numberBatchesTotal": 4})).unwrap();
        for job in [from_xml, from_json] {
            assert_eq!((job.number_batches_total, job.has_ended_badly()), (Some(4), false));
        }
    }
}
