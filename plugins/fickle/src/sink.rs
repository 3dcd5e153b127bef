//! The destination: a CSV file for each unit below the root `out`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use forcepump_plugin_sdk::files::{Compression, Format, Sink};
use forcepump_plugin_sdk::{
    Batch, Description, Destination, Ending, Plan, PluginError, RetryAdvice, Target, WriteOutcome,
};

use crate::{Config, breaking, description};

thread_local! {
    static ASKED: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
}

/// One unit.
#[derive(Debug)]
pub struct Unit {
    config: Config,
    column: Option<u32>,
    path: String,
    sink: Option<Sink>,
}

/// Asks to be called again as often as the configuration wants.
fn put_off(config: &Config, call: &'static str) -> Result<(), PluginError> {
    let wanted = config.retries.get(call).copied().unwrap_or(0);
    let asked = ASKED.with_borrow_mut(|asked| {
        let count = asked.entry(call).or_default();
        *count += 1;
        *count
    });
    if asked > wanted {
        return Ok(());
    }
    Err(PluginError::Retryable(RetryAdvice { after_ms: Some(1), reason: "not now".to_owned() }))
}

impl Destination for Unit {
    fn describe() -> Description {
        description()
    }

    fn prepare(_target: &Target) -> Result<Plan, PluginError> {
        Ok(Plan::one_lane())
    }

    fn begin(target: &Target, unit: &str) -> Result<Self, PluginError> {
        let config: Config = target.config()?;
        put_off(&config, "begin")?;
        let column = target.input.find(&config.column);
        Ok(Unit { config, column, path: format!("{unit}.csv"), sink: None })
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError> {
        if let Some(column) = self.column {
            for value in batch.utf8(column)?.iter().flatten() {
                if let Some(mode) = self.config.breaks.get(value) {
                    breaking::breaks(mode)?;
                }
            }
        }
        if self.sink.is_none() {
            self.sink = Some(Sink::create("out", &self.path, Format::Csv, Compression::None)?);
        }
        match &mut self.sink {
            Some(sink) => sink.write_batch(batch.handle())?,
            None => return Err(PluginError::fatal("no file")),
        }
        Ok(WriteOutcome::Accepted)
    }

    fn commit(&mut self) -> Result<String, PluginError> {
        put_off(&self.config, "commit")?;
        match self.sink.take() {
            Some(sink) => Ok(Sink::finish(sink)?.path),
            None => Ok(String::new()),
        }
    }

    fn conclude(target: &Target, _how: Ending, _tokens: &[String]) -> Result<(), PluginError> {
        put_off(&target.config()?, "conclude")
    }
}
