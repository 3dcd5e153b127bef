//! `[source.incremental]`: only what changed since the last run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Deletes;

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
    /// Reads the window in slices of this length, one query each: days, hours or minutes, for example `"30d"`, `"12h"`,
    /// `"45m"`. Default: in one; a query that Salesforce gives up for running too long (`QUERY_TIMEOUT`) is halved by
    /// itself either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// What becomes of rows that were deleted in the org since the last run.
    #[serde(default, skip_serializing_if = "Deletes::is_ignored")]
    pub deletes: Deletes,
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

impl Incremental {
    /// Microseconds of a slice; the file was validated.
    #[must_use]
    pub fn slice_micros(&self) -> Option<i64> {
        self.slice.as_deref().and_then(|text| parse_length(text).ok())
    }
}

/// A length of time such as `30d`, in microseconds.
///
/// # Errors
/// What is wrong and the expected form.
pub fn parse_length(text: &str) -> Result<i64, String> {
    /// A century: longer than there is Salesforce.
    const MAX_MINUTES: u32 = 100 * 366 * 24 * 60;
    let wrong = || {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        format!(
            "`{shown}` is no length of time; write a whole number of days, hours or minutes, for example \"30d\", \"12h\" or \"45m\""
        )
    };
    let trimmed = text.trim();
    let unit = trimmed.chars().last().ok_or_else(wrong)?;
    let minutes_each = match unit {
        'd' => 24 * 60,
        'h' => 60,
        'm' => 1,
        _ => return Err(wrong()),
    };
    let number: u32 = trimmed[..trimmed.len() - 1].trim_end().parse().map_err(|_| wrong())?;
    let minutes = number.checked_mul(minutes_each).filter(|minutes| (1..=MAX_MINUTES).contains(minutes));
    minutes.map(micros).ok_or_else(wrong)
}

fn micros(minutes: u32) -> i64 {
    i64::from(minutes) * 60_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        const MINUTE: i64 = 60_000_000;
        assert_eq!(parse_length("30d"), Ok(30 * 24 * 60 * MINUTE));
        assert_eq!(parse_length(" 12 h "), Ok(12 * 60 * MINUTE));
        assert_eq!(parse_length("45m"), Ok(45 * MINUTE));
        for wrong in ["", "d", "0d", "30", "1.5h", "-1d", "30s", "4294967295d", "ü"] {
            assert!(parse_length(wrong).unwrap_err().contains("30d"), "{wrong}");
        }
    }
}
