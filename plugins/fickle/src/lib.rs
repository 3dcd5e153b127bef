//! A guest that means well and breaks on certain rows; for tests of the pipeline, never shipped.
//!
//! The configuration names the column to read and, value by value, how to break on it. As a transform it keeps every
//! column and adds `made`: how many rows this state has seen, or what the host answered to a [`Config::probe`]. As a
//! destination it writes CSV files below the root `out`, a file a unit.
//!
//! `describe` has no configuration: a test writes [`STATEFUL`] over [`STATELESS`] in the component.

mod breaking;
#[cfg(feature = "http")]
mod fetch;
mod probe;
mod sink;

use std::collections::BTreeMap;

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::{clock, logging, random};
use forcepump_plugin_sdk::{
    Batch, Checkpoint, DataType, Derived, Description, Emitted, Field, OpenRequest, Opened, Outcome, OutputField,
    PluginError, Transform, Utf8Builder,
};

pub use sink::Unit;

/// What the component says of itself.
pub const STATELESS: &str = "fickle-shape:stateless";
/// What a test writes over it.
pub const STATEFUL: &str = "fickle-shape:stateful.";

static MARK: [u8; STATELESS.len()] = {
    let mut mark = [0; STATELESS.len()];
    mark.copy_from_slice(STATELESS.as_bytes());
    mark
};

/// What the instance is told.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// the text column that is read
    column: String,
    /// value of that column → how to break on it: a word of [`breaking::breaks`], or `contract`
    breaks: BTreeMap<String, String>,
    /// what every batch does before all else, one of the same words
    always: String,
    /// a column that is not listed under `reads`; `made` is what the host answers to attempts at it
    probe: String,
    /// `made` shows the clock and random bytes
    ambient: bool,
    /// reads one more column once somebody listens to the log, which nobody does while a run is planned
    turncoat: bool,
    /// a row with what was counted is given at the end
    total: bool,
    /// a request that each batch makes, when built with the feature `http`; `made` is what came of it
    fetch: Fetch,
    /// log lines of each batch
    chatter: u32,
    /// how often each call of a destination asks to be tried again: `begin`, `commit`, `conclude`
    retries: BTreeMap<String, u32>,
}

/// A request.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fetch {
    url: String,
    credential: String,
    /// empty for a request without one
    body: String,
}

/// One instance of the transform.
#[derive(Debug)]
pub struct Fickle {
    config: Config,
    column: u32,
    probe: Option<u32>,
    fields: u32,
    run: String,
    seen: u64,
    total_given: bool,
}

/// Both roles say the same of themselves.
pub(crate) fn description() -> Description {
    let honest = Description::new("fickle", env!("CARGO_PKG_VERSION"), "breaks on certain rows").config_schema("{}");
    // Without the black box the compiler would read the mark when it compiles.
    let mark = std::hint::black_box(&MARK);
    if mark.ends_with(b"stateful.") { honest.stateful() } else { honest }
}

impl Transform for Fickle {
    fn describe() -> Description {
        description()
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let column = request.input.require("/column", &config.column)?;
        let probe = match config.probe.as_str() {
            "" => None,
            name => Some(request.input.require("/probe", name)?),
        };
        let mut output = OutputField::keep_all(&request.input);
        let mut fields = output.len() as u32;
        if !request.input.fields.iter().any(|field| field.name == "made") {
            output.push(OutputField::computed(Field::new("made", DataType::Utf8, true)));
            fields += 1;
        }
        let mut reads = vec![column];
        if config.turncoat && logging::enabled(logging::Level::Error) {
            reads.push((column + 1) % request.input.fields.len() as u32);
        }
        let seen = request.saved.as_deref().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        let opened = Opened::new(output).reads(reads);
        let run = request.run_id;
        Ok((Fickle { config, column, probe, fields, run, seen, total_given: false }, opened))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        (0..self.config.chatter).for_each(|_| logging::log(logging::Level::Warn, "chatter", &[]));
        breaking::breaks(&self.config.always)?;
        let values = batch.utf8(self.column)?;
        let mut made = Utf8Builder::with_capacity(batch.rows(), batch.rows() * 8);
        let told = self.probe.map(|column| probe::attempts(column, batch)).or_else(|| self.fetched());
        for value in values.iter() {
            if let Some(mode) = value.and_then(|value| self.config.breaks.get(value)) {
                if mode == "contract" {
                    return Ok(Derived::all([]).into());
                }
                breaking::breaks(mode)?;
            }
            self.seen += 1;
            match &told {
                Some(answers) => made.push(Some(answers)),
                None if self.config.ambient => made.push(Some(&self.ambient())),
                None => made.push(Some(&self.seen.to_string())),
            }
        }
        Ok(Derived::all([made.finish()?]).into())
    }

    fn finish(&mut self, _max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        if !self.config.total || std::mem::replace(&mut self.total_given, true) {
            return Ok(None);
        }
        let text = |value: &str| {
            let mut column = Utf8Builder::with_capacity(1, value.len());
            column.push(Some(value));
            column.finish()
        };
        let mut columns = (1..self.fields).map(|_| text("total")).collect::<Result<Vec<_>, _>>()?;
        columns.push(text(&self.seen.to_string())?);
        Ok(Some(Emitted { rows: 1, columns }))
    }
}

impl Fickle {
    fn fetched(&self) -> Option<String> {
        #[cfg(feature = "http")]
        if !self.config.fetch.url.is_empty() {
            return Some(fetch::fetch(&self.config.fetch));
        }
        None
    }

    fn ambient(&self) -> String {
        format!("{} {} {:02x?}", self.run, clock::now(), random::bytes(8))
    }
}

impl Checkpoint for Fickle {
    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        Ok(self.seen.to_le_bytes().to_vec())
    }
}

#[cfg(target_arch = "wasm32")]
const _: () = {
    use forcepump_plugin_sdk::{DestinationExport, TransformExport, bindings};
    type Through = TransformExport<Fickle>;
    type Into = DestinationExport<Unit>;
    bindings::metadata::export_metadata!(Through with_types_in bindings::metadata);
    bindings::transform::export_transform_part!(Through with_types_in bindings::transform);
    bindings::checkpoint::export_checkpoint_part!(Through with_types_in bindings::checkpoint);
    bindings::destination::export_destination_part!(Into with_types_in bindings::destination);
};
