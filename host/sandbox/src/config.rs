//! The plugin's configuration against the plugin's own JSON Schema, by the host.
//!
//! The schema comes from an untrusted guest, so it is bounded before it is compiled: only local
//! references, none that lead in a circle, and no more work than [`MAX_SCHEMA_COST`].

use std::collections::HashMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::error::ConfigProblem;
use crate::text::clean;

/// Subschemas that one validation may visit, references followed.
const MAX_SCHEMA_COST: u64 = 100_000;
/// Steps that one pattern counts for: a compiled one may take [`MAX_PATTERN_BYTES`] of memory.
const PATTERN_COST: u64 = 1_000;
/// Depth of nested subschemas and references.
const MAX_SCHEMA_DEPTH: usize = 200;
/// Size of one compiled pattern.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Problems that one check reports.
const MAX_PROBLEMS: usize = 50;
/// Bytes of one problem's message.
const MAX_MESSAGE_BYTES: usize = 512;

/// A compiled configuration schema.
pub(crate) struct ConfigSchema {
    validator: Validator,
    schema: Value,
}

impl ConfigSchema {
    /// Compiles the schema of a description; the error is the broken rule.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("config-schema is no JSON: {error}"))?;
        if !schema.is_object() {
            return Err("config-schema must be a JSON object".into());
        }
        Guard::new(&schema).check()?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .build(&schema)
            .map_err(|error| format!("config-schema is no JSON Schema: {}", one_line(&error)))?;
        Ok(ConfigSchema { validator, schema })
    }

    /// All that is wrong with a configuration, without its values.
    pub(crate) fn check(&self, config: &Value) -> Result<(), Vec<ConfigProblem>> {
        let errors = self.validator.iter_errors(config).take(MAX_PROBLEMS);
        let problems: Vec<ConfigProblem> = errors
            .map(|error| ConfigProblem {
                pointer: error.instance_path().to_string(),
                message: clean(&self.explain(&error), MAX_MESSAGE_BYTES),
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// The broken rule, and what the plugin's author wrote of the place: "oneOf" alone helps nobody.
    fn explain(&self, error: &jsonschema::ValidationError<'_>) -> String {
        let path = error.schema_path().to_string();
        let place = path.rsplit_once('/').map_or("", |(place, _)| place);
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            return self.unknown_keys(unexpected, place);
        }
        let rule = error.masked().to_string();
        let described = self.schema.pointer(place).and_then(|schema| schema.get("description")?.as_str());
        match described {
            Some(text) => format!("{rule}; expected: {text}"),
            None => rule,
        }
    }

    /// The keys that are not known, and those that are.
    fn unknown_keys(&self, unexpected: &[String], place: &str) -> String {
        let known = self.schema.pointer(place).and_then(|schema| schema.get("properties")?.as_object());
        let known: Vec<&str> = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("unknown key `{}`; known keys here: {known}", unexpected.join("`, `"))
    }
}

fn one_line(error: &jsonschema::ValidationError<'_>) -> String {
    clean(&error.to_string(), MAX_MESSAGE_BYTES)
}

/// Counts what a validation could cost at most, and finds references that go in a circle.
struct Guard<'a> {
    root: &'a Value,
    costs: HashMap<*const Value, Cost>,
}

#[derive(Clone, Copy)]
enum Cost {
    BeingCounted,
    Known(u64),
}

/// Keywords that change what a reference means; a configuration needs none of them.
const REFUSED_KEYWORDS: [&str; 6] = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary"];

impl<'a> Guard<'a> {
    fn new(root: &'a Value) -> Self {
        Guard { root, costs: HashMap::new() }
    }

    fn check(mut self) -> Result<(), String> {
        let cost = self.cost(self.root, 0)?;
        if cost > MAX_SCHEMA_COST {
            return Err(format!("config-schema is too complex: more than {MAX_SCHEMA_COST} steps"));
        }
        Ok(())
    }

    fn cost(&mut self, schema: &'a Value, depth: usize) -> Result<u64, String> {
        if depth > MAX_SCHEMA_DEPTH {
            return Err(format!("config-schema is nested deeper than {MAX_SCHEMA_DEPTH}"));
        }
        match self.costs.get(&std::ptr::from_ref(schema)) {
            Some(Cost::Known(cost)) => return Ok(*cost),
            Some(Cost::BeingCounted) => {
                return Err("config-schema refers to itself in a circle".into());
            }
            None => {}
        }
        self.costs.insert(std::ptr::from_ref(schema), Cost::BeingCounted);
        let cost = self.children_cost(schema, depth)?;
        self.costs.insert(std::ptr::from_ref(schema), Cost::Known(cost));
        Ok(cost)
    }

    fn children_cost(&mut self, schema: &'a Value, depth: usize) -> Result<u64, String> {
        let mut total = 1u64;
        match schema {
            Value::Array(items) => {
                for item in items {
                    total = total.saturating_add(self.cost(item, depth + 1)?);
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    total = total.saturating_add(self.member_cost(key, value, depth)?);
                }
            }
            _ => {}
        }
        Ok(total)
    }

    fn member_cost(&mut self, key: &str, value: &'a Value, depth: usize) -> Result<u64, String> {
        if REFUSED_KEYWORDS.contains(&key) && value.is_string() {
            return Err(format!("config-schema uses `{key}`, which is not taken here"));
        }
        match (key, value) {
            ("$ref", Value::String(target)) => {
                let target = self.resolve(target)?;
                self.cost(target, depth + 1)
            }
            ("pattern", Value::String(_)) => Ok(PATTERN_COST),
            ("patternProperties", Value::Object(members)) => {
                let patterns = PATTERN_COST.saturating_mul(members.len() as u64);
                self.cost(value, depth + 1).map(|cost| cost.saturating_add(patterns))
            }
            // Definitions cost where they are referred to.
            ("$defs" | "definitions", Value::Object(_)) => self.cost(value, depth + 1).map(|_| 1),
            _ => self.cost(value, depth + 1),
        }
    }

    fn resolve(&self, target: &str) -> Result<&'a Value, String> {
        let pointer = target.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let found = pointer.and_then(|pointer| self.root.pointer(pointer));
        found.ok_or_else(|| format!("config-schema refers to `{}`; only `#/$defs/NAME` is taken", clean(target, 200)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(schema: &Value) -> String {
        ConfigSchema::compile(&schema.to_string()).err().expect("a refusal")
    }

    #[test]
    fn a_wrong_value_is_told_by_its_place_and_not_shown() {
        let schema = json!({
            "type": "object",
            "properties": { "salt": { "type": "integer" } },
            "additionalProperties": false,
        });
        let schema = ConfigSchema::compile(&schema.to_string()).expect("compiles");
        assert_eq!(schema.check(&json!({ "salt": 1 })), Ok(()));
        let problems = schema.check(&json!({ "salt": "hush" })).expect_err("wrong type");
        assert_eq!(problems[0].pointer, "/salt");
        assert!(!problems[0].message.contains("hush"), "{}", problems[0].message);
        let problems = schema.check(&json!({ "slat": 1 })).expect_err("an unknown key");
        assert_eq!(problems[0].message, "unknown key `slat`; known keys here: salt");
    }

    #[test]
    fn a_choice_that_fails_is_explained_in_the_authors_words() {
        let choice = json!({ "description": "red or a number", "oneOf": [{ "const": "red" }, { "type": "integer" }] });
        let schema = json!({ "type": "object", "additionalProperties": choice });
        let schema = ConfigSchema::compile(&schema.to_string()).expect("compiles");
        let problems = schema.check(&json!({ "x": "blue" })).expect_err("no such choice");
        assert!(problems[0].message.ends_with("expected: red or a number"), "{}", problems[0].message);
    }

    #[test]
    fn circles_and_remote_references_are_refused() {
        assert!(refusal(&json!({ "$ref": "#" })).contains("circle"));
        let circle = json!({
            "$ref": "#/$defs/a",
            "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "$ref": "#/$defs/a" } },
        });
        assert!(refusal(&circle).contains("circle"));
        assert!(refusal(&json!({ "$ref": "https://example.com/x" })).contains("only `#/$defs/NAME`"));
        assert!(refusal(&json!({ "$dynamicRef": "#a" })).contains("$dynamicRef"));
    }

    #[test]
    fn a_schema_that_doubles_at_each_step_is_refused() {
        let mut defs = serde_json::Map::new();
        for step in 0..60 {
            let next = json!({ "$ref": format!("#/$defs/s{}", step + 1) });
            defs.insert(format!("s{step}"), json!({ "anyOf": [next, next] }));
        }
        defs.insert("s60".into(), json!({ "type": "integer" }));
        let schema = json!({ "$ref": "#/$defs/s0", "$defs": defs });
        assert!(refusal(&schema).contains("too complex"));
    }

    #[test]
    fn text_that_is_no_schema_is_refused() {
        assert!(ConfigSchema::compile("{").err().expect("no JSON").contains("no JSON"));
        assert!(refusal(&json!({ "type": 7 })).contains("no JSON Schema"));
        assert!(refusal(&json!({ "pattern": "(" , "type": "string"})).contains("no JSON Schema"));
    }
}
