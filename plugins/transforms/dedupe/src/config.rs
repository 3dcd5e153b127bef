//! What the operator writes.

/// Different keys when the configuration says nothing: about 150 MiB of Salesforce ids, within the default memory.
const DEFAULT_MAX_KEYS: u32 = 5_000_000;

/// The configuration.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub keys: Vec<String>,
    #[serde(default)]
    pub keep: Keep,
    #[serde(default)]
    pub nulls: Nulls,
    #[serde(default = "default_max_keys")]
    pub max_keys: u32,
}

fn default_max_keys() -> u32 {
    DEFAULT_MAX_KEYS
}

/// Which row of a key goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    #[default]
    First,
    Last,
}

/// Whether a null in a key equals another one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    #[default]
    Equal,
    Distinct,
}
