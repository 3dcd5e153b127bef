//! `drift`: what becomes of fields that appear, vanish or change their type between runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a change, seen since the last whole run. Whatever it is, `plan` and the run's report name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftPolicy {
    /// The run follows the org. A new field is read where the pipeline reads every field (or `FIELDS()`), and becomes a
    /// column of the destination; rows of former runs have nothing in it until `forcepump backfill`. A field that is gone
    /// is left out: its column stays, new rows have nothing in it; one that `fields`, `query` or `where` names is an error.
    /// A field of another type is read with that type, or refused by a destination that cannot take it.
    #[default]
    Add,
    /// The run keeps to the fields of the last whole run. A new field is not read, unless the pipeline names it; a field
    /// that is gone is left out even where `fields` or `query` name it, and is read again when it comes back. A field of
    /// another type is as with `add`.
    Ignore,
    /// The run ends with exit code 2 before any row when the change touches what the pipeline reads, and names every
    /// field. `--drift add` accepts the changes once: after a whole run they are what the next one is compared with.
    Fail,
}

/// One policy for every change, or one for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Drift {
    /// For every change.
    All(DriftPolicy),
    /// For each kind of change.
    Each(DriftPolicies),
}

/// A policy for each kind of change; what is left out is `add`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftPolicies {
    /// Fields that were made, or are no longer hidden from the user.
    pub new: DriftPolicy,
    /// Fields that were deleted, or that field-level security hides now.
    pub gone: DriftPolicy,
    /// Fields that have another type.
    #[serde(rename = "type")]
    pub kind: DriftPolicy,
}

impl Default for Drift {
    fn default() -> Self {
        Self::All(DriftPolicy::default())
    }
}

impl Drift {
    /// The policy for each kind.
    #[must_use]
    pub fn policies(self) -> DriftPolicies {
        match self {
            Self::All(policy) => DriftPolicies { new: policy, gone: policy, kind: policy },
            Self::Each(policies) => policies,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse_pipeline;
    use super::*;

    fn of(line: &str) -> Result<DriftPolicies, String> {
        let text = format!("name='a'\n{line}\n[source]\nconnection='d'\nobject='A'\n[destination]\nplugin='csv'\n");
        let file = parse_pipeline(&text, Path::new("p.toml")).map_err(|error| error.to_string())?;
        Ok(file.drift.unwrap_or_default().policies())
    }

    #[test]
    fn one_word_is_for_all_kinds_and_a_table_for_each() {
        let policies = |new, gone, kind| Ok(DriftPolicies { new, gone, kind });
        assert_eq!(of(""), policies(DriftPolicy::Add, DriftPolicy::Add, DriftPolicy::Add));
        assert_eq!(of("drift = 'ignore'"), policies(DriftPolicy::Ignore, DriftPolicy::Ignore, DriftPolicy::Ignore));
        let each = of("drift = { new = 'ignore', type = 'fail' }");
        assert_eq!(each, policies(DriftPolicy::Ignore, DriftPolicy::Add, DriftPolicy::Fail));
        assert!(of("drift = 'warn'").is_err() && of("drift = { old = 'add' }").is_err());
    }
}
