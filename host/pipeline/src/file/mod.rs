//! The pipeline file: what the operator writes, parsed, checked and published as a JSON Schema.

mod connections;
mod parse;
mod secrets;
mod validate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use connections::{Connections, connections_schema, find_connections_file};
pub use parse::{FileError, nearest, parse_pipeline};
pub use secrets::{ConfigSecrets, SecretError};
pub use validate::{Problem, validate};

/// Rows per batch when the file says nothing: large enough to hide the border's cost, small enough to stay in cache.
pub const DEFAULT_BATCH_ROWS: usize = 8_192;
/// Most rows a batch may have; row numbers inside a batch are 32 bits wide and plugins size buffers by it.
pub const MAX_BATCH_ROWS: usize = 1_048_576;

/// One pipeline: a source, any number of transforms, one destination.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Forcepump pipeline")]
pub struct PipelineFile {
    /// Name of the pipeline, used in reports. Letters, digits, `-` and `_`.
    pub name: String,
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
    /// API name of the object, for example `Account`. Exactly one of `object` and `query` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// A whole SOQL query: `SELECT … FROM …`. Exactly one of `object` and `query` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Fields to read with `object`, parent paths such as `Owner.Name` included. Empty: all readable fields.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Condition for `object`, in SOQL, without the word WHERE.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// `query` reads live rows; `query-all` reads deleted and archived rows too.
    #[serde(default)]
    pub action: Action,
    /// Salesforce API version, for example `62.0`. Default: the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Upper bound of rows per result page (`maxRecords`); a page is a unit of commit. Default: Salesforce's choice,
    /// seen at about 200,000, which also lets it list the pages at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<u32>,
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

/// Capabilities given to one plugin. Nothing is granted by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Folders in which the plugin may create files: the name it asks for = folder (relative to this file).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Databases the plugin may use: the name it asks for = `sqlite:PATH` (relative to this file).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sql: BTreeMap<String, String>,
    /// The plugin may read the clock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock: bool,
    /// The plugin may draw random bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
}

/// Limits of one plugin; what is absent keeps the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginLimits {
    /// Linear memory, in MiB. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub memory_mib: Option<u32>,
    /// Time of one call, in milliseconds. Default: 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600000))]
    pub call_ms: Option<u32>,
    /// Bytes a plugin may hand over in one call, in MiB. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2048))]
    pub output_mib: Option<u32>,
}

/// A parsed and checked pipeline file together with the folder its paths are relative to.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What the file says.
    pub file: PipelineFile,
    /// The file's path, as given.
    pub path: PathBuf,
}

impl Pipeline {
    /// Reads, parses and checks the file.
    ///
    /// # Errors
    /// [`FileError`] names the file and the place, the expected form and the way out.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
        let file = parse_pipeline(&text, path)?;
        let problems = validate(&file);
        if !problems.is_empty() {
            return Err(FileError::Invalid { path: path.to_owned(), problems });
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// The folder that relative paths in the file start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// Rows per batch, as the file says or the default.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        self.file.source.batch_rows.unwrap_or(DEFAULT_BATCH_ROWS)
    }
}

/// The JSON Schema (2020-12) of the pipeline file, for editors.
#[must_use]
pub fn pipeline_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineFile).to_value()
}
