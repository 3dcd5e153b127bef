//! What the border costs: a transform that does nothing, or the usual work on two of many columns.

pub mod kernel;

use forcepump_plugin_sdk::{
    Batch, DataType, Derived, Description, OpenRequest, Opened, Outcome, OutputField, PluginError, Selection,
    Transform, export_transform,
};

/// What the instance was told to do.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum Bench {
    /// Every row goes on, no byte crosses.
    Nothing,
    /// Upper-cases a text, scales a float, compares it and filters all columns by it.
    TwoColumns {
        /// Number of the text column.
        text: u32,
        /// Number of the float64 column, without nulls.
        number: u32,
    },
}

const CONFIG_SCHEMA: &str = r#"{
    "type": "object",
    "required": ["mode"],
    "additionalProperties": false,
    "properties": {
        "mode": { "enum": ["nothing", "two-columns"] },
        "text": { "type": "integer", "minimum": 0 },
        "number": { "type": "integer", "minimum": 0 }
    }
}"#;

impl Transform for Bench {
    fn describe() -> Description {
        Description::new("bench", env!("CARGO_PKG_VERSION"), "measures the border").config_schema(CONFIG_SCHEMA)
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let bench: Bench = request.config()?;
        let mut output = OutputField::keep_all(&request.input);
        let Bench::TwoColumns { text, number } = bench else {
            return Ok((bench, Opened::new(output)));
        };
        for column in [text, number] {
            let field = request.input.field(column)?.clone();
            output[column as usize] = OutputField::computed(field);
        }
        Ok((bench, Opened::new(output).reads([text, number])))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        match *self {
            Bench::Nothing => Ok(Derived::all([]).into()),
            Bench::TwoColumns { text, number } => two_columns(batch, text, number),
        }
    }
}

fn two_columns(batch: &Batch<'_>, text: u32, number: u32) -> Result<Outcome, PluginError> {
    let mut texts = batch.utf8(text)?;
    kernel::upper(texts.values_mut());
    let upper = texts.write()?;
    let numbers = batch.float64(number)?;
    let rows = Selection::Mask(kernel::keep(numbers.values()));
    let scaled = numbers.map_to(&DataType::Float64, kernel::scale)?;
    let columns = match text < number {
        true => [upper, scaled],
        false => [scaled, upper],
    };
    let columns = columns.iter().map(|column| batch.select(*column, &rows));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(Derived { rows, columns, rejects: Vec::new() }.into())
}

export_transform!(Bench);
