//! What the operator writes, settled against the columns that come in.

use forcepump_plugin_sdk::{Field, PluginError, Schema};
use forcepump_transform_common::{KeyColumns, Kind};

use crate::measure::{Function, Measure};

/// Groups when the configuration says nothing.
const DEFAULT_MAX_GROUPS: u32 = 1_000_000;

/// The configuration.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub group_by: Vec<String>,
    pub measures: Vec<MeasureConfig>,
    #[serde(default = "default_max_groups")]
    pub max_groups: u32,
}

fn default_max_groups() -> u32 {
    DEFAULT_MAX_GROUPS
}

/// One output column.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureConfig {
    pub name: String,
    pub function: Function,
    pub column: Option<String>,
}

impl Config {
    /// The columns of a group.
    pub fn groups(&self, input: &Schema) -> Result<KeyColumns, PluginError> {
        KeyColumns::settle(&self.group_by, input, "/group_by")
    }

    /// The measures, in their order.
    pub fn measures(&self, groups: &KeyColumns, input: &Schema) -> Result<Vec<Measure>, PluginError> {
        let mut names: Vec<&str> = groups.fields().map(|field| field.name.as_str()).collect();
        let mut measures = Vec::with_capacity(self.measures.len());
        for (index, config) in self.measures.iter().enumerate() {
            let at = format!("/measures/{index}");
            if names.iter().any(|known| known.eq_ignore_ascii_case(&config.name)) {
                let text = format!("two output columns are named \"{}\"; give this one another name", config.name);
                return Err(PluginError::config(format!("{at}/name"), text));
            }
            names.push(&config.name);
            measures.push(settle(config, input, &at)?);
        }
        Ok(measures)
    }
}

fn settle(config: &MeasureConfig, input: &Schema, at: &str) -> Result<Measure, PluginError> {
    let Some(column) = &config.column else {
        return match config.function {
            Function::Count => Ok(Measure::rows(&config.name)),
            function => {
                let text = format!("{} needs a column, for example column = \"Amount\"", function.word());
                Err(PluginError::config(at, text))
            }
        };
    };
    let at = format!("{at}/column");
    let number = input.require(&at, column)?;
    let field: &Field = input.field(number)?;
    let kind = Kind::of(&field.data_type).filter(|kind| *kind != Kind::Null);
    let measure = kind.and_then(|kind| Measure::of(&config.name, config.function, number, field, kind));
    measure.ok_or_else(|| {
        let (word, found) = (config.function.word(), field.data_type.describe());
        let takes = if config.function == Function::Sum { "; it takes numbers" } else { "" };
        PluginError::config(at, format!("{word} cannot take column \"{column}\", which is {found}{takes}"))
    })
}
