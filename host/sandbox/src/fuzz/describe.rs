//! `describe`: what a guest says of itself, its JSON Schema, and a configuration held against it.

use serde_json::{Value, json};

use crate::bindings::exports::forcepump::plugin::metadata as wit;
use crate::config::ConfigSchema;
use crate::description::Description;
use crate::fuzz::Choices;
use crate::text::has_control;

/// Depth of a generated schema or configuration.
const MAX_DEPTH: usize = 4;
/// Most problems that one check tells.
const MAX_PROBLEMS: usize = 50;

/// Takes a description. What is accepted can be printed, its schema compiles, and the check of any configuration
/// against it ends with few problems that can be printed too.
pub fn describe_json(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let said = description(&mut choices);
    let Ok(taken) = Description::from_guest(said) else { return false };
    let texts = [&taken.name, &taken.version, &taken.summary];
    assert!(texts.iter().all(|text| !has_control(text)), "{texts:?}");
    let Ok(schema) = ConfigSchema::compile(&taken.config_schema) else { return false };
    for _ in 0..2 {
        if let Err(problems) = schema.check(&value(&mut choices, 0)) {
            assert!((1..=MAX_PROBLEMS).contains(&problems.len()));
            assert!(problems.iter().all(|problem| !has_control(&problem.message) && problem.message.len() <= 512));
        }
    }
    true
}

fn description(choices: &mut Choices<'_>) -> wit::Description {
    let names = ["plugin", "p", "ünïcode", "steer\u{1b}[2J", ""];
    let name = |choices: &mut Choices<'_>, fine: usize| {
        let end = if choices.once_in(8) { names.len() } else { fine };
        names[choices.below(end)].to_owned()
    };
    let kinds = [wit::MetricKind::Counter, wit::MetricKind::Gauge, wit::MetricKind::Histogram];
    wit::Description {
        name: name(choices, 3),
        version: name(choices, 3),
        summary: name(choices, 5),
        config_schema: schema_text(choices),
        deterministic: true,
        stateful: false,
        metrics: (0..choices.below(3))
            .map(|number| wit::Metric {
                name: format!("{}{number}", name(choices, 2)),
                kind: kinds[choices.below(3)],
                unit: name(choices, 5),
                help: name(choices, 5),
            })
            .collect(),
        needs: (0..choices.below(3))
            .map(|_| wit::Need {
                capability: choices.pick(&["http", "sql", "files", "clock", "random"]).unwrap_or_default().to_owned(),
                name: name(choices, 3),
                why: name(choices, 5),
                required: choices.below(2) == 0,
            })
            .collect(),
    }
}

fn schema_text(choices: &mut Choices<'_>) -> String {
    let mut schema = schema(choices, 0);
    if let Value::Object(members) = &mut schema
        && choices.below(3) == 0
    {
        members.insert("$defs".into(), json!({ "x": self::schema(choices, 2), "y": self::schema(choices, 2) }));
    }
    let mut text = schema.to_string().into_bytes();
    if choices.once_in(6) {
        let place = choices.below(text.len());
        match choices.below(3) {
            0 => text.truncate(place),
            1 => text[place] = b'"',
            _ => text.insert(place, b'['),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn schema(choices: &mut Choices<'_>, depth: usize) -> Value {
    let deeper = depth < MAX_DEPTH;
    match choices.below(if deeper { 14 } else { 7 }) {
        0 => json!({ "type": "string", "minLength": choices.below(3), "description": "a text" }),
        1 => json!({ "type": "integer", "minimum": 0, "maximum": choices.below(100) }),
        2 => json!({ "type": ["boolean", "null"] }),
        3 => json!({ "enum": ["a", 1, null] }),
        4 => json!({ "type": "string", "pattern": choices.pick(&["^a+$", "[a-z]{1,3}", "(?=a)", "("]) }),
        5 => json!({ "$ref": choices.pick(&["#/$defs/x", "#/$defs/y", "#", "https://example.com/s"]) }),
        6 => json!({ "type": choices.pick(&["number", "nonsense"]), "format": "date" }),
        7..=9 => object(choices, depth),
        10 => json!({ "type": "array", "items": schema(choices, depth + 1), "uniqueItems": true }),
        11 => json!({ "anyOf": [schema(choices, depth + 1), schema(choices, depth + 1)] }),
        12 => json!({ "not": schema(choices, depth + 1), "if": true, "then": schema(choices, depth + 1) }),
        _ => value(choices, depth),
    }
}

fn object(choices: &mut Choices<'_>, depth: usize) -> Value {
    json!({
        "type": "object",
        "properties": { "a": schema(choices, depth + 1), "b": schema(choices, depth + 1) },
        "required": if choices.below(2) == 0 { json!(["a"]) } else { json!([]) },
        "additionalProperties": choices.below(2) == 0,
        "patternProperties": if choices.once_in(4) { json!({ "^x": schema(choices, depth + 1) }) } else { json!({}) },
    })
}

fn value(choices: &mut Choices<'_>, depth: usize) -> Value {
    match choices.below(if depth < MAX_DEPTH { 8 } else { 6 }) {
        0 => json!("a"),
        1 => json!(choices.below(200)),
        2 => json!(true),
        3 => Value::Null,
        4 => json!(-1.5e300),
        5 => json!("a longer text \u{1b}[2J \u{202e}"),
        6 => json!({ "a": value(choices, depth + 1), "b": value(choices, depth + 1), "xtra": 1 }),
        _ => json!([value(choices, depth + 1), value(choices, depth + 1)]),
    }
}
