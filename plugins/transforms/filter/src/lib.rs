//! Keeps the rows that an expression over their columns holds for.

mod check;
mod evaluate;
mod exact;
mod grammar;
mod lexer;
mod pattern;
mod syntax;

use evaluate::Predicate;
use forcepump_plugin_sdk::{
    Batch, Derived, Description, OpenRequest, Opened, Outcome, OutputField, PluginError, Selection, Transform,
    export_transform,
};

/// What one instance keeps: the expression with its columns and types settled.
#[derive(Debug)]
pub struct Filter {
    predicate: Predicate,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(rename = "where")]
    condition: String,
}

impl Transform for Filter {
    fn describe() -> Description {
        Description::new(
            "filter",
            env!("CARGO_PKG_VERSION"),
            "keeps the rows that an expression over their columns holds for",
        )
        .config_schema(include_str!("../config.schema.json"))
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let predicate = grammar::parse(&config.condition)
            .and_then(|expression| check::settle(&expression, &request.input))
            .map_err(|fault| PluginError::config("/where", fault.describe(&config.condition)))?;
        let opened = Opened::new(OutputField::keep_all(&request.input)).reads(predicate.columns());
        Ok((Filter { predicate }, opened))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let rows = Selection::from(self.predicate.holds(batch)?);
        Ok(Derived::selected(rows, []).into())
    }
}

export_transform!(Filter);

#[cfg(test)]
mod tests;
