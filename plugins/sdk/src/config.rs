//! From the configuration's JSON to the author's own struct.

use crate::{OpenRequest, PluginError};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

/// Reads `json` into `T`.
///
/// # Errors
/// [`PluginError::Config`] with the JSON pointer (RFC 6901) of the place at fault.
pub fn parse_config<T: DeserializeOwned>(json: &str) -> Result<T, PluginError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|fault| PluginError::config(pointer(fault.path()), without_position(&fault.inner().to_string())))
}

impl OpenRequest {
    /// The configuration as the author's own struct.
    ///
    /// # Errors
    /// [`PluginError::Config`] with the JSON pointer of the place at fault.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, PluginError> {
        parse_config(&self.config)
    }
}

fn pointer(path: &Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", escape(key))),
            // An enum's variant is no step in the JSON text, and an unknown place ends the way.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// `~` and `/` within one step of a JSON pointer.
fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The configuration was TOML before it was JSON, so lines and columns would mislead.
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(rename = "columns")]
        _columns: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "a/b")]
        _width: u8,
    }

    fn problem(json: &str) -> (String, String) {
        match parse_config::<Config>(json) {
            Err(PluginError::Config(problems)) => (problems[0].pointer.clone(), problems[0].message.clone()),
            other => panic!("expected a config error, got {other:?}"),
        }
    }

    #[test]
    fn the_pointer_leads_to_the_fault() {
        assert_eq!(problem(r#"{"columns": [{"a/b": 1}, {"a/b": "x"}]}"#).0, "/columns/1/a~1b");
        assert_eq!(problem(r#"{"columns": 7}"#).0, "/columns");
    }

    #[test]
    fn the_message_has_no_place_in_a_text_that_the_user_never_saw() {
        let (_, message) = problem(r#"{"columns": 7}"#);
        assert_eq!(message, "invalid type: integer `7`, expected a sequence");
    }
}
