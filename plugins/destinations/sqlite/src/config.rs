//! The configuration and what the target has to be like.

use forcepump_plugin_sdk::{PluginError, Target, WriteMode};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Tables whose names begin so are SQLite's or ours.
const RESERVED_PREFIXES: [&str; 2] = ["sqlite_", "_forcepump"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    table: Option<String>,
}

/// What the configuration and the target come to.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) table: String,
}

impl Settings {
    pub(crate) fn parse(target: &Target) -> Result<Self, PluginError> {
        let config: Config = target.config()?;
        let table = config.table.unwrap_or_else(|| target.feed.clone());
        check_table(&table)?;
        check_columns(target)?;
        check_keys(target)?;
        Ok(Settings { table })
    }

    /// The table that an overwriting run fills. Its name is reserved: it is dropped without asking whose it is.
    pub(crate) fn side_table(&self) -> String {
        format!("_forcepump_new_{}", self.table)
    }

    /// The table that holds a batch of an updating or deleting unit.
    pub(crate) fn stage_table(&self) -> String {
        format!("_forcepump_stage_{}", self.table)
    }
}

fn check_table(table: &str) -> Result<(), PluginError> {
    let lower = table.to_lowercase();
    if table.is_empty() || table.contains('\0') {
        return Err(PluginError::config("/table", "the table needs a name without the character zero"));
    }
    if RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        let message = format!("the name \"{table}\" is reserved; choose another \"table\"");
        return Err(PluginError::config("/table", message));
    }
    Ok(())
}

/// SQLite does not tell names apart by case.
fn check_columns(target: &Target) -> Result<(), PluginError> {
    let mut seen = BTreeSet::new();
    for field in &target.input.fields {
        if field.name.is_empty() || field.name.contains('\0') {
            return Err(PluginError::schema("a column has no name, or the character zero in it"));
        }
        if !seen.insert(field.name.to_lowercase()) {
            let message = format!("two columns are named \"{}\"; rename one with the transform shape", field.name);
            return Err(PluginError::schema(message));
        }
    }
    if seen.is_empty() {
        return Err(PluginError::schema("there is no column to write"));
    }
    Ok(())
}

fn check_keys(target: &Target) -> Result<(), PluginError> {
    let keyed = matches!(target.mode, WriteMode::Merge | WriteMode::Update | WriteMode::Delete);
    if keyed && target.keys.is_empty() {
        let message = "the modes merge, update and delete need keys; add keys = [\"Id\"] to the destination";
        return Err(PluginError::config("", message));
    }
    if target.mode == WriteMode::Update && target.keys.len() == target.input.fields.len() {
        return Err(PluginError::schema("every column is a key, so there is nothing to update"));
    }
    Ok(())
}
