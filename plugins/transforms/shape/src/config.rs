//! The configuration, with the place of each fault.

use forcepump_plugin_sdk::{PluginError, parse_config};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the user wrote.
#[derive(Debug)]
pub(crate) struct Config {
    /// in their order
    pub(crate) columns: Vec<Item>,
    /// input column to new name
    pub(crate) rename: BTreeMap<String, String>,
    /// left out by wildcards
    pub(crate) drop: Vec<String>,
}

/// One entry of `columns`.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    /// a column under its own or its `rename` name
    Plain(String),
    /// what starts with this and is not named otherwise
    Wildcard(String),
    /// a column under a new name
    Renamed { from: String, to: String },
    /// the same value in every row
    Constant { name: String, value: Value, kind: Option<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    columns: Option<Vec<Value>>,
    #[serde(default)]
    rename: BTreeMap<String, String>,
    #[serde(default)]
    drop: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    from: Option<String>,
    #[serde(rename = "as")]
    to: String,
    value: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Config {
    pub(crate) fn parse(json: &str) -> Result<Self, PluginError> {
        let raw: Raw = parse_config(json)?;
        let columns = raw.columns.unwrap_or_else(|| vec![Value::from("*")]);
        let columns = columns.iter().enumerate().map(|(index, value)| Item::parse(index, value));
        Ok(Config { columns: columns.collect::<Result<_, _>>()?, rename: raw.rename, drop: raw.drop })
    }
}

impl Item {
    fn parse(index: usize, value: &Value) -> Result<Self, PluginError> {
        let pointer = format!("/columns/{index}");
        match value {
            Value::String(name) => Ok(match name.strip_suffix('*') {
                Some(prefix) => Item::Wildcard(prefix.to_owned()),
                None => Item::Plain(name.clone()),
            }),
            Value::Object(members) => {
                let raw = parse_config::<RawColumn>(&value.to_string());
                let raw = raw.map_err(|error| below(&pointer, error))?;
                // An absent value and a null one read the same, but mean different things.
                let constant = members.contains_key("value");
                raw.into_item(constant).map_err(|message| PluginError::config(pointer, message))
            }
            _ => {
                Err(PluginError::config(pointer, "expected a column's name, {\"from\", \"as\"} or {\"as\", \"value\"}"))
            }
        }
    }
}

impl RawColumn {
    fn into_item(self, constant: bool) -> Result<Item, &'static str> {
        match (self.from, constant, self.kind) {
            (Some(from), false, None) => Ok(Item::Renamed { from, to: self.to }),
            (None, true, kind) => Ok(Item::Constant { name: self.to, value: self.value.unwrap_or(Value::Null), kind }),
            (Some(_), false, Some(_)) => Err("\"type\" goes with \"value\"; a column keeps its type"),
            (Some(_), true, _) => Err("a column comes from an input column or is constant: give \"from\" or \"value\""),
            (None, false, _) => Err("give \"from\" for an input column or \"value\" for a constant one"),
        }
    }
}

/// Puts the faults of a part below the part's own place.
fn below(pointer: &str, error: PluginError) -> PluginError {
    match error {
        PluginError::Config(mut problems) => {
            problems.iter_mut().for_each(|problem| problem.pointer.insert_str(0, pointer));
            PluginError::Config(problems)
        }
        other => other,
    }
}
