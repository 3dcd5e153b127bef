//! The pipeline file: what the operator writes, parsed, checked and published as a JSON Schema.

mod connections;
mod deletes;
mod drift;
mod edit;
mod expand;
mod feeds;
mod grant;
mod incremental;
mod loaded;
mod parse;
mod reading;
mod secrets;
mod targets;
mod validate;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use connections::{Connections, connections_file_to_write, connections_schema, find_connections_file};
pub use deletes::Deletes;
pub(crate) use deletes::{ADDING_ONLY, CHANGED_BY_DELETION};
pub use drift::{Drift, DriftPolicies, DriftPolicy};
pub(crate) use edit::{ConnectionsEdit, Setting};
pub(crate) use expand::serves;
pub use feeds::{Feed, FeedDestination, FeedIncremental, MAX_FEEDS, MAX_PARALLEL_FEEDS};
pub use grant::{Grant, HttpCredential, HttpGrant, Method, PluginLimits};
pub use incremental::Incremental;
pub use loaded::Pipeline;
pub(crate) use parse::parse_toml;
pub use parse::{FileError, nearest, parse_pipeline};
pub use reading::{ApiChoice, Bulk1Format, ChunkingChoice, ChunkingSettings};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use secrets::check_secret;
pub(crate) use secrets::resolve_secret;
pub use secrets::{ConfigSecrets, SecretError};
pub use validate::{Problem, parse_moment, parse_share, validate};

/// Rows per batch when the file says nothing: large enough to hide the border's cost, small enough to stay in cache.
pub const DEFAULT_BATCH_ROWS: usize = 8_192;
/// Result pages that may be fetched at a time; an org serves some dozens of calls beside each other.
pub const MAX_PARALLEL_PAGES: u8 = 32;
/// Most rows a batch may have; row numbers inside a batch are 32 bits wide and plugins size buffers by it.
pub const MAX_BATCH_ROWS: usize = 1_048_576;

/// One pipeline: a source, any number of transforms, one destination.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Forcepump pipeline")]
pub struct PipelineFile {
    /// Name of the pipeline, used in reports. Letters, digits, `-` and `_`.
    pub name: String,
    /// Rows that may be rejected before the run fails: a number of rows (`100`), or a share of the rows read (`"0.5%"`).
    /// Default: no limit; a run with rejects ends with exit code 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<RejectLimit>,
    /// Makes a run repeatable: the same input gives the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<Repeatable>,
    /// Variables, for `where` and `query`: name = an SQL expression, in which `$other` names another variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Databases that variables may ask with `ExecuteSqlDatetime('name', 'select …')`: name = `sqlite:PATH` (relative to
    /// this file). They are opened to be read only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sql: BTreeMap<String, String>,
    /// What becomes of fields that appear, vanish or change their type between runs: one word for all, or a table with
    /// one for each kind, `{ new = "add", gone = "ignore", type = "fail" }`. Default: `add`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What is read from Salesforce.
    pub source: Source,
    /// Plugins that every batch goes through, in order.
    #[serde(default)]
    pub transform: Vec<TransformStep>,
    /// The plugin that writes the rows.
    pub destination: DestinationStep,
}

/// What is read from Salesforce: an object with fields, or a SOQL query.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of a connection in the connections file.
    pub connection: String,
    /// API name of the object, for example `Account`. Exactly one of `object`, `query`, and `objects` with `feeds` is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// A whole SOQL query: `SELECT … FROM …`. Exactly one of `object`, `query`, and `objects` with `feeds` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// API names of several objects, for example `["Account", "Contact"]`: each is a feed of the run, with all else
    /// that this table says. Texts in the configurations of destination and transforms may hold `{object}`, which
    /// becomes its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// Objects with settings of their own, which stand in the place of this table's: `[[source.feeds]]`. They come
    /// after those of `objects`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// Feeds that are read at a time, each with workers, memory and a Salesforce job of its own. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub parallel_feeds: Option<u8>,
    /// Set by the expansion of a list of feeds.
    #[serde(skip)]
    pub(crate) is_one_of_several: bool,
    /// Fields to read with `object` or `objects`: names, parent paths such as `Owner.Name` (up to five parents), compound fields such
    /// as `BillingAddress` (read as their parts), `FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`. Empty: all
    /// readable fields.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Condition for `object`, or for each of `objects`, in SOQL, without the word WHERE.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Reads only what changed since the last complete run. Goes with `object` and `objects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Incremental>,
    /// `query` reads live rows; `query-all` reads deleted and archived rows too.
    #[serde(default)]
    pub action: Action,
    /// By which API rows are read. `auto` chooses by object and number of rows, remembers what an org refused, and
    /// falls back; `plan` says which and why.
    #[serde(default)]
    pub api: ApiChoice,
    /// Splits the query by ranges of ids, for very large objects: `true`, or `{ chunk_size, parent, start_row }`. Goes
    /// with `api = "bulk1"`, which `auto` chooses then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pk_chunking: Option<ChunkingChoice>,
    /// Format in which Bulk API 1.0 gives its results; the rows are the same, but for control characters, which XML
    /// cannot hold. Default: `csv`, the smallest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk1_format: Option<Bulk1Format>,
    /// Salesforce API version, for example `62.0`. Default: the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Upper bound of rows per result page of Bulk API 2.0 (`maxRecords`); a page is a unit of commit. Default:
    /// Salesforce's choice, seen at about 200,000, which also lets it list the pages at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<u32>,
    /// Result pages fetched at a time, each over a connection of its own, and workers at most, as far as the destination
    /// takes several; each costs some MiB. Default: as many workers as there are cores, up to 4, and a page for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32))]
    pub parallel_pages: Option<u8>,
    /// Rows per batch handed to the plugins. Default: 8,192.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1048576))]
    pub batch_rows: Option<usize>,
}

/// Which rows a query sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Live rows.
    #[default]
    Query,
    /// Live, deleted and archived rows.
    QueryAll,
}

/// One transform plugin with its configuration and what it is granted.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformStep {
    /// Short name of a first-party plugin, or the path of a component file (relative to this file).
    pub plugin: String,
    /// With several feeds: the objects whose rows go through it, for a plugin that names columns which not every object
    /// has. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// The plugin's own configuration; `forcepump plugin inspect` shows its schema.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub config: toml::Table,
    /// Capabilities given to the plugin; nothing by default.
    #[serde(default)]
    pub grant: Grant,
    /// Limits of the plugin.
    #[serde(default)]
    pub limits: PluginLimits,
    /// The only columns that the plugin may read. It can keep the others, but no byte of them enters it. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Columns that the plugin may not read. It can keep them, but no byte of them enters it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// Withholds every column that Salesforce's describe marks as encrypted, or with a compliance group or a security
    /// classification.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withhold_classified: bool,
    /// What happens to a batch that breaks the plugin: a trap, a time-out, too much memory, a broken rule.
    #[serde(default)]
    pub on_bad_batch: BadBatch,
}

/// The destination plugin, how it writes, its configuration and what it is granted.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationStep {
    /// Short name of a first-party plugin, or the path of a component file (relative to this file).
    pub plugin: String,
    /// How rows meet what is already there.
    #[serde(default)]
    pub mode: Mode,
    /// Columns that identify a row, for `merge`, `update` and `delete`.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The plugin's own configuration; `forcepump plugin inspect` shows its schema.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub config: toml::Table,
    /// Capabilities given to the plugin; nothing by default.
    #[serde(default)]
    pub grant: Grant,
    /// Limits of the plugin.
    #[serde(default)]
    pub limits: PluginLimits,
    /// The only columns that reach the destination. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Columns that do not reach the destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// Withholds every column that Salesforce's describe marks as encrypted, or with a compliance group or a security
    /// classification.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withhold_classified: bool,
    /// What happens to a batch that breaks the plugin: a trap, a time-out, too much memory, a broken rule.
    #[serde(default)]
    pub on_bad_batch: BadBatch,
}

/// How rows meet what is already in the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Rows are added.
    #[default]
    Append,
    /// The target's former rows are replaced by this run's.
    Overwrite,
    /// Rows are inserted, or updated where the keys match.
    Merge,
    /// Only rows whose keys match are updated.
    Update,
    /// Rows whose keys match are deleted.
    Delete,
}

/// What happens to a batch that breaks a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BadBatch {
    /// It is halved on fresh instances until the rows at fault are found; these are rejected, the others go on.
    #[default]
    Bisect,
    /// All of its rows are rejected.
    Reject,
    /// The run fails.
    Stop,
}

/// How many rows may be rejected: a number of rows, or text such as `"0.5%"`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RejectLimit {
    /// That many rows.
    Rows(u64),
    /// A share of the rows read, for example `"0.5%"`.
    Share(String),
}

/// What a repeatable run fixes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeatable {
    /// The one moment of the run, which a granted clock shows too, for example `"2024-06-30T00:00:00Z"`.
    pub as_of: String,
    /// Seed of granted random bytes.
    #[serde(default)]
    pub seed: u64,
}

/// The JSON Schema (2020-12) of the pipeline file, for editors.
#[must_use]
pub fn pipeline_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineFile).to_value()
}
