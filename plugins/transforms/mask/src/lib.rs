//! Makes values unreadable, column by column, before they reach a destination.

mod config;
mod rule;

use config::Config;
use forcepump_plugin_sdk::{
    Batch, Column, DataType, Derived, Description, Field, OpenRequest, Opened, Outcome, OutputField, PluginError,
    Schema, Transform, Value, export_transform,
};
use rule::{Method, Rule};

/// What one instance keeps: the columns to compute, in the order of the output.
#[derive(Debug)]
pub struct Mask {
    computed: Vec<(u32, Rule)>,
}

impl Transform for Mask {
    fn describe() -> Description {
        Description::new("mask", env!("CARGO_PKG_VERSION"), "redacts, hashes, tokenises or cuts values, by column")
            .config_schema(include_str!("../config.schema.json"))
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let methods = config.methods(&request.input)?;
        let mut output = OutputField::keep_all(&request.input);
        let mut computed = Vec::new();
        for (column, method) in methods {
            output[column as usize] = masked_field(&request.input, column, &method)?;
            if let Some(rule) = Rule::of(&method, config.salt()) {
                computed.push((column, rule));
            }
        }
        let reads: Vec<u32> = computed.iter().map(|(column, _)| *column).collect();
        Ok((Mask { computed }, Opened::new(output).reads(reads)))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let columns = self.computed.iter().map(|(column, rule)| mask(batch, *column, rule));
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        Ok(Derived::all(columns).into())
    }
}

fn mask(batch: &Batch<'_>, column: u32, rule: &Rule) -> Result<Column, PluginError> {
    if rule.needs_values() {
        return rule.apply(&batch.as_text(column)?);
    }
    // Only where the nulls are matters, and most often there are none.
    match batch.null_count(column)? {
        0 => rule.fill(batch.rows()),
        _ => rule.apply(&batch.as_text(column)?),
    }
}

/// What a masked column looks like from outside: text, or all null in its own type.
fn masked_field(input: &Schema, column: u32, method: &Method) -> Result<OutputField, PluginError> {
    let mut field: Field = input.field(column)?.clone();
    // Length and kind as Salesforce knows them no longer hold.
    field.metadata.clear();
    if *method == Method::Null {
        field.nullable = true;
        return Ok(OutputField::constant(field, Value::Null));
    }
    field.data_type = DataType::Utf8;
    Ok(OutputField::computed(field))
}

export_transform!(Mask);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{Table, TransformRun};
    use serde_json::json;

    fn table() -> Table {
        Table::new()
            .text("Id", ["1", "2", "3"])
            .text("Phone", [Some("+49 30 1234"), None, Some("ü1")])
            .text("Email", [Some("a@x.org"), Some("b@x.org"), Some("a@x.org")])
            .decimal("Amount", (18, 2), [Some("12.50"), None, Some("12.50")])
    }

    fn masked(config: serde_json::Value) -> Result<Table, PluginError> {
        let mut run = TransformRun::<Mask>::open(&config, &table().schema)?;
        Ok(run.process(&table())?.table)
    }

    fn texts(table: &Table, name: &str) -> Vec<String> {
        table.texts(name).into_iter().map(|cell| cell.unwrap_or_else(|| "∅".to_owned())).collect()
    }

    #[test]
    fn keep_last_counts_characters_and_leaves_nulls() -> Result<(), PluginError> {
        let out = masked(json!({"columns": {"Phone": {"keep_last": 4}}}))?;
        assert_eq!(texts(&out, "Phone"), ["*******1234", "∅", "**"]);
        let out = masked(json!({"columns": {"Phone": {"keep_last": 1}}}))?;
        assert_eq!(texts(&out, "Phone"), ["**********4", "∅", "*1"]);
        Ok(())
    }

    #[test]
    fn redacted_values_are_alike_and_nulls_stay_null() -> Result<(), PluginError> {
        let out = masked(json!({"columns": {"Phone": "redact", "Email": {"redact": "[gone]"}}}))?;
        assert_eq!(texts(&out, "Phone"), ["***", "∅", "***"]);
        assert_eq!(texts(&out, "Email"), ["[gone]", "[gone]", "[gone]"]);
        Ok(())
    }

    #[test]
    fn null_keeps_the_type_and_reads_nothing() -> Result<(), PluginError> {
        let run = TransformRun::<Mask>::open(&json!({"columns": {"Amount": "null"}}), &table().schema)?;
        assert!(run.opened.reads.is_empty());
        assert_eq!(run.opened.output[3].field.data_type, DataType::decimal(18, 2));
        assert_eq!(texts(&masked(json!({"columns": {"Amount": "null"}}))?, "Amount"), ["∅", "∅", "∅"]);
        Ok(())
    }

    #[test]
    fn pseudonyms_are_the_same_for_the_same_value_and_salt_only() -> Result<(), PluginError> {
        let config = |salt: &str| json!({"columns": {"Email": "tokenise"}, "salt": salt});
        let (one, again, other) =
            (masked(config("salt-one"))?, masked(config("salt-one"))?, masked(config("salt-two"))?);
        let tokens = texts(&one, "Email");
        assert_eq!(tokens[0], tokens[2]);
        assert_ne!(tokens[0], tokens[1]);
        assert_eq!(tokens, texts(&again, "Email"));
        assert_ne!(tokens, texts(&other, "Email"));
        assert!(tokens[0].starts_with("tok_") && tokens[0].len() == 20, "{}", tokens[0]);
        Ok(())
    }

    #[test]
    fn a_hash_is_64_hex_digits_and_other_types_hash_their_text() -> Result<(), PluginError> {
        let out = masked(json!({"columns": {"Amount": "hash", "Email": "hash"}, "salt": "pepper-and-salt"}))?;
        let hashes = texts(&out, "Amount");
        assert_eq!(hashes[1], "∅");
        assert_eq!(hashes[0], hashes[2]);
        assert!(hashes[0].len() == 64 && hashes[0].bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(())
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let problem = |config| match masked(config) {
            Err(PluginError::Config(problems)) => (problems[0].pointer.clone(), problems[0].message.clone()),
            other => panic!("expected a config error, got {other:?}"),
        };
        assert_eq!(problem(json!({"columns": {"Emial": "hash"}, "salt": "12345678"})).0, "/columns/Emial");
        let (pointer, message) = problem(json!({"columns": {"Email": "hash"}}));
        assert_eq!(pointer, "/salt");
        assert!(message.contains("salt"), "{message}");
        assert_eq!(problem(json!({"columns": {"Email": "scramble"}})).0, "/columns/Email");
        assert_eq!(problem(json!({"columns": {"Email": {"keep_last": -1}}})).0, "/columns/Email");
        assert_eq!(problem(json!({"columns": {"Email": "null", "email": "null"}})).0, "/columns/email");
    }
}
