//! A stand-in for the host, so that a plugin's tests are plain `cargo test`.
//!
//! It keeps columns in memory, one test thread at a time, and holds the plugin to the contract's
//! rules: a column that `open` did not list under `reads` cannot be read, computed columns have the
//! negotiated type and length, a rejected row is not selected.

mod cells;
pub mod files;
mod run;
pub mod sql;
pub(crate) mod store;
mod table;

pub use run::{DestinationRun, Processed, TransformRun, target};
pub use table::Table;

use crate::logging::Level;
use std::cell::RefCell;

thread_local! {
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static METRICS: RefCell<Vec<(String, f64)>> = const { RefCell::new(Vec::new()) };
}

/// Every log line since the last call, as level and text with fields.
pub fn take_log() -> Vec<(Level, String)> {
    LOG.take()
}

/// Every metric since the last call, as name and amount.
pub fn take_metrics() -> Vec<(String, f64)> {
    METRICS.take()
}

pub(crate) fn record_log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    LOG.with_borrow_mut(|log| log.push((level, format!("{message}{fields}"))));
}

pub(crate) fn record_metric(name: &str, amount: f64) {
    METRICS.with_borrow_mut(|metrics| metrics.push((name.to_owned(), amount)));
}
