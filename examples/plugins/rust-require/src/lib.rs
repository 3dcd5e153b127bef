//! Refuses rows that lack a value: they go to the rejects file, and the run ends with exit code 3.

use forcepump_plugin_sdk::{
    Batch, Bitmap, Derived, Description, OpenRequest, Opened, Outcome, OutputField, PluginError, Reject, Transform,
    export_transform,
};

/// JSON Schema of [`Config`]; the host checks the pipeline's text against it.
const CONFIG_SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["columns"],
  "properties": {
    "columns": {
      "description": "columns that must have a value in every row",
      "type": "array", "minItems": 1, "items": { "type": "string" }
    }
  }
}"#;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    columns: Vec<String>,
}

/// What one instance keeps between batches: the numbers of the columns, in the order of the configuration.
#[derive(Debug)]
pub struct Require {
    columns: Vec<u32>,
}

impl Transform for Require {
    fn describe() -> Description {
        Description::new("require", env!("CARGO_PKG_VERSION"), "refuses rows that lack a value")
            .config_schema(CONFIG_SCHEMA)
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let number = |(index, name): (usize, &String)| request.input.require(&format!("/columns/{index}"), name);
        let columns = config.columns.iter().enumerate().map(number).collect::<Result<Vec<u32>, _>>()?;
        let opened = Opened::new(OutputField::keep_all(&request.input)).reads(columns.iter().copied());
        Ok((Require { columns }, opened))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let mut whole = Bitmap::filled(batch.rows(), true);
        let mut rejects = Vec::new();
        for &column in &self.columns {
            // Asking for the count moves no data; most columns of most batches end here.
            if batch.null_count(column)? == 0 {
                continue;
            }
            let name = &batch.field(column)?.name;
            for (row, value) in batch.as_text(column)?.iter().enumerate() {
                // A row is refused once, for the first column that it lacks.
                if value.is_none() && whole.get(row) {
                    whole.set(row, false);
                    rejects.push(Reject::new(row as u32, "required", format!("{name} has no value")).at(column));
                }
            }
        }
        Ok(Derived::selected(whole.into(), []).rejects(rejects).into())
    }
}

export_transform!(Require);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{Table, TransformRun};

    #[test]
    fn a_row_without_a_value_is_refused_once_and_the_others_go_on() -> Result<(), PluginError> {
        let rows = Table::new().text("Name", ["a", "b", "c"]).int32("Size", [Some(1), None, None]).text(
            "City",
            [Some("x"), None, Some("z")],
        );
        let config = serde_json::json!({"columns": ["City", "Size"]});
        let out = TransformRun::<Require>::open(&config, &rows.schema)?.process(&rows)?;
        assert_eq!(out.table.texts("Name"), [Some("a".to_owned())]);
        let refused: Vec<(u32, &str)> = out.rejects.iter().map(|reject| (reject.row, reject.reason.as_str())).collect();
        assert_eq!(refused, [(1, "City has no value"), (2, "Size has no value")]);
        Ok(())
    }
}
