//! The configuration, with the place of each fault.

use crate::rule::Method;
use forcepump_plugin_sdk::{DataType, PluginError, Schema};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Text in place of a value when the user gives none.
const REDACTED: &str = "***";

/// What the user wrote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    columns: BTreeMap<String, Value>,
    salt: Option<String>,
}

impl Config {
    /// The key of pseudonyms; empty when no method needs one.
    pub(crate) fn salt(&self) -> &str {
        self.salt.as_deref().unwrap_or_default()
    }

    /// What happens to each named column, in the order of the input.
    pub(crate) fn methods(&self, input: &Schema) -> Result<BTreeMap<u32, Method>, PluginError> {
        let mut methods = BTreeMap::new();
        for (name, value) in &self.columns {
            let pointer = format!("/columns/{}", name.replace('~', "~0").replace('/', "~1"));
            let column = input.require(&pointer, name)?;
            let method = method(value).map_err(|message| PluginError::config(&*pointer, message))?;
            self.check(&pointer, &method, input, column)?;
            if methods.insert(column, method).is_some() {
                return Err(PluginError::config(pointer, format!("column \"{name}\" is named twice")));
            }
        }
        Ok(methods)
    }

    fn check(&self, pointer: &str, method: &Method, input: &Schema, column: u32) -> Result<(), PluginError> {
        let field = input.field(column)?;
        if let (DataType::Opaque(kind), true) = (&field.data_type, *method != Method::Null) {
            let message = format!("column \"{}\" is {kind}, which cannot be read; use \"null\"", field.name);
            return Err(PluginError::config(pointer, message));
        }
        if method.needs_salt() && self.salt.is_none() {
            return Err(PluginError::config(
                "/salt",
                "hash and tokenise need a salt: without one, short values are found by trying them all",
            ));
        }
        Ok(())
    }
}

fn method(value: &Value) -> Result<Method, String> {
    const EXPECTED: &str =
        "expected \"redact\", \"null\", \"hash\", \"tokenise\", { redact = \"text\" } or { keep_last = 4 }";
    match value {
        Value::String(word) => match word.as_str() {
            "redact" => Ok(Method::Redact(REDACTED.to_owned())),
            "null" => Ok(Method::Null),
            "hash" => Ok(Method::Hash),
            "tokenise" => Ok(Method::Tokenise),
            other => Err(format!("unknown method \"{other}\"; {EXPECTED}")),
        },
        Value::Object(members) if members.len() == 1 => {
            if let Some(text) = members.get("redact").and_then(Value::as_str) {
                return Ok(Method::Redact(text.to_owned()));
            }
            let kept = members.get("keep_last").and_then(Value::as_u64).and_then(|kept| usize::try_from(kept).ok());
            kept.map(Method::KeepLast).ok_or_else(|| EXPECTED.to_owned())
        }
        _ => Err(EXPECTED.to_owned()),
    }
}
