//! Adds a column with the initials of a name: "Ada Lovelace" gives "A. L.".

use forcepump_plugin_sdk::{
    Batch, DataType, Derived, Description, Field, OpenRequest, Opened, Outcome, OutputField, PluginError, Transform,
    Utf8Builder, export_transform,
};

/// JSON Schema of [`Config`]; the host checks the pipeline's text against it.
const CONFIG_SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["of"],
  "properties": {
    "of": { "type": "string", "description": "the column with the names" },
    "as": { "type": "string", "description": "the new column", "default": "initials" }
  }
}"#;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    of: String,
    #[serde(rename = "as", default = "default_name")]
    name: String,
}

fn default_name() -> String {
    "initials".to_owned()
}

/// What one instance keeps between batches: the number of the column that it reads.
#[derive(Debug)]
pub struct Initials {
    of: u32,
}

impl Transform for Initials {
    fn describe() -> Description {
        Description::new("initials", env!("CARGO_PKG_VERSION"), "adds a column with the initials of a name")
            .config_schema(CONFIG_SCHEMA)
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let of = request.input.require("/of", &config.of)?;
        if request.input.field(of)?.data_type != DataType::Utf8 {
            return Err(PluginError::config("/of", format!("column \"{}\" is no text", config.of)));
        }
        let mut output = OutputField::keep_all(&request.input);
        output.push(OutputField::computed(Field::new(config.name, DataType::Utf8, true)));
        Ok((Initials { of }, Opened::new(output).reads([of])))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let names = batch.utf8(self.of)?;
        let mut initials = Utf8Builder::with_capacity(names.len(), names.len() * 6);
        for name in names.iter() {
            match name {
                Some(name) => initials.push_with(|out| append_initials(name, out)),
                None => initials.push(None),
            }
        }
        Ok(Derived::all([initials.finish()?]).into())
    }
}

fn append_initials(name: &str, out: &mut String) {
    for (index, word) in name.split_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.extend(word.chars().take(1).flat_map(char::to_uppercase));
        out.push('.');
    }
}

export_transform!(Initials);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{Table, TransformRun};

    #[test]
    fn initials_stand_beside_the_names() -> Result<(), PluginError> {
        let people = Table::new().text("Name", [Some("Ada Lovelace"), None, Some("émile  zola")]);
        let mut run = TransformRun::<Initials>::open(&serde_json::json!({"of": "Name"}), &people.schema)?;
        let out = run.process(&people)?.table;
        assert_eq!(out.names(), ["Name", "initials"]);
        assert_eq!(out.texts("initials"), [Some("A. L.".to_owned()), None, Some("É. Z.".to_owned())]);
        Ok(())
    }

    #[test]
    fn an_unknown_column_is_named_with_its_place() {
        let people = Table::new().text("Name", ["x"]);
        let result = TransformRun::<Initials>::open(&serde_json::json!({"of": "Nmae"}), &people.schema);
        assert!(matches!(result, Err(PluginError::Config(problems)) if problems[0].pointer == "/of"));
    }
}
