//! The configuration that all file formats share.

use crate::FileFormat;
use crate::name::part;
use forcepump_plugin_sdk::files::Compression;
use forcepump_plugin_sdk::{PluginError, Target, WriteMode};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    folder: Option<String>,
    name: Option<String>,
    compression: Option<String>,
}

/// What the configuration and the target come to.
#[derive(Debug)]
pub(crate) struct Settings {
    /// below the root, without a slash at the end; empty for the root itself
    folder: String,
    /// what every file's name begins with
    name: String,
    pub(crate) compression: Compression,
    /// as the configuration names it
    pub(crate) compression_name: &'static str,
}

impl Settings {
    pub(crate) fn parse<F: FileFormat>(target: &Target) -> Result<Self, PluginError> {
        let config: Config = target.config()?;
        let (compression_name, compression) = compression::<F>(config.compression.as_deref())?;
        let folder = match config.folder {
            None => part(&target.feed),
            Some(folder) => checked_folder(&folder)?,
        };
        let name = part(config.name.as_deref().unwrap_or(&target.feed));
        Ok(Settings { folder, name, compression, compression_name })
    }

    /// Path of a unit's file below the root.
    pub(crate) fn unit_path<F: FileFormat>(&self, run: &str, unit: &str) -> String {
        let packed = match self.compression {
            _ if F::COMPRESSED_INSIDE => "",
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        self.below(&format!("{}-{}-{}.{}{packed}", self.name, part(run), part(unit), F::EXTENSION))
    }

    /// Path of the manifest. In the mode `overwrite` it has the name by which the host knows that
    /// older files of the folder are to go.
    pub(crate) fn manifest_path(&self, target: &Target) -> String {
        match target.mode {
            WriteMode::Overwrite => self.below("manifest.json"),
            _ => self.below(&format!("manifest-{}.json", part(&target.run_id))),
        }
    }

    /// A path below the root, as seen from the folder.
    pub(crate) fn relative<'a>(&self, path: &'a str) -> &'a str {
        let below = path.strip_prefix(self.folder.as_str()).unwrap_or(path);
        below.trim_start_matches('/')
    }

    fn below(&self, file: &str) -> String {
        if self.folder.is_empty() { file.to_owned() } else { format!("{}/{file}", self.folder) }
    }
}

fn compression<F: FileFormat>(wanted: Option<&str>) -> Result<(&'static str, Compression), PluginError> {
    let found = match wanted {
        None => F::COMPRESSIONS.first(),
        Some(wanted) => F::COMPRESSIONS.iter().find(|(name, _)| *name == wanted),
    };
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = F::COMPRESSIONS.iter().map(|(name, _)| *name).collect();
        let wanted = wanted.unwrap_or_default();
        PluginError::config("/compression", format!("unknown compression \"{wanted}\"; expected {}", known.join(", ")))
    })
}

fn checked_folder(folder: &str) -> Result<String, PluginError> {
    if folder.is_empty() || folder == "." {
        return Ok(String::new());
    }
    let wrong = |part: &str| part.is_empty() || part == "." || part == "..";
    if folder.starts_with('/') || folder.split('/').any(wrong) {
        let message = format!(
            "folder \"{folder}\" does not stay below the granted one; expected a path such as \"crm/accounts\""
        );
        return Err(PluginError::config("/folder", message));
    }
    Ok(folder.to_owned())
}

/// JSON Schema of the configuration.
pub(crate) fn json_schema<F: FileFormat>() -> String {
    let compressions: Vec<&str> = F::COMPRESSIONS.iter().map(|(name, _)| *name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "folder": {
                "description": "folder below the granted one; \".\" for that one itself; default: the feed's name",
                "type": "string"
            },
            "name": { "description": "what every file's name begins with; default: the feed's name", "type": "string" },
            "compression": {
                "description": "how the files are packed",
                "enum": compressions,
                "default": compressions.first()
            }
        }
    })
    .to_string()
}
