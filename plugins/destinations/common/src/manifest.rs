//! The manifest: which files count, and what is in them.

use crate::FileFormat;
use crate::config::Settings;
use forcepump_plugin_sdk::files::Written;
use forcepump_plugin_sdk::{PluginError, Target, WriteMode, calendar};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One file; also what commit gives as the token of a unit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    path: String,
    rows: u64,
    bytes: u64,
    sha256: String,
}

impl From<Written> for Entry {
    fn from(written: Written) -> Self {
        Entry { path: written.path, rows: written.rows, bytes: written.bytes, sha256: written.sha256 }
    }
}

impl Entry {
    pub(crate) fn to_token(&self) -> Result<String, PluginError> {
        serde_json::to_string(self).map_err(|error| PluginError::fatal(format!("the token does not encode: {error}")))
    }
}

/// The manifest of a complete run; a unit without rows has an empty token and no file.
pub(crate) fn text<F: FileFormat>(
    target: &Target,
    settings: &Settings,
    tokens: &[String],
) -> Result<String, PluginError> {
    let mut files = Vec::new();
    for token in tokens.iter().filter(|token| !token.is_empty()) {
        let mut entry: Entry = serde_json::from_str(token)
            .map_err(|error| PluginError::fatal(format!("a unit's token is not what commit gave: {error}")))?;
        entry.path = settings.relative(&entry.path).to_owned();
        files.push(entry);
    }
    let columns = target.input.fields.iter();
    let columns: Vec<_> = columns
        .map(|field| json!({"name": field.name, "type": field.data_type.describe(), "nullable": field.nullable}))
        .collect();
    let manifest = json!({
        "feed": target.feed,
        "run": target.run_id,
        "as_of": calendar::format_datetime(target.as_of),
        "mode": if target.mode == WriteMode::Overwrite { "overwrite" } else { "append" },
        "format": F::NAME,
        "compression": settings.compression_name,
        "columns": columns,
        "rows": files.iter().map(|file| file.rows).sum::<u64>(),
        "bytes": files.iter().map(|file| file.bytes).sum::<u64>(),
        "files": files,
    });
    Ok(format!("{manifest:#}\n"))
}
