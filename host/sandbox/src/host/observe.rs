//! `logging` and `metrics`: always linked, bounded in every direction.

use crate::bindings::forcepump::plugin::{logging, metrics};
use crate::state::HostState;
use crate::telemetry::Level;

impl From<logging::Level> for Level {
    fn from(level: logging::Level) -> Self {
        match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
        }
    }
}

impl logging::Host for HostState {
    fn enabled(&mut self, level: logging::Level) -> wasmtime::Result<bool> {
        Ok(self.log.enabled(level.into()))
    }

    fn log(&mut self, level: logging::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.log.line(level.into(), &message, &fields);
        Ok(())
    }
}

impl metrics::Host for HostState {
    fn add(&mut self, name: String, amount: u64) -> wasmtime::Result<()> {
        self.metrics.add(&mut self.counters, &name, amount);
        Ok(())
    }

    fn set(&mut self, name: String, amount: f64) -> wasmtime::Result<()> {
        self.metrics.set(&mut self.counters, &name, amount);
        Ok(())
    }

    fn observe(&mut self, name: String, amount: f64) -> wasmtime::Result<()> {
        self.metrics.observe(&mut self.counters, &name, amount);
        Ok(())
    }
}
