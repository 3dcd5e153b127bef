//! From the configuration and the input's columns to the output's.

use crate::config::{Config, Item};
use crate::constant::typed;
use forcepump_plugin_sdk::{Field, OutputField, PluginError, Schema};
use std::collections::{BTreeMap, BTreeSet};

/// The output columns.
pub(crate) fn settle(config: &Config, input: &Schema) -> Result<Vec<OutputField>, PluginError> {
    let mut layout = Layout {
        input,
        renamed: renamed(config, input)?,
        spoken_for: spoken_for(config, input)?,
        output: Vec::new(),
        names: BTreeSet::new(),
    };
    for (index, item) in config.columns.iter().enumerate() {
        layout.add(&format!("/columns/{index}"), item)?;
    }
    layout.check_renames(config)?;
    Ok(layout.output)
}

struct Layout<'a> {
    input: &'a Schema,
    /// new names by input column
    renamed: BTreeMap<u32, &'a str>,
    /// input columns that no wildcard stands for
    spoken_for: BTreeSet<u32>,
    output: Vec<OutputField>,
    /// output names in lower case: databases and Salesforce do not tell case apart
    names: BTreeSet<String>,
}

fn renamed<'a>(config: &'a Config, input: &Schema) -> Result<BTreeMap<u32, &'a str>, PluginError> {
    let entries = config.rename.iter();
    entries.map(|(from, to)| Ok((input.require(&rename_pointer(from), from)?, to.as_str()))).collect()
}

fn rename_pointer(name: &str) -> String {
    format!("/rename/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn spoken_for(config: &Config, input: &Schema) -> Result<BTreeSet<u32>, PluginError> {
    let mut columns = BTreeSet::new();
    for (index, name) in config.drop.iter().enumerate() {
        columns.insert(input.require(&format!("/drop/{index}"), name)?);
    }
    for (index, item) in config.columns.iter().enumerate() {
        if let Item::Plain(name) | Item::Renamed { from: name, .. } = item {
            columns.insert(input.require(&format!("/columns/{index}"), name)?);
        }
    }
    Ok(columns)
}

impl Layout<'_> {
    fn add(&mut self, pointer: &str, item: &Item) -> Result<(), PluginError> {
        match item {
            Item::Plain(name) => {
                let column = self.input.require(pointer, name)?;
                self.keep(pointer, column, None)
            }
            Item::Renamed { from, to } => {
                let column = self.input.require(pointer, from)?;
                self.keep(pointer, column, Some(to))
            }
            Item::Wildcard(prefix) => self.keep_rest(pointer, prefix),
            Item::Constant { name, value, kind } => {
                let (data_type, value) = typed(value, kind.as_deref())
                    .map_err(|message| PluginError::config(format!("{pointer}/value"), message))?;
                let nullable = value == forcepump_plugin_sdk::Value::Null;
                self.push(pointer, OutputField::constant(Field::new(name.clone(), data_type, nullable), value))
            }
        }
    }

    fn keep_rest(&mut self, pointer: &str, prefix: &str) -> Result<(), PluginError> {
        for (column, field) in (0..).zip(&self.input.fields) {
            let starts = field.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
            if starts && self.spoken_for.insert(column) {
                self.keep(pointer, column, None)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, pointer: &str, column: u32, name: Option<&str>) -> Result<(), PluginError> {
        let mut field = self.input.field(column)?.clone();
        if let Some(name) = name.or(self.renamed.get(&column).copied()) {
            field.name = name.to_owned();
        }
        self.push(pointer, OutputField::keep(column, field))
    }

    fn push(&mut self, pointer: &str, output: OutputField) -> Result<(), PluginError> {
        let name = &output.field.name;
        if !self.names.insert(name.to_lowercase()) {
            let message = format!("two columns are named \"{name}\"; give one of them another name with \"as\"");
            return Err(PluginError::config(pointer, message));
        }
        self.output.push(output);
        Ok(())
    }

    /// A new name that reaches no output column is a mistake, not a wish.
    fn check_renames(&self, config: &Config) -> Result<(), PluginError> {
        for (from, to) in &config.rename {
            if !self.output.iter().any(|output| output.field.name == *to) {
                let message = format!("\"{from}\" is not among the output columns; add it to \"columns\"");
                return Err(PluginError::config(rename_pointer(from), message));
            }
        }
        Ok(())
    }
}
