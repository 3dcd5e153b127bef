//! Versions that the org offers, and what is left of its limits.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::{Call, Client};
use crate::error::Result;

/// One API version, from `/services/data/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiVersion {
    /// Release name, for example `Spring '24`.
    #[serde(default)]
    pub label: String,
    /// For example `60.0`.
    pub version: String,
}

/// One limit of the org; entries of single apps inside it are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    /// Allowed in the window of the limit (mostly 24 hours).
    #[serde(default)]
    pub max: i64,
    /// Left of it; up to 5 minutes old.
    #[serde(default)]
    pub remaining: i64,
}

/// Limits by name, for example `DailyApiRequests`, `DailyBulkV2QueryJobs`.
pub type Limits = BTreeMap<String, Limit>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordCounts {
    #[serde(default, rename = "sObjects")]
    objects: Vec<RecordCount>,
}

#[derive(Deserialize)]
struct RecordCount {
    name: String,
    count: u64,
}

impl Client {
    /// Live rows of an object, roughly and perhaps some hours old (`limits/recordCount`); none where Salesforce does not
    /// count. Cheap, whatever the size of the object.
    pub async fn record_count(&self, object: &str) -> Result<Option<u64>> {
        let mut call = Call::get(format!("number of rows of {object}"), self.path("/limits/recordCount"));
        call.query.push(("sObjects", object.to_owned()));
        let counts: RecordCounts = self.json(&call).await?;
        Ok(counts.objects.into_iter().find(|one| one.name.eq_ignore_ascii_case(object)).map(|one| one.count))
    }

    /// API versions, oldest first.
    pub async fn versions(&self) -> Result<Vec<ApiVersion>> {
        let mut versions: Vec<ApiVersion> =
            self.json(&Call::get("list of API versions", "/services/data/".to_owned())).await?;
        versions.sort_by_key(|v| number(&v.version));
        Ok(versions)
    }

    /// Limits of the org. Needs the permission "View Setup and Configuration".
    pub async fn limits(&self) -> Result<Limits> {
        let limits: Limits = self.json(&Call::get("limits of the org", self.path("/limits"))).await?;
        if let Some(calls) = limits.get("DailyApiRequests") {
            self.prefill_usage(calls.max, calls.remaining);
        }
        Ok(limits)
    }
}

fn number(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_with_apps_inside_are_read() {
        let text =
            r#"{"DailyApiRequests":{"Max":15000,"Remaining":14998,"Salesforce Chatter":{"Max":0,"Remaining":0}}}"#;
        let limits: Limits = serde_json::from_str(text).unwrap();
        assert_eq!(limits["DailyApiRequests"], Limit { max: 15000, remaining: 14998 });
    }
}
