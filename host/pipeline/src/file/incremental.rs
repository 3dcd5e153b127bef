//! `[source.incremental]`: only what changed since the last run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Minutes of the horizon when the file says nothing.
pub const DEFAULT_HORIZON_MINUTES: u32 = 5;
/// Minutes of the overlap when the file says nothing.
pub const DEFAULT_OVERLAP_MINUTES: u32 = 10;

/// Reads only the rows that changed since the last complete run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Incremental {
    /// Datetime field that tells when a row changed. Default: `SystemModstamp`, else `LastModifiedDate`, else
    /// `CreatedDate`, whichever the object has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Where the first run begins, for example `"2024-01-01T00:00:00Z"`. Default: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// A run reads up to this much before Salesforce's clock, so that rows that are still being written are left to the
    /// next run. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_minutes: Option<u32>,
    /// A run begins this much before the end of the last one, for rows that became visible late; rows that were read
    /// already are left out by their `Id` and cursor. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_minutes: Option<u32>,
}

impl Incremental {
    /// Microseconds before Salesforce's clock at which a run ends.
    #[must_use]
    pub fn horizon_micros(&self) -> i64 {
        micros(self.horizon_minutes.unwrap_or(DEFAULT_HORIZON_MINUTES))
    }

    /// Microseconds before the last run's end at which a run begins.
    #[must_use]
    pub fn overlap_micros(&self) -> i64 {
        micros(self.overlap_minutes.unwrap_or(DEFAULT_OVERLAP_MINUTES))
    }
}

fn micros(minutes: u32) -> i64 {
    i64::from(minutes) * 60_000_000
}
