//! Lets one row of each key go on: the first as they come, or the last when all were seen.

mod config;
mod keys;
mod last;

use config::{Config, Keep};
use forcepump_plugin_sdk::{
    Batch, Bitmap, Checkpoint, DataType, Derived, Description, Emitted, OpenRequest, Opened, Outcome, OutputField,
    PluginError, Schema, Transform, export_stateful_transform,
};
use forcepump_transform_common::{KeyColumns, Reader, Seal, SpareRoom, open, put_block};
use keys::{Keys, Seen};
use last::Waiting;

/// Rows a batch that suit `keep = "last"`: the host keeps 1,024 batches at most.
const HELD_ROWS: u32 = 32_768;
/// Names the saved state and its form.
const STATE: &str = "forcepump dedupe 1";

/// What one instance keeps.
#[derive(Debug)]
pub struct Dedupe {
    keys: Keys,
    /// the rows of `keep = "last"`
    waiting: Option<Waiting>,
    spare: SpareRoom,
    shape: String,
}

impl Transform for Dedupe {
    fn describe() -> Description {
        Description::new("dedupe", env!("CARGO_PKG_VERSION"), "lets one row of each key go on, the first or the last")
            .config_schema(include_str!("../config.schema.json"))
            .stateful()
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let columns = KeyColumns::settle(&config.keys, &request.input, "/keys")?;
        let opened = match config.keep {
            Keep::First => Opened::new(OutputField::keep_all(&request.input)).reads(columns.numbers()),
            Keep::Last => all_held(&request.input)?,
        };
        let shape = format!("{:?} {:?} {}", config.keep, config.nulls, columns.shape());
        let waiting = (config.keep == Keep::Last).then(Waiting::default);
        let mut dedupe = Dedupe { keys: Keys::new(columns, &config), waiting, spare: SpareRoom::default(), shape };
        if let Some(saved) = &request.saved {
            dedupe.restore(saved)?;
        }
        Ok((dedupe, opened))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        self.spare.give();
        let outcome = match &mut self.waiting {
            Some(waiting) => waiting.take(batch, &mut self.keys).map(|()| Outcome::held_back()),
            None => first_rows(batch, &mut self.keys),
        }?;
        self.spare.set_aside().map_err(|_| self.keys.no_room())?;
        Ok(outcome)
    }

    fn finish(&mut self, max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        self.spare.give();
        self.waiting.as_mut().map_or(Ok(None), |waiting| waiting.give(max_rows))
    }
}

/// Rows that wait are handed out whole, so every column has to be open to the plugin.
fn all_held(input: &Schema) -> Result<Opened, PluginError> {
    let mut output = Vec::with_capacity(input.fields.len());
    for field in &input.fields {
        if let DataType::Opaque(name) = &field.data_type {
            return Err(PluginError::schema(format!(
                "column \"{}\" of type {name} cannot wait for the last row of its key; drop it before, or keep the first",
                field.name
            )));
        }
        output.push(OutputField::computed(field.clone()));
    }
    Ok(Opened::new(output).reads(0..input.fields.len() as u32).preferred_rows(HELD_ROWS))
}

fn first_rows(batch: &Batch<'_>, keys: &mut Keys) -> Result<Outcome, PluginError> {
    let read = keys.columns.read()?;
    let mut first = Bitmap::default();
    for row in 0..batch.rows() {
        first.push(!matches!(keys.see(&read, row)?, Seen::Again(_)));
    }
    Ok(Derived::selected(first.into(), []).into())
}

impl Dedupe {
    fn restore(&mut self, saved: &[u8]) -> Result<(), PluginError> {
        if self.waiting.is_some() {
            return Err(rows_are_not_saved());
        }
        let mut rest = Reader::new(open(STATE, &self.shape, saved)?);
        while let Some(key) = rest.block() {
            self.keys.restore(key)?;
        }
        Ok(())
    }
}

/// The rows that wait are customers' data of the whole run: a checkpoint of 16 MiB could not hold them, and one that
/// left some out would be a lie.
fn rows_are_not_saved() -> PluginError {
    PluginError::fatal(
        "with keep = \"last\" the state is whole rows, which are not saved; with keep = \"first\" it is the keys, which are",
    )
}

impl Checkpoint for Dedupe {
    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        if self.waiting.is_some() {
            return Err(rows_are_not_saved());
        }
        let mut seal = Seal::new(STATE, &self.shape, "a query that is split into several has fewer keys in each");
        let mut block = Vec::new();
        for key in self.keys.table.iter() {
            block.clear();
            put_block(key, &mut block);
            seal.put(&block)?;
        }
        Ok(seal.finish())
    }
}

export_stateful_transform!(Dedupe);

#[cfg(test)]
mod tests;
